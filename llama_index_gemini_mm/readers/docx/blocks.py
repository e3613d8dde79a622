"""The blocks of a Word document in reading order, from the XML that python-docx has loaded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from llama_index_gemini_mm.readers._sections import Block, Heading, Paragraph, Picture
from llama_index_gemini_mm.readers._tables import table_pieces
from llama_index_gemini_mm.readers._text import table
from llama_index_gemini_mm.readers.docx.alt_chunk import alt_chunk_blocks, is_page
from llama_index_gemini_mm.readers.docx.drawings import Drawings, File
from llama_index_gemini_mm.readers.docx.inline import Line, W, is_unfilled, line_of, value_of
from llama_index_gemini_mm.readers.docx.notes import Notes
from llama_index_gemini_mm.readers.docx.styles import Place, Styles
from llama_index_gemini_mm.readers.docx.tables import beside, grid, is_layout, rows_of

_WRAPPERS = frozenset(W + name for name in ("sdt", "sdtContent", "ins", "moveTo", "smartTag", "customXml"))
_MAX_HEADING = 500
"""Characters; a longer paragraph is text that was made to look like a heading."""
_CONTENTS = "Table of Contents"


class Walk:
    """Goes through the body of a ``docx.Document`` once; ``files`` fills with the files found in it on the way."""

    def __init__(self, document: Any) -> None:
        self._body = document.element.body
        self._styles = Styles(document.part, document.styles.element)
        self._notes = Notes(document.part, self._body)
        self._drawings = Drawings(document.part)
        self.files: list[File] = []

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks; notes and comments stand at the end of the section that refers to them."""
        for block in self._blocks(self._body):
            if isinstance(block, Heading):
                yield from self._notes.given()
            yield block
        yield from self._notes.given()
        yield from self._notes.left()

    def _blocks(self, parent: Any) -> Iterator[Block]:
        for element in parent:
            if element.tag == f"{W}p":
                yield from self._paragraph(element)
            elif element.tag == f"{W}tbl":
                yield from self._table(element)
            elif element.tag in _WRAPPERS:
                yield from () if _is_skipped(element) else self._blocks(element)
            elif element.tag == f"{W}altChunk":
                yield from self._included(element)

    def _paragraph(self, element: Any) -> Iterator[Block]:
        place = self._styles.place_of(element)
        if place.is_contents:
            return
        line = self._line(element)
        if line.text:
            yield _block(line, place, self._styles.label(place))
        self._notes.take(line)
        for drawn in line.drawn:
            yield from self._drawn(drawn, "")

    def _line(self, element: Any) -> Line:
        return line_of(element, self._notes.mark)

    def _drawn(self, drawn: Any, beside: str) -> Iterator[Block]:
        """What a drawing shows; the icon or preview of a file is not a picture of its own."""
        files = list(self._drawings.files(drawn))
        self.files += files
        for shown in self._drawings.shown(drawn, beside):
            if isinstance(shown, Paragraph):
                yield shown
            elif not isinstance(shown, Picture):
                yield from self._blocks(shown)
            elif not files:
                yield shown

    def _included(self, element: Any) -> Iterator[Block]:
        part = self._drawings.once(element)
        if part is not None and is_page(part):
            yield from alt_chunk_blocks(part)
        elif part is not None:
            self.files.append((str(part.partname).lstrip("/"), part.blob))

    def _table(self, element: Any) -> Iterator[Block]:
        rows = rows_of(element)
        if is_layout(rows, self._styles):
            for row in rows:
                for cell in row:
                    yield from self._blocks(cell)
            return
        lines = {cell: list(self._cell_lines(cell)) for row in rows for cell in row}
        words = {cell: "\n".join(line.text for line in found) for cell, found in lines.items()}
        filled = grid(rows, words)
        pieces = [text for _, _, text in table_pieces(filled[1:], header=filled[0])]
        yield from map(Paragraph, filter(None, pieces or [table(filled)]))
        for cell, found in lines.items():
            for line in found:
                self._notes.take(line)
                for drawn in line.drawn:
                    yield from self._drawn(drawn, beside(cell, rows, words))

    def _cell_lines(self, parent: Any) -> Iterator[Line]:
        """The paragraphs in a cell; a table in it as one line a row."""
        for element in parent:
            if element.tag == f"{W}p":
                line = self._line(element)
                label = self._styles.label(self._styles.place_of(element)) if line.text else ""
                yield replace(line, text=f"{label} {line.text}".strip())
            elif element.tag == f"{W}tbl":
                for row in rows_of(element):
                    yield _joined([line for cell in row for line in self._cell_lines(cell)])
            elif element.tag in _WRAPPERS and not _is_skipped(element):
                yield from self._cell_lines(element)


def _block(line: Line, place: Place, label: str) -> Block:
    if place.level is not None and len(line.text) <= _MAX_HEADING:
        numbered = label if label != "-" else ""
        return Heading(place.level, " ".join(f"{numbered} {line.text}".split()))
    if label:
        return Paragraph(f"{'  ' * place.indent}{label} {line.text}", is_item=True)
    return Paragraph(line.text, is_caption=place.is_caption or line.is_counted)


def _is_skipped(element: Any) -> bool:
    """The table of contents, which repeats the headings, and controls that nobody has filled in."""
    gallery = element.find(f"{W}sdtPr/{W}docPartObj/{W}docPartGallery")
    return value_of(gallery) == _CONTENTS or is_unfilled(element)


def _joined(lines: list[Line]) -> Line:
    return Line(
        ", ".join(filter(None, (line.text for line in lines))) + ";",
        [drawn for line in lines for drawn in line.drawn],
        [note for line in lines for note in line.notes],
        [comment for line in lines for comment in line.comments],
    )
