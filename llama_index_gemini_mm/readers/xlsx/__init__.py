"""Excel workbooks, templates and workbooks with macros: their tables, notes, charts, pictures and embedded files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from llama_index.core.schema import Document

from llama_index_gemini_mm.media import HEADING_SEPARATOR, HIDDEN, Locator
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers import _ooxml
from llama_index_gemini_mm.readers._base import (
    NO_MATCH,
    DocumentBuilder,
    Extra,
    Format,
    Piece,
    ReaderOptions,
    corrupt,
    humanise,
)
from llama_index_gemini_mm.readers._ole_objects import embedded_files
from llama_index_gemini_mm.readers._ooxml_charts import chart_text
from llama_index_gemini_mm.readers._pictures import usable_mime
from llama_index_gemini_mm.readers._sheets import Sheet, sheet_documents
from llama_index_gemini_mm.readers.xlsx.book import BROKEN, WHAT, Book, open_book
from llama_index_gemini_mm.readers.xlsx.drawings import Captions, Drawn, sheet_drawings
from llama_index_gemini_mm.source import Source

BINARY = "xl/workbook.bin"
"""The main part of a workbook in Excel's binary format."""


class XlsxFormat(Format):
    """Office Open XML workbooks; each table one document or, when it is long, several."""

    name = "xlsx"
    suffixes = (".xlsx", ".xlsm", ".xltx", ".xltm", ".xlam")
    mime_types = ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",)

    def score(self, source: Source) -> int:
        """Match a package with Excel's parts, unless they are in the binary format."""
        if _ooxml.score(source, BINARY, ()) != NO_MATCH:
            return NO_MATCH
        return _ooxml.score(source, "xl/", self.suffixes)

    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Piece]:
        """Yield, sheet by sheet, tables, texts, charts and pictures; then the embedded files."""
        with open_book(source) as book:
            with corrupt(source, WHAT, *BROKEN):
                said = book.properties()
            builder = DocumentBuilder(source, store, self.mime_types[0], said)
            yield from _Reading(book, builder, options).pieces()


class _Reading:
    """The reading of one workbook."""

    def __init__(self, book: Book, builder: DocumentBuilder, options: ReaderOptions) -> None:
        self._book = book
        self._builder = builder
        self._options = options
        self._title = book.title or humanise(book.source)
        self._seen: set[str] = set()

    def pieces(self) -> Iterator[Piece]:
        for sheet, part in self._book.sheets():
            yield from self._sheet(sheet, part)
        yield from self._elsewhere()
        for name in self._names("xl/embeddings/"):
            with corrupt(self._book.source, WHAT, *BROKEN):
                blob = self._book.archive.read(name)
            for inner, data in embedded_files(blob, name):
                yield self._builder.part(inner, data)

    def _sheet(self, sheet: Sheet, part: str) -> Iterator[Document]:
        with corrupt(self._book.source, WHAT, *BROKEN):
            drawn = list(sheet_drawings(self._book.archive, part))
        captions = Captions([each for each in drawn if each.data])
        rows = captions.watch(iter(sheet.rows))
        yield from sheet_documents(replace(sheet, rows=rows), self._builder, self._title)
        title = HEADING_SEPARATOR.join((self._title, sheet.name))
        extra: Extra = {HIDDEN: True} if sheet.is_hidden else {}
        for each in drawn:
            self._seen.add(each.part)
            if each.data:
                words = "\n".join(dict.fromkeys(filter(None, (each.words, captions.of(each)))))
                yield from self._picture(replace(each, words=words), title, sheet.name, extra)
            elif each.words:
                yield self._builder.text(each.words, title=title, at=Locator(sheet=sheet.name), extra=extra)

    def _picture(
        self, drawn: Drawn, title: str, sheet: str | None = None, extra: Extra | None = None
    ) -> Iterator[Document]:
        mime_type = usable_mime(drawn.data, self._options.min_figure_pixels, drawn.shown)
        if mime_type and self._options.figures:
            at = Locator(sheet=sheet, container_path=self._builder.inside(drawn.part))
            yield self._builder.extracted(
                "image", drawn.data, mime_type, text=drawn.words, title=title, at=at, extra=extra
            )

    def _elsewhere(self) -> Iterator[Document]:
        """Charts on sheets of their own, and pictures that lie in cells."""
        for name in (*self._names("xl/charts/chart"), *self._names("xl/media/")):
            with corrupt(self._book.source, WHAT, *BROKEN):
                data = self._book.archive.read(name)
            if words := chart_text(data, name) if name.startswith("xl/charts/") else "":
                yield self._builder.text(words, title=self._title)
            yield from self._picture(Drawn(name, "", data=data), self._title)

    def _names(self, prefix: str) -> list[str]:
        """The parts below a folder that no sheet has shown."""
        names = self._book.archive.namelist()
        return [n for n in names if n.startswith(prefix) and not n.endswith("/") and n not in self._seen]


FORMAT = XlsxFormat()
