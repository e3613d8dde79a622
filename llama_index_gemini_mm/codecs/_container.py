"""Opening sound and film containers with FFmpeg, by their MIME type and never by guess."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, BinaryIO

import av
from av.error import FFmpegError

from llama_index_gemini_mm.codecs import Undecodable

if TYPE_CHECKING:
    from av.container import InputContainer

DEMUXERS: Mapping[str, str] = {
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/flac": "flac",
    "audio/ogg": "ogg",
    "audio/mp4": "mov",
    "audio/aac": "aac",
    "audio/aiff": "aiff",
    "audio/x-ms-wma": "asf",
    "audio/amr": "amr",
    "audio/ac3": "ac3",
    "audio/eac3": "eac3",
    "audio/x-caf": "caf",
    "audio/basic": "au",
    "audio/webm": "matroska",
    "audio/x-matroska": "matroska",
    "video/mp4": "mov",
    "video/quicktime": "mov",
    "video/3gpp": "mov",
    "video/webm": "matroska",
    "video/x-matroska": "matroska",
    "video/x-msvideo": "avi",
    "video/mpeg": "mpeg",
    "video/mp2t": "mpegts",
    "video/x-ms-wmv": "asf",
    "video/x-flv": "flv",
    "video/ogg": "ogg",
}
"""The one FFmpeg demuxer that may open content of a registered MIME type."""

_NOTHING_ELSE = {"protocol_whitelist": "none"}
"""FFmpeg reads the stream it is given; whatever file or address that names is not opened."""
MICROSECONDS = 1_000_000
MAX_LEAP_SECONDS = 600.0
"""A longer leap between neighbouring time stamps is a broken time stamp, not a pause."""
_BLIND_SEEK_SECONDS = 12.0
"""How much earlier than wanted a stream without an index is entered, so that a key frame comes in time."""
TOLERANCE = 0.001
"""Seconds by which written times may differ from those in the container: references carry milliseconds."""
_UNTITLED = re.compile(r"((chapter|kapitel|chapitre|cap[ií]tulo|track)?[\s#]*\d*|[\d:.,]+)", re.IGNORECASE)
_SEQUENCE_HEADER = b"\x00\x00\x01\xb3"
"""What MPEG video starts with when it lies bare in a file, without the system layer that ``mpeg`` expects."""


@contextmanager
def opened(stream: BinaryIO, mime_type: str, *, seek_by_size: bool = False) -> Iterator[InputContainer]:
    """A container over ``stream``, read from its beginning.

    With ``seek_by_size`` places are computed from the size of the frames, which all have to be equal.

    Raises ``Undecodable`` for a MIME type outside ``DEMUXERS`` and for every failure of FFmpeg inside the block.
    """
    demuxer = DEMUXERS.get(mime_type)
    if demuxer is None:
        raise Undecodable(f"{mime_type} is no known kind of sound or film")
    stream.seek(0)
    if demuxer == "mpeg" and stream.read(4) == _SEQUENCE_HEADER:
        demuxer = "mpegvideo"
    stream.seek(0)
    options = {**_NOTHING_ELSE, "fflags": "+fastseek"} if seek_by_size else _NOTHING_ELSE
    try:
        with av.open(
            stream, mode="r", format=demuxer, metadata_errors="replace", container_options=options
        ) as container:
            yield container
    except FFmpegError as error:
        # Out of memory is what FFmpeg says of tables with absurd lengths.
        reason = "broken content" if error.errno == errno.ENOMEM else (error.strerror or "broken content").lower()
        raise Undecodable(f"not readable as {mime_type}: {reason}") from error
    except (UnicodeDecodeError, MemoryError, OverflowError) as error:
        raise Undecodable(f"not readable as {mime_type}: broken content") from error


def seconds(value: int | None, unit: Fraction | None) -> float:
    """A time stamp in seconds; 0 when there is none."""
    return float(value * unit) if value is not None and unit is not None else 0.0


def origin(container: InputContainer) -> float:
    """The time stamp, in seconds, at which the recording starts: transport streams do not start at 0."""
    return (container.start_time or 0) / MICROSECONDS


def frames_of(packets: Iterable[Any]) -> Iterator[Any]:
    """Decode packet by packet, passing over broken ones: one flipped bit must not cost the whole recording."""
    for packet in packets:
        try:
            frames = packet.decode()
        except FFmpegError:
            continue
        yield from frames


def measured_seconds(container: InputContainer, track: Any) -> float:
    """The end of the last packet, found by reading them all; headers of many formats only guess it."""
    zero, last, unit = origin(container), 0.0, float(track.time_base)
    for packet in container.demux(track):
        length = (packet.duration or 0) * unit
        length = length if length < MAX_LEAP_SECONDS else 0.0
        at = last if packet.pts is None else packet.pts * unit - zero
        last = max(last, (at if at - last < MAX_LEAP_SECONDS else last) + length)
    return last


def has_index(container: InputContainer) -> bool:
    """Whether the container knows its duration and where its key frames are; MPEG streams do not."""
    return not container.format.name.startswith("mpeg")


def seek(container: InputContainer, at: float) -> None:
    """Go to a key frame at or before ``at`` seconds, or to the beginning where that cannot be found.

    ``container`` is freshly opened: what starts at its beginning needs no seek, which short and damaged files refuse.
    """
    if not has_index(container):
        at -= _BLIND_SEEK_SECONDS
    if at <= 0:
        return
    try:
        container.seek(int((at + TOLERANCE + origin(container)) * MICROSECONDS), backward=True)
    except FFmpegError:
        container.seek(0)


def tags_of(*sources: Mapping[str, str]) -> dict[str, str]:
    """Tags of a container and its streams under lower-case names; the first non-empty value wins."""
    tags: dict[str, str] = {}
    for source in sources:
        for name, value in source.items():
            if value.strip():
                tags.setdefault(name.lower(), value.strip())
    return tags


@dataclass(frozen=True)
class Chapter:
    """From ``start`` to ``end`` seconds; ``title`` is empty where it says no more than a number or a time."""

    start: float
    end: float
    title: str


def chapters_of(container: InputContainer) -> list[Chapter]:
    """The chapters that a container lists, in order."""
    found = []
    for entry in container.chapters():
        start, end = (seconds(entry[name], entry["time_base"]) for name in ("start", "end"))
        if 0 <= start < end:
            title = " ".join(entry["metadata"].get("title", "").split())
            found.append(Chapter(start, end, "" if _UNTITLED.fullmatch(title) else title))
    return sorted(found, key=lambda chapter: chapter.start)
