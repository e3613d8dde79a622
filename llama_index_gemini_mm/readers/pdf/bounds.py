"""What a PDF may ask for, reckoned before MuPDF is let near it: no time limit reaches into a loop of its C code."""

from __future__ import annotations

import re
import zlib
from functools import cached_property
from typing import Any

from llama_index_gemini_mm.errors import FileTooLarge
from llama_index_gemini_mm.readers._bounds import MAX_PART_BYTES, MAX_PIXELS
from llama_index_gemini_mm.source import Source

MAX_PAGE_BYTES = 64 * 2**20
"""Drawing instructions of one page once unpacked, those of a form counted each time it is drawn."""
_DRAW = 256
"""Bytes that drawing a form counts for besides its instructions."""
_MAX_RATIO = 1032
"""How far one layer of compression can swell: the bound of deflate, which no other filter of text passes by much."""
_MAX_TREE = 64
"""Levels of the page tree that are climbed, and of forms inside forms."""
_CHUNK = 1 << 20
_NAMED = re.compile(r"/([^\s/<>\[\]()]+)\s+(\d+) 0 R")
_DRAWN = re.compile(rb"/([^\s/<>\[\]()]+)\s+Do\b")


class Guard:
    """Weighs the pages of one open PDF; what was weighed once is remembered."""

    def __init__(self, source: Source, pdf: Any) -> None:
        self._location = source.location
        self._pdf = pdf
        self._parts: dict[str, dict[str, int]] = {}
        self._work: dict[int, int] = {}

    def check(self, page: Any) -> None:
        """Raise ``FileTooLarge`` for a page that unpacks to too much, draws too much, or holds too large a picture."""
        forms = self._forms(self._xobjects(page.xref))
        work = 0
        for xref in page.get_contents():
            work += self._work_of(xref, forms, 0) if forms else self._quick(xref)
        if work > MAX_PAGE_BYTES:
            limit = MAX_PAGE_BYTES >> 20
            raise FileTooLarge(self._location, f"page {page.number + 1} draws more than {limit} MiB of instructions")

    def check_file(self, length: int) -> None:
        """Raise ``FileTooLarge`` for attached files of ``length`` packed bytes that unpack to more than a part may."""
        for xref in self._by_length.get(str(length), ()):
            size = unpacked(self._pdf, xref, MAX_PART_BYTES)[0]
            if size > MAX_PART_BYTES:
                raise FileTooLarge(self._location, f"an attached file unpacks to over {MAX_PART_BYTES >> 20} MiB")

    @cached_property
    def _by_length(self) -> dict[str, list[int]]:
        """The streams of the file by their packed length, as written."""
        found: dict[str, list[int]] = {}
        for xref in range(1, self._pdf.xref_length()):
            if self._pdf.xref_is_stream(xref):
                found.setdefault(self._pdf.xref_get_key(xref, "Length")[1], []).append(xref)
        return found

    def _quick(self, xref: int) -> int:
        """A stream without forms; one that is short for its filters need not be unpacked to be known harmless."""
        kind, length = self._pdf.xref_get_key(xref, "Length")
        layers = self._pdf.xref_get_key(xref, "Filter")[1].count("/")
        if kind == "int" and int(length) * _MAX_RATIO**layers <= MAX_PAGE_BYTES:
            return int(length)
        return unpacked(self._pdf, xref, MAX_PAGE_BYTES)[0]

    def _work_of(self, xref: int, forms: dict[str, int], depth: int) -> int:
        size, data = unpacked(self._pdf, xref, MAX_PAGE_BYTES)
        drawn: dict[str, int] = {}
        for match in _DRAWN.finditer(data):
            name = match[1].decode("latin-1")
            drawn[name] = drawn.get(name, 0) + 1
        # A form that is listed and not drawn counts once: MuPDF walks through it to list pictures.
        return size + sum(max(1, drawn.get(name, 0)) * self._form(form, depth + 1) for name, form in forms.items())

    def _form(self, xref: int, depth: int) -> int:
        if xref not in self._work:
            self._work[xref] = 0  # one that draws itself is stopped by MuPDF
            forms = self._forms(self._own(xref)) if depth < _MAX_TREE else {}
            self._work[xref] = _DRAW + self._work_of(xref, forms, depth)
        return self._work[xref]

    def _xobjects(self, xref: int) -> str:
        """The pictures and forms a page may draw, as written; they may stand with its parents."""
        for _ in range(_MAX_TREE):
            if found := self._own(xref):
                return found
            if self._pdf.xref_get_key(xref, "Resources")[0] != "null":
                break
            kind, parent = self._pdf.xref_get_key(xref, "Parent")
            if kind != "xref":
                break
            xref = int(parent.split(maxsplit=1)[0])
        return ""

    def _own(self, xref: int) -> str:
        kind, value = self._pdf.xref_get_key(xref, "Resources/XObject")
        return str(value) if kind in ("dict", "xref") else ""

    def _forms(self, written: str) -> dict[str, int]:
        """The forms among what stands in ``written``, by name; pictures are checked on the way."""
        if written and written not in self._parts:
            self._parts[written] = self._sorted(written)
        return self._parts[written] if written else {}

    def _sorted(self, written: str) -> dict[str, int]:
        if not written.startswith("<<"):
            written = self._pdf.xref_object(int(written.split(maxsplit=1)[0]), compressed=True)
        forms = {}
        for name, number in _NAMED.findall(written):
            xref = int(number)
            if not 0 < xref < self._pdf.xref_length():
                continue
            if self._pdf.xref_get_key(xref, "Subtype")[1] == "/Form":
                forms[name] = xref
            else:
                self._check_picture(xref)
        return forms

    def _check_picture(self, xref: int) -> None:
        sides = [self._pdf.xref_get_key(xref, side)[1] for side in ("Width", "Height")]
        if all(side.isdigit() for side in sides) and int(sides[0]) * int(sides[1]) > MAX_PIXELS:
            raise FileTooLarge(self._location, f"a picture in it has more pixels than {MAX_PIXELS:,}")


def unpacked(pdf: Any, xref: int, most: int) -> tuple[int, bytes]:
    """Length of a stream once unpacked, and its bytes; both end a little past ``most``.

    Deflate is unpacked piece by piece, however many layers there are. Of other filters, none of which can swell as
    much, the packed bytes stand for all.
    """
    data: bytes = pdf.xref_stream_raw(xref) or b""
    written: str = pdf.xref_get_key(xref, "Filter")[1]
    filters = [name for name in written.strip("[]").split("/") if name.strip()]
    for name in filters:
        if name.strip() not in ("FlateDecode", "Fl"):
            return _other(pdf, xref, data, most)
        data = _inflated(data, most)
    return len(data), data


def _inflated(data: bytes, most: int) -> bytes:
    inflate, out = zlib.decompressobj(), bytearray()
    try:
        while data and len(out) <= most and not inflate.eof:
            out += inflate.decompress(data, _CHUNK)
            data = inflate.unconsumed_tail
    except zlib.error:
        pass  # MuPDF, too, goes on with what came before
    return bytes(out)


def _other(pdf: Any, xref: int, data: bytes, most: int) -> tuple[int, bytes]:
    """ASCII, run-length and LZW: MuPDF unpacks them when even the worst case is bearable."""
    if len(data) * _MAX_RATIO > most:
        return len(data), data
    whole: bytes = pdf.xref_stream(xref) or b""
    return len(whole), whole
