"""The fields in which picture files keep words: EXIF, IPTC, XMP, text chunks and comments, each as plain text."""

from __future__ import annotations

import hashlib
import math
import re
import struct
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from lxml import etree
from PIL import Image, IptcImagePlugin

from llama_index_gemini_mm.codecs.markup import xml_parser

BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    EOFError,
    OverflowError,
    MemoryError,
    RuntimeError,
    ZeroDivisionError,
    struct.error,
    zlib.error,
)
"""What Pillow's plug-ins raise on broken content."""
_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_CHARSETS = {b"ASCII": "utf-8", b"UNICODE": "utf-16", b"JIS": "iso2022_jp"}
_DATE = re.compile(r"(\d{4})[:-]?(\d\d)[:-]?(\d\d)(?:[T ](\d\d):?(\d\d):?(\d\d)?)?")
_OFFSET = re.compile(r"(Z|[+-]\d\d):?(\d\d)?$")
_XMP_KEYS = ("xmp", "XML:com.adobe.xmp")
_MAX_XMP = 8 * 2**20
_SPACES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "core": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
    "ext": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
}
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_IPTC, _IPTC_DIGEST = 0x0404, 0x0425
"""Photoshop's resources of these numbers: the records, and a hash of them as they were when the XMP was written."""


def exif_of(image: Image.Image) -> Mapping[int, Any]:
    """The main EXIF tags; empty when there are none or they are broken."""
    # Without this question Pillow decodes a whole PNG in search of EXIF behind the pixels.
    if image.format == "PNG" and "exif" not in image.info:
        return {}
    with suppress(*BROKEN):
        return image.getexif()
    return {}


def text_of(image: Image.Image) -> dict[str, str]:
    """Text chunks of a PNG by their lower-case keywords."""
    return {k.lower(): _repaired(v) for k, v in image.info.items() if isinstance(k, str) and isinstance(v, str)}


def comments_of(image: Image.Image) -> list[str]:
    """The comment of a JPEG, GIF or PNG."""
    comment = image.info.get("comment") or image.info.get("Comment") or ""
    return [_decoded(comment) if isinstance(comment, bytes) else _repaired(str(comment))]


class Exif:
    """What EXIF says, with what Windows adds to it."""

    def __init__(self, image: Image.Image) -> None:
        main = exif_of(image)
        self._tags = dict(main)
        self.place: tuple[float, float] | None = None
        with suppress(*BROKEN):
            self._tags |= main.get_ifd(_EXIF_IFD) if isinstance(main, Image.Exif) else {}
        with suppress(*BROKEN):
            self.place = _place(main.get_ifd(_GPS_IFD)) if isinstance(main, Image.Exif) else None
        self.description = self._text(0x010E)
        self.title, self.comment, self.subject = self._wide(0x9C9B), self._comment(), self._wide(0x9C9F)
        self.author = self._text(0x013B) or self._wide(0x9C9D)
        self.keywords = (self._wide(0x9C9E),)
        self.created = _date(self._text(0x9003), self._text(0x9011)) or _date(self._text(0x9004), self._text(0x9012))

    def _text(self, tag: int) -> str:
        value = self._tags.get(tag, "")
        return _decoded(value) if isinstance(value, bytes) else _repaired(value) if isinstance(value, str) else ""

    def _wide(self, tag: int) -> str:
        value = self._tags.get(tag, b"")
        with suppress(*BROKEN):
            return bytes(value).decode("utf-16-le").partition("\0")[0]
        return ""

    def _comment(self) -> str:
        """The user comment, which begins with its encoding; or the one that Windows writes."""
        value = self._tags.get(0x9286, b"")
        raw = value if isinstance(value, bytes) else b""
        name = raw[:8].rstrip(b"\0")
        with suppress(*BROKEN):
            text = raw[8:].decode(_CHARSETS[name]) if name in _CHARSETS else _decoded(raw)
            return text.strip("\0 ") or self._wide(0x9C9C)
        return self._wide(0x9C9C)


class Iptc:
    """What IPTC's records say."""

    def __init__(self, image: Image.Image) -> None:
        self._records: dict[tuple[int, int], Any] = {}
        self.is_newer_than_xmp = False
        with suppress(*BROKEN):
            self._records = IptcImagePlugin.getiptcinfo(image) or {}  # type: ignore[arg-type]
        with suppress(*BROKEN):
            resources = image.info.get("photoshop") or {}
            digest = resources.get(_IPTC_DIGEST)
            actual = hashlib.md5(resources.get(_IPTC, b""), usedforsecurity=False).digest()
            self.is_newer_than_xmp = bool(digest) and digest != actual
        self.title, self.headline, self.description = self._text(5), self._text(105), self._text(120)
        self.author, self.credit = ", ".join(self._all(80)), self._text(110)
        self.keywords = self._all(25)
        self.location = ", ".join(filter(None, map(self._text, (92, 90, 95, 101))))
        day, time = self._text(55), self._text(60)
        self.created = _date(f"{day} {time[:6]}" if time else day, time[6:])

    def _all(self, number: int) -> list[str]:
        value = self._records.get((2, number)) or []
        return [_decoded(raw) for raw in (value if isinstance(value, list) else [value]) if isinstance(raw, bytes)]

    def _text(self, number: int) -> str:
        return next(iter(self._all(number)), "")


class Xmp:
    """What an XMP packet says."""

    def __init__(self, image: Image.Image) -> None:
        self._root = _packet(image)
        self.title, self.headline = self._text("dc:title"), self._text("photoshop:Headline")
        self.description = self._text("dc:description")
        self.alternatives = (self._text("core:AltTextAccessibility"), self._text("core:ExtDescrAccessibility"))
        self.author, self.credit = ", ".join(self._all("dc:creator")), self._text("photoshop:Credit")
        self.keywords, self.people = self._all("dc:subject"), self._all("ext:PersonInImage")
        places = ("core:Location", "photoshop:City", "photoshop:State", "photoshop:Country")
        self.location = ", ".join(filter(None, map(self._text, places)))
        dates = ("exif:DateTimeOriginal", "photoshop:DateCreated", "xmp:CreateDate")
        self.created = next(filter(None, (_date(self._text(name)) for name in dates)), "")
        north, east = _degrees(self._text("exif:GPSLatitude")), _degrees(self._text("exif:GPSLongitude"))
        self.place = (north, east) if north is not None and east is not None else None

    def _all(self, name: str) -> list[str]:
        """The values of a property, be it written as an attribute, as text or as a list; the default language first."""
        if self._root is None:
            return []
        space, _, local = name.partition(":")
        tag = f"{{{_SPACES[space]}}}{local}"
        first = next(self._root.iter(tag), None)
        found = [] if first is None else [first]
        items = [i for e in found for i in e.iter(f"{{{_SPACES['rdf']}}}li")] or found
        items.sort(key=lambda item: item.get(_LANG, "x-default") != "x-default")
        attributes = (d.get(tag) for d in self._root.iter(f"{{{_SPACES['rdf']}}}Description"))
        return [text for text in (*("".join(i.itertext()).strip() for i in items), *attributes) if text]

    def _text(self, name: str) -> str:
        return next(iter(self._all(name)), "")


def _packet(image: Image.Image) -> Any:
    data = next((image.info[key] for key in _XMP_KEYS if image.info.get(key)), b"")
    raw = (data.encode() if isinstance(data, str) else bytes(data)).strip(b"\0 \r\n\t")
    if not raw or len(raw) > _MAX_XMP:
        return None
    for encoding in (raw, raw.decode("latin-1").encode()):
        with suppress(etree.XMLSyntaxError, ValueError):
            return etree.fromstring(encoding, xml_parser())
    return None


def _decoded(raw: bytes) -> str:
    with suppress(UnicodeDecodeError):
        return raw.decode("utf-8").strip("\0 ")
    return raw.decode("cp1252", "replace").strip("\0 ")


def _repaired(text: str) -> str:
    """UTF-8 that was taken for Latin-1, as these fields say they are, and many programs do not care."""
    with suppress(UnicodeError):
        return text.encode("latin-1").decode("utf-8").partition("\0")[0]
    return text.partition("\0")[0]


def _date(text: str, offset: str = "") -> str:
    """ISO 8601, or nothing for what is no date."""
    match = _DATE.match(text.strip())
    if match is None or not (1 <= int(match[2]) <= 12 and 1 <= int(match[3]) <= 31 and int(match[1]) >= 1800):
        return ""
    day = f"{match[1]}-{match[2]}-{match[3]}"
    if match[4] is None:
        return day
    zone = _OFFSET.search((offset or text[match.end() :]).strip())
    shift = "" if zone is None else "Z" if zone[1] == "Z" else f"{zone[1]}:{zone[2] or '00'}"
    return f"{day}T{match[4]}:{match[5]}:{match[6] or '00'}{shift}"


def _place(gps: Mapping[int, Any]) -> tuple[float, float] | None:
    north, east = (_from_parts(gps.get(ref), gps.get(value)) for ref, value in ((1, 2), (3, 4)))
    if north is None or east is None or (north, east) == (0.0, 0.0):
        return None
    return (north, east) if abs(north) <= 90 and abs(east) <= 180 else None


def _from_parts(ref: object, parts: Iterable[Any] | None) -> float | None:
    """Degrees from degrees, minutes and seconds; south and west are negative."""
    if parts is None:
        return None
    degrees = sum(float(part) / 60**power for power, part in enumerate(parts))
    if not math.isfinite(degrees):
        return None
    letter = ref.decode("ascii", "replace") if isinstance(ref, bytes) else str(ref or "")
    sign = -1 if letter[:1].upper() in ("S", "W") else 1
    return round(sign * float(degrees), 6)


def _degrees(text: str) -> float | None:
    """XMP's form of a coordinate: ``48,12.5N`` or ``48,12,30N``."""
    match = re.fullmatch(r"(\d+),(\d+(?:\.\d+)?)(?:,(\d+(?:\.\d+)?))?([NSEW])", text.strip())
    return _from_parts(match[4], (match[1], match[2], match[3] or 0)) if match else None
