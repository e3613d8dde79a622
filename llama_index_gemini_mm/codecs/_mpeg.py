"""The headers of MPEG audio and AAC frames: they tell such sound from other bytes, and whether places can be computed.

A file of either is nothing but frames end to end, so there is no container to ask.
"""

from __future__ import annotations

import io
from typing import BinaryIO

_MPEG1_KBITS = {
    1: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
}
_MPEG2_KBITS = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES = (44100, 48000, 32000)
_LAYER_III = 1
_COUNTING_TAGS = (b"Xing", b"VBRI")
_COUNTING_TAG_OF_CONSTANT = b"Info"
_TAG_REACH = 64
"""Bytes of a frame in which its counting tag begins."""
_PLACES, _PLACE_BYTES = 16, 4096


def mpeg_frame(head: bytes) -> tuple[int, int]:
    """Bytes and kilobits a second of the MPEG audio frame (layer II or III) that starts here; zeros when none does."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return 0, 0
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bitrate, rate = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer not in (1, 2) or bitrate in (0, 15) or rate == 3:
        return 0, 0
    hertz = _RATES[rate] >> (0 if version == 3 else 1 if version == 2 else 2)
    kbits = _MPEG1_KBITS[layer][bitrate] if version == 3 else _MPEG2_KBITS[bitrate]
    samples = 72 if layer == _LAYER_III and version != 3 else 144
    return samples * kbits * 1000 // hertz + (head[2] >> 1 & 1), kbits


def starts_mpeg(head: bytes) -> bool:
    """Two MPEG audio frames in a row, or one that is all there is."""
    length, _ = mpeg_frame(head)
    return length > 0 and (length >= len(head) - 4 or mpeg_frame(head[length:])[0] > 0)


def starts_adts(head: bytes) -> bool:
    """Two AAC frames in a row, or one that is all there is."""
    length = _adts_length(head)
    return length > 0 and (length >= len(head) - 7 or _adts_length(head[length:]) > 0)


def find_mpeg(head: bytes) -> int:
    """Where the first of three MPEG audio frames in a row starts, or -1; recorded broadcasts begin anywhere."""
    at = head.find(b"\xff")
    while at >= 0:
        length, _ = mpeg_frame(head[at : at + 4])
        if length and at + length < len(head) and starts_mpeg(head[at + length :]):
            return at
        at = head.find(b"\xff", at + 1)
    return -1


def counting_tag(stream: BinaryIO, first: int) -> bytes:
    """The tag by which an encoder counts the frames, before the first of them at byte ``first``; empty without one."""
    stream.seek(max(0, first - _PLACE_BYTES))
    before = stream.read(min(first, _PLACE_BYTES))
    for name in (*_COUNTING_TAGS, _COUNTING_TAG_OF_CONSTANT):
        at = before.rfind(name)
        if at >= 0 and any(mpeg_frame(before[n : n + 4])[0] for n in range(max(0, at - _TAG_REACH), at)):
            return name
    return b""


def is_constant(stream: BinaryIO, first: int) -> bool:
    """Whether all frames from byte ``first`` on are of one size, so that the place of a second can be computed.

    The encoder says so, or frames all over the file do.
    """
    tag = counting_tag(stream, first)
    if tag:
        return tag == _COUNTING_TAG_OF_CONSTANT
    end = stream.seek(0, io.SEEK_END)
    rates = set()
    for place in range(_PLACES):
        stream.seek(first + (end - first) * place // _PLACES)
        piece = stream.read(_PLACE_BYTES)
        at = find_mpeg(piece)
        if at >= 0:
            rates.add(mpeg_frame(piece[at : at + 4])[1])
    return len(rates) == 1


def _adts_length(head: bytes) -> int:
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
        return 0
    return (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
