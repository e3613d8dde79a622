"""A bounded memory of answers, so that a client's speed can be measured and not the stand-in model's."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Memory(Generic[T]):
    """Keeps the values used last, up to ``most`` bytes by their own account. Safe in threads.

    Args:
        most: bytes kept; 0 keeps nothing.
        weigh: the bytes that one value takes.
    """

    def __init__(self, most: int, weigh: Callable[[T], int]) -> None:
        self._most = most
        self._weigh = weigh
        self._values: OrderedDict[bytes, T] = OrderedDict()
        self._held = 0
        self._lock = threading.Lock()

    @property
    def held(self) -> int:
        """Bytes kept now."""
        return self._held

    def get(self, key: bytes) -> T | None:
        """What was put under ``key``, if it is still there."""
        with self._lock:
            if (value := self._values.get(key)) is not None:
                self._values.move_to_end(key)
            return value

    def put(self, key: bytes, value: T) -> None:
        """Keep ``value``, and forget what was not asked for longest where that is needed for it."""
        with self._lock:
            if key in self._values:
                self._held -= self._weigh(self._values.pop(key))
            self._values[key] = value
            self._held += self._weigh(value)
            while self._held > self._most:
                _, forgotten = self._values.popitem(last=False)
                self._held -= self._weigh(forgotten)
