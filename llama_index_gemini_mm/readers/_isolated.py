"""Reading in a worker process: what goes there, what comes back, and what a lost worker means for the file.

A worker has no network. The bytes of a URL are therefore fetched here and lie beside it, and a media store that is not
on this disk is written to through this process.
"""

from __future__ import annotations

import io
import logging
import pickle
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Self

from llama_index.core.schema import BaseNode

from llama_index_gemini_mm.errors import CorruptFile, FileTooLarge, GeminiMMError, SourceError
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers._base import ReaderOptions
from llama_index_gemini_mm.readers._pictures import FETCH, remote
from llama_index_gemini_mm.readers._registry import read_source
from llama_index_gemini_mm.sandbox import Bounds, Sandbox, ask_parent, bounds_for, guarded
from llama_index_gemini_mm.source import Source

_log = logging.getLogger(__name__)
_STORE_METHODS = ("exists", "cat_file", "makedirs", "pipe_file", "mv")

Then = Callable[[list[BaseNode]], Iterable[BaseNode]]
"""What is done with the documents of a file in the same worker: a node parser. It is pickled."""
Note = Callable[[SourceError], None]


class Job:
    """What is done with every file of a run. It is pickled once for all of them, and made anew once in a worker."""

    def __init__(self, store: MediaStore, options: ReaderOptions, then: Then | None = None) -> None:
        self.store = store
        self.options = options
        self.then = then
        self._pickled = pickle.dumps((_for_worker(store), options, then))

    def __reduce__(self) -> tuple[Any, ...]:
        return _job, (self._pickled,)


@lru_cache(maxsize=1)
def _job(pickled: bytes) -> Job:
    return Job(*pickle.loads(pickled))  # noqa: S301 - a worker trusts its parent


class Reading:
    """One file being read in a worker. Begins at once; iterate over it, or close it.

    Args:
        sandbox: where.
        source: the file.
        job: what is done with it.
        bounds: what that may take.
        when_over: called, from some thread, when the worker has done all of it, be it taken or not.
    """

    def __init__(
        self, sandbox: Sandbox, source: Source, job: Job, bounds: Bounds, when_over: Callable[[], None]
    ) -> None:
        self._source = source
        with ExitStack() as stack:
            copy = stack.enter_context(_Fetched(source)) if source.is_url else None
            at_hand = copy.source if copy else source
            services = _services(job.store, job.options)
            self._stream = sandbox.start(_pieces, bounds_for(at_hand.size, bounds), services, at_hand, job)
            stack.callback(self._stream.close)
            self._stack = stack.pop_all()
        if copy:
            self._stream.when_over(copy.remove)
        self._stream.when_over(when_over)

    def nodes(self, note: Note) -> Iterator[BaseNode]:
        """Yield the documents, or what ``then`` made of them; ``note`` is told of files inside that were left out.

        Raises:
            SourceError: one of its subclasses; a worker that is lost means ``FileTooLarge`` or ``CorruptFile``.
        """
        try:
            with guarded(self._source.location):
                for piece in self._stream:
                    if isinstance(piece, SourceError):
                        note(piece)
                    else:
                        yield piece
        finally:
            self.close()

    def close(self) -> None:
        """Stop, and clean up."""
        self._stack.close()


def _pieces(source: Source, job: Job) -> Iterator[BaseNode | SourceError]:
    """In the worker: the documents of a file or what becomes of them, and notes."""
    notes: list[SourceError] = []
    documents = read_source(source, job.store, job.options, notes.append)
    try:
        with job.store.lent(source):
            for node in documents if job.then is None else job.then(list[BaseNode](documents)):
                yield from _drained(notes)
                yield node
            yield from _drained(notes)
    except GeminiMMError:
        raise
    except RecursionError as error:
        raise FileTooLarge(source.location, "nested too deeply") from error
    except MemoryError:
        raise
    except Exception as error:
        # The last resort, at the border of the process: whatever a file makes a library do costs that file alone.
        _log.exception("%s could not be read, for a reason that should have been foreseen", source.name)
        raise CorruptFile(source.location, f"reading it failed ({type(error).__name__})") from error


def _drained(notes: list[SourceError]) -> Iterator[SourceError]:
    while notes:
        yield notes.pop(0)


class _Fetched:
    """The bytes of a URL in a temporary file, for as long as the block lasts, or until it is removed.

    Attributes:
        source: the URL, with its copy.
    """

    def __init__(self, source: Source) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="gemini-mm-")
        self._copy = Path(self._folder.name) / "copy"
        self.source = replace(source, copy=self._copy)
        self._url = source

    def remove(self) -> None:
        """Remove it, if it is there."""
        self._folder.cleanup()

    def __enter__(self) -> Self:
        try:
            with self._url.open() as stream, self._copy.open("wb") as file:
                shutil.copyfileobj(stream, file, 1 << 20)
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


class _RelayedFiles:
    """The file system of a media store, for a worker: what fsspec has and the store uses, done by the parent."""

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""
        return bool(ask_parent("exists", name))

    def cat_file(self, name: str) -> bytes:
        """All bytes of a file; raises ``FileNotFoundError``."""
        return bytes(ask_parent("cat_file", name))

    def makedirs(self, name: str, *, exist_ok: bool) -> None:
        """Make a folder."""
        ask_parent("makedirs", name, exist_ok)

    def pipe_file(self, name: str, data: bytes) -> None:
        """Write a file."""
        ask_parent("pipe_file", name, data)

    def mv(self, old: str, new: str) -> None:
        """Rename a file."""
        ask_parent("mv", old, new)

    def open(self, name: str, mode: str) -> BinaryIO:
        """Open a file for reading."""
        return io.BytesIO(self.cat_file(name))


class _RelayedStore(MediaStore):
    """A media store that is written to through the parent."""

    def __init__(self, root: str | Path) -> None:
        super().__init__(root)
        self._fs = _RelayedFiles()

    def __reduce__(self) -> tuple[Any, ...]:
        return _RelayedStore, (self.root,)


def _for_worker(store: MediaStore) -> MediaStore:
    return store if store.is_local else _RelayedStore(store.root)


def _services(store: MediaStore, options: ReaderOptions) -> Mapping[str, Callable[..., Any]]:
    writing = () if store.is_local else _STORE_METHODS
    fetch = remote(options)
    return {name: store.method(name) for name in writing} | ({FETCH: fetch} if fetch else {})
