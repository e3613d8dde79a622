"""The tables of a Word document as rows of cells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llama_index_gemini_mm.readers.docx.inline import DRAWN, W, value_of
from llama_index_gemini_mm.readers.docx.styles import Styles

_WRAPPERS = frozenset(W + name for name in ("sdt", "sdtContent", "ins", "moveTo", "smartTag", "customXml"))
_MAX_SPAN = 64
"""Columns that one cell is taken to span."""

Rows = list[list[Any]]


def rows_of(table: Any) -> Rows:
    """The cells of each row, without rows that a tracked change has taken out and those of tables in cells."""
    rows = (row for row in _children(table, f"{W}tr") if row.find(f"{W}trPr/{W}del") is None)
    return [cells for row in rows if (cells := list(_children(row, f"{W}tc")))]


def _children(parent: Any, tag: str) -> Iterator[Any]:
    """The children with a tag, those in content controls and tracked changes too."""
    for element in parent:
        if element.tag == tag:
            yield element
        elif element.tag in _WRAPPERS:
            yield from _children(element, tag)


def is_layout(rows: Rows, styles: Styles) -> bool:
    """Whether a table only places text on the page: one column, one row of more than words, or sections in cells."""
    if max(map(len, rows), default=0) < 2:
        return True
    return (len(rows) == 1 and any(map(_is_rich, rows[0]))) or any(
        _has_sections(c, styles) for row in rows for c in row
    )


def _is_rich(cell: Any) -> bool:
    return next(cell.iter(f"{W}tbl", f"{W}numPr", *DRAWN), None) is not None


def _has_sections(cell: Any, styles: Styles) -> bool:
    paragraphs = cell.findall(f"{W}p")
    return len(paragraphs) > 1 and any(styles.place_of(p).level is not None for p in paragraphs)


def grid(rows: Rows, texts: Mapping[Any, str]) -> list[list[str]]:
    """The words of each row by column.

    A cell over several columns stands in the first of them; one over several rows is repeated, so that each row says
    what it is about.
    """
    filled, above = [], dict[int, str]()
    for row in rows:
        before = _number(row[0].getparent().find(f"{W}trPr/{W}gridBefore"))
        line = [""] * before
        here = dict[int, str]()
        for cell in row:
            merged = cell.find(f"{W}tcPr/{W}vMerge")
            goes_on = merged is not None and value_of(merged) != "restart"
            text = above.get(len(line), "") if goes_on else texts[cell]
            if merged is not None:
                here[len(line)] = text
            line += [text, *[""] * (_number(cell.find(f"{W}tcPr/{W}gridSpan")) - 1)]
        filled.append(line)
        above = here
    return filled


def beside(cell: Any, rows: Rows, texts: Mapping[Any, str]) -> str:
    """What belongs to a picture in a cell: the words of that cell, of its row, or of the cell below."""
    number = next(n for n, row in enumerate(rows) if cell in row)
    row, following = rows[number], rows[number + 1] if number + 1 < len(rows) else []
    for cells in ([cell], row, following[row.index(cell) :][:1]):
        if words := " ".join(texts[each] for each in cells if texts[each]):
            return words
    return ""


def _number(element: Any) -> int:
    text = value_of(element) or ""
    return min(int(text), _MAX_SPAN) if text.isdecimal() and len(text) < 10 else 0
