"""MediaReader: LlamaIndex's face of the formats."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, cast

from llama_index.core.readers.base import BaseReader
from llama_index.core.schema import BaseNode, Document

from llama_index_gemini_mm import media
from llama_index_gemini_mm.errors import ConfigurationError, SourceError
from llama_index_gemini_mm.media_store import MediaStore, as_media_store
from llama_index_gemini_mm.readers import _unread
from llama_index_gemini_mm.readers._ahead import Begin, ReadAhead
from llama_index_gemini_mm.readers._base import ReaderOptions
from llama_index_gemini_mm.readers._isolated import Job, Note, Reading, Then
from llama_index_gemini_mm.readers._registry import formats, read_source
from llama_index_gemini_mm.readers._report import ReadReport
from llama_index_gemini_mm.readers._walk import Readable, sources_of
from llama_index_gemini_mm.sandbox import Bounds, inside_worker, shared
from llama_index_gemini_mm.source import Source

_log = logging.getLogger(__name__)
Outcome = Callable[[Note], Iterator[BaseNode]]
_RESERVED = frozenset((media.MEDIA_REF, media.MIME_TYPE, media.MODALITY, media.TITLE))


class MediaReader(BaseReader):
    """Reads files and folders of every known format into documents of text, pictures, sounds, films and PDF pages.

    It also serves as a ``file_extractor`` of ``SimpleDirectoryReader``; see ``media_file_extractor``.

    Args:
        media_store: where extracted media go: a ``MediaStore``, a folder, or an fsspec URL; by default
            ``./storage/media``.
        options: how files are read.
        on_error: ``"raise"`` stops at the first file that cannot be read; ``"skip"`` leaves it out, logs it, and lists
            it in the report.
        recursive: whether folders inside folders are read.
        hidden: whether files and folders whose names begin with a dot are read.
        workers: how many files are read at once, each in a process of its own that a broken or hostile file may
            crash, hang or fill without harm (``sandbox``). 0 reads in this process: for files that you trust.
        bounds: what such a process may use.

    Attributes:
        report: what the last finished ``load_data`` of this reader read and left out. Threads that share a reader pass
            a ``report=`` of their own instead.
    """

    def __init__(
        self,
        media_store: MediaStore | str | Path | None = None,
        options: ReaderOptions | None = None,
        *,
        on_error: Literal["raise", "skip"] = "raise",
        recursive: bool = True,
        hidden: bool = False,
        workers: int = 2,
        bounds: Bounds = Bounds(),  # noqa: B008 - frozen
    ) -> None:
        if on_error not in ("raise", "skip"):
            raise ConfigurationError(f"on_error is {on_error!r}; it must be 'raise' or 'skip'")
        self.media_store = as_media_store(media_store)
        self.options = options or ReaderOptions()
        self.on_error = on_error
        self.recursive = recursive
        self.hidden = hidden
        self.workers = workers
        self.bounds = bounds
        self.report = ReadReport()

    def load_data(
        self,
        file: Readable | Iterable[Readable],
        extra_info: Mapping[str, Any] | None = None,
        fs: Any = None,
        *,
        report: ReadReport | None = None,
    ) -> list[Document]:
        """Read everything that ``file`` names.

        Args:
            file: a path, an fsspec URL, a ``Source``, or several of these; a folder means the files in it, sorted.
            extra_info: metadata added to every document. Dates are left out, because they change the hash of a node
                whose content is the same, and what this package sets itself is never overwritten.
            fs: the fsspec filesystem that ``file`` is a path of.
            report: filled with counts and with the files left out.

        Raises:
            SourceError: one of its subclasses, for a path that does not exist and, with ``on_error="raise"``, for the
                first file that cannot be read.
        """
        report = report if report is not None else ReadReport()
        documents = list(self.lazy_load_data(file, extra_info, fs, report=report))
        self.report = report
        return documents

    def lazy_load_data(
        self,
        file: Readable | Iterable[Readable],
        extra_info: Mapping[str, Any] | None = None,
        fs: Any = None,
        *,
        report: ReadReport | None = None,
    ) -> Iterator[Document]:
        """Like ``load_data``, one document at a time; a skipped file that breaks half way keeps its beginning."""
        report = report if report is not None else ReadReport()
        with closing(self.read_all(self.scan(file, fs))) as files:
            for source, documents in files:
                report.files += 1
                try:
                    for document in documents(report.skip):
                        report.documents += 1
                        yield _with_extra(cast("Document", document), extra_info or {})
                except SourceError as error:
                    if self.on_error == "raise":
                        raise
                    report.skip(error)
                    _log.warning("skipped %s: %s: %s", source.name, type(error).__name__, error.reason)

    async def aload_data(
        self,
        file: Readable | Iterable[Readable],
        extra_info: Mapping[str, Any] | None = None,
        fs: Any = None,
        *,
        report: ReadReport | None = None,
    ) -> list[Document]:
        """``load_data`` in a thread."""
        return await asyncio.to_thread(self.load_data, file, extra_info, fs, report=report)

    def scan(self, file: Readable | Iterable[Readable], fs: Any = None) -> Iterator[tuple[Source, str | None]]:
        """Every source that ``file`` means, sorted, each with the folder it was found through.

        Raises:
            SourceError: a path that does not exist.
        """
        return sources_of(file, fs, recursive=self.recursive, hidden=self.hidden)

    def read(self, source: Source, root: str | None = None, note: Note | None = None) -> Iterator[Document]:
        """The documents of one source; ``root`` is the folder that its relative links may not leave.

        ``note`` is told of files inside it that could not be read; else the log is.

        Raises:
            SourceError: one of its subclasses, whatever ``on_error`` says.
        """
        with closing(self.read_all([(source, root)])) as files:
            for _, documents in files:
                yield from cast("Iterator[Document]", documents(note or _log_note))

    def read_all(
        self, sources: Iterable[tuple[Source, str | None]], then: Then | None = None
    ) -> Generator[tuple[Source, Outcome], None, None]:
        """Read many files, ``workers`` of them at once, and yield each with what has become of it, in their order.

        ``sources`` is iterated over in another thread, some files ahead of what is taken.

        An ``Outcome`` is called with a function that is told of files inside that were left out; it yields the
        documents, or what ``then`` makes of all documents of a file, and raises ``SourceError``. Take the nodes of one
        file before the next file.
        """
        if not self.workers or inside_worker():
            for source, root in sources:
                yield source, partial(self._here, source, root, then)
            return
        with closing(ReadAhead(sources, self._beginner(then), self.workers)) as begun:
            for source, reading in begun:
                yield source, partial(_failed, reading) if isinstance(reading, SourceError) else reading.nodes

    def _beginner(self, then: Then | None) -> Begin:
        job = cache(lambda root: Job(self.media_store, self._options(root), then))
        return lambda source, root, when_over: Reading(shared(), source, job(root), self.bounds, when_over)

    def _here(self, source: Source, root: str | None, then: Then | None, note: Note) -> Iterator[BaseNode]:
        documents = read_source(source, self.media_store, self._options(root), note)
        return documents if then is None else iter(then(list[BaseNode](documents)))

    def _options(self, root: str | None) -> ReaderOptions:
        folder = self.options.link_root or root
        return replace(self.options, link_root=folder and str(Path(folder).absolute()))


def _failed(error: SourceError, note: Note) -> Iterator[BaseNode]:
    raise error


def _log_note(error: SourceError) -> None:
    _log.warning("left out: %s: %s", type(error).__name__, error.reason)


def _with_extra(document: Document, extra: Mapping[str, Any]) -> Document:
    """Add a caller's metadata, hidden from the embedding model like all the rest."""
    taken = _RESERVED | document.metadata.keys()
    added = {k: v for k, v in extra.items() if k not in taken and not k.endswith("_date")}
    document.metadata.update(added)
    document.excluded_embed_metadata_keys.extend(added)
    return document


def media_file_extractor(
    media_store: MediaStore | str | Path | None = None,
    options: ReaderOptions | None = None,
    *,
    on_error: Literal["raise", "skip"] = "raise",
) -> dict[str, BaseReader]:
    """The ``file_extractor`` argument of ``SimpleDirectoryReader``, for every suffix that it must not read by itself.

    That is every suffix of every format here, and those of well-known binary files that no format reads: left to
    itself, ``SimpleDirectoryReader`` decodes them as UTF-8 and indexes the garbage, or stops the whole folder for a
    missing package. With these readers such a file is refused by name.
    """
    reader = MediaReader(media_store, options, on_error=on_error)
    wrapped = (suffix for kind in _unread.WRAPPED for suffix in kind.suffixes)
    known = (suffix for format_ in formats() for suffix in format_.suffixes)
    return dict.fromkeys(sorted({*known, *wrapped, *_unread.BINARY_SUFFIXES}), reader)
