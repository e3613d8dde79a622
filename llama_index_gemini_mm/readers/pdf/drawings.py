"""Where on a page something is drawn: clusters of lines and curves that are neither table nor ornament."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from llama_index_gemini_mm.readers.pdf.page import Line, Path, RawPage, Rect, area, around, is_within, overlap

_NEAR = 0.012
"""Of the longer side of the page, within which paths belong together."""
_FRAME = 0.7
"""Share of the page above which a path is its border or background."""
_FEWEST, _FEWEST_CURVES = 6, 3
"""Paths, or among them curves, that make a drawing."""
_SIDE, _AREA = 0.06, 0.012
"""Of the page, which a drawing measures at least: each side, and its box."""
_WORDY = 0.3
"""Share of its box under text above which a cluster is a background of text."""
_LABEL = 60
"""Characters of a line inside a drawing that belongs to it."""
_BANDS = 3
"""Areas of equal left and right side that are the shading of lines: of a listing, of the rows of a table."""
_LONG = 8
"""How many times longer than high the shading of a line is."""
_MOST_PATHS = 40
_LITTLE_TEXT = 600
"""Characters; a printed page has 2,000 to 4,000."""
_SPREAD = 0.05


def drawings_of(page: RawPage, taken: Sequence[Rect]) -> list[Rect]:
    """The boxes of what is drawn, in points; ``taken`` are those of tables and pictures, which are left out."""
    core = _core(page, taken)
    if len(core) < _FEWEST_CURVES or not _is_large(page, around([path.box for path in core])):
        return []
    found = []
    rules = [path for path in page.paths if path.is_rule and not any(is_within(path.box, box) for box in taken)]
    for cluster in _clusters(page, core + rules):
        members = [path for path in cluster if not path.is_rule]
        if not members:
            continue
        box = around([path.box for path in members])
        curves = sum(not path.is_rect for path in members)
        if (len(members) >= _FEWEST or curves >= _FEWEST_CURVES) and _is_large(page, box) and not _is_wordy(page, box):
            found.append(_with_rules(page, box))
    return found


def labels_in(page: RawPage, drawings: Sequence[Rect]) -> dict[Rect, list[Line]]:
    """The lines of text that stand inside each drawing, as names of its parts."""
    inside: dict[Rect, list[Line]] = {box: [] for box in drawings}
    for line in page.lines if drawings else ():
        for box in drawings:
            if len(line.text) <= _LABEL and overlap(line.box, box) > 0.8 * area(line.box):
                inside[box].append(line)
                break
    return inside


def is_drawn(page: RawPage, taken: Sequence[Rect], drawings: Sequence[Rect]) -> bool:
    """Whether the page as a whole is a drawing or chart: much is drawn, and little written."""
    if sum(len(line.text) for line in page.lines) > _LITTLE_TEXT:
        return False
    if sum(page.share(box) for box in drawings) >= 0.4:
        return True
    core = _core(page, taken)
    return len(core) >= _MOST_PATHS and page.share(around([path.box for path in core])) >= _SPREAD


def _core(page: RawPage, taken: Sequence[Rect]) -> list[Path]:
    """Paths that are more than rules, underlines, axes and borders."""
    core = []
    for path in page.paths:
        if path.is_rule or page.share(path.box) >= _FRAME:
            continue
        if not any(overlap(path.box, box) > 0.5 * area(path.box) for box in (*taken, *page.fields)):
            core.append(path)
    bands = Counter(_sides(path) for path in core if path.is_rect)
    return [p for p in core if not p.is_rect or (bands[_sides(p)] < _BANDS and not _is_shading(page, p.box))]


def _is_shading(page: RawPage, box: Rect) -> bool:
    """Whether it lies behind one line of text."""
    long = box[2] - box[0] > _LONG * (box[3] - box[1])
    return long and any(is_within(line.box, box) for line in page.lines)


def _sides(path: Path) -> tuple[int, int]:
    return round(path.box[0]), round(path.box[2])


def _clusters(page: RawPage, paths: list[Path]) -> list[list[Path]]:
    """Paths that touch, or nearly so; an axis joins the bars that stand on it."""
    near = _NEAR * max(page.width, page.height)
    clusters: list[tuple[Rect, list[Path]]] = []
    for path in paths:
        touched = [c for c in clusters if _touches(c[0], _grown(path.box, near))]
        if len(touched) == 1 and touched[0][0] == around([touched[0][0], path.box]):
            touched[0][1].append(path)
            continue
        clusters = [c for c in clusters if c not in touched]
        members = [path, *(p for _, inside in touched for p in inside)]
        clusters.append((around([path.box, *(box for box, _ in touched)]), members))
    return [members for _, members in clusters]


def _is_large(page: RawPage, box: Rect) -> bool:
    x0, y0, x1, y1 = page.unit(box)
    return x1 - x0 >= _SIDE and y1 - y0 >= _SIDE / 2 and area((x0, y0, x1, y1)) >= _AREA


def _is_wordy(page: RawPage, box: Rect) -> bool:
    words = sum(overlap(line.box, box) for line in page.lines)
    return words > _WORDY * area(box)


def _with_rules(page: RawPage, box: Rect) -> Rect:
    """The box with the thin lines that begin in it: axes, arrows, lines to a label."""
    near = (box[0] - 4, box[1] - 4, box[2] + 4, box[3] + 4)
    thin = [path.box for path in page.paths if _touches(path.box, near) and page.share(path.box) < _FRAME]
    limit = 0.25 * (box[2] - box[0]) + 12, 0.25 * (box[3] - box[1]) + 12
    wide = around([box, *thin])
    grown = (
        max(wide[0], box[0] - limit[0]),
        max(wide[1], box[1] - limit[1]),
        min(wide[2], box[2] + limit[0]),
        min(wide[3], box[3] + limit[1]),
    )
    labels = [line.box for line in page.lines if len(line.text) <= 24 and _touches(line.box, _grown(grown, 10))]
    return around([grown, *labels])


def _grown(box: Rect, by: float) -> Rect:
    return box[0] - by, box[1] - by, box[2] + by, box[3] + by


def _touches(a: Rect, b: Rect) -> bool:
    return a[0] <= b[2] and a[2] >= b[0] and a[1] <= b[3] and a[3] >= b[1]
