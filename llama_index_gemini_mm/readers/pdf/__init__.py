"""PDF: text by section, tables, figures, pages that must be seen to be understood, comments, forms, attached files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from llama_index.core.schema import Document

from llama_index_gemini_mm import media
from llama_index_gemini_mm.limits import MUPDF_LOCK
from llama_index_gemini_mm.media import HEADING_SEPARATOR, Box, Fragment, Locator, MediaRef
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers._base import DocumentBuilder, Extra, Format, Piece, ReaderOptions, corrupt
from llama_index_gemini_mm.readers.pdf.bounds import Guard
from llama_index_gemini_mm.readers.pdf.file import decrypted, failures, opened, raw_pages, tolerant
from llama_index_gemini_mm.readers.pdf.furniture import without_furniture
from llama_index_gemini_mm.readers.pdf.headings import Headings, Heads, Section
from llama_index_gemini_mm.readers.pdf.info import Attachments, about, title_of
from llama_index_gemini_mm.readers.pdf.notes import Note, notes_of
from llama_index_gemini_mm.readers.pdf.page import RawPage
from llama_index_gemini_mm.readers.pdf.pictures import Backgrounds, Figure, Gallery
from llama_index_gemini_mm.readers.pdf.sheet import Sheet, boxes_of, sheet_of
from llama_index_gemini_mm.source import Source

_MIME = "application/pdf"
_MAGIC = b"%PDF-"
_JUNK = 1024
"""Readers accept this many bytes before the magic number."""
_MAX_CAPTION = 500
"""Characters of its text that go with a page that is seen; all of it is a text document besides."""


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

    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Piece]:
        """Yield, page by page, text by section with its figures, the page itself when it is visual, and its notes.

        Attached files come after the page they are pinned to, or last.
        """
        with opened(source, options) as (pdf, was_locked):
            with MUPDF_LOCK, corrupt(source, "PDF", *failures()):
                taker = _Taker.of(source, pdf, options)
                cuttable = _opened_copy(source, store, options) if was_locked else lambda: source.sha256
                maker = _Maker(DocumentBuilder(source, store, _MIME), title_of(source, pdf), about(pdf), cuttable)
            for found in taker.pages():
                yield from maker.documents(found, visual_pages=options.visual_pages)
                yield from (maker.builder.part(name, data) for name, data in found.files)
            for name, data in taker.files():
                yield maker.builder.part(name, data)


def _opened_copy(source: Source, store: MediaStore, options: ReaderOptions) -> Callable[[], str]:
    """Gives the SHA-256 of an open copy of a locked file, which is kept when the first page is to be cut from it."""
    return cache(lambda: store.add_bytes(decrypted(source, options), _MIME))


@dataclass(frozen=True)
class _Found:
    """All that is taken from a page."""

    sheet: Sheet
    sections: list[Section]
    figures: list[Figure] = field(default_factory=list, repr=False)
    notes: list[Note] = field(default_factory=list)
    files: list[tuple[str, bytes]] = field(default_factory=list, repr=False)


@dataclass(frozen=True)
class _Taker:
    """Takes one PDF apart, page by page; what it gives is free of MuPDF."""

    source: Source
    pdf: Any
    options: ReaderOptions
    guard: Guard
    headings: Headings
    gallery: Gallery
    attachments: Attachments
    backgrounds: Backgrounds = field(default_factory=Backgrounds)

    @classmethod
    def of(cls, source: Source, pdf: Any, options: ReaderOptions) -> _Taker:
        guard = Guard(source, pdf)
        headings = Headings([(level, name, page) for level, name, page, *_ in pdf.get_toc()])
        return cls(source, pdf, options, guard, headings, Gallery(pdf), Attachments(source, pdf, guard))

    def pages(self) -> Iterator[_Found]:
        """The pages in order; each is looked at together with its neighbours."""
        raw = raw_pages(self.source, self.pdf, self.guard, weights=self.headings.by_type)
        for page in without_furniture(self.backgrounds.counted(self.headings.measured(raw))):
            with MUPDF_LOCK, corrupt(self.source, "PDF", *failures()):
                found = self._found(page)
            yield found

    def files(self) -> Iterator[tuple[str, bytes]]:
        """The files attached to the whole."""
        for get in self.attachments.of_document():
            found: list[tuple[str, bytes]] = []
            with MUPDF_LOCK, tolerant(self.source, "an attached file is"):
                found.append(get())
            yield from found

    def _found(self, raw: RawPage) -> _Found:
        load = cache(lambda: self.pdf[raw.number - 1])
        sheet = sheet_of(raw, load, self.backgrounds, self.options)
        found = _Found(sheet, self.headings.sections(raw.number, sheet.blocks))
        if sheet.areas:
            with tolerant(self.source, f"a picture on page {raw.number} is"):
                found.figures.extend(self.gallery.figures(load(), raw, sheet.areas, sheet.blocks))
        if raw.has_notes:
            with tolerant(self.source, f"a comment or form on page {raw.number} is"):
                found.notes.extend(notes_of(load()))
            with tolerant(self.source, f"a file attached to page {raw.number} is"):
                found.files.extend(self.attachments.of_page(load()))
        return found


@dataclass(frozen=True)
class _Maker:
    """Makes the documents of a page. ``cuttable`` names the bytes that pages are cut from."""

    builder: DocumentBuilder
    title: str
    extra: Extra
    cuttable: Callable[[], str]

    def documents(self, found: _Found, *, visual_pages: bool) -> Iterator[Document]:
        """The text of each section and its figures, the page itself, and what readers wrote on it."""
        raw, sections = found.sheet.raw, found.sections
        homes = [_home(figure, raw, sections) for figure in found.figures]
        for section in sections:
            if section.blocks:
                boxes = tuple(raw.unit(box) for box in boxes_of(section.blocks))
                text = "\n\n".join(block.text for block in section.blocks)
                at = _at(raw, section.headings, boxes)
                yield self.builder.text(text, title=self._title(section.headings), at=at, extra=self.extra)
            yield from (
                self._figure(f, raw, section) for f, h in zip(found.figures, homes, strict=True) if h is section
            )
        if found.sheet.is_visual and visual_pages:
            yield self._visual(raw, sections)
        for note in found.notes:
            yield self._note(note, raw, sections[-1].headings)

    def _figure(self, figure: Figure, raw: RawPage, section: Section) -> Document:
        heads = section.headings
        return self.builder.extracted(
            "image",
            figure.data,
            figure.mime_type,
            text=figure.caption or (heads[-1] if heads else ""),
            title=self._title(heads),
            at=_at(raw, heads, (figure.box,)),
            extra=self.extra,
        )

    def _visual(self, raw: RawPage, sections: list[Section]) -> Document:
        text = "\n\n".join(block.text for section in sections for block in section.blocks)[:_MAX_CAPTION]
        heads = sections[0].headings
        ref = MediaRef(self.cuttable(), Fragment(first_page=raw.number, last_page=raw.number))
        title, at = self._title(heads), _at(raw, heads)
        return self.builder.original("document", text=text, title=title, at=at, ref=ref, extra=self.extra)

    def _note(self, note: Note, raw: RawPage, heads: Heads) -> Document:
        at = _at(raw, heads, tuple(raw.unit(box) for box in note.boxes))
        extra = {**self.extra, media.AUTHOR: note.author} if note.author else self.extra
        return self.builder.text(note.text, title=self._title(heads), at=at, extra=extra)

    def _title(self, heads: Heads) -> str:
        return HEADING_SEPARATOR.join(heads) or self.title


def _home(figure: Figure, raw: RawPage, sections: list[Section]) -> Section:
    """The section whose text stands nearest above a figure, or else nearest to it."""

    def distance(section: Section) -> float:
        boxes = [raw.unit(block.box) for block in section.blocks]
        gaps = [figure.box[1] - b[3] if b[1] < figure.box[1] else 1 + b[1] for b in boxes]
        return min(map(abs, gaps), default=9.0)

    return min(sections, key=distance)


def _at(raw: RawPage, heads: Heads, boxes: tuple[Box, ...] = ()) -> Locator:
    return Locator(page_label=raw.label, page_start=raw.number, boxes=boxes, headings=heads)


FORMAT = PdfFormat()
