"""A page sorted out: its running text, its figures, and whether it is rather looked at than read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from llama_index_gemini_mm.readers._base import ReaderOptions
from llama_index_gemini_mm.readers.pdf.drawings import drawings_of, is_drawn, labels_in
from llama_index_gemini_mm.readers.pdf.page import TEXT_FLAGS, Line, RawPage, Rect, around, is_within
from llama_index_gemini_mm.readers.pdf.pictures import COVERS, Area, Backgrounds, is_figure, picture_areas
from llama_index_gemini_mm.readers.pdf.tables import tables_of
from llama_index_gemini_mm.readers.pdf.text import Block, blocks_of

_LITTLE_TEXT = 600
"""Characters; a printed page has 2,000 to 4,000."""
_DENSE = 0.5
"""Share of a page with little text above which several pictures make it one to be looked at."""
_MOST_BOXES = 12


@dataclass(frozen=True)
class Sheet:
    """What becomes of a page. ``areas`` are those of its figures."""

    raw: RawPage
    blocks: list[Block]
    areas: list[Area] = field(repr=False)
    is_visual: bool


def sheet_of(raw: RawPage, load: Callable[[], Any], backgrounds: Backgrounds, options: ReaderOptions) -> Sheet:
    """Sort out a page; ``load`` gives the open page for what needs a second look. Needs the lock."""
    pictures = picture_areas(raw)
    if raw.is_garbled:
        return Sheet(raw, [], _figures(raw, pictures, options), is_visual=True)
    tables = tables_of(raw, cache(lambda: [word[:5] for word in load().get_text("words", flags=TEXT_FLAGS)]))
    taken = [t.box for t in tables] + [p.box for p in pictures]
    drawings = drawings_of(raw, taken)
    is_visual = _is_scan(raw, pictures, backgrounds) or _is_dense(raw, pictures) or is_drawn(raw, taken, drawings)
    drawn = [] if is_visual or not options.figures else _drawn(raw, drawings)
    return Sheet(
        raw=raw,
        blocks=blocks_of(_outside(raw.lines, tables, drawn), tables),
        areas=_figures(raw, pictures, options) + [a for a, _ in drawn],
        is_visual=is_visual,
    )


def _figures(raw: RawPage, pictures: list[Area], options: ReaderOptions) -> list[Area]:
    return [a for a in pictures if options.figures and is_figure(raw, a, options.min_figure_pixels)]


def _drawn(raw: RawPage, drawings: list[Rect]) -> list[tuple[Area, list[Line]]]:
    """Drawings with the lines of text inside them, which go with the picture."""
    return [
        (Area(box, labels="\n".join(x.text for x in lines)), lines) for box, lines in labels_in(raw, drawings).items()
    ]


def _outside(lines: Sequence[Line], tables: list[Block], drawn: list[tuple[Area, list[Line]]]) -> list[Line]:
    """The lines that are in no table and in no drawing."""
    labels = {line for _, inside in drawn for line in inside}
    boxes = [t.box for t in tables]
    if not boxes and not labels:
        return list(lines)
    return [x for x in lines if x not in labels and not any(is_within(x.box, b) for b in boxes)]


def _is_scan(raw: RawPage, pictures: list[Area], backgrounds: Backgrounds) -> bool:
    """Whether pictures cover the page; scanners cut one into strips, so it is the sum that counts."""
    shown = [a for a in pictures if not (raw.lines and backgrounds.recur(a))]
    if not pictures and raw.pictures:
        return sum(raw.share(p["bbox"]) for p in raw.pictures) >= COVERS
    return sum(raw.share(a.box) for a in shown) >= COVERS


def _is_dense(raw: RawPage, pictures: list[Area]) -> bool:
    """Whether a page is made of several pictures with few words."""
    if len(pictures) < 2 or sum(len(line.text) for line in raw.lines) > _LITTLE_TEXT:
        return False
    return sum(raw.share(a.box) for a in pictures if raw.share(a.box) < COVERS) >= _DENSE


def boxes_of(blocks: Sequence[Block]) -> list[Rect]:
    """Where some blocks stand: one box for those below one another in a column."""
    boxes: list[Rect] = []
    for block in blocks:
        box = block.box
        last = boxes[-1] if boxes else None
        if last and box[1] >= last[1] - 2 and min(box[2], last[2]) - max(box[0], last[0]) > 0:
            boxes[-1] = around([last, box])
        else:
            boxes.append(box)
    return boxes if len(boxes) <= _MOST_BOXES else [around(boxes)]
