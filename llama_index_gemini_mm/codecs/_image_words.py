"""What a picture file says about its picture: orientation, title and description, from EXIF, XMP and PNG text."""

from __future__ import annotations

from typing import Any

from lxml import etree
from PIL import Image

_ORIENTATION = 0x0112
_DESCRIPTION = 0x010E
_XMP_KEYS = ("xmp", "XML:com.adobe.xmp")
_DC = "{http://purl.org/dc/elements/1.1/}"
_RDF_ITEM = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}li"


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 is upright."""
    value = _exif(image).get(_ORIENTATION, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def words_of(image: Image.Image) -> tuple[str, str]:
    """Title and description; each the first that says something, or empty."""
    text = {k.lower(): v for k, v in image.info.items() if isinstance(k, str) and isinstance(v, str)}
    xmp = _xmp(image)
    titles = (_dublin_core(xmp, "title"), text.get("title", ""))
    captions = (
        _dublin_core(xmp, "description"),
        text.get("description", ""),
        str(_exif(image).get(_DESCRIPTION, "")),
    )
    return _first(titles), _first(captions)


def _first(texts: tuple[str, ...]) -> str:
    return next((clean for text in texts if (clean := text.strip(" \0\r\n\t"))), "")


def _exif(image: Image.Image) -> dict[int, Any]:
    # Without this question Pillow decodes a whole PNG in search of EXIF behind the pixels.
    if image.format == "PNG" and "exif" not in image.info:
        return {}
    return dict(image.getexif())


def _xmp(image: Image.Image) -> Any:
    data = next((image.info[key] for key in _XMP_KEYS if image.info.get(key)), b"")
    raw = data.encode() if isinstance(data, str) else bytes(data)
    try:
        return etree.fromstring(raw, etree.XMLParser(resolve_entities=False, no_network=True)) if raw else None
    except etree.XMLSyntaxError:
        return None


def _dublin_core(xmp: Any, name: str) -> str:
    item = xmp.find(f".//{_DC}{name}//{_RDF_ITEM}") if xmp is not None else None
    return str(item.text or "") if item is not None else ""
