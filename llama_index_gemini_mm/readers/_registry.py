"""Which format reads a source.

The folder is the registry: every module here whose name has no underscore exports ``FORMAT``. Other packages add
formats through the entry-point group ``llama_index_gemini_mm.formats``, each entry naming an instance of ``Format``.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from llama_index.core.schema import Document

from llama_index_gemini_mm.codecs import Undecodable
from llama_index_gemini_mm.errors import CorruptFile, UnsupportedFormat
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers import _unread
from llama_index_gemini_mm.readers._base import NO_MATCH, Format, ReaderOptions
from llama_index_gemini_mm.source import Source

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


def read_source(source: Source, store: MediaStore, options: ReaderOptions | None = None) -> Iterator[Document]:
    """Yield the documents of one file, in reading order; extracted media go into ``store``.

    Raises:
        SourceError: one of its subclasses, with the location and the reason. A file in which there is nothing to read
            is a ``CorruptFile``, like one without bytes.
    """
    is_empty = True
    with _decoding(source):
        for document in find_format(source).read(source, store, options or ReaderOptions()):
            is_empty = False
            yield document
    if is_empty:
        raise CorruptFile(source.location, "there is neither text nor media to read in it")


@contextmanager
def _decoding(source: Source) -> Iterator[None]:
    try:
        yield
    except Undecodable as error:
        raise CorruptFile(source.location, str(error)) from error
