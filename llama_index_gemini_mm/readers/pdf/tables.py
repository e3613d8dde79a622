"""Tables by their rules, as Markdown.

PyMuPDF's own ``find_tables`` takes a second or two a page, a thousand times as long as its text. The rules are known
already, so only pages that have enough of them are looked at.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from llama_index_gemini_mm.readers._tables import table_pieces
from llama_index_gemini_mm.readers.pdf.page import RawPage, Rect, around, is_within
from llama_index_gemini_mm.readers.pdf.text import Block, join

_SNAP = 4.0
"""Points within which rules are one, or meet."""
_SIDE = 8.0
"""Points that a cell measures at least."""
_MOST_RULES = 600
"""More are a drawing."""
_GUTTER = 6.0
"""Points between the columns of a table without upright rules."""
_MOST_CELL = 300
"""Characters a cell has on average at most; more, and the rules frame running text."""
_PAGE = 0.9
_WIDE = 0.15
"""Share of the page width that a table without upright rules takes at least."""

Word = tuple[float, float, float, float, str]
Cell = tuple[int, int]
"""Row and column, from 0."""
Owner = dict[Cell, Cell]
"""For each cell the one that its text belongs to."""


@dataclass
class _Grid:
    """Rules that meet."""

    across: list[Rect] = field(default_factory=list)
    upright: list[Rect] = field(default_factory=list)

    @property
    def box(self) -> Rect:
        return around([*self.across, *self.upright])


def tables_of(page: RawPage, words: Callable[[], list[Word]]) -> list[Block]:
    """The tables of a page; ``words`` gives its words with their boxes, and is called when lines run across columns."""
    if not page.lines or len(page.paths) < 3:
        return []
    across, upright = _rules(page)
    if not 3 <= len(across) + len(upright) <= _MOST_RULES:
        return []
    grids = [g for g in _grids(across, upright) if g.upright]
    found = [table for g in grids if (table := _ruled(g, page, words))]
    boxes = [t.box for t in found]
    free = [rule for rule in across if not any(is_within(rule, _grown(box)) for box in boxes)]
    return found + [table for rules in _stacks(free, _WIDE * page.width) if (table := _open_table(rules, page))]


def _grown(box: Rect) -> Rect:
    return box[0] - 1, box[1] - 1, box[2] + 1, box[3] + 1


def _rules(page: RawPage) -> tuple[list[Rect], list[Rect]]:
    """Rules across and upright, each without thickness; the frame of a cell is four of them."""
    across: list[Rect] = []
    upright: list[Rect] = []
    for path in page.paths:
        x0, y0, x1, y1 = path.box
        ends = min(x1 - x0, y1 - y0) / 2 if path.is_stroke else 0.0
        if path.is_rule and x1 - x0 > y1 - y0:
            across.append((x0 + ends, (y0 + y1) / 2, x1 - ends, (y0 + y1) / 2))
        elif path.is_rule:
            upright.append(((x0 + x1) / 2, y0 + ends, (x0 + x1) / 2, y1 - ends))
        elif path.is_rect and min(x1 - x0, y1 - y0) >= _SIDE and page.share(path.box) < _PAGE:
            across += [(x0, y0, x1, y0), (x0, y1, x1, y1)]
            upright += [(x0, y0, x0, y1), (x1, y0, x1, y1)]
    return _put_together(across, 0), _put_together(upright, 1)


def _put_together(rules: list[Rect], axis: int) -> list[Rect]:
    """Rules that were drawn piece by piece, cell by cell, or twice; ``axis`` is the one they run along."""
    whole: list[Rect] = []
    for rule in sorted(rules, key=lambda r: (round(r[1 - axis]), r[axis])):
        last = whole[-1] if whole else None
        if last and abs(last[1 - axis] - rule[1 - axis]) < 1 and rule[axis] <= last[axis + 2] + _SNAP:
            end = max(last[axis + 2], rule[axis + 2])
            whole[-1] = (last[0], last[1], end, last[3]) if axis == 0 else (last[0], last[1], last[2], end)
        else:
            whole.append(rule)
    return whole


def _grids(across: list[Rect], upright: list[Rect]) -> list[_Grid]:
    """Rules that cross or touch, together."""
    parent = list(range(len(across) + len(upright)))

    def root(n: int) -> int:
        while parent[n] != n:
            parent[n] = parent[parent[n]]
            n = parent[n]
        return n

    for j, (x, top, _, bottom) in enumerate(upright, len(across)):
        for i, (left, y, right, _) in enumerate(across):
            if left - _SNAP <= x <= right + _SNAP and top - _SNAP <= y <= bottom + _SNAP:
                parent[root(i)] = root(j)
    grids: dict[int, _Grid] = {}
    for i, rule in enumerate(across):
        grids.setdefault(root(i), _Grid()).across.append(rule)
    for j, rule in enumerate(upright, len(across)):
        grids.setdefault(root(j), _Grid()).upright.append(rule)
    return list(grids.values())


def _snapped(values: Sequence[float]) -> list[float]:
    """Positions in order, those next to each other as one."""
    places: list[float] = []
    for value in sorted(values):
        if not places or value - places[-1] > _SNAP:
            places.append(value)
    return places


def _ruled(grid: _Grid, page: RawPage, words: Callable[[], list[Word]]) -> Block | None:
    left, top, right, bottom = grid.box
    xs = _snapped([left, right, *(rule[0] for rule in grid.upright)])
    ys = _snapped([top, bottom, *(rule[1] for rule in grid.across)])
    if len(xs) < 3 or len(ys) < 3 or page.share(grid.box) == 0:
        return None
    owner = _merged(grid, xs, ys)
    cells: dict[Cell, str] = {}
    for found in _placed(page, grid.box, xs, ys, owner) or _placed_words(words(), grid.box, xs, ys, owner):
        cell, text = found
        cells[cell] = join(cells[cell], text) if cell in cells else text
    return _table([[cells.get((r, c), "") for c in range(len(xs) - 1)] for r in range(len(ys) - 1)], grid.box)


def _placed(page: RawPage, box: Rect, xs: list[float], ys: list[float], owner: Owner) -> list[tuple[Cell, str]] | None:
    """Each line with its cell; ``None`` when one runs across several, and has to be taken apart."""
    placed = []
    for line in page.lines:
        if is_within(line.box, box):
            x0, y0, x1, y1 = line.box
            first, last = (owner[_cell((x, (y0 + y1) / 2), xs, ys)] for x in (min(x0 + _SNAP, x1), max(x1 - _SNAP, x0)))
            if first != last and " " in line.text:
                return None
            placed.append((first, line.text))
    return placed


def _placed_words(
    words: list[Word], box: Rect, xs: list[float], ys: list[float], owner: Owner
) -> Iterator[tuple[Cell, str]]:
    for x0, y0, x1, y1, text in words:
        middle = ((x0 + x1) / 2, (y0 + y1) / 2)
        if box[0] - 1 < middle[0] < box[2] + 1 and box[1] - 1 < middle[1] < box[3] + 1:
            yield owner[_cell(middle, xs, ys)], text


def _cell(point: tuple[float, float], xs: list[float], ys: list[float]) -> Cell:
    row = min(max(bisect_right(ys, point[1]) - 1, 0), len(ys) - 2)
    return row, min(max(bisect_right(xs, point[0]) - 1, 0), len(xs) - 2)


def _merged(grid: _Grid, xs: list[float], ys: list[float]) -> Owner:
    """For each cell the first one that no rule parts it from: cells can span columns and rows."""
    owner: Owner = {}
    for r in range(len(ys) - 1):
        y = (ys[r] + ys[r + 1]) / 2
        for c in range(len(xs) - 1):
            x = (xs[c] + xs[c + 1]) / 2
            if c and not _parts(grid.upright, xs[c], y, 1):
                owner[r, c] = owner[r, c - 1]
            elif r and not _parts(grid.across, ys[r], x, 0):
                owner[r, c] = owner[r - 1, c]
            else:
                owner[r, c] = (r, c)
    return owner


def _parts(rules: list[Rect], at: float, along: float, axis: int) -> bool:
    """Whether one of the rules at position ``at`` passes ``along``; ``axis`` 1 for upright ones."""
    return any(abs(rule[1 - axis] - at) <= _SNAP and rule[axis] - 1 <= along <= rule[axis + 2] + 1 for rule in rules)


def _table(rows: list[list[str]], box: Rect) -> Block | None:
    rows = [row for row in rows if any(row)]
    used = [c for c in range(len(rows[0])) if any(row[c] for row in rows)] if rows else []
    if len(rows) < 2 or len(used) < 2:
        return None
    rows = [[row[c] for c in used] for row in rows]
    filled = [cell for row in rows for cell in row if cell]
    if len(filled) < len(rows) + 1 or sum(map(len, filled)) > _MOST_CELL * len(filled):
        return None
    pieces = table_pieces(rows[1:], header=rows[0], max_rows=len(rows), max_chars=sum(map(len, filled)) * 8 + 1000)
    return Block("\n".join(text for _, _, text in pieces), box, rows=len(rows), is_table=True)


def _stacks(across: list[Rect], width: float) -> list[list[Rect]]:
    """Three rules or more of one length above one another, at least ``width`` long: how printed books set tables."""
    stacks: dict[tuple[int, int], list[Rect]] = {}
    for rule in sorted((r for r in across if r[2] - r[0] >= width), key=lambda r: r[1]):
        stacks.setdefault((round(rule[0] / _SNAP), round(rule[2] / _SNAP)), []).append(rule)
    return [rules for rules in stacks.values() if len(_snapped([r[1] for r in rules])) >= 3]


def _open_table(rules: list[Rect], page: RawPage) -> Block | None:
    """A table whose columns only their alignment tells."""
    box = around(rules)
    inside = [line for line in page.lines if is_within(line.box, box)]
    if len(inside) < 4 or len(inside) > _MOST_RULES:
        return None
    edges = _gutters([line.box for line in inside])
    rows: list[list[str]] = []
    middle = float("-inf")
    for line in sorted(inside, key=lambda line: ((line.box[1] + line.box[3]) / 2, line.box[0])):
        x0, y0, x1, y1 = line.box
        if (y0 + y1) / 2 - middle > 0.5 * (y1 - y0):
            rows.append([""] * (len(edges) + 1))
            middle = (y0 + y1) / 2
        column = bisect_right(edges, (x0 + x1) / 2)
        rows[-1][column] = f"{rows[-1][column]} {line.text}".strip()
    if sum(sum(map(bool, row)) >= 2 for row in rows) < 0.5 * len(rows):
        return None
    return _table(rows, box)


def _gutters(boxes: list[Rect]) -> list[float]:
    """Where no line of any row stands, across at least ``_GUTTER`` points."""
    edges: list[float] = []
    reached = float("inf")
    for x0, _, x1, _ in sorted(boxes):
        if x0 - reached >= _GUTTER:
            edges.append((reached + x0) / 2)
        reached = x1 if reached == float("inf") else max(reached, x1)
    return edges
