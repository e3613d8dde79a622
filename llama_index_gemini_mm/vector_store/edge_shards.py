"""The open shard of an embedded collection, which can be exchanged for another while it is searched."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from pathlib import Path

import qdrant_edge as edge


class _Open:
    """A shard, and how many are using it. As a context manager it is the engine, which stays open until the end."""

    def __init__(self, path: Path, engine: edge.EdgeShard) -> None:
        self.path = path
        self.engine = engine
        self._users = 0
        self._unused = threading.Condition()

    def begin(self) -> None:
        """There is another user; each leaves by ``__exit__``."""
        with self._unused:
            self._users += 1

    def close(self) -> None:
        """Close the engine after the last user."""
        with self._unused:
            self._unused.wait_for(lambda: not self._users)
        self.engine.close()

    def __enter__(self) -> edge.EdgeShard:
        return self.engine

    def __exit__(self, *_: object) -> None:
        with self._unused:
            self._users -= 1
            if not self._users:
                self._unused.notify_all()


class OpenShard:
    """Hands out the engine to those who search, and closes it after the last of them."""

    def __init__(self, path: Path, engine: edge.EdgeShard) -> None:
        self._open = _Open(path, engine)
        self._exchanging = threading.Lock()

    @property
    def path(self) -> Path:
        """Its folder."""
        return self._open.path

    @property
    def engine(self) -> edge.EdgeShard:
        """The engine as it is now, for whoever keeps others from exchanging it."""
        return self._open.engine

    def use(self) -> AbstractContextManager[edge.EdgeShard]:
        """The engine, which stays open until the block ends; enter it at once."""
        with self._exchanging:
            self._open.begin()
            return self._open

    def exchange(self, path: Path) -> None:
        """Open another shard in place of this one; searches wait meanwhile, some tenths of a second.

        Both at once would take twice the memory.

        Raises:
            OSError: the other cannot be opened; the former one is open again.
        """
        with self._exchanging:
            self._open.close()
            former = self._open.path
            try:
                self._open = _Open(path, edge.EdgeShard.load(str(path)))
            except Exception as error:
                self._open = _Open(former, edge.EdgeShard.load(str(former)))
                raise OSError(f"the other one cannot be opened: {error}") from error

    def close(self) -> None:
        """Close the engine after the last search."""
        self._open.close()
