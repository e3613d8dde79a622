"""What a worker may use, and what it means when it ends before its task."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from llama_index_gemini_mm.errors import CorruptFile, FileTooLarge


@dataclass(frozen=True)
class Bounds:
    """What a worker may use.

    Attributes:
        memory_bytes: beyond what it needs by itself; enforced on Linux.
        seconds: between two items, by the clock.
    """

    memory_bytes: int = 4 * 2**30
    seconds: float = 120.0


_SECONDS_PER_MIB = 2.0
"""Long recordings are decoded as a whole before the first item of them appears."""


def bounds_for(size: int, bounds: Bounds | None = None) -> Bounds:
    """``bounds``, or the usual ones, with more time for a file of so many bytes."""
    bounds = bounds or Bounds()
    return replace(bounds, seconds=bounds.seconds + _SECONDS_PER_MIB * size / 2**20)


class WorkerLost(Exception):
    """A worker ended before its task. ``cause`` says how, the text why."""

    def __init__(self, cause: Literal["time", "memory", "crash"], text: str) -> None:
        self.cause = cause
        super().__init__(text)


@contextlib.contextmanager
def guarded(location: str) -> Iterator[None]:
    """Turn the loss of a worker into an error of the file at ``location``: ``CorruptFile`` or ``FileTooLarge``."""
    try:
        yield
    except WorkerLost as lost:
        kind = CorruptFile if lost.cause == "crash" else FileTooLarge
        raise kind(location, str(lost)) from lost


def loss_of(code: int) -> WorkerLost:
    """What an exit code says."""
    name = signal.Signals(-code).name if code < 0 and -code in set(signal.Signals) else f"exit code {code}"
    if name == "SIGXCPU":
        return WorkerLost("time", "computing took too long")
    if name == "SIGKILL":
        return WorkerLost("memory", "")
    return WorkerLost("crash", f"reading it crashed ({name})")
