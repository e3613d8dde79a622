"""OpenDocument text, presentations, spreadsheets and drawings, their templates, and their flat forms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from llama_index.core.schema import Document

from llama_index_gemini_mm.errors import UnsupportedFormat
from llama_index_gemini_mm.media import HEADING_SEPARATOR, HIDDEN, Locator
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers._base import DocumentBuilder, Extra, Format, Piece, ReaderOptions, corrupt, humanise
from llama_index_gemini_mm.readers._pictures import usable_mime
from llama_index_gemini_mm.readers._sections import Block, Paragraph, Picture, section_documents
from llama_index_gemini_mm.readers._sheets import sheet_documents
from llama_index_gemini_mm.readers.opendocument.blocks import OdfText, base_styles
from llama_index_gemini_mm.readers.opendocument.package import BROKEN_ODF, OFFICE, WHAT, OdfFile, kind_of, open_odf
from llama_index_gemini_mm.readers.opendocument.sheets import OdfSheets
from llama_index_gemini_mm.readers.opendocument.slides import Slide, slides
from llama_index_gemini_mm.source import Source

_TYPE = "application/vnd.oasis.opendocument."


class OpenDocumentFormat(Format):
    """OpenDocument files: a document a section, slide or table, and one a picture."""

    name = "opendocument"
    suffixes = (
        *(".odt", ".ott", ".odm", ".oth", ".odp", ".otp", ".ods", ".ots", ".odg", ".otg"),
        *(".fodt", ".fodp", ".fods", ".fodg"),
    )
    mime_types = tuple(_TYPE + kind for kind in ("text", "presentation", "spreadsheet", "graphics"))

    def score(self, source: Source) -> int:
        """Match the type that the first part or the root element states."""
        return self.score_by_magic(source, matches=bool(kind_of(source)))

    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Piece]:
        """Yield the text by section, slide or table with its pictures, then the files inside."""
        kind = kind_of(source)
        with open_odf(source) as file:
            with corrupt(source, WHAT, *BROKEN_ODF):
                title, said = file.properties()
            builder = DocumentBuilder(source, store, _TYPE + kind, said)
            yield from _Reading(file, builder, options, title or humanise(source)).pieces(kind)


class _Reading:
    """The reading of one file."""

    def __init__(self, file: OdfFile, builder: DocumentBuilder, options: ReaderOptions, title: str) -> None:
        self._file = file
        self._builder = builder
        self._options = options
        self._title = title
        self._seen: set[bytes] = set()

    def pieces(self, kind: str) -> Iterator[Piece]:
        if kind == "spreadsheet":
            text = OdfText(self._file, {})
            yield from self._sheets(OdfSheets(self._file, text))
        elif kind in ("text", "presentation", "graphics"):
            with corrupt(self._file.source, WHAT, *BROKEN_ODF):
                root = self._file.tree("content.xml")
                body = root.find(f"{OFFICE}body")
                text = OdfText(self._file, base_styles(self._file.tree("styles.xml"), root))
                blocks = list(text.body(body)) if kind == "text" else []
                pages = list(slides(body, root, text)) if kind != "text" else []
            yield from section_documents(blocks, self._builder, self._options, self._title)
            for slide in pages:
                yield from self._slide(slide, is_page=kind == "graphics")
        else:
            raise UnsupportedFormat(self._file.source.location, f"an OpenDocument {kind}, which no reader knows")
        for name, data in text.files:
            yield self._builder.part(name, data)

    def _slide(self, slide: Slide, *, is_page: bool) -> Iterator[Document]:
        at = Locator(page_start=slide.number) if is_page else Locator(slide=slide.number)
        extra: Extra = {HIDDEN: True} if slide.is_hidden else {}
        title = slide.title or self._title
        if slide.text:
            yield self._builder.text(slide.text, title=title, at=at, extra=extra)
        for picture in slide.pictures:
            yield from self._picture(picture, title, at, extra)

    def _sheets(self, reading: OdfSheets) -> Iterator[Document]:
        for sheet in reading.sheets():
            yield from sheet_documents(sheet, self._builder, self._title)
            title = HEADING_SEPARATOR.join((self._title, sheet.name))
            extra: Extra = {HIDDEN: True} if sheet.is_hidden else {}
            yield from self._drawn(reading.drawn, title, Locator(sheet=sheet.name), extra)

    def _drawn(self, blocks: Iterable[Block], title: str, at: Locator, extra: Extra) -> Iterator[Document]:
        for block in blocks:
            if isinstance(block, Paragraph):
                yield self._builder.text(block.text, title=title, at=at, extra=extra)
            elif isinstance(block, Picture):
                words = "\n".join(dict.fromkeys(filter(None, (block.words, block.beside))))
                yield from self._picture(replace(block, words=words), title, at, extra)

    def _picture(self, picture: Picture, title: str, at: Locator, extra: Extra) -> Iterator[Document]:
        """One picture; one that recurs is yielded where it stands first."""
        mime_type = usable_mime(picture.data, self._options.min_figure_pixels, picture.shown)
        if mime_type and self._options.figures and picture.data not in self._seen:
            self._seen.add(picture.data)
            yield self._builder.extracted(
                "image", picture.data, mime_type, text=picture.words, title=title, at=at, extra=extra
            )


FORMAT = OpenDocumentFormat()
