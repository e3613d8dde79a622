"""Reading ahead: files are begun in their order, some at once, by a thread of their own, and taken in that order.

A file that takes long keeps one worker busy, and whoever waits for it waiting; the others go on with what comes next.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from queue import SimpleQueue

from llama_index_gemini_mm.errors import SourceError
from llama_index_gemini_mm.readers._isolated import Reading
from llama_index_gemini_mm.source import Source

_AHEAD = 16
"""Files for each worker that may wait to be taken. What they hold is bounded by the sandbox."""

Sources = Iterable[tuple[Source, str | None]]
Begin = Callable[[Source, str | None, Callable[[], None]], Reading]
"""Begins to read a file of a folder, and calls the third argument when that is over."""


class ReadAhead:
    """Iterate once over the files, each with the reading of it or why there is none; closed when it has been taken.

    Args:
        sources: iterated over by a thread of this object.
        begin: called by that thread.
        workers: how many files are read at once.
    """

    def __init__(self, sources: Sources, begin: Begin, workers: int) -> None:
        self._sources = sources
        self._begin = begin
        self._free = threading.Semaphore(workers)
        self._room = threading.Semaphore(workers * _AHEAD)
        self._begun: SimpleQueue[_Begun | BaseException | None] = SimpleQueue()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="gemini-mm-read", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[tuple[Source, Reading | SourceError]]:
        while (begun := self._begun.get()) is not None:
            if isinstance(begun, BaseException):
                raise begun
            try:
                yield begun
            finally:
                _close(begun[1])
                self._room.release()

    def close(self) -> None:
        """End what is being read."""
        self._is_closed = True
        self._free.release()
        self._room.release()
        self._thread.join()
        while not self._begun.empty():
            begun = self._begun.get()
            if isinstance(begun, tuple):
                _close(begun[1])

    def _run(self) -> None:
        try:
            for source, root in self._sources:
                self._room.acquire()
                self._free.acquire()
                if self._is_closed:
                    return
                self._begun.put((source, self._reading(source, root)))
            self._begun.put(None)
        except BaseException as error:  # noqa: BLE001 - raised where the files are taken
            self._begun.put(error)

    def _reading(self, source: Source, root: str | None) -> Reading | SourceError:
        try:
            return self._begin(source, root, self._free.release)
        except SourceError as error:
            self._free.release()
            return error


_Begun = tuple[Source, Reading | SourceError]


def _close(reading: Reading | SourceError) -> None:
    if isinstance(reading, Reading):
        reading.close()
