"""Tables of any length as Markdown, in pieces that each carry the header."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

MAX_CELL = 32_767
"""Characters of one cell that are kept: what a cell of a spreadsheet holds."""
_MAX_NAME = 200
"""Characters of a column's name that are kept."""
_WIDE = 32
"""Columns beyond which those that are blank throughout a piece are left out of it."""


def table_pieces(
    rows: Iterable[Sequence[str]], *, header: Sequence[str] | None, max_rows: int = 60, max_chars: int = 4000
) -> Iterator[tuple[int, int, str]]:
    """Yield ``(first row, last row, Markdown)`` for every stretch of ``rows``; rows are read as they are needed.

    Rows count from 1, without the header. A piece has at most ``max_rows`` rows and about ``max_chars`` characters,
    but at least one row. ``header`` stands above every piece; without one the columns have no names. Blank rows are
    counted and left out, ragged ones filled up, and line breaks become blanks.
    """
    names = [_cell(name)[:_MAX_NAME] for name in header or ()]
    room = max(max_chars - _length(names), max_chars // 2)
    taken: list[list[str]] = []
    first = last = chars = 0
    for number, row in enumerate(rows, 1):
        cells = [_cell(value) for value in row]
        if not any(cells):
            continue
        length = _length(cells)
        if taken and (len(taken) >= max_rows or chars + length > room):
            yield first, last, _markdown(names, taken)
            taken, chars = [], 0
        first = number if not taken else first
        last, chars = number, chars + length
        taken.append(cells)
    if taken:
        yield first, last, _markdown(names, taken)


def _cell(value: str) -> str:
    """A value as it may stand between two bars."""
    text = " ".join(value[: MAX_CELL + 1].split())
    if len(text) > MAX_CELL:
        text = text[: MAX_CELL - 1] + "…"
    return text.replace("|", "\\|")


def _length(cells: Sequence[str]) -> int:
    """Characters of a row once it is written; blank cells past the last value are not."""
    filled = [len(cell) + 3 for cell in cells]
    while filled and filled[-1] == 3:
        filled.pop()
    return sum(filled)


def _markdown(names: list[str], rows: list[list[str]]) -> str:
    used = [n for n in range(max(map(len, rows))) if any(n < len(row) and row[n] for row in rows)]
    width = max(len(names), used[-1] + 1)
    columns = used if width > _WIDE else list(range(width))
    lines = [_line(row, columns) for row in (names, *rows)]
    return "\n".join([lines[0], "|" + " --- |" * len(columns), *lines[1:]])


def _line(row: list[str], columns: list[int]) -> str:
    return "| " + " | ".join(row[n] if n < len(row) else "" for n in columns) + " |"
