"""Taking out of an SVG tree whatever leads out of it, and what is not drawn."""

from __future__ import annotations

import base64
import binascii
import io
import re
from typing import Any
from urllib.parse import unquote_to_bytes

from lxml import etree

from llama_index_gemini_mm.codecs import Undecodable, image
from llama_index_gemini_mm.codecs.svg.words import FALLBACK, lines_of

_SPACE = "{http://www.w3.org/2000/svg}"
_BASE = "{http://www.w3.org/XML/1998/namespace}base"
_UNDRAWN = (
    *("script", "metadata", "iframe", "object", "embed", "audio", "video", "canvas", "handler", "listener", "title"),
    *("desc", "animate", "animateMotion", "animateTransform", "animateColor", "set"),
)
_PICTURES = frozenset(("image", "feImage"))
_OUTSIDE = re.compile(r"url\(\s*(?!['\"]?\s*#)[^)]*\)?", re.IGNORECASE)
_IMPORT = re.compile(r"@(?:import|font-face|namespace)\b[^;{]*(?:\{[^}]*\}|;)?", re.IGNORECASE)
_DRAWABLE = ("image/png", "image/jpeg", "image/gif", "image/webp")
_MAX_PIXELS = 4_000_000
"""Of a picture that the renderer is given as it is."""
_MAX_PICTURES = 200
_LINE = 1.2


def clean(root: Any) -> None:
    """Leave of the tree what is drawn by itself: no scripts, no links, no files; pictures inside it are made safe."""
    etree.strip_tags(root, etree.Comment, etree.ProcessingInstruction, etree.Entity)
    etree.strip_elements(root, *(f"{{*}}{name}" for name in _UNDRAWN), with_tail=False)
    pictures = 0
    for element in list(root.iter(etree.Element)):
        name = etree.QName(element).localname
        if name == "foreignObject":
            _write_out(element)
        elif name == "text" and FALLBACK.search("".join(element.itertext())):
            element.clear()
        elif name == "style":
            element.text = _OUTSIDE.sub("none", _IMPORT.sub("", "".join(element.itertext())))
        pictures += name in _PICTURES
        _clean_attributes(element, may_hold=name in _PICTURES and pictures <= _MAX_PICTURES)


def _clean_attributes(element: Any, *, may_hold: bool) -> None:
    for key, value in element.attrib.items():
        name = etree.QName(key).localname
        if name in ("href", "src") or key == _BASE:
            safe = value if value.strip().startswith("#") else _safe_picture(value) if may_hold else None
            if safe is None:
                del element.attrib[key]
            else:
                element.set(key, safe)
        elif "url" in value.lower():
            element.set(key, _OUTSIDE.sub("none", value))


def _safe_picture(uri: str) -> str | None:
    """A picture held in the drawing itself, decoded here first, and scaled down if it is large; else ``None``."""
    head, _, body = uri.strip().partition(",")
    if not head.lower().startswith("data:image/"):
        return None
    try:
        raw = base64.b64decode(body) if head.lower().endswith(";base64") else unquote_to_bytes(body)
        info = image.probe(io.BytesIO(raw))
        image.check(io.BytesIO(raw))
        if info.mime_type in _DRAWABLE and info.width * info.height <= _MAX_PIXELS:
            return uri
        data, mime_type = image.cut(io.BytesIO(raw), None)
    except (Undecodable, binascii.Error, ValueError):
        return None
    return f"data:{mime_type};base64,{base64.b64encode(data).decode()}"


def _write_out(element: Any) -> None:
    """HTML inside a drawing, which the renderer leaves out, as plain lines in the middle of its place."""
    parent = element.getparent()
    if parent is not None and etree.QName(parent).localname == "switch" and len(parent) > 1:
        parent.remove(element)  # another branch says the same for renderers like ours
        return
    lines = lines_of(element)
    try:
        x, y, width, height = (float(element.get(key) or 0) for key in ("x", "y", "width", "height"))
    except ValueError:
        x = y = width = height = 0.0
    tail = element.tail
    element.clear()
    element.tag, element.tail = f"{_SPACE}text", tail
    if not lines or not width:
        return
    size = min(14.0, height / (_LINE * len(lines)) or 14.0)
    element.set("text-anchor", "middle")
    element.set("font-size", f"{size:g}")
    for number, line in enumerate(lines):
        row = etree.SubElement(element, f"{_SPACE}tspan", x=f"{x + width / 2:g}")
        row.set("y", f"{y + height / 2 + size * (0.35 + _LINE * (number - (len(lines) - 1) / 2)):g}")
        row.text = line
