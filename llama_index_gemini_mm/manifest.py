"""Manifest: which files an index holds, in which state, as which nodes. One SQLite file in the storage folder."""

from __future__ import annotations

import json
import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    target TEXT NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    sha256 TEXT NOT NULL, node_ids TEXT NOT NULL, PRIMARY KEY (target, path)
) WITHOUT ROWID
"""


@dataclass(frozen=True)
class FileRecord:
    """A file as it was when it was last indexed; ``mtime_ns`` is 0 for what has no time."""

    path: str
    size: int
    mtime_ns: int
    sha256: str
    node_ids: tuple[str, ...] = ()


class Manifest:
    """The files of one collection.

    Args:
        path: the SQLite file; several collections may share it.
        target: names the collection and where it is, so that another one starts with an empty list.
    """

    def __init__(self, path: Path, target: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._target = target
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute(_SCHEMA)

    def files(self) -> dict[str, FileRecord]:
        """All records by path."""
        rows = self._run("SELECT path, size, mtime_ns, sha256, node_ids FROM files WHERE target = ?", self._target)
        return {row[0]: FileRecord(*row[:4], tuple(json.loads(row[4]))) for row in rows}

    def put(self, record: FileRecord) -> None:
        """Add or replace a record; on disk when this returns."""
        self._run(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)",
            self._target,
            record.path,
            record.size,
            record.mtime_ns,
            record.sha256,
            json.dumps(record.node_ids),
        )

    def remove(self, path: str) -> None:
        """Forget a file."""
        self._run("DELETE FROM files WHERE target = ? AND path = ?", self._target, path)

    def clear(self) -> None:
        """Forget all files of this collection."""
        self._run("DELETE FROM files WHERE target = ?", self._target)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _run(self, statement: str, *values: str | int) -> list[tuple[str, int, int, str, str]]:
        with self._lock:
            return self._db.execute(statement, values).fetchall()
