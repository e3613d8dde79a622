"""Whether all of a film is there, by the sizes that its container writes down: a download can end half way."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO

_MAX_BOXES = 100_000
_EBML, _SEGMENT = 0x1A45DFA3, 0x18538067
_TO_THE_END = 0
"""The size of a box that reaches to the end of the file."""


def promised_bytes(stream: BinaryIO, demuxer: str) -> int:
    """How long the file must be at least by its own account, in bytes; 0 where it says nothing of it.

    MP4, QuickTime, Matroska and AVI say it; transport streams, and recordings that nobody finished, do not.
    """
    count = _COUNTS.get(demuxer)
    return count(stream) if count else 0


def size_of(stream: BinaryIO) -> int:
    """Bytes that are there."""
    return stream.seek(0, io.SEEK_END)


def has_box(stream: BinaryIO, name: bytes) -> bool:
    """Whether a box of that name stands at the outermost level of an MP4 or QuickTime file."""
    return any(found == name for found, _ in _boxes(stream))


def _boxes(stream: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Names and ends of the outermost boxes, the last of which may end behind the file."""
    position, end = 0, size_of(stream)
    for _ in range(_MAX_BOXES):
        stream.seek(position)
        head = stream.read(16)
        size, name = int.from_bytes(head[:4]), head[4:8]
        if size == 1:
            size = int.from_bytes(head[8:16])
        if size == _TO_THE_END:
            size = end - position
        if size < 8 or not name.isascii():
            return
        position += size
        yield name, position
        if position >= end:
            return


def _of_boxes(stream: BinaryIO) -> int:
    return max((end for _, end in _boxes(stream)), default=0)


def _of_riff(stream: BinaryIO) -> int:
    """An AVI of more than a gigabyte is several RIFF chunks in a row."""
    position, end = 0, size_of(stream)
    for _ in range(_MAX_BOXES):
        stream.seek(position)
        head = stream.read(8)
        if head[:4] != b"RIFF":
            break
        position += 8 + int.from_bytes(head[4:8], "little")
        if position >= end:
            break
    return position


def _of_matroska(stream: BinaryIO) -> int:
    """The end of the segment; one that is written live does not know it."""
    stream.seek(0)
    head = stream.read(256)
    name, size, position = _element(head, 0)
    if name != _EBML or size is None:
        return 0
    name, size, body = _element(head, position + size)
    return body + size if name == _SEGMENT and size is not None else 0


def _element(data: bytes, at: int) -> tuple[int, int | None, int]:
    """Name, size and beginning of what is in the EBML element at ``at``; the size is ``None`` when it is not known."""
    if at >= len(data) or not data[at]:
        return 0, None, at
    length = 9 - data[at].bit_length()
    name, at = int.from_bytes(data[at : at + length]), at + length
    if at >= len(data) or not data[at]:
        return 0, None, at
    length = 9 - data[at].bit_length()
    unknown = (1 << 7 * length) - 1
    size = int.from_bytes(data[at : at + length]) & unknown
    return name, None if size == unknown else size, at + length


_COUNTS: Mapping[str, Callable[[BinaryIO], int]] = {"mov": _of_boxes, "matroska": _of_matroska, "avi": _of_riff}
