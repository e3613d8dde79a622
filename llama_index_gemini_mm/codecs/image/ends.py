"""Whether a picture file ends before its time, by the lengths and end marks that its container holds."""

from __future__ import annotations

import io
from typing import BinaryIO, Literal

_TAIL = 1024
_MOST_PAGES = 10_000


def is_cut_off(stream: BinaryIO) -> bool:
    """Whether the file is shorter than it says, or lacks its end mark; ``False`` for formats that have neither."""
    size = stream.seek(0, io.SEEK_END)
    head, tail = _at(stream, 0, 16), _at(stream, max(0, size - _TAIL), _TAIL)
    if head[:4] == b"\x89PNG":
        return b"IEND" not in tail
    if head[:3] == b"GIF":
        return b"\x3b" not in tail[-16:]
    if head[:2] == b"\xff\xd8":
        return b"\xff\xd9" not in tail
    if head[:4] == b"RIFF":
        return int.from_bytes(head[4:8], "little") + 8 > size
    if head[4:8] == b"ftyp":
        return _boxes_end(stream, size) > size
    return head[:4] in (b"II*\0", b"MM\0*") and not _has_all_directories(stream, size)


def _at(stream: BinaryIO, place: int, count: int) -> bytes:
    stream.seek(place)
    return stream.read(count)


def _boxes_end(stream: BinaryIO, size: int) -> int:
    """Where the last box of an ISO container should end."""
    at = 0
    while at + 8 <= size:
        length = int.from_bytes(_at(stream, at, 4))
        if length < 8:  # to the end of the file, or a length of 64 bit
            return size
        at += length
    return at


def _has_all_directories(stream: BinaryIO, size: int) -> bool:
    """Whether every page of a TIFF is listed within the file."""
    order: Literal["little", "big"] = "little" if _at(stream, 0, 2) == b"II" else "big"
    at, seen = int.from_bytes(_at(stream, 4, 4), order), set[int]()
    while at and at not in seen and len(seen) < _MOST_PAGES:
        seen.add(at)
        end = at + 2 + 12 * int.from_bytes(_at(stream, at, 2), order)
        if end + 4 > size:
            return False
        at = int.from_bytes(_at(stream, end, 4), order)
    return True
