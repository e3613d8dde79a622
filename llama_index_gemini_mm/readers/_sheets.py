"""The sheets of a workbook, whatever program wrote it: their tables as Markdown, in documents of a bounded size.

Blank rows divide tables, and so do blank columns between tables that stand side by side. What belongs to one document
is packed together, so that a title stays with its table; a long table is cut, and its header stands above every piece.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, pairwise

from llama_index.core.schema import Document

from llama_index_gemini_mm.errors import FileTooLarge
from llama_index_gemini_mm.media import HEADING_SEPARATOR, HIDDEN, Locator
from llama_index_gemini_mm.readers._base import DocumentBuilder, Extra
from llama_index_gemini_mm.readers._bounds import MAX_CELLS
from llama_index_gemini_mm.readers._text import table
from llama_index_gemini_mm.source import Source

MAX_CHARACTERS = 128 * 2**20
"""Characters of all cells of one workbook: many cells can share one long text."""
_MAX_ROWS = 60
_MAX_TEXT = 4000
"""Rows and characters of one document, about."""
_WINDOW = 2000
"""Rows that are looked at together, to find tables and merged cells."""
_MAX_FILLED = 100_000
"""Cells that merged cells are spread over."""
_MAX_SPREAD = 200
"""Characters of a text that is repeated in every cell it is merged over: a label, not a paragraph."""
_SPARSE = 0.02
"""The share of filled cells below which a stretch is no table."""

Merge = tuple[int, int, int, int]
"""First row, first column, last row, last column; from 1."""


@dataclass(frozen=True)
class Row:
    """A row that holds something; ``cells`` by column, as a user sees them, blank ones left out."""

    number: int
    cells: dict[int, str]
    is_hidden: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sheet:
    """A sheet whose rows are read as they are needed.

    ``merges`` is complete when the rows are exhausted; ``hidden_columns`` (first, last) as soon as the first is read.
    """

    name: str
    rows: Iterable[Row]
    is_hidden: bool = False
    merges: list[Merge] = field(default_factory=list)
    hidden_columns: list[tuple[int, int]] = field(default_factory=list)


class CellCount:
    """The cells of one workbook, all sheets together, against the bounds."""

    def __init__(self, source: Source) -> None:
        self._location = source.location
        self._cells = self._characters = 0

    def add(self, cells: Mapping[int, str]) -> None:
        """Count the cells of a row; raises ``FileTooLarge``."""
        self._cells += len(cells)
        self._characters += sum(map(len, cells.values()))
        if self._cells > MAX_CELLS:
            raise FileTooLarge(self._location, f"more than {MAX_CELLS:,} cells that hold something")
        if self._characters > MAX_CHARACTERS:
            raise FileTooLarge(self._location, f"cells with more than {MAX_CHARACTERS >> 20} million characters")


def sheet_documents(sheet: Sheet, builder: DocumentBuilder, book: str) -> Iterator[Document]:
    """Yield the tables of a sheet, each document titled by the book, the sheet and the range of cells."""
    for piece in _pieces(sheet):
        extra: Extra = {HIDDEN: True} if piece.is_hidden or sheet.is_hidden else {}
        title = HEADING_SEPARATOR.join((book, f"{sheet.name} {piece.cells}"))
        yield builder.text(piece.text, title=title, at=Locator(sheet=sheet.name), extra=extra)


def column_name(column: int) -> str:
    """``A`` for 1, ``AA`` for 27."""
    name = ""
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(65 + rest) + name
    return name


def has_words(text: str) -> bool:
    """Whether a cell holds words rather than a number or date."""
    return any(map(str.isalpha, text))


@dataclass(frozen=True)
class _Piece:
    text: str
    cells: str
    is_hidden: bool


@dataclass(frozen=True)
class _Table:
    """Columns that belong together, with their names and the row that these stand in.

    Without ``is_table``, rows are lines.
    """

    columns: Sequence[int]
    head: Mapping[int, str] = field(default_factory=dict)
    head_row: int = 0
    is_table: bool = True

    def written(self, rows: Mapping[int, Mapping[int, str]]) -> str:
        """Rows, by their number, under the header."""
        lines = [[cells.get(column, "") for column in self.columns] for cells in rows.values()]
        repeats = bool(self.head) and self.head_row not in rows
        if not self.is_table or (len(lines) == 1 and not repeats):
            return "\n".join(" | ".join(filter(None, line)) for line in lines)
        if repeats:
            lines.insert(0, [self.head.get(column, "") for column in self.columns])
        return table(lines)


@dataclass(frozen=True)
class _Parts:
    """A table, what of it is shown, and what lies in hidden columns, beside the first shown one to label it."""

    whole: _Table
    shown: _Table
    hidden: _Table


@dataclass(frozen=True)
class _Run:
    """Rows without a blank one between, and the tables side by side in them."""

    rows: list[Row]
    parts: list[_Parts]
    heads: Mapping[int, str]
    """The names of all columns, blank ones included."""
    shape: Mapping[int, bool]
    """That of a row below the header."""


class _Packer:
    """Gathers rows into pieces."""

    def __init__(self, *, is_hidden: bool) -> None:
        self._is_hidden = is_hidden
        self._rows = self._length = 0
        self._clear()

    def add(self, row: Row, to: _Table, notes: tuple[str, ...] = ()) -> Iterator[_Piece]:
        """Take a row; yields what was gathered when the row no longer fits in."""
        cells = {column: row.cells[column] for column in to.columns if column in row.cells}
        length = sum(len(text) + 3 for text in cells.values()) + sum(map(len, notes))
        if self._rows and (self._rows >= _MAX_ROWS or self._length + length > _MAX_TEXT):
            yield from self.flush()
        if not self._tables or self._tables[-1][0] is not to:
            self._tables.append((to, {}))
            self._length += sum(map(len, to.head.values()))
        self._tables[-1][1][row.number] = cells
        self._notes += notes
        self._rows, self._length = self._rows + 1, self._length + length
        self._corners += [(row.number, min(cells)), (row.number, max(cells))] if cells else []

    def flush(self) -> Iterator[_Piece]:
        """Yield what is left."""
        texts = [to.written(rows) for to, rows in self._tables]
        text = "\n\n".join(filter(None, (*texts, "\n".join(self._notes))))
        if text:
            yield _Piece(text, self._range(), self._is_hidden)
        self._clear()

    def _clear(self) -> None:
        self._tables: list[tuple[_Table, dict[int, Mapping[int, str]]]] = []
        self._notes: list[str] = []
        self._corners: list[tuple[int, int]] = []
        self._rows = self._length = 0

    def _range(self) -> str:
        if not self._corners:
            return "notes"
        rows, columns = zip(*self._corners, strict=True)
        first, last = (f"{column_name(end(columns))}{end(rows)}" for end in (min, max))
        return first if first == last else f"{first}:{last}"


def _pieces(sheet: Sheet) -> Iterator[_Piece]:
    """What is hidden is kept apart from what is shown."""
    shown, hidden = _Packer(is_hidden=False), _Packer(is_hidden=True)
    for run in _all_runs(sheet):
        for parts in run.parts:
            noted = parts is run.parts[0]
            for row in run.rows:
                notes = row.notes if noted else ()
                if row.cells.keys().isdisjoint(parts.whole.columns) and not notes:
                    continue
                if row.is_hidden or (parts.hidden.columns and not parts.shown.columns):
                    yield from hidden.add(row, parts.whole, notes)
                    continue
                yield from shown.add(row, parts.shown, notes)
                if parts.hidden.columns:
                    yield from hidden.add(row, parts.hidden)
    yield from shown.flush()
    yield from hidden.flush()


def _all_runs(sheet: Sheet) -> Iterator[_Run]:
    rows = iter(sheet.rows)
    run: _Run | None = None
    while window := list(islice(rows, _WINDOW)):
        if len(window) < _WINDOW:
            _spread(window, sheet.merges)
        for stretch in _stretches(window):
            run = _run(stretch, run, sheet.hidden_columns)
            yield run


def _stretches(rows: list[Row]) -> Iterator[list[Row]]:
    """Rows between blank ones."""
    start = 0
    for index, (row, following) in enumerate(pairwise(rows), 1):
        if following.number > row.number + 1:
            yield rows[start:index]
            start = index
    yield rows[start:]


def _run(rows: list[Row], before: _Run | None, hidden: list[tuple[int, int]]) -> _Run:
    """A run has its own header, unless it goes on with a longer one or, after a blank row, with the table above."""
    used = sorted({column for row in rows for column in row.cells})
    heads: Mapping[int, str] = {}
    if before and _goes_on(rows[0], before):
        if before.heads.keys() >= set(used):
            return replace(before, rows=rows)
        heads = before.heads
    tables = [_table(columns, rows, heads) for columns in _side_by_side(rows, used)]
    return _Run(
        rows,
        [_parts(each, hidden) for each in tables],
        {column: each.head.get(column, "") for each in tables for column in each.columns},
        _shape(rows[:2][-1]),
    )


def _goes_on(row: Row, before: _Run) -> bool:
    """Whether a row follows directly, or after one blank row and looks like a row of numbers below the same header."""
    gap = row.number - before.rows[-1].number
    if gap != 2 or not row.cells.keys() <= before.heads.keys():
        return gap == 1
    shape = _shape(row)
    is_header = len(before.rows) == 1 and len(row.cells) > 1 and all(before.shape.values())
    return not all(shape.values()) and (is_header or shape == before.shape)


def _shape(row: Row) -> dict[int, bool]:
    """In which columns of a row there are words, and in which numbers."""
    return {column: has_words(text) for column, text in row.cells.items()}


def _side_by_side(rows: list[Row], used: list[int]) -> list[list[int]]:
    """The columns of each table. A blank column divides when the part to the right begins with words again.

    Before numbers it is but a space within a table: these belong to the words to the left.
    """
    groups: list[list[int]] = []
    for column in used:
        if groups and column == groups[-1][-1] + 1:
            groups[-1].append(column)
        else:
            groups.append([column])
    joined = groups[:1] or [[]]
    for group in groups[1:]:
        if min(len(group), len(joined[-1])) > 1 and _labels(rows, group[0]):
            joined.append(group)
        else:
            joined[-1] = joined[-1] + group
    return joined


def _labels(rows: list[Row], column: int) -> bool:
    """Whether most cells of a column hold words."""
    cells = [row.cells[column] for row in rows if column in row.cells]
    return 2 * sum(map(has_words, cells)) > len(cells)


def _table(columns: list[int], rows: list[Row], heads: Mapping[int, str]) -> _Table:
    """One table of a run.

    Its header is the first row, unless there are ``heads`` from before, or this row is like the next: then the columns
    have no names but their letters.
    """
    filled = sum(column in row.cells for row in rows for column in columns)
    area = len(columns) * len(rows)
    if len(columns) < 2 or (area > _WINDOW and filled < _SPARSE * area):
        return _Table(columns, is_table=False)
    first, *others = (row for row in rows if not row.cells.keys().isdisjoint(columns))
    named, number = (heads, 0) if heads else (first.cells, first.number)
    if not heads and others and _shape(first) == _shape(others[0]) and not all(_shape(first).values()):
        named, number = {column: column_name(column) for column in columns}, 0
    head = {column: named[column] for column in columns if column in named}
    is_short = sum(map(len, head.values())) <= _MAX_TEXT // 2
    return _Table(columns, head if is_short else {}, number)


def _parts(whole: _Table, hidden: list[tuple[int, int]]) -> _Parts:
    apart = [c for c in whole.columns if any(first <= c <= last for first, last in hidden)]
    if not apart:
        return _Parts(whole, whole, replace(whole, columns=()))
    shown = [c for c in whole.columns if c not in apart]
    return _Parts(whole, replace(whole, columns=shown), replace(whole, columns=[*shown[:1], *apart]))


def _spread(rows: list[Row], merges: list[Merge]) -> None:
    """Repeat short texts in the cells they are merged over, so that each row and column has its label.

    A title that stands alone in its row is left as it is.
    """
    by_number = {row.number: row for row in rows}
    left = _MAX_FILLED
    for top, first, bottom, last in merges:
        text = by_number[top].cells.get(first, "") if top in by_number else ""
        columns = range(first, last + 1)
        left -= len(columns) * (bottom - top + 1)
        if not text or len(text) > _MAX_SPREAD or left < 0:
            continue
        for number in range(top, bottom + 1):
            row = by_number.get(number)
            if row and not row.cells.keys() <= set(columns):
                row.cells.update(dict.fromkeys(columns, text))
