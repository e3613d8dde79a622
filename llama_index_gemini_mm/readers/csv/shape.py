"""How a table in text is written: its delimiter, its quotes, and whether its first row names the columns.

``csv.Sniffer`` takes letters for delimiters and gives up on simple files, so the shape is told by trying: the right
delimiter cuts rows to the same width.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

_DELIMITERS = (",", "\t", ";", "|")
_MAX_PREFACE = 10
"""Rows of explanation that may stand above a table."""
_SEP_LINE = re.compile(r"sep=(.)\r?\n?", re.IGNORECASE)
_NUMBER = re.compile(r"[-+(]?[\d.,\u00a0 ]*\d[\d.,]*(?:[eE][-+]?\d+)?\s*[%)]?")
_YEAR = re.compile(r"(?:19|20|21)\d\d")


@dataclass(frozen=True)
class Shape:
    """How a table is written.

    ``preface`` counts the rows above it that are not of it; ``quoting`` is ``csv.QUOTE_MINIMAL`` or ``QUOTE_NONE``.
    """

    delimiter: str
    quoting: int = csv.QUOTE_MINIMAL
    preface: int = 0
    has_header: bool = True

    def reader(self, lines: Iterable[str]) -> Iterator[list[str]]:
        """The rows of ``lines``."""
        return csv.reader(lines, delimiter=self.delimiter, quoting=self.quoting)  # type: ignore[arg-type]


def shape_of(sample: str, usual: str) -> Shape:
    """The shape of a table that begins with ``sample``; ``usual`` is its delimiter when nothing is to be told."""
    lines = sample.splitlines(keepends=True)
    if told := _SEP_LINE.fullmatch(lines[0]) if lines else None:
        rows = _parsed(lines[1:], Shape(told[1]))
        return Shape(told[1], preface=1, has_header=_has_header(rows))
    tried = [(_fit(rows, shape, usual), shape, rows) for shape in _candidates() if (rows := _parsed(lines, shape))]
    fit, shape, rows = max(tried, key=lambda each: each[0], default=((), Shape(usual), []))
    if not fit or fit[-1] < 2:
        return Shape(usual, has_header=_has_header(rows))
    preface = _preface(rows, fit[-1])
    return Shape(shape.delimiter, shape.quoting, preface, _has_header(rows[preface:]))


def _candidates() -> Iterator[Shape]:
    for delimiter in _DELIMITERS:
        for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE):
            yield Shape(delimiter, quoting)


def _parsed(lines: Sequence[str], shape: Shape) -> list[list[str]]:
    try:
        return list(shape.reader(lines))
    except csv.Error:
        return []


def _fit(rows: list[list[str]], shape: Shape, usual: str) -> tuple[bool, float, bool, bool, int]:
    """How well a shape fits, best first by: the first row's width, the share of rows that have it, and custom."""
    widths = Counter(len(row) for row in rows if row)
    width, count = max(widths.items(), key=lambda each: (each[0] > 1, each[1]), default=(0, 0))
    fits = width > 1 and len(rows[0]) == width
    share = round(count / max(widths.total(), 1), 2) if width > 1 else 0.0
    return fits, share, shape.quoting == csv.QUOTE_MINIMAL, shape.delimiter == usual, width


def _preface(rows: list[list[str]], width: int) -> int:
    """Rows before the first full one, when each of them holds one cell at most."""
    for index, row in enumerate(rows[: _MAX_PREFACE + 1]):
        if len(row) == width and sum(map(bool, row)) > 1:
            return index
        if sum(bool(cell.strip()) for cell in row) > 1:
            break
    return 0


def _has_header(rows: list[list[str]]) -> bool:
    """Whether the first row names the columns: columns of numbers decide, and where there are none it does."""
    filled = [row for row in rows if any(row)]
    votes = 0
    for column, name in enumerate(filled[0] if len(filled) > 1 else ()):
        values = [row[column].strip() for row in filled[1:] if column < len(row) and row[column].strip()]
        if values and sum(map(_is_number, values)) >= 0.8 * len(values) and not _YEAR.fullmatch(name.strip()):
            votes += -1 if _is_number(name.strip()) else 1
    return votes >= 0


def _is_number(cell: str) -> bool:
    return len(cell) < 64 and _NUMBER.fullmatch(cell) is not None
