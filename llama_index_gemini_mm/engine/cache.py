"""EmbeddingCache: vectors that were paid for, in one SQLite file, by the key of what they embed."""

from __future__ import annotations

import sqlite3
import struct
import time
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from llama_index_gemini_mm.closing import Closing
from llama_index_gemini_mm.engine.cache_file import CacheFile, damaged
from llama_index_gemini_mm.engine.items import Vector
from llama_index_gemini_mm.engine.keys import Key

CACHE_FILE = "embeddings.sqlite3"
"""Name of the cache in a storage folder."""

_FLOAT = np.dtype("<f4")

_CHUNK = 500
"""Keys in one statement; more is no faster, and this bounds what is held besides the lists."""
_LOOK_UP = "SELECT key, used, crc, vector FROM entries JOIN vectors USING (id) WHERE key IN (%s)"
_RECENT_SECONDS = 3600
"""A use is noted when the last note is older: a read costs no write, or one an hour, and what is evicted first is
still what nobody asked for longest, to the hour."""
_KEPT = 0.9
"""What eviction leaves of the bound, so that it runs once in a while and not at each write."""
_SLACK = 50
"""The sizes are summed again at the latest when a 50th of the bound was written; so other processes that write the
same file can pass it by that much each, and no more."""


@dataclass(frozen=True)
class CacheStats:
    """What a cache holds. ``bytes`` counts vectors, ``file_bytes`` the file and its log; uses are ISO 8601 in UTC.

    ``hits`` and ``misses`` are those of this object; uses are noted once an hour.
    """

    entries: int
    bytes: int
    file_bytes: int
    max_bytes: int | None
    hits: int
    misses: int
    oldest_use: str | None
    newest_use: str | None


class EmbeddingCache(Closing):
    """Vectors by key in one SQLite file; safe for several threads and processes, and across forks and pickling.

    Every method raises ``ConfigurationError`` when the file cannot be used or is damaged.

    Args:
        path: the file; it and its folder are made when missing. It must lie on a local disk.
        max_bytes: bound on the vectors together, in bytes of four to the number; what was not used for longest goes
            when it is passed. ``None`` for no bound.
    """

    def __init__(self, path: str | Path, *, max_bytes: int | None = 2 * 2**30) -> None:
        self.max_bytes = max_bytes
        self._file = CacheFile(Path(path).expanduser().absolute())
        self._hits = self._misses = 0
        self._unchecked = 0  # bytes that may be written before the sizes are summed again

    @property
    def path(self) -> Path:
        """Where it is."""
        return self._file.path

    def get_many(self, keys: Sequence[Key], dimension: int) -> list[Vector | None]:
        """For each key its vector, or ``None`` when there is none of ``dimension`` numbers."""
        vectors: list[Vector | None] = []
        stale: list[Key] = []
        for start in range(0, len(keys), _CHUNK):
            vectors += self._look_up(keys[start : start + _CHUNK], dimension, stale)
        self._note_use(stale)
        return vectors

    def put_many(self, items: Iterable[tuple[Key, Vector]]) -> None:
        """Store vectors, all or none; they survive the end of this process, however it ends, once this returns."""
        blobs = {key: struct.pack(f"<{len(vector)}f", *vector) for key, vector in items}
        if not blobs:
            return
        now = int(time.time())
        with self._file.transaction() as db:
            db.executemany("DELETE FROM vectors WHERE id = (SELECT id FROM entries WHERE key = ?)", _tuples(blobs))
            first = db.execute("SELECT coalesce(max(id), 0) + 1 FROM vectors").fetchone()[0]
            db.executemany(
                "INSERT INTO vectors VALUES (?, ?, ?)",
                ((first + n, zlib.crc32(blob), blob) for n, blob in enumerate(blobs.values())),
            )
            db.executemany(
                "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)",
                ((key, first + n, len(blob), now) for n, (key, blob) in enumerate(blobs.items())),
            )
            self._keep_bound(db, sum(map(len, blobs.values())))

    def stats(self) -> CacheStats:
        """What it holds now."""
        with self._file.connection() as db:
            entries, size, oldest, newest = db.execute(
                "SELECT count(*), coalesce(sum(size), 0), min(used), max(used) FROM entries"
            ).fetchone()
            return CacheStats(
                entries=entries,
                bytes=size,
                file_bytes=self._file.size(),
                max_bytes=self.max_bytes,
                hits=self._hits,
                misses=self._misses,
                oldest_use=_iso(oldest),
                newest_use=_iso(newest),
            )

    def clear(self) -> int:
        """Remove everything, give the space back to the disk, and say how many vectors there were."""
        with self._file.transaction() as db:
            entries: int = db.execute("SELECT count(*) FROM entries").fetchone()[0]
            db.execute("DELETE FROM entries")
            db.execute("DELETE FROM vectors")
        with self._file.connection() as db:
            db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return entries

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        self._file.close()

    def __getstate__(self) -> tuple[Path, int | None]:
        return self.path, self.max_bytes

    def __setstate__(self, state: tuple[Path, int | None]) -> None:
        path, max_bytes = state
        EmbeddingCache.__init__(self, path, max_bytes=max_bytes)

    def _look_up(self, keys: Sequence[Key], dimension: int, stale: list[Key]) -> list[Vector | None]:
        """One statement's worth; adds to ``stale`` the keys whose use is to be noted."""
        recent = time.time() - _RECENT_SECONDS
        blobs: dict[Key, bytes] = {}
        with self._file.connection() as db:
            for key, used, crc, blob in db.execute(_LOOK_UP % ",".join("?" * len(keys)), keys):
                if zlib.crc32(blob) != crc:
                    raise damaged(self.path)
                if len(blob) == dimension * _FLOAT.itemsize:
                    blobs[key] = blob
                if used < recent:
                    stale.append(key)
            found = _decoded(blobs, dimension)
            vectors = [found.get(key) for key in keys]
            misses = vectors.count(None)
            self._misses += misses
            self._hits += len(keys) - misses
        return vectors if len(set(keys)) == len(keys) else [vector and vector.copy() for vector in vectors]

    def _note_use(self, keys: Sequence[Key]) -> None:
        if keys:
            now = int(time.time())
            with self._file.transaction() as db:
                db.executemany("UPDATE entries SET used = ? WHERE key = ?", ((now, key) for key in keys))

    def _keep_bound(self, db: sqlite3.Connection, written: int) -> None:
        """Evict when the bound is passed; summing is left out as long as it cannot have been."""
        self._unchecked -= written
        if self.max_bytes is None or self._unchecked >= 0:
            return
        total: int = db.execute("SELECT coalesce(sum(size), 0) FROM entries").fetchone()[0]
        if total > self.max_bytes:
            total -= _evict(db, total - int(self.max_bytes * _KEPT))
        self._unchecked = min(self.max_bytes - total, self.max_bytes // _SLACK)


def _evict(db: sqlite3.Connection, excess: int) -> int:
    """Remove what was not used for longest until ``excess`` bytes are gone; how many bytes that were."""
    doomed: list[tuple[Key, int]] = []
    freed = 0
    for key, number, size in db.execute("SELECT key, id, size FROM entries ORDER BY used, id"):
        if freed >= excess:
            break
        doomed.append((key, number))
        freed += size
    db.executemany("DELETE FROM entries WHERE key = ?", ((key,) for key, _ in doomed))
    db.executemany("DELETE FROM vectors WHERE id = ?", ((number,) for _, number in doomed))
    return freed


def _decoded(blobs: dict[Key, bytes], dimension: int) -> dict[Key, Vector]:
    """All in one array, because making lists one vector at a time takes a tenth longer."""
    numbers = np.frombuffer(b"".join(blobs.values()), _FLOAT).reshape(len(blobs), dimension)
    return dict(zip(blobs, numbers.tolist(), strict=True))


def _tuples(keys: Iterable[Key]) -> Iterable[tuple[Key]]:
    return ((key,) for key in keys)


def _iso(seconds: int | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
