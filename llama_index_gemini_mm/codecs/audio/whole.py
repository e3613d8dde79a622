"""Whether all of a recording is there, by what its container counts: a download can end half way."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, BinaryIO

from llama_index_gemini_mm.codecs._container import MICROSECONDS, seconds
from llama_index_gemini_mm.codecs._mpeg import counting_tag

if TYPE_CHECKING:
    from av.container import InputContainer

_COUNTING = frozenset(("flac", "mov", "asf", "matroska", "caf"))
"""Containers that write down how long they are; of the others FFmpeg's figure is a guess from what is there."""
_LIVE = 0x7FFF_0000
"""From this size on, a chunk means that its writer did not know where it would end."""


def promised_seconds(container: InputContainer, track: Any, stream: BinaryIO, found: float) -> float:
    """How long the recording should be by its container's own count, in seconds; 0 where it does not count.

    ``container`` has been read to its end, where ``found`` seconds have passed.
    """
    name = container.format.name.split(",")[0]
    if name in _COUNTING or (name == "mp3" and _counts(container, track, stream)):
        return seconds(track.duration, track.time_base) or (container.duration or 0) / MICROSECONDS
    if name in ("wav", "aiff"):
        there, promised = stream.seek(0, io.SEEK_END), _chunk_bytes(stream)
        return found * promised / there if promised > there else 0.0
    return 0.0


def _counts(container: InputContainer, track: Any, stream: BinaryIO) -> bool:
    """Whether an encoder has counted the frames of an MP3."""
    container.seek(0)
    packet = next(container.demux(track))
    return bool(packet.pos and counting_tag(stream, packet.pos))


def _chunk_bytes(stream: BinaryIO) -> int:
    """Bytes of a RIFF or IFF file by its outermost chunk; 0 when that was written without knowing."""
    stream.seek(0)
    head = stream.read(28)
    if head[:4] in (b"RF64", b"BW64"):
        size = int.from_bytes(head[20:28], "little") if head[12:16] == b"ds64" else 0
        return size + 8 if size < 1 << 62 else 0
    size = int.from_bytes(head[4:8], "little" if head[:4] == b"RIFF" else "big")
    return size + 8 if 0 < size < _LIVE else 0
