"""The pictures of a page: which belong together, which are ornaments, what they look like, and what is said of them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from llama_index_gemini_mm.media import Box
from llama_index_gemini_mm.readers._pictures import is_large_enough
from llama_index_gemini_mm.readers.pdf.page import RawPage, Rect, area, around, overlap
from llama_index_gemini_mm.readers.pdf.text import CAPTION, Block

MAX_SIDE = 3072
_MAX_DRAWN_SIDE, _DRAWN_DPI = 2000, 150
_MOST_PIECES = 400
"""A page with more pictures than this is a mosaic; the page itself shows it better."""
_PIXELS_PER_POINT = 96 / 72
COVERS = 0.7
"""Share of the page above which one picture, or pieces of one, make the page a scan."""
_TOUCH = 1.5
"""Points between pieces of one picture."""
_LONGEST_CAPTION = 500
_PLAIN_COLORS = ("DeviceRGB", "DeviceGray", "CalRGB", "CalGray", "ICCBased")
_NOT_ALL = 7
"""Every so many pixels are looked at first; a number that divides no usual width."""
_NEAR = 0.12
"""How far above or below a picture, as a share of the page height, its caption may stand."""


@dataclass(frozen=True)
class Figure:
    """A picture as it is kept: its bytes, where it stands, and the text that goes with it."""

    data: bytes = field(repr=False)
    mime_type: str
    box: Box
    caption: str


@dataclass(frozen=True)
class Area:
    """Where something to be seen stands, in points, and the pictures that make it; none for what is drawn.

    ``labels`` are the words inside, which are no longer among the text of the page.
    """

    box: Rect
    pieces: tuple[dict[str, Any], ...] = ()
    labels: str = ""


class Backgrounds:
    """Pictures behind the text of many pages. One that covers its page makes it a scan only when no other has it."""

    def __init__(self) -> None:
        self._pages: Counter[tuple[object, ...]] = Counter()

    def counted(self, pages: Iterator[RawPage]) -> Iterator[RawPage]:
        """Pass pages on and remember their large pictures."""
        for page in pages:
            self._pages.update({_likeness(p) for p in page.pictures if page.share(p["bbox"]) >= COVERS})
            yield page

    def recur(self, area: Area) -> bool:
        """Whether other pages show the same."""
        return len(area.pieces) == 1 and self._pages[_likeness(area.pieces[0])] > 1


def _likeness(picture: dict[str, Any]) -> tuple[object, ...]:
    return tuple(picture[key] for key in ("width", "height", "bpc", "cs-name", "size"))


def picture_areas(page: RawPage) -> list[Area]:
    """Pictures, with the strips and tiles put together that many programs cut one into; none for a mosaic."""
    if len(page.pictures) > _MOST_PIECES:
        return []
    areas: list[list[dict[str, Any]]] = []
    for picture in page.pictures:
        touching = [a for a in areas if any(_belong(picture, other) for other in a)]
        areas = [a for a in areas if a not in touching]
        areas.append([*(p for a in touching for p in a), picture])
    return [Area(around([p["bbox"] for p in a]), tuple(a)) for joined in areas for a in _sensible(joined)]


def _belong(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Whether two pictures are pieces of one: an edge in common over its whole length, or one within the other."""
    p, q = a["bbox"], b["bbox"]
    if overlap(p, q) > 0.9 * min(area(p), area(q)):
        return True
    stacked = abs(p[0] - q[0]) <= 1 and abs(p[2] - q[2]) <= 1 and min(abs(p[3] - q[1]), abs(q[3] - p[1])) <= _TOUCH
    beside = abs(p[1] - q[1]) <= 1 and abs(p[3] - q[3]) <= 1 and min(abs(p[2] - q[0]), abs(q[2] - p[0])) <= _TOUCH
    return bool(stacked or beside)


def _sensible(pieces: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Two photographs side by side stay two: pieces are strips, many, or lie upon each other."""
    if len(pieces) != 2:
        return [pieces]
    boxes = [p["bbox"] for p in pieces]
    flat = all(max(b[2] - b[0], b[3] - b[1]) > 3 * min(b[2] - b[0], b[3] - b[1]) for b in boxes)
    return [pieces] if flat or overlap(*boxes) > 0 else [[p] for p in pieces]


def is_figure(page: RawPage, found: Area, min_side: int) -> bool:
    """Neither an ornament nor a scan of the whole page."""
    x0, y0, x1, y1 = found.box
    shown = min(x1 - x0, y1 - y0) * _PIXELS_PER_POINT
    sizes = [(p["width"], p["height"]) for p in found.pieces]
    width, height = sizes[0] if len(sizes) == 1 else (max(max(s) for s in sizes), shown)
    return is_large_enough(width, height, shown, min_side) and page.share(found.box) < COVERS


class Gallery:
    """Makes figures of areas; remembers what it has shown, so that a logo is shown once in a file."""

    def __init__(self, pdf: Any) -> None:
        self._pdf = pdf
        self._seen: set[str] = set()

    def figures(self, page: Any, raw: RawPage, areas: Sequence[Area], blocks: Sequence[Block]) -> Iterator[Figure]:
        """The figures in ``areas`` of an open page; ``blocks`` are searched for captions. Needs the lock."""
        sheet = None
        for found, caption in zip(areas, captions(raw, [a.box for a in areas], blocks), strict=True):
            keys = _keys(self._pdf, page, found)
            if keys and keys in self._seen:
                continue
            shown = _jpeg(self._pdf, page, found)
            if shown is None:
                sheet = sheet or page.get_displaylist(annots=0)
                shown = _rendered(sheet, raw, found)
            digest = hashlib.sha256(shown[0]).hexdigest()
            if digest not in self._seen:
                yield Figure(*shown, raw.unit(found.box), "\n".join(filter(None, (caption, found.labels))))
            self._seen |= {digest, keys} - {""}


def _candidates(page: Any, picture: dict[str, Any]) -> list[Any]:
    """The pictures of the page's resources that have this size."""
    return [i for i in page.get_images(full=True) if (i[2], i[3]) == (picture["width"], picture["height"])]


def _keys(pdf: Any, page: Any, found: Area) -> str:
    """A name for a picture by its packed bytes, when they can be told from those of others; or nothing."""
    if len(found.pieces) != 1:
        return ""
    same = {(i[0], i[1]) for i in _candidates(page, found.pieces[0])}
    if len(same) != 1:
        return ""
    digest = hashlib.sha256()
    for xref in next(iter(same)):
        digest.update(pdf.xref_stream_raw(xref) or b"" if xref else b"-")
    a, b, c, d, *_ = found.pieces[0]["transform"]
    return f"{digest.hexdigest()} {a > 0} {d > 0} {abs(a) + abs(d) > abs(b) + abs(c)}"


def _jpeg(pdf: Any, page: Any, found: Area) -> tuple[bytes, str] | None:
    """The picture's own bytes, when they are a plain JPEG that is shown upright and can be told from the others."""
    if len(found.pieces) != 1 or page.rotation:
        return None
    picture = found.pieces[0]
    a, b, c, d, *_ = picture["transform"]
    same = _candidates(page, picture)
    if b or c or a <= 0 or d <= 0 or len(same) != 1 or max(picture["width"], picture["height"]) > MAX_SIDE:
        return None
    if (
        same[0][8] != "DCTDecode"
        or same[0][1]
        or picture["colorspace"] not in (1, 3)
        or same[0][5] not in _PLAIN_COLORS
    ):
        return None
    if pdf.xref_get_key(same[0][0], "Mask")[0] != "null" or pdf.xref_get_key(same[0][0], "Decode")[0] != "null":
        return None
    data = pdf.xref_stream_raw(same[0][0])
    return (bytes(data), "image/jpeg") if data[:3] == b"\xff\xd8\xff" else None


def _rendered(sheet: Any, raw: RawPage, found: Area) -> tuple[bytes, str]:
    """The part of the page where the picture stands: at its own resolution, or drawings at 150 dots an inch."""
    import pymupdf

    clip = pymupdf.Rect(found.box) & pymupdf.Rect(0, 0, raw.width, raw.height)
    longer = max(clip.width, clip.height, 0.01)
    zoom = min(_DRAWN_DPI / 72, _MAX_DRAWN_SIDE / longer)
    if found.pieces:
        dense = max(max(p["width"] / _side(p, 0), p["height"] / _side(p, 1)) for p in found.pieces)
        zoom = min(dense, MAX_SIDE / longer)
    pixels = sheet.get_pixmap(matrix=pymupdf.Matrix(zoom, zoom), clip=clip, alpha=0)
    if _has_few_colours(pixels):
        return bytes(pixels.tobytes("png")), "image/png"
    return bytes(pixels.tobytes("jpeg", jpg_quality=90)), "image/jpeg"


def _has_few_colours(pixels: Any) -> bool:
    """At most 256; a part of the pixels says so of most pictures that have more, in a tenth of the time."""
    some = np.frombuffer(pixels.samples_mv, np.uint8).reshape(-1, pixels.n)[::_NOT_ALL].astype(np.uint32)
    if len(np.unique(some @ (256 ** np.arange(pixels.n, dtype=np.uint32)))) > 256:
        return False
    return bool(pixels.color_count() <= 256)


def _side(picture: dict[str, Any], axis: int) -> float:
    """How long a side of a picture is on the page; turned pictures lie slanted in their box."""
    a, b, c, d, *_ = picture["transform"]
    return max(float((a * a + b * b) ** 0.5 if axis == 0 else (c * c + d * d) ** 0.5), 0.01)


def captions(raw: RawPage, boxes: Sequence[Rect], blocks: Sequence[Block]) -> list[str]:
    """For each box the text that names it, each text but once, or else the nearest text above or below."""
    units = [raw.unit(box) for box in boxes]
    texts = [(raw.unit(b.box), b.text[:_LONGEST_CAPTION]) for b in blocks if not b.is_table]
    named = sorted(
        (gap, index, order)
        for index, box in enumerate(units)
        for order, (place, text) in enumerate(texts)
        if CAPTION.match(text) and (gap := _gap(box, place)) <= _NEAR
    )
    chosen: dict[int, int] = {}
    for _, index, order in named:
        if index not in chosen and order not in chosen.values():
            chosen[index] = order
    return [texts[chosen[n]][1] if n in chosen else _nearest(box, texts) for n, box in enumerate(units)]


def _nearest(box: Box, texts: list[tuple[Box, str]]) -> str:
    near = [(gap, order) for order, (place, _) in enumerate(texts) if (gap := _gap(box, place)) <= _NEAR]
    return texts[min(near)[1]][1] if near else ""


def _gap(picture: Box, text: Box) -> float:
    """Distance between the two, up or down, as a share of the page height; 1 when they do not stand over each other."""
    if text[2] <= picture[0] or text[0] >= picture[2]:
        return 1.0
    return max(0.0, text[1] - picture[3], picture[1] - text[3])
