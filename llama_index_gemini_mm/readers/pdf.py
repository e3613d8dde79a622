"""PDF: the text of each page, its figures, and the pages that must be seen to be understood."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from llama_index.core.schema import Document

from llama_index_gemini_mm.errors import CorruptFile, EncryptedFile
from llama_index_gemini_mm.limits import MUPDF_LOCK
from llama_index_gemini_mm.media import HEADING_SEPARATOR, Fragment, Locator, MediaRef
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers._base import DocumentBuilder, Format, ReaderOptions, corrupt, humanise
from llama_index_gemini_mm.readers._pdf_page import Figure, Page, read_page
from llama_index_gemini_mm.source import Source

_log = logging.getLogger(__name__)
_MIME = "application/pdf"
_MAGIC = b"%PDF-"
_JUNK = 1024
"""Readers accept this many bytes before the magic number."""


class PdfFormat(Format):
    """Portable documents: born digital, scanned, drawn."""

    name = "pdf"
    suffixes = (".pdf",)
    mime_types = (_MIME,)

    def score(self, source: Source) -> int:
        """Match ``%PDF-`` near the beginning."""
        return self.score_by_magic(source, matches=_MAGIC in source.head[:_JUNK])

    def medium(self, source: Source) -> str | None:
        """Always PDF."""
        return _MIME

    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Document]:
        """Yield, page by page, the text, the page itself when it is visual, and its figures."""
        with _opened(source, store, options) as (pdf, sha256):
            maker = _Maker(DocumentBuilder(source, store, _MIME), _Outline.of(source, pdf), sha256)
            for page in _read(source, pdf, options):
                yield from maker.documents(page, visual_pages=options.visual_pages)


@contextmanager
def _opened(source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[tuple[Any, str]]:
    """The open document, and the SHA-256 of the bytes that its pages are cut from."""
    pdf, sha256 = _open(source), source.sha256
    try:
        if pdf.needs_pass:
            data = _unlocked(source, pdf, options)
            pdf, sha256 = _reopen(source, pdf, data), store.add_bytes(data, _MIME)
        if not pdf.page_count:
            raise CorruptFile(source.location, "the PDF has no pages")
        yield pdf, sha256
    finally:
        with MUPDF_LOCK:
            if not pdf.is_closed:
                pdf.close()


def _open(source: Source) -> Any:
    import pymupdf

    with MUPDF_LOCK, corrupt(source, "PDF", *_failures()):
        pymupdf.TOOLS.mupdf_display_errors(False)
        pymupdf.TOOLS.mupdf_display_warnings(False)
        if source.local_path:
            return pymupdf.open(source.local_path, filetype="pdf")
        return pymupdf.open(stream=source.read(), filetype="pdf")


def _failures() -> tuple[type[Exception], ...]:
    """What PyMuPDF raises on broken content."""
    import pymupdf

    return (RuntimeError, ValueError, pymupdf.mupdf.FzErrorBase)


def _unlocked(source: Source, pdf: Any, options: ReaderOptions) -> bytes:
    """A copy without encryption: pages cut from the locked original could not be opened by the model."""
    import pymupdf

    with MUPDF_LOCK, corrupt(source, "PDF", *_failures()):
        if not any(pdf.authenticate(password) for password in options.passwords):
            tried = "none of the passwords fits" if options.passwords else "name one in ReaderOptions(passwords=…)"
            raise EncryptedFile(source.location, f"the PDF needs a password; {tried}")
        return bytes(pdf.tobytes(encryption=pymupdf.PDF_ENCRYPT_NONE, no_new_id=True))


def _reopen(source: Source, pdf: Any, data: bytes) -> Any:
    """The copy in place of the original, which writing the copy has left unreadable."""
    import pymupdf

    with MUPDF_LOCK, corrupt(source, "PDF", *_failures()):
        pdf.close()
        return pymupdf.open(stream=data, filetype="pdf")


def _read(source: Source, pdf: Any, options: ReaderOptions) -> Iterator[Page]:
    """The pages one by one; a broken one is left out unless all are."""
    min_side = options.min_figure_pixels if options.figures else None
    seen: set[str] = set()
    broken: Exception | None = None
    good = 0
    for number in range(1, pdf.page_count + 1):
        try:
            with MUPDF_LOCK:
                page = read_page(pdf, number, min_side=min_side, seen=seen)
        except _failures() as error:
            broken = error
            _log.warning("%s: page %d is broken and left out (%s)", source.name, number, type(error).__name__)
            continue
        good += 1
        yield page
    if broken and not good:
        raise CorruptFile(source.location, f"not a readable PDF ({type(broken).__name__})") from broken


@dataclass(frozen=True)
class _Outline:
    """The bookmarks as (level, heading, page), and the title of the whole."""

    title: str
    entries: tuple[tuple[int, str, int], ...]

    @classmethod
    def of(cls, source: Source, pdf: Any) -> _Outline:
        with MUPDF_LOCK, corrupt(source, "PDF", *_failures()):
            title = str((pdf.metadata or {}).get("title") or "").strip()
            return cls(title or humanise(source), tuple((level, name, page) for level, name, page, *_ in pdf.get_toc()))

    def headings(self, page: int) -> tuple[str, ...]:
        """The path to the first heading on the page, or to the last one before it."""
        path: list[tuple[int, str]] = []
        for level, name, start in self.entries:
            if start > page:
                break
            path = [*(p for p in path if p[0] < level), (level, name)]
            if start == page:
                break
        return tuple(name for _, name in path if name.strip())


@dataclass(frozen=True)
class _Maker:
    """Makes the documents of a page. ``sha256`` names the bytes that pages are cut from."""

    builder: DocumentBuilder
    outline: _Outline
    sha256: str

    def documents(self, page: Page, *, visual_pages: bool) -> Iterator[Document]:
        headings = self.outline.headings(page.number)
        title = HEADING_SEPARATOR.join(headings) or self.outline.title
        if page.blocks:
            yield self.builder.text(page.text, title=title, at=_at(page, headings, page.text_box))
        if page.is_visual and visual_pages:
            part = Fragment(first_page=page.number, last_page=page.number)
            ref = MediaRef(self.sha256, part)
            yield self.builder.original("document", text=page.text, title=title, at=_at(page, headings), ref=ref)
        for figure in page.figures:
            yield self._figure(figure, title, _at(page, headings, figure.box))

    def _figure(self, figure: Figure, title: str, at: Locator) -> Document:
        return self.builder.extracted("image", figure.data, figure.mime_type, text=figure.caption, title=title, at=at)


def _at(page: Page, headings: tuple[str, ...], *boxes: tuple[float, float, float, float]) -> Locator:
    return Locator(page_label=page.label, page_start=page.number, boxes=boxes, headings=headings)


FORMAT = PdfFormat()
