"""From lines to blocks of running text in reading order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from llama_index_gemini_mm.readers.pdf.page import Line, Rect, around

CAPTION = re.compile(
    r"(fig(ure|ura|\.)?|abb(ildung|\.)?|bild|table|tab(elle|\.)|chart|diagram|plate|photo|scheme|image|illustration"
    r"|tableau|grafik|图|図)\s*[\dA-Z]",
    re.IGNORECASE,
)
"""How the text below a picture or above a table begins."""
_HYPHENS = ("-", "\u2010", "\u00ad")
_BULLET = re.compile(r"([•◦▪‣·–—*○●■□➢✓-]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])\s")
_CJK = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uff00-\uffef]")
_RTL = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]")
_FULL = 0.85
"""How far across its block a line reaches that was broken because it was full."""
_PROSE = 20
"""Characters on a line of a column; cells of a table have fewer."""
_NARROW = 0.6
"""Share of the width of a region; what is wider stands across columns."""
_SAME_SIZE = 0.12


@dataclass(frozen=True)
class Block:
    """Lines that belong together. ``box`` in points."""

    text: str
    box: Rect
    size: float = 0.0
    bold: bool = False
    rows: int = 1
    is_table: bool = False


Row = list[Line]
"""Lines side by side."""


def blocks_of(lines: Sequence[Line], tables: Sequence[Block] = ()) -> list[Block]:
    """The text of a page, and its tables among it, in reading order."""
    groups = [part for group in _groups(lines) for part in _parts(group)]
    blocks = [*(_block(rows) for rows in groups), *tables]
    if tables or not _is_in_order(blocks):
        blocks = _ordered(blocks, is_rtl=_is_rtl(lines))
    aside = _is_aside(lines)
    return _mended([b for b in blocks if b.box not in aside] + [b for b in blocks if b.box in aside])


def _is_aside(lines: Sequence[Line]) -> set[Rect]:
    """Boxes of turned lines: stamps on the margin and names of axes come last."""
    return {line.box for line in lines if not line.upright}


def _groups(lines: Sequence[Line]) -> Iterator[list[Row]]:
    """What MuPDF holds together, as rows from top to bottom."""
    rows: list[Row] = []
    block = -1
    for line in lines:
        if line.block != block and rows and _goes_on(rows[-1][-1], line):
            rows[-1].append(line)
            block = line.block
        elif line.block != block and rows and _is_paragraph(rows, line):
            rows.append([line])
            block = line.block
        elif line.block != block or not line.upright or (CAPTION.match(line.text) and _is_beside(rows[-1][-1], line)):
            if rows:
                yield rows
            rows, block = [[line]], line.block if line.upright else -1
        elif _is_beside(rows[-1][-1], line):
            rows[-1].append(line)
        else:
            rows.append([line])
    if rows:
        yield rows


def _is_beside(before: Line, line: Line) -> bool:
    a, b = before.box, line.box
    shared = min(a[3], b[3]) - max(a[1], b[1])
    return shared > 0.5 * min(a[3] - a[1], b[3] - b[1]) and (b[0] >= a[2] - 2 or b[2] <= a[0] + 2)


def _goes_on(before: Line, line: Line) -> bool:
    """Whether a piece set by itself, such as the full stop after a link, continues the line."""
    a, b = before.box, line.box
    same = line.upright and before.upright and abs(a[1] - b[1]) < 1 and abs(a[3] - b[3]) < 1
    return same and 0 <= b[0] - a[2] + 1 < 0.3 * line.size + 1


def _is_paragraph(rows: list[Row], line: Line) -> bool:
    """Whether a line that MuPDF sets apart, for its wide leading, goes on in the sentence or listing above it."""
    last = rows[-1][-1]
    left = rows[-1][0].box[0]
    gap = line.box[1] - last.box[3]
    if last.mono and line.mono:
        return line.upright and -2 < gap < line.size
    if not line.text[:1].islower() or last.text[-1] in ".:;!?" or abs(left - line.box[0]) > 3 or not line.upright:
        return False
    full = left + _FULL * (max(last.box[2], line.box[2]) - left)
    return -2 < gap < line.size and last.box[2] >= full and not _type_changes(last, line)


def _parts(rows: list[Row]) -> Iterator[list[Row]]:
    """Cut where two columns were held together, and where the type changes: a heading and its paragraph."""
    for column in _columns(rows):
        start = 0
        for index, (before, row) in enumerate(pairwise(column), 1):
            if _type_changes(before[0], row[0]):
                yield column[start:index]
                start = index
        yield column[start:]


def _type_changes(before: Line, line: Line) -> bool:
    if abs(before.size - line.size) > _SAME_SIZE * max(before.size, line.size):
        return True
    return before.bold != line.bold and not (before.mono or line.mono)


def _columns(rows: list[Row]) -> list[list[Row]]:
    """Rows that run across two columns of prose, taken apart; others as they are."""
    double = [row for row in rows if len(row) == 2 and min(len(row[0].text), len(row[1].text)) >= _PROSE]
    if len(double) < 3 or len(double) < 0.6 * len(rows):
        return [rows]
    gutter = min(max(line.box[0] for line in row) for row in double)
    left = [[line for line in row if line.box[0] < gutter - 1] for row in rows]
    right = [[line for line in row if line.box[0] >= gutter - 1] for row in rows]
    return [[row for row in side if row] for side in (left, right)]


def _block(rows: list[Row]) -> Block:
    box = around([line.box for row in rows for line in row])
    main = max((line for row in rows for line in row), key=lambda line: len(line.text))
    bold = all(line.bold for row in rows for line in row)
    return Block(_flow(rows, box), box, main.size, bold, len(rows))


def _flow(rows: list[Row], box: Rect) -> str:
    """The rows as running text: a line that was broken because it was full goes on in the next."""
    edge = box[0] + _FULL * (box[2] - box[0])
    text = ""
    reached, mono = 0.0, False
    for row in rows:
        line = " ".join([piece.text for piece in row])
        if not text:
            text = line
        elif mono or (reached < edge and not _is_broken(text)) or _BULLET.match(line):
            text += "\n" + line
        else:
            text = join(text, line)
        reached, mono = row[-1].box[2], row[-1].mono
    return text.replace("\u00ad", "")


def join(text: str, line: str) -> str:
    """A line and the one that continues it; a word broken between them is mended."""
    if _is_broken(text) and line[:1].isalnum():
        return (text[:-1] if line[:1].islower() else text) + line
    if _CJK.match(text[-1]) and _CJK.match(line):
        return text + line
    return f"{text} {line}"


def _is_broken(text: str) -> bool:
    """Whether it ends in the middle of a word."""
    return text.endswith(_HYPHENS) and text[-2:-1].isalpha()


def _mended(blocks: list[Block]) -> list[Block]:
    """A word broken between two columns or blocks is put together in the first."""
    done: list[Block] = []
    for block in blocks:
        last = done[-1] if done else None
        if last and _is_broken(last.text) and block.text[:1].islower():
            end, _, rest = block.text.partition(" ")
            done[-1] = replace(last, text=last.text[:-1] + end)
            done += [replace(block, text=rest)] if rest else []
        else:
            done.append(block)
    return done


def _is_in_order(blocks: list[Block]) -> bool:
    """Whether the order of writing can be that of reading: down, or up into a column further right."""
    leaps = 0
    for before, block in pairwise(blocks):
        a, b = before.box, block.box
        is_above = b[3] <= a[1] + 2
        is_left = b[2] <= a[0] + 2
        if is_above and b[0] < a[2] - 2:
            return False
        # Back to the left once leaves the columns; again and again, they are written row by row.
        leaps += is_left and len(block.text) >= _PROSE
        if leaps > 1 and len(before.text) >= _PROSE:
            return False
    return True


def _is_rtl(lines: Sequence[Line]) -> bool:
    text = "".join([line.text for line in lines])
    return not text.isascii() and len(_RTL.findall(text)) > len(text) / 2


def _ordered(blocks: list[Block], *, is_rtl: bool) -> list[Block]:
    """Order by place: what stands across the columns parts the page, and between, column after column is read."""
    if len(blocks) < 2:
        return blocks
    region = around([b.box for b in blocks])
    narrow = [b for b in blocks if b.box[2] - b.box[0] <= _NARROW * (region[2] - region[0])]
    columns = _by_gutter(narrow)
    if len(columns) < 2 or not all(_is_prose(column) for column in columns):
        return _by_rows(blocks)
    across = sorted((b for b in blocks if b not in narrow), key=lambda b: b.box[1])
    ordered: list[Block] = []
    rest = list(columns)
    for bar in (*across, None):
        for number in range(len(rest)) if not is_rtl else reversed(range(len(rest))):
            above = [b for b in rest[number] if bar is None or b.box[1] < bar.box[1]]
            rest[number] = [b for b in rest[number] if b not in above]
            ordered += _ordered(above, is_rtl=is_rtl) if len(above) < len(blocks) else _by_rows(above)
        if bar:
            ordered.append(bar)
    return ordered


def _by_gutter(blocks: list[Block]) -> list[list[Block]]:
    """Columns from left to right: blocks between which no other bridges the gap."""
    columns: list[list[Block]] = []
    right = float("-inf")
    for block in sorted(blocks, key=lambda b: b.box[0]):
        if block.box[0] > right - 1:
            columns.append([])
        columns[-1].append(block)
        right = max(right, block.box[2])
    return columns


def _is_prose(column: list[Block]) -> bool:
    """Whether its lines are as long as those of a column: cells of a table and labels are read row by row."""
    rows = sum(b.rows for b in column)
    return sum(len(b.text) for b in column) >= _PROSE * rows or rows >= 8 * len(column)


def _by_rows(blocks: list[Block]) -> list[Block]:
    """Top to bottom, and left to right what stands side by side."""
    ordered: list[Block] = []
    row: list[Block] = []
    for block in sorted(blocks, key=lambda b: (b.box[1], b.box[0])):
        if row and block.box[1] > (row[0].box[1] + row[0].box[3]) / 2:
            ordered += sorted(row, key=lambda b: b.box[0])
            row = []
        row.append(block)
    return ordered + sorted(row, key=lambda b: b.box[0])
