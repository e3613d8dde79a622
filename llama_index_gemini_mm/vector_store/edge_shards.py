"""The open shard of an embedded collection, which can be exchanged for another while it is searched."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import qdrant_edge as edge


@dataclass
class _Open:
    """A shard, and how many are using it."""

    path: Path
    engine: edge.EdgeShard
    users: int = 0


class OpenShard:
    """Hands out the engine to those who search, and closes it after the last of them."""

    def __init__(self, path: Path, engine: edge.EdgeShard) -> None:
        self._open = _Open(path, engine)
        self._changed = threading.Condition()

    @property
    def path(self) -> Path:
        """Its folder."""
        return self._open.path

    @property
    def engine(self) -> edge.EdgeShard:
        """The engine as it is now, for whoever keeps others from exchanging it."""
        return self._open.engine

    @contextmanager
    def use(self) -> Iterator[edge.EdgeShard]:
        """The engine, which stays open until the block ends."""
        with self._changed:
            used = self._open
            used.users += 1
        try:
            yield used.engine
        finally:
            with self._changed:
                used.users -= 1
                self._changed.notify_all()

    def exchange(self, path: Path, engine: edge.EdgeShard) -> None:
        """Let searches that begin now use another shard; returns when the former one is closed."""
        with self._changed:
            former, self._open = self._open, _Open(path, engine)
        self._close(former)

    def close(self) -> None:
        """Close the engine after the last search."""
        self._close(self._open)

    def _close(self, shard: _Open) -> None:
        with self._changed:
            self._changed.wait_for(lambda: shard.users == 0)
        shard.engine.close()
