"""PNG and JPEG without the words, places and thumbnails that files carry beside their pixels, byte for byte else."""

from __future__ import annotations

import re
from collections.abc import Iterator

_PNG_HEAD = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = frozenset((b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP"))
"""Pixels, and what their numbers mean."""
_JPEG_HEAD, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_JPEG_DROPPED = frozenset((*range(0xE1, 0xEE), 0xEF, 0xFE))
"""Application segments and the comment; JFIF (E0) and Adobe's note on colours (EE) stay."""
_SCAN = 0xDA
_PROFILE = b"ICC_PROFILE\0"
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""What ends the pixels of a scan: neither a stuffed zero nor a restart."""


def bare_png(data: bytes) -> bytes:
    """A PNG with its pixels and colours alone: no text, no EXIF, no animation, nothing behind the end."""
    return _PNG_HEAD + b"".join(chunk for name, chunk in _chunks(data) if name in _PNG_KEPT)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_PNG_HEAD)
    while at + 12 <= len(data):
        name, end = data[at + 4 : at + 8], at + 12 + int.from_bytes(data[at : at + 4])
        yield name, data[at:end]
        if name == b"IEND":
            return
        at = end


def bare_jpeg(data: bytes) -> bytes:
    """A JPEG with its pixels and colour profile alone, without what is appended to it; nothing if it is unusual."""
    kept, at = [_JPEG_HEAD], len(_JPEG_HEAD)
    while at + 4 <= len(data) and data[at] == 0xFF:
        code = data[at + 1]
        if code == 0xFF:  # padding
            at += 1
            continue
        if data[at : at + 2] == _JPEG_END:
            break
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
        if code == _SCAN:
            marker = _MARKER.search(data, end)
            end = marker.start() if marker else len(data)
        if code not in _JPEG_DROPPED or data.startswith(_PROFILE, at + 4):
            kept.append(data[at:end])
        at = end
    return b"".join((*kept, _JPEG_END)) if data[at : at + 2] == _JPEG_END else b""
