"""Sound and film files: opened with the demuxer that belongs to their first bytes, and measured by their packets."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

import av
from av.container import InputContainer

from llama_index_gemini_mm.emulator.replies import invalid

_TAGS = ("title", "comment", "description", "synopsis", "artist", "album", "genre", "keywords", "subtitle")


def sniff(data: bytes) -> str | None:
    """FFmpeg's name of the container, by its first bytes; None for anything the model does not take.

    Forcing the demuxer matters: left to guess, FFmpeg would follow playlists and read other files of the machine.
    """
    if data[:4] in (b"RIFF", b"RF64") and data[8:12] == b"WAVE":
        return "wav"
    if data[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        return "mov"
    if data[:3] == b"ID3" or (len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0):
        return "mp3"
    if data[:4] == b"\x00\x00\x01\xba":
        return "mpeg"
    return None


@contextmanager
def opened(data: bytes, container: str, modality: str) -> Iterator[InputContainer]:
    """The opened file; whatever FFmpeg reports while it is open becomes a 400."""
    try:
        with av.open(io.BytesIO(data), "r", format=container, metadata_errors="replace") as file:
            yield file
    except (av.FFmpegError, MemoryError, UnicodeDecodeError) as error:
        raise invalid(f"Unable to process input {modality}: it cannot be decoded.") from error


def seconds_of(data: bytes, container: str, kind: str) -> float:
    """Duration of the first ``audio`` or ``video`` stream by its packets, since headers may be wrong; 0 without one."""
    with opened(data, container, kind) as file:
        streams = file.streams.audio if kind == "audio" else file.streams.video
        if not streams:
            return 0.0
        start, end = None, 0.0
        for packet in file.demux(streams[0]):
            if packet.pts is not None and packet.time_base is not None:
                time = float(packet.pts * packet.time_base)
                start = time if start is None else min(start, time)
                end = max(end, time + float((packet.duration or 0) * packet.time_base))
        return end - (start or 0.0)


def tags_of(file: InputContainer) -> str:
    """Describing tags of the file, one a line."""
    wanted = {key.lower(): value for key, value in file.metadata.items()}
    return "\n".join(wanted[key] for key in _TAGS if key in wanted)
