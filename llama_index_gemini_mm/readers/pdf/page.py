"""One PDF page as MuPDF finds it: lines of text, paths and pictures, each with its box.

MuPDF works on one thread at a time, so all this is read under its lock.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from llama_index_gemini_mm.media import Box

Rect = tuple[float, float, float, float]
"""x0, y0, x1, y1 in points, origin top left, as the page is shown."""
TEXT_FLAGS = 2 | 64
"""PyMuPDF's TEXT_PRESERVE_WHITESPACE and TEXT_MEDIABOX_CLIP: what lies off the page is no text, nor are ligatures."""
_SCALE = 100
_BOLD, _MONO, _VECTOR = 16, 8, 3
_SYMBOLS = str.maketrans("\uf0b7\uf0a7\uf0d8\uf0fc\uf076\uf0e0\uf02d\uf0be", "•▪➢✓❖→-–")
"""What word processors mean by the characters of their symbol fonts."""
_UPRIGHT = 0.99
"""Cosine of the angle at which a line runs, above which it counts as running across."""
_RUBBISH = re.compile("[\ufffd\ue000-\uf8ff\x00-\x08\x0e-\x1f]")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ufeff\u200b\u2060]")
_THIN, _STROKE = 2.0, 8.0
"""Points that a rule measures at most, and the box around the stroke of one, which leaves room for pointed ends."""
_LONG = 3.0
"""How many times longer than thick a rule is."""
_MOSTLY = 0.3
"""Share of unknown characters above which a text layer is worthless: its font does not say what its glyphs mean."""


class Line(NamedTuple):
    """What stands on one line without a wide gap. ``block`` numbers what MuPDF holds together."""

    box: Rect
    text: str
    size: float
    bold: bool
    mono: bool
    upright: bool
    block: int


class Path(NamedTuple):
    """The box around a line, curve or area that is drawn; around a stroke it is wider than what is seen of it."""

    box: Rect
    is_rect: bool
    is_stroke: bool

    @property
    def is_rule(self) -> bool:
        """Whether it is a straight line, across or upright, or an area as thin as one."""
        x0, y0, x1, y1 = self.box
        width, height = x1 - x0, y1 - y0
        thin, long = (width, height) if width < height else (height, width)
        return thin <= (_STROKE if self.is_stroke else _THIN) and long > _LONG * thin


@dataclass(frozen=True)
class RawPage:
    """What stands on a page. ``number`` counts from 1, ``label`` is the printed one."""

    number: int
    label: str
    width: float
    height: float
    lines: tuple[Line, ...]
    paths: tuple[Path, ...] = field(repr=False)
    pictures: tuple[dict[str, Any], ...] = field(repr=False)
    fields: tuple[Rect, ...] = field(repr=False)
    """Where a form is to be filled in."""
    has_notes: bool
    is_garbled: bool

    def unit(self, rect: Rect) -> Box:
        """A rectangle in points as shares of the page, clipped to it."""
        return (
            _clip(rect[0] / self.width),
            _clip(rect[1] / self.height),
            _clip(rect[2] / self.width),
            _clip(rect[3] / self.height),
        )

    def share(self, rect: Rect) -> float:
        """How much of the page lies under a rectangle, 0 to 1."""
        return area(self.unit(rect))


def read_page(page: Any, label: str, *, weights: bool) -> RawPage:
    """Take an open ``pymupdf.Page`` apart; the caller holds the lock.

    ``weights`` says whether bold type is to be told from other, which costs more on pages that have some.
    """
    import pymupdf

    has_notes, fields = _rim(page)
    # What is written into forms and notes is read from them, and not as print.
    sheet = page.get_displaylist(annots=0) if has_notes else page
    text = _textpage(sheet, TEXT_FLAGS | pymupdf.TEXT_COLLECT_VECTORS | pymupdf.TEXT_PRESERVE_IMAGES)
    blocks = _outlined(text)
    kinds = {block["type"] for block in blocks}
    lines = tuple(_lines(blocks, weights=weights))
    if any(line.bold for line in lines):
        lines = tuple(_weighed(_textpage(sheet, TEXT_FLAGS).extractDICT()["blocks"]))
    frame = page.rect
    pictures = page.get_image_info() if "image" in kinds else ()
    return RawPage(
        number=page.number + 1,
        label=label,
        width=frame.width or 1,
        height=frame.height or 1,
        lines=lines,
        paths=tuple(_paths(text)) if "vector" in kinds else (),
        pictures=tuple(p for p in pictures if overlap(p["bbox"], tuple(frame)) > 0),
        fields=fields,
        has_notes=has_notes,
        is_garbled=_is_garbled(lines),
    )


def _rim(page: Any) -> tuple[bool, tuple[Rect, ...]]:
    """Whether the page has comments or forms, and where the fields stand, as far as they can be made out."""
    found: list[Rect] = []
    try:
        if page.first_annot is None and page.first_widget is None:
            return False, ()
        found.extend(tuple(field.rect) for field in page.widgets())
    except (RuntimeError, ValueError, LookupError):
        pass  # what is broken is named when the notes themselves are read
    return True, tuple(found)


def _textpage(sheet: Any, flags: int) -> Any:
    import pymupdf

    found = sheet.get_textpage(flags=flags)
    return found if isinstance(found, pymupdf.TextPage) else pymupdf.TextPage(found)


def area(box: Rect) -> float:
    """Of a rectangle; 0 for one turned inside out."""
    width, height = box[2] - box[0], box[3] - box[1]
    return width * height if width > 0 and height > 0 else 0.0


def around(boxes: list[Rect]) -> Rect:
    """The smallest rectangle around some."""
    return min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes)


def is_within(inner: Rect, box: Rect) -> bool:
    """Whether the middle of ``inner`` lies in ``box``."""
    return box[0] <= (inner[0] + inner[2]) / 2 <= box[2] and box[1] <= (inner[1] + inner[3]) / 2 <= box[3]


def overlap(a: Rect, b: Rect) -> float:
    """The area that two rectangles share."""
    if a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]:
        return 0.0
    return area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))


def _clip(value: float) -> float:
    return min(1.0, max(0.0, value))


def _outlined(text: Any) -> list[dict[str, Any]]:
    """The blocks of a text page by MuPDF's own writer, which is eight times as fast as PyMuPDF's dictionaries.

    It gives hundredths of a point, one font a line, and of pictures and paths no more than that they are there.
    """
    import orjson
    from pymupdf import mupdf

    buffer = mupdf.fz_new_buffer(1 << 16)
    out = mupdf.FzOutput(buffer)
    mupdf.fz_print_stext_page_as_json(out, text.this, _SCALE)
    out.fz_close_output()
    written = buffer.fz_buffer_extract()
    try:
        blocks: list[dict[str, Any]] = orjson.loads(written)["blocks"]
    except orjson.JSONDecodeError:  # half of a surrogate pair, which is no character
        blocks = orjson.loads(written.decode("utf-8", "replace"))["blocks"]
    return blocks


def _lines(blocks: list[dict[str, Any]], *, weights: bool) -> Iterator[Line]:
    last: Line | None = None
    for number, block in enumerate(blocks):
        for found in block.get("lines", ()):
            text = _cleaned(found["text"])
            if not text:
                continue
            place, font = found["bbox"], found["font"]
            x0, y0, width, height = place["x"], place["y"], place["w"], place["h"]
            box = (x0 / _SCALE, y0 / _SCALE, (x0 + width) / _SCALE, (y0 + height) / _SCALE)
            bold = weights and (font["weight"] == "bold" or "bold" in font["name"].lower())
            upright = len(text) < 3 or height < 1.5 * width
            line = Line(box, text, font["size"] / _SCALE, bold, font["family"] == "monospace", upright, number)
            if last is None or not _is_printed_twice(last, line):
                yield line
                last = line


def _weighed(blocks: list[dict[str, Any]]) -> Iterator[Line]:
    """The same by PyMuPDF, which tells every font of a line: the one of its longest piece counts."""
    last: Line | None = None
    for number, block in enumerate(blocks):
        for found in block.get("lines", ()):
            spans = found["spans"]
            text = _cleaned("".join([span["text"] for span in spans]))
            if not text:
                continue
            main = max(spans, key=_length)
            bold = bool(main["flags"] & _BOLD) or "bold" in main["font"].lower()
            upright = found["dir"][0] > _UPRIGHT
            line = Line(found["bbox"], text, main["size"], bold, bool(main["flags"] & _MONO), upright, number)
            if last is None or not _is_printed_twice(last, line):
                yield line
                last = line


def _paths(text: Any) -> Iterator[Path]:
    for *box, words, _, kind in text.extractBLOCKS():
        if kind == _VECTOR:
            yield Path(tuple(box), "is-rect: true" in words, "vector stroked" in words)


def _cleaned(text: str) -> str:
    if not text.isprintable():
        text = _CONTROL.sub("", text.replace("\t", " ").translate(_SYMBOLS))
    return text.strip()


def _length(span: dict[str, Any]) -> int:
    return len(span["text"])


def _is_printed_twice(last: Line, line: Line) -> bool:
    """Some programs make bold letters by printing a line again, a little to the side."""
    return last.text == line.text and overlap(last.box, line.box) > 0.8 * area(line.box)


def _is_garbled(lines: tuple[Line, ...]) -> bool:
    text = "".join([line.text for line in lines])
    return not text.isascii() and len(_RUBBISH.findall(text)) > _MOSTLY * len(text)
