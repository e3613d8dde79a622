"""Tables of HTML pages: telling data from layout, and laying out cells that span others."""

from __future__ import annotations

from itertools import islice
from typing import Any

_MAX_SPAN = 100
"""Columns or rows that one cell may cover; a page can claim any number."""
_MAX_WIDTH = 1000


def is_data(element: Any) -> bool:
    """Whether a table holds data rather than the layout of the page."""
    if next(element.iter("h1", "h2", "h3", "h4", "h5", "h6"), None) is not None:
        return False
    if len(list(islice(element.iter("table"), 2))) > 1:
        return False
    columns = [sum(1 for _ in row.iterchildren("td", "th")) for row in element.iter("tr")]
    return len(columns) > 1 and max(columns) > 1


def cells(element: Any) -> list[list[str]]:
    """The words of every cell, row by row; what a cell spans beyond its own place stays empty."""
    rows: list[list[str]] = []
    taken: dict[int, int] = {}
    for row in element.iter("tr"):
        line: list[str] = []
        for cell in row.iterchildren("td", "th"):
            while taken.get(len(line), 0) > 0:
                line.append("")
            start, width = len(line), _span(cell, "colspan")
            line += [words(cell), *[""] * (width - 1)]
            line = line[:_MAX_WIDTH]
            height = _span(cell, "rowspan")
            if height > 1:
                taken.update(dict.fromkeys(range(start, min(start + width, _MAX_WIDTH)), height))
        taken = {column: left - 1 for column, left in taken.items() if left > 1}
        rows.append(line)
    return rows


def _span(cell: Any, name: str) -> int:
    value = (cell.get(name) or "1").strip()
    return max(1, min(int(value), _MAX_SPAN)) if value.isdecimal() and len(value) < 9 else 1


def words(element: Any) -> str:
    """All text in an element as one line."""
    return " ".join("".join(element.itertext()).split())
