"""One PDF page as values: its text blocks, its pictures, and whether it is rather looked at than read.

MuPDF works on one thread at a time, so a page is taken apart completely under the lock, and nothing of MuPDF leaves
here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llama_index_gemini_mm.media import Box
from llama_index_gemini_mm.readers._pictures import is_large_enough

MAX_SIDE = 3072
_MAX_PIXELS = 100_000_000
"""Pictures above this are not rendered: decoding one would take gigabytes."""
_MAX_PICTURES = 200
"""A page with more pictures than this is a mosaic; the page itself shows it better."""
_PIXELS_PER_POINT = 96 / 72
_COVERS = 0.7
"""Share of the page above which one picture, or a mosaic of them, makes the page a scan."""
_LITTLE_TEXT = 600
"""Characters; a printed page has 2,000 to 4,000."""
_MANY_PATHS = 40
_RULE = 0.002
"""Share of the page that the thinner side of a path exceeds; below lie the rules of tables, which are text."""
_DRAWN = 0.05
"""Share of the page that the box of a drawing takes at least."""
_CAPTION = re.compile(
    r"(fig(ure|\.)?|abb(ildung|\.)?|table|tab(elle|\.)|chart|diagram|plate|photo|scheme|image|tableau|figura|图|図)\s*[\dA-Z]",
    re.IGNORECASE,
)
_PLAIN_COLORS = ("DeviceRGB", "DeviceGray", "CalRGB", "CalGray", "ICCBased")
_HYPHEN = re.compile(r"(?<=[a-zà-ÿ])-\n(?=[a-zà-ÿ])")
_NEAR = 0.12
"""How far above or below a picture, as a share of the page height, its caption may stand."""


@dataclass(frozen=True)
class Block:
    """Some lines of text and where they stand."""

    text: str
    box: Box


@dataclass(frozen=True)
class Figure:
    """An embedded picture: its bytes, where it stands, and the text that goes with it."""

    data: bytes
    mime_type: str
    box: Box
    caption: str


@dataclass(frozen=True)
class Page:
    """What stands on a page. ``number`` counts from 1, ``label`` is printed on it or the number."""

    number: int
    label: str
    blocks: tuple[Block, ...]
    figures: tuple[Figure, ...]
    is_visual: bool

    @property
    def text(self) -> str:
        """All text in reading order."""
        return "\n\n".join(block.text for block in self.blocks)

    @property
    def text_box(self) -> Box:
        """The smallest box around all text."""
        boxes = [block.box for block in self.blocks]
        return (
            min(b[0] for b in boxes),
            min(b[1] for b in boxes),
            max(b[2] for b in boxes),
            max(b[3] for b in boxes),
        )


def read_page(pdf: Any, number: int, *, min_side: int | None, seen: set[str]) -> Page:
    """Take page ``number`` (from 1) apart.

    Args:
        pdf: an open ``pymupdf.Document``.
        number: of the page, from 1.
        min_side: pixels on the shorter side that a figure has at least; ``None`` leaves all figures out.
        seen: keys of figures that were met on earlier pages; those of this page are added.
    """
    page = pdf[number - 1]
    blocks = tuple(_blocks(page))
    pictures = [p for p in page.get_image_info() if _area(_unit(page, p["bbox"])) > 0]
    is_scan = _coverage(page, pictures) >= _COVERS
    visual = is_scan or _is_drawn(page, sum(len(b.text) for b in blocks))
    figures: list[Figure] = []
    if min_side is not None and len(pictures) <= _MAX_PICTURES:
        wanted = [p for p in pictures if _is_figure(page, p, min_side)]
        figures = list(_figures(pdf, page, wanted, blocks, seen))
    return Page(number, page.get_label() or str(number), blocks, tuple(figures), visual)


def _unit(page: Any, rect: Any) -> Box:
    """A rectangle in points as shares of the page, clipped to it."""
    frame = page.rect
    width, height = frame.width or 1, frame.height or 1
    x0, y0 = (rect[0] - frame.x0) / width, (rect[1] - frame.y0) / height
    x1, y1 = (rect[2] - frame.x0) / width, (rect[3] - frame.y0) / height
    return _clip(x0), _clip(y0), _clip(x1), _clip(y1)


def _clip(value: float) -> float:
    return min(1.0, max(0.0, value))


def _area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def _blocks(page: Any) -> Iterator[Block]:
    import pymupdf

    flags = pymupdf.TEXT_MEDIABOX_CLIP | pymupdf.TEXT_PRESERVE_WHITESPACE
    for x0, y0, x1, y1, text, _, kind in page.get_text("blocks", flags=flags):
        lines = "\n".join(line.strip() for line in text.replace("\0", "").split("\n"))
        words = _HYPHEN.sub("", lines).strip()
        if kind == 0 and words:
            yield Block(words, _unit(page, (x0, y0, x1, y1)))


def _coverage(page: Any, pictures: list[Any]) -> float:
    """The share of the page under its pictures; scanners cut a page into strips, so it is the sum that counts."""
    return min(1.0, sum(_area(_unit(page, p["bbox"])) for p in pictures))


def _is_drawn(page: Any, characters: int) -> bool:
    """Whether the page is a drawing or chart: many lines and curves over a good part of it, and little text."""
    if characters > _LITTLE_TEXT:
        return False
    paths = [_unit(page, rect) for kind, rect, *_ in page.get_bboxlog() if kind.endswith("path")]
    inner = [b for b in paths if _area(b) < _COVERS and min(b[2] - b[0], b[3] - b[1]) > _RULE]
    if len(inner) < _MANY_PATHS:
        return False
    width = max(b[2] for b in inner) - min(b[0] for b in inner)
    return width * (max(b[3] for b in inner) - min(b[1] for b in inner)) >= _DRAWN


def _is_figure(page: Any, picture: Any, min_side: int) -> bool:
    """Neither an ornament, nor a scan of the whole page, nor too large to decode."""
    width, height = picture["width"], picture["height"]
    x0, y0, x1, y1 = picture["bbox"]
    shown = min(x1 - x0, y1 - y0) * _PIXELS_PER_POINT
    if not is_large_enough(width, height, shown, min_side) or width * height > _MAX_PIXELS:
        return False
    return _area(_unit(page, picture["bbox"])) < _COVERS


def _figures(pdf: Any, page: Any, pictures: list[Any], blocks: tuple[Block, ...], seen: set[str]) -> Iterator[Figure]:
    for picture in pictures:
        data, mime_type = _jpeg(pdf, page, picture) or _render(page, picture)
        key = hashlib.sha256(data).hexdigest()
        if key not in seen:
            seen.add(key)
            box = _unit(page, picture["bbox"])
            yield Figure(data, mime_type, box, _caption(box, blocks))


def _jpeg(pdf: Any, page: Any, picture: Any) -> tuple[bytes, str] | None:
    """The picture's own bytes, when they are a plain JPEG that is shown upright and can be told from the others."""
    a, b, c, d, *_ = picture["transform"]
    if b or c or a <= 0 or d <= 0 or page.rotation:
        return None
    same = [i for i in page.get_images(full=True) if (i[2], i[3]) == (picture["width"], picture["height"])]
    if len(same) != 1 or same[0][8] != "DCTDecode" or same[0][1] or picture["colorspace"] not in (1, 3):
        return None
    if same[0][5] not in _PLAIN_COLORS:
        return None
    data = pdf.xref_stream_raw(same[0][0])
    return (bytes(data), "image/jpeg") if data[:3] == b"\xff\xd8\xff" else None


def _render(page: Any, picture: Any) -> tuple[bytes, str]:
    """The part of the page where the picture stands, at the picture's own resolution."""
    import pymupdf

    clip = pymupdf.Rect(picture["bbox"]) & page.rect
    longer = max(clip.width, clip.height)
    native = max(picture["width"], picture["height"]) / longer
    zoom = min(native, MAX_SIDE / longer)
    pixels = page.get_pixmap(matrix=pymupdf.Matrix(zoom, zoom), clip=clip, alpha=False)
    if pixels.color_count() <= 256:
        return bytes(pixels.tobytes("png")), "image/png"
    return bytes(pixels.tobytes("jpeg", jpg_quality=90)), "image/jpeg"


def _caption(box: Box, blocks: tuple[Block, ...]) -> str:
    """The text that names the picture, or else the nearest text above or below it."""
    near = sorted((gap, block.text) for block in blocks if (gap := _gap(box, block.box)) <= _NEAR)
    named = [text for _, text in near if _CAPTION.match(text)]
    return (named or [text for _, text in near] or [""])[0]


def _gap(picture: Box, text: Box) -> float:
    """Distance between the two, up or down, as a share of the page height; 1 when they do not stand over each other."""
    if text[2] <= picture[0] or text[0] >= picture[2]:
        return 1.0
    return max(0.0, text[1] - picture[3], picture[1] - text[3])
