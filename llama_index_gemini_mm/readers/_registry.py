"""Which format reads a source.

The folder is the registry: every module here whose name has no underscore exports ``FORMAT``. Other packages add
formats through the entry-point group ``llama_index_gemini_mm.formats``, each entry naming an instance of ``Format``.
"""

from __future__ import annotations

import logging
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from llama_index.core.schema import Document

from llama_index_gemini_mm.codecs import Undecodable
from llama_index_gemini_mm.errors import (
    CorruptFile,
    FileTooLarge,
    NothingToRead,
    SourceError,
    UnsupportedFormat,
)
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers import _unread
from llama_index_gemini_mm.readers._base import NO_MATCH, Format, ReaderOptions
from llama_index_gemini_mm.readers._bounds import MAX_DEPTH, MAX_INNER_BYTES, MAX_INNER_FILES
from llama_index_gemini_mm.source import Source

_log = logging.getLogger(__name__)
ENTRY_POINTS = "llama_index_gemini_mm.formats"


@cache
def formats() -> tuple[Format, ...]:
    """Every known format, in the order of their names, then those of other packages."""
    package = __name__.rpartition(".")[0]
    folder = import_module(package).__path__
    names = sorted(m.name for m in pkgutil.iter_modules(folder) if not m.name.startswith("_"))
    own = [import_module(f"{package}.{name}").FORMAT for name in names]
    return (*own, *(entry.load() for entry in entry_points(group=ENTRY_POINTS)))


def find_format(source: Source) -> Format:
    """The format that matches best, by content before suffix.

    Raises:
        CorruptFile: the source has no bytes.
        UnsupportedFormat: no format knows this content; the reason says what it looks like.
    """
    if not source.head:
        raise CorruptFile(source.location, "the file is empty")
    score, found = max(((f.score(source), f) for f in formats()), key=lambda pair: pair[0])
    if score == NO_MATCH:
        raise UnsupportedFormat(source.location, f"{_unread.describe(source)}, which no reader knows")
    return found


def media_type(source: Source) -> str:
    """The registered MIME type of a file that is itself a picture, sound, film or PDF.

    Raises:
        SourceError: one of its subclasses; ``UnsupportedFormat`` for a file of another kind.
    """
    with _decoding(source):
        found = find_format(source).medium(source)
    if found is None:
        raise UnsupportedFormat(source.location, "no picture, sound, film or PDF; index it to search what it says")
    return found


def read_source(
    source: Source,
    store: MediaStore,
    options: ReaderOptions | None = None,
    note: Callable[[SourceError], None] | None = None,
) -> Iterator[Document]:
    """Yield the documents of one file and of the files inside it, in reading order; media go into ``store``.

    A file inside another that cannot be read costs that one alone: ``note`` is told, or else the log.

    Raises:
        SourceError: one of its subclasses, with the location and the reason; ``NothingToRead`` when there are no bytes
            amiss and yet no documents.
    """
    nest = _Nest(store, options or ReaderOptions(), note or _logged)
    found = False
    for document in nest.read(source):
        found = True
        yield document
    if not (found or nest.noted):
        raise NothingToRead(source.location, "there is neither text nor media in it")


class _Nest:
    """The reading of one file with all that lies inside it, within the bounds for all together."""

    def __init__(self, store: MediaStore, options: ReaderOptions, note: Callable[[SourceError], None]) -> None:
        self._store = store
        self._options = options
        self._note = note
        self._files = 0
        self._bytes = 0
        self.noted = False

    def read(self, source: Source, depth: int = 0) -> Iterator[Document]:
        """Yield what is in ``source``, and in what is inside it."""
        with _decoding(source):
            for piece in find_format(source).read(source, self._store, self._options):
                if isinstance(piece, Document):
                    yield piece
                else:
                    yield from self._inside(piece, depth + 1)

    def _inside(self, source: Source, depth: int) -> Iterator[Document]:
        """One file found inside; only the bounds for all end the reading of the outer one."""
        self._count(source)
        try:
            if depth > MAX_DEPTH:
                raise FileTooLarge(source.location, f"more than {MAX_DEPTH} files inside one another")
            yield from self.read(source, depth)
        except _Exhausted:
            raise
        except SourceError as error:
            self.noted = True
            self._note(error.at(_place(source)))

    def _count(self, source: Source) -> None:
        self._files += 1
        self._bytes += source.size
        if self._files > MAX_INNER_FILES:
            raise _Exhausted(source.location, f"more than {MAX_INNER_FILES:,} files inside")
        if self._bytes > MAX_INNER_BYTES:
            raise _Exhausted(source.location, f"more than {MAX_INNER_BYTES >> 30} GiB inside")


def _place(source: Source) -> str:
    """Where a file inside another is, with the folder of the outer one: ``/mails/a.eml!/report.pdf``."""
    return source.location + (source.container_path or "").removeprefix(Source(source.location).name)


class _Exhausted(FileTooLarge):
    """A bound for all the files inside one together."""


def _logged(error: SourceError) -> None:
    _log.warning("left out: %s: %s", type(error).__name__, error.reason)


@contextmanager
def _decoding(source: Source) -> Iterator[None]:
    try:
        yield
    except Undecodable as error:
        raise CorruptFile(source.location, str(error)) from error
