"""Manifest: which files an index holds, in which state, as which nodes. One SQLite file in the storage folder.

It is a journal as well. A node is listed here before it is stored, and a file counts as finished only after all its
nodes are stored and its former ones are gone. So, whenever a process was killed:

- the store holds no node of which the manifest does not know the file;
- of a finished file the store holds exactly the nodes listed.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_VERSION = 2
_UNFINISHED = -1
"""Size of a file whose nodes in the store are in between; no file has it, so it counts as changed."""
_SCHEMA = """
CREATE TABLE indexed (
    id INTEGER PRIMARY KEY, target TEXT NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    sha256 TEXT NOT NULL, UNIQUE (target, path)
);
CREATE TABLE nodes (
    file INTEGER NOT NULL, node_id TEXT NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (file, node_id)
) WITHOUT ROWID;
"""
_PUT = """
INSERT INTO indexed (target, path, size, mtime_ns, sha256) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (target, path) DO UPDATE SET size = excluded.size, mtime_ns = excluded.mtime_ns, sha256 = excluded.sha256
"""
_FILE_ID = "SELECT id FROM indexed WHERE target = ? AND path = ?"
_WAIT_SECONDS = 30.0


@dataclass(frozen=True)
class FileRecord:
    """A file as it was when it was last indexed; ``mtime_ns`` is 0 for what has no time."""

    path: str
    size: int
    mtime_ns: int
    sha256: str

    @property
    def finished(self) -> bool:
        """Whether the store holds exactly the nodes of this state."""
        return self.size != _UNFINISHED


class Manifest:
    """The files of one collection. Safe in threads.

    Every method that writes does all of it or nothing, and what it wrote is on disk when it returns.

    Args:
        path: the SQLite file; several collections may share it.
        target: names the collection and where it is, so that another one starts with an empty list.
    """

    def __init__(self, path: Path, target: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._target = target
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, _WAIT_SECONDS, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._make()

    def files(self) -> dict[str, FileRecord]:
        """All records by path, those of unfinished files too."""
        with self._lock:
            rows = self._db.execute(
                "SELECT path, size, mtime_ns, sha256 FROM indexed WHERE target = ?", (self._target,)
            ).fetchall()
        return {row[0]: FileRecord(*row) for row in rows}

    def node_ids(self, path: str) -> list[str]:
        """Every node of a file that the store may hold, in reading order."""
        with self._lock:
            rows = self._db.execute(
                "SELECT node_id FROM nodes JOIN indexed ON id = file WHERE target = ? AND path = ? ORDER BY position",
                (self._target, path),
            ).fetchall()
        return [node_id for (node_id,) in rows]

    def begin(self, nodes: Mapping[str, Mapping[str, int]]) -> None:
        """Note nodes that are about to be stored: by path, id and position. Their files count as unfinished."""
        with self._transaction() as db:
            for path, places in nodes.items():
                db.execute(_PUT, (self._target, path, _UNFINISHED, 0, ""))
                file = self._file_id(path)
                rows = [(file, node_id, position) for node_id, position in places.items()]
                db.executemany("INSERT OR REPLACE INTO nodes VALUES (?, ?, ?)", rows)

    def finish(self, records: Iterable[FileRecord], stale: Mapping[str, Iterable[str]] | None = None) -> None:
        """Note files as they are now; ``stale`` are ids, by path, that the store no longer holds."""
        with self._transaction() as db:
            for record in records:
                db.execute(_PUT, (self._target, record.path, record.size, record.mtime_ns, record.sha256))
            for path, node_ids in (stale or {}).items():
                file = self._file_id(path)
                db.executemany("DELETE FROM nodes WHERE file = ? AND node_id = ?", ((file, i) for i in node_ids))

    def suspend(self, paths: Sequence[str]) -> None:
        """Count files as unfinished from now on, because their nodes are about to be deleted."""
        with self._transaction() as db:
            db.executemany(
                "UPDATE indexed SET size = ?, sha256 = '' WHERE target = ? AND path = ?",
                ((_UNFINISHED, self._target, path) for path in paths),
            )

    def remove(self, paths: Iterable[str]) -> None:
        """Forget files and their nodes."""
        with self._transaction() as db:
            files = [(self._file_id(path),) for path in paths]
            db.executemany("DELETE FROM nodes WHERE file = ?", files)
            db.executemany("DELETE FROM indexed WHERE id = ?", files)

    def clear(self) -> None:
        """Forget all files of this collection."""
        with self._transaction() as db:
            db.execute("DELETE FROM nodes WHERE file IN (SELECT id FROM indexed WHERE target = ?)", (self._target,))
            db.execute("DELETE FROM indexed WHERE target = ?", (self._target,))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def _make(self) -> None:
        """Make the tables; a list of an older version is taken over."""
        with self._transaction() as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version >= _VERSION:
                return
            for statement in filter(str.strip, _SCHEMA.split(";")):
                db.execute(statement)
            if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'files'").fetchone():
                _take_over(db)
            db.execute(f"PRAGMA user_version = {_VERSION}")

    def _file_id(self, path: str) -> int:
        (file,) = self._db.execute(_FILE_ID, (self._target, path)).fetchone()
        return int(file)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")


def _take_over(db: sqlite3.Connection) -> None:
    """Version 1 had one table, with the ids of a file's nodes as JSON."""
    rows = db.execute("SELECT target, path, size, mtime_ns, sha256, node_ids FROM files").fetchall()
    for *record, node_ids in rows:
        file = db.execute(_PUT, record).lastrowid
        places = ((file, node_id, position) for position, node_id in enumerate(json.loads(node_ids)))
        db.executemany("INSERT INTO nodes VALUES (?, ?, ?)", places)
    db.execute("DROP TABLE files")
