"""CacheFile: the SQLite file under the cache, shared by threads, forks and processes; its errors as one clear line."""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from llama_index_gemini_mm.errors import ConfigurationError

_APPLICATION = int.from_bytes(b"GMMC", "big")
_VERSION = 1
_BUSY_SECONDS = 30.0

# The vectors lie apart from what is looked up and changed about them: noting a use rewrites a row of some 50 bytes
# instead of one of 12 kB, and the sum of the sizes is taken from a table that is small.
_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS entries (
    key BLOB PRIMARY KEY, id INTEGER NOT NULL, size INTEGER NOT NULL, used INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS vectors (id INTEGER PRIMARY KEY, crc INTEGER NOT NULL, vector BLOB NOT NULL);
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_VERSION};
COMMIT
"""
# Vectors have 512 bytes to 12 kB; larger pages than SQLite's 4 kB take several whole: measured, a third less time to
# read, half the time to write, and less slack.
_PAGE_SIZE = 32768


class CacheFile:
    """One connection, used by one thread at a time, opened when needed and anew after ``close``.

    No connection crosses a fork, because SQLite's locks belong to the process that took them: it is closed before, and
    parent and child each open their own when they next need one.

    Raises ``ConfigurationError`` wherever the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        _register_at_fork(self)
        with self.connection():
            pass

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """The connection, outside of a transaction."""
        with self._lock, _explained(self.path):
            if self._db is None:
                self._db = _open(self.path)
            yield self._db

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The connection in a transaction that may write; committed at the end, rolled back on any error.

        It takes the write lock at its start: one that reads first and writes later can be refused without a wait.
        """
        with self.connection() as db, db:
            db.execute("BEGIN IMMEDIATE")
            yield db

    def size(self) -> int:
        """Bytes on disk, the write-ahead log included."""
        files = (self.path, Path(f"{self.path}-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._disconnect()

    def _disconnect(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def _before_fork(self) -> None:
        self._lock.acquire()
        self._disconnect()

    def _after_fork(self) -> None:
        self._lock.release()


def _register_at_fork(file: CacheFile) -> None:
    if hasattr(os, "register_at_fork"):
        before, after = weakref.WeakMethod(file._before_fork), weakref.WeakMethod(file._after_fork)
        os.register_at_fork(
            before=lambda: _call(before), after_in_parent=lambda: _call(after), after_in_child=lambda: _call(after)
        )


def _call(method: weakref.WeakMethod[Callable[[], None]]) -> None:
    alive = method()
    if alive is not None:
        alive()


def _open(path: Path) -> sqlite3.Connection:
    """A connection to a file that is ours, made where there is none.

    SQLite waits for locks by itself, but not for those around the change to WAL and the removal of the log.
    """
    attempts = Retrying(
        retry=retry_if_exception(_is_busy),
        stop=stop_after_delay(_BUSY_SECONDS),
        wait=wait_random(0.01, 0.1),
        reraise=True,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    return attempts(_connect, path)


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        if _state(db) == (0, 0, 0):
            db.execute(f"PRAGMA page_size = {_PAGE_SIZE}")
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(_SCHEMA)
        application, version, _ = _state(db)
        if application != _APPLICATION:
            raise ConfigurationError(f"{path} is not an embedding cache but another program's file; name another path")
        if version != _VERSION:
            raise ConfigurationError(f"the embedding cache {path} is of another version of this package; delete it")
        # A crash of this process loses nothing that was committed. A power failure may lose the last transactions,
        # never the file's order, and a lost vector costs asking for it again; so no wait for the disk at each commit.
        db.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        db.close()
        raise
    return db


def _state(db: sqlite3.Connection) -> tuple[int, int, int]:
    """Whose file, of which version, and how many tables and indexes it has."""
    statements = ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
    application, version, tables = (int(db.execute(statement).fetchone()[0]) for statement in statements)
    return application, version, tables


def _is_busy(error: BaseException) -> bool:
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_PROTOCOL)


def _code(error: BaseException) -> int:
    """SQLite's primary result code: the low byte, the rest only says which kind of it."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        if _code(error) == sqlite3.SQLITE_CORRUPT:
            raise damaged(path) from error
        if _code(error) == sqlite3.SQLITE_NOTADB:
            raise ConfigurationError(
                f"{path} is no embedding cache, or one whose head is damaged; name another path, or delete it"
            ) from error
        if isinstance(error, sqlite3.OperationalError):
            raise ConfigurationError(f"the embedding cache {path} cannot be used: {error}") from error
        raise
    except OSError as error:
        raise ConfigurationError(f"the embedding cache {path} cannot be used: {error.strerror}") from error


def damaged(path: Path) -> ConfigurationError:
    """What to raise about content that is not as it was written."""
    return ConfigurationError(f"the embedding cache {path} is damaged; delete it, and vectors are asked for anew")
