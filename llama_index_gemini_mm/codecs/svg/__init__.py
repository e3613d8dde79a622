"""SVG drawings: the words in one, and its picture.

The renderer would open any file that a drawing names, and end the process when one is made to exhaust memory. So it is
given a copy that names nothing outside itself, draws a bounded number of things, and has a size of our choice.
"""

from __future__ import annotations

import io
import re
import zlib
from dataclasses import dataclass
from typing import Any

import resvg_py
from lxml import etree

from llama_index_gemini_mm.codecs import TooMuch, Undecodable, image
from llama_index_gemini_mm.codecs.markup import xml_parser
from llama_index_gemini_mm.codecs.svg.bounds import check_size, check_work
from llama_index_gemini_mm.codecs.svg.clean import clean
from llama_index_gemini_mm.codecs.svg.fonts import add_fallbacks, families
from llama_index_gemini_mm.codecs.svg.words import words_of

MAX_BYTES = 32 * 2**20
"""Once unpacked."""
SIDES = (1024, 2048)
"""The longer side of the picture, in pixels, is that of the drawing within these bounds."""
SPACE = "http://www.w3.org/2000/svg"
_DPI = 96.0
_GZIP = b"\x1f\x8b"
_UNITS = {
    "": 1.0,
    "px": 1.0,
    "pt": 4 / 3,
    "pc": 16.0,
    "mm": 96 / 25.4,
    "cm": 96 / 2.54,
    "in": 96.0,
    "em": 16.0,
    "ex": 8.0,
}
_PANIC = "PanicException"
"""What a failed assertion of the renderer, which is written in Rust, becomes: no ``Exception``, and not importable."""
_LENGTH = re.compile(r"\s*\+?(\d*\.?\d+(?:[eE][+-]?\d+)?)\s*([a-z]{0,2})\s*$")
_END = re.compile(rb"(?:</(?:[\w.-]+:)?svg\s*>|/>)\s*(?:<!--.*?-->\s*)*$", re.DOTALL)


@dataclass(frozen=True)
class Drawing:
    """A drawing: its picture as PNG or JPEG, and its words. ``is_blank`` when nothing is to be seen in it."""

    data: bytes
    mime_type: str
    title: str
    caption: str
    is_blank: bool


def render(data: bytes) -> Drawing:
    """Draw an SVG or SVGZ. Raises ``Undecodable``, and ``TooMuch`` when it asks for more than is drawn."""
    root = _parsed(_unpacked(data))
    check_size(root)
    title, caption = words_of(root)
    clean(root)
    scale = _resize(root)
    check_work(root, scale)
    add_fallbacks(root)
    picture, mime_type = image.cut(io.BytesIO(_drawn(root)), None)
    return Drawing(picture, mime_type, title, caption, image.is_white(io.BytesIO(picture)))


def _drawn(root: Any) -> bytes:
    sans, serif, mono = families()
    try:
        png = resvg_py.svg_to_bytes(
            svg_string=etree.tostring(root, encoding="unicode"),
            dpi=_DPI,
            font_family=sans,
            sans_serif_family=sans,
            serif_family=serif,
            monospace_family=mono,
            cursive_family=sans,
            fantasy_family=sans,
        )
    except BaseException as error:
        if not isinstance(error, ValueError) and type(error).__name__ != _PANIC:
            raise
        raise Undecodable("the drawing cannot be drawn") from error
    return bytes(png)


def _unpacked(data: bytes) -> bytes:
    if data.startswith(_GZIP):
        try:
            data = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(data, MAX_BYTES + 1)
        except zlib.error as error:
            raise Undecodable("not readable as a compressed drawing") from error
    if len(data) > MAX_BYTES:
        raise TooMuch(f"the drawing has more than {MAX_BYTES >> 20} MiB")
    return data


def _parsed(data: bytes) -> Any:
    root = _tree(data)
    if root.tag.rpartition("}")[2].rpartition(":")[2] != "svg":
        raise Undecodable("not an SVG drawing")
    for element in root.iter(etree.Element):
        if "}" not in element.tag:  # a namespace that was forgotten, or a prefix that nobody declared
            element.tag = f"{{{SPACE}}}{element.tag.rpartition(':')[2]}"
        for key in [key for key in element.attrib if ":" in key and "}" not in key]:
            value = element.attrib.pop(key)
            if key.endswith(":href"):
                element.set("href", value)
    return root


def _tree(data: bytes) -> Any:
    parser = xml_parser()
    try:
        return etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        # A prefix that nobody declared, as programs leave behind, does no harm.
        if parser.error_log and all(entry.type_name == "NS_ERR_UNDEFINED_NAMESPACE" for entry in parser.error_log):
            return etree.fromstring(data, xml_parser(recover=True))
        cut_off = not _END.search(data[-4096:].rstrip())
        raise Undecodable("the drawing is cut off" if cut_off else "not readable as an SVG drawing") from error


def _resize(root: Any) -> float:
    """Give the drawing the size of its picture, and return how many pixels a unit of it then has."""
    box = [float(v) for v in re.findall(r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?", root.get("viewBox", ""))]
    box = box if len(box) == 4 and min(box[2:]) > 0 else []
    width, height = _length(root.get("width")), _length(root.get("height"))
    if 0.0 in (width, height):
        raise Undecodable("the drawing has no size")
    if width is None or height is None:
        if not box:
            width = height = float(SIDES[0])
        else:
            ratio = box[2] / box[3]
            width, height = (width or (height * ratio if height else box[2])), (height or (width or box[2]) / ratio)
    if not box:
        box = [0.0, 0.0, width, height]
        root.set("viewBox", " ".join(f"{v:g}" for v in box))
    longer = max(width, height)
    scale = min(max(longer, SIDES[0]), SIDES[1]) / longer
    sides = [max(1, round(side * scale)) for side in (width, height)]
    root.set("width", str(sides[0]))
    root.set("height", str(sides[1]))
    return min(sides[0] / box[2], sides[1] / box[3])


def _length(text: str | None) -> float | None:
    """CSS pixels; ``None`` for what depends on the page."""
    match = _LENGTH.match((text or "").lower())
    if match is None or match[2] not in _UNITS:
        return None if text is None or "%" in text or not text.strip().startswith("-") else 0.0
    return float(match[1]) * _UNITS[match[2]]
