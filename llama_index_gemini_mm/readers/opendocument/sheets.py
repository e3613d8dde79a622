"""The sheets of an OpenDocument spreadsheet, row by row: repeated rows and cells stay as short as they are stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from llama_index_gemini_mm.codecs.markup import XML_OPTIONS
from llama_index_gemini_mm.readers._base import corrupt
from llama_index_gemini_mm.readers._sections import Block, Picture
from llama_index_gemini_mm.readers._sheets import CellCount, Merge, Row, Sheet, column_name
from llama_index_gemini_mm.readers.opendocument.blocks import (
    MAX_REPEATED,
    STYLE,
    TABLE,
    OdfText,
    annotation,
    count,
    joined,
)
from llama_index_gemini_mm.readers.opendocument.package import BROKEN_ODF, DRAW, OFFICE, WHAT, OdfFile

_SHEET, _ROW, _COLUMN = f"{TABLE}table", f"{TABLE}table-row", f"{TABLE}table-column"
_SHAPES, _STYLE = f"{TABLE}shapes", f"{STYLE}style"
_CELLS = (f"{TABLE}table-cell", f"{TABLE}covered-table-cell")
_HIDDEN = ("collapse", "filter")
_MAX_COLUMNS = 16_384


class OdfSheets:
    """Reads the sheets one after the other; what is drawn on the present one gathers in ``drawn``."""

    def __init__(self, file: OdfFile, text: OdfText) -> None:
        self._file = file
        self._text = text
        self._count = CellCount(file.source)
        self._hidden_styles: set[str] = set()
        self.drawn: list[Block] = []

    def sheets(self) -> Iterator[Sheet]:
        """Yield the sheets; the rows of each must be read before the next, or are passed over."""
        with self._file.stream("content.xml") as stream:
            events = self._events(stream)
            for event, element in events:
                if element.tag == _STYLE and event == "end":
                    self._style(element)
                elif element.tag == _SHEET and event == "start":
                    self.drawn = []
                    merges: list[Merge] = []
                    columns: list[tuple[int, int]] = []
                    rows = self._rows(events, merges, columns)
                    is_hidden = element.get(f"{TABLE}style-name") in self._hidden_styles
                    yield Sheet(element.get(f"{TABLE}name", ""), rows, is_hidden, merges, columns)
                    for _ in rows:
                        pass

    def _events(self, stream: Any) -> Iterator[tuple[str, Any]]:
        """What begins and ends, from the parser."""
        from lxml import etree

        with corrupt(self._file.source, WHAT, *BROKEN_ODF):
            yield from etree.iterparse(
                stream,
                events=("start", "end"),
                tag=(_SHEET, _ROW, _COLUMN, _SHAPES, _STYLE),
                **XML_OPTIONS,
            )

    def _style(self, element: Any) -> None:
        properties = element.find(f"{STYLE}table-properties")
        if properties is not None and properties.get(f"{TABLE}display") == "false":
            self._hidden_styles.add(element.get(f"{STYLE}name"))

    def _rows(
        self, events: Iterator[tuple[str, Any]], merges: list[Merge], columns: list[tuple[int, int]]
    ) -> Iterator[Row]:
        """The rows up to the end of the sheet. Tables inside cells belong to the cells."""
        number, column, depth = 1, 1, 1
        for event, element in events:
            if element.tag == _SHEET:
                depth += 1 if event == "start" else -1
            if depth == 0:
                return
            if depth > 1 or event == "start":
                continue
            if element.tag == _COLUMN:
                last = column + count(element, f"{TABLE}number-columns-repeated") - 1
                columns += [(column, last)] if element.get(f"{TABLE}visibility") in _HIDDEN else []
                column = last + 1
            elif element.tag == _SHAPES:
                self.drawn += self._text.blocks(element)
            elif element.tag == _ROW:
                repeated = count(element, f"{TABLE}number-rows-repeated")
                yield from self._written(element, number, repeated, merges)
                number += repeated
                _forget(element)

    def _written(self, element: Any, number: int, repeated: int, merges: list[Merge]) -> Iterator[Row]:
        cells, notes = self._cells(element, number, merges)
        is_hidden = element.get(f"{TABLE}visibility") in _HIDDEN
        for copy in range(min(repeated, MAX_REPEATED) if cells or notes else 0):
            self._count.add(cells)
            yield Row(number + copy, dict(cells), is_hidden, tuple(notes))

    def _cells(self, row: Any, number: int, merges: list[Merge]) -> tuple[dict[int, str], list[str]]:
        cells: dict[int, str] = {}
        notes = []
        column = 1
        for cell in row.iterchildren(*_CELLS):
            repeated = count(cell, f"{TABLE}number-columns-repeated")
            if len(cell) and column <= _MAX_COLUMNS:
                if text := joined(cell):
                    cells |= dict.fromkeys(range(column, column + min(repeated, MAX_REPEATED)), text)
                place = f"{column_name(column)}{number}"
                notes += [f"Note on {place}{said}" for a in cell.iter(f"{OFFICE}annotation") if (said := annotation(a))]
                bottom = number + count(cell, f"{TABLE}number-rows-spanned") - 1
                right = column + count(cell, f"{TABLE}number-columns-spanned") - 1
                merges += [(number, column, bottom, right)] if (bottom, right) != (number, column) else []
            column += repeated
        self._draw(row, " | ".join(cells.values()))
        return cells, notes

    def _draw(self, row: Any, beside: str) -> None:
        """What is drawn on the cells of a row; its pictures are captioned by the row."""
        for frame in row.iter(f"{DRAW}frame"):
            if next(frame.iterancestors(f"{DRAW}frame"), None) is None:
                for block in self._text.blocks([frame]):
                    self.drawn.append(replace(block, beside=beside) if isinstance(block, Picture) else block)


def _forget(row: Any) -> None:
    """Free the memory of what has been read."""
    row.clear()
    parent = row.getparent()
    while (before := row.getprevious()) is not None:
        parent.remove(before)
