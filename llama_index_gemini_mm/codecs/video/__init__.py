"""Film: what it is, where its scenes change, and the stretch of it that is uploaded."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO

from llama_index_gemini_mm.codecs import TooMuch, Undecodable
from llama_index_gemini_mm.codecs._container import (
    DEMUXERS,
    MICROSECONDS,
    Chapter,
    chapters_of,
    frames_of,
    has_index,
    measured_seconds,
    opened,
    seconds,
    tags_of,
)
from llama_index_gemini_mm.codecs.video.copy import copied
from llama_index_gemini_mm.codecs.video.encode import FPS, MAX_SIDE, encoded
from llama_index_gemini_mm.codecs.video.frames import picture_of
from llama_index_gemini_mm.codecs.video.scenes import scene_changes, stills
from llama_index_gemini_mm.codecs.video.whole import has_box, promised_bytes, size_of
from llama_index_gemini_mm.codecs.video.words import Subtitles, cues, language_of, subtitles_of

if TYPE_CHECKING:
    from av.container import InputContainer

__all__ = [
    "FPS",
    "MAX_SIDE",
    "Chapter",
    "Subtitles",
    "VideoInfo",
    "chapters",
    "cues",
    "cut",
    "missing_bytes",
    "probe",
    "scene_changes",
    "stills",
]

_CLOCK = re.compile(r"(\d+):(\d+):(\d+(?:\.\d+)?)")
_ONE_FRAME = 0.04
"""Seconds. What a film lasts of whose frames no two have times that can be."""
_DECODING_TRIES = 2000
"""Packets after which a film that does not decode is given up."""
_LONGEST_BELIEVED = 12 * 3600.0
"""Seconds. Broken time stamps claim years; what claims more than this is measured."""


@dataclass(frozen=True)
class VideoInfo:
    """A film. Size in pixels as stored, ``rotation`` in degrees counter-clockwise.

    ``duration`` in seconds is that of the picture, and that of the sound where there is no picture; ``language`` is
    that of the sound as the container writes it, mostly a code of ISO 639-2. ``is_locked`` says that there is a
    picture that cannot be decoded because it is encrypted, or of a kind that FFmpeg does not know.
    """

    duration: float = 0.0
    width: int = 0
    height: int = 0
    codec: str = ""
    rotation: int = 0
    has_sound: bool = False
    has_picture: bool = False
    is_locked: bool = False
    language: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    subtitles: tuple[Subtitles, ...] = ()


def probe(stream: BinaryIO, mime_type: str) -> VideoInfo:
    """Describe a film. Pictures that are attached as a cover are no film, and ``has_picture`` is false for them.

    Both ``has_picture`` and ``has_sound`` are false where a container is in order and holds neither. Raises
    ``Undecodable`` for one that is not, and when no frame of the picture can be decoded, and ``TooMuch`` for frames of
    absurd size.
    """
    try:
        info, declared = _described(stream, mime_type)
    except TooMuch:
        raise
    except Undecodable as error:
        raise Undecodable(_why(stream, mime_type) or str(error)) from error
    if not (info.has_picture or info.has_sound):
        if DEMUXERS[mime_type] != "mov" or not has_box(stream, b"moov"):
            raise Undecodable("there is neither picture nor sound in it")
        return info
    if not 0 < declared <= _LONGEST_BELIEVED or missing_bytes(stream, mime_type):
        declared = _measured(stream, mime_type)
    return replace(info, duration=declared or _ONE_FRAME)


def missing_bytes(stream: BinaryIO, mime_type: str) -> int:
    """How many bytes the container says there are behind the end of the file: the rest of a download, say."""
    return max(0, promised_bytes(stream, DEMUXERS.get(mime_type, "")) - size_of(stream))


def cut(stream: BinaryIO, mime_type: str, start: float | None, end: float | None) -> bytes:
    """The film from ``start`` to ``end`` seconds as MP4 without sound, from time 0; ``None`` is the whole.

    H.264 and H.265 up to 1080 lines are copied when a key frame lies close enough; all else is encoded anew as H.264,
    upright, with 4 frames a second. Raises ``Undecodable`` when there is no picture there.
    """
    first, last = start or 0.0, end if end is not None else float("inf")
    return copied(stream, mime_type, first, last) or encoded(stream, mime_type, first, last)


def chapters(stream: BinaryIO, mime_type: str) -> list[Chapter]:
    """The chapters of a film or recording, in order."""
    with opened(stream, mime_type) as container:
        return chapters_of(container)


def _described(stream: BinaryIO, mime_type: str) -> tuple[VideoInfo, float]:
    """All but the duration, and that as the container declares it: 0 where it would be a guess."""
    with opened(stream, mime_type) as container:
        picture, sound = picture_of(container), next(iter(container.streams.audio), None)
        declared = (container.duration or 0) / MICROSECONDS if has_index(container) else 0.0
        info = VideoInfo(
            has_sound=sound is not None,
            has_picture=picture is not None,
            is_locked=picture is None and any(s.codec_context is None for s in container.streams.video),
            language=language_of(sound),
            tags=tags_of(container.metadata, *_tagged_tracks(container)),
            subtitles=subtitles_of(container),
        )
        if picture is None:
            return info, declared
        length = _declared_of(picture)
        if length or len(container.streams) > 1:
            # The container's duration may be that of another track.
            declared = min(declared, length)
        context = picture.codec_context
        size = {"width": context.width, "height": context.height}
        codec, rotation = context.codec.canonical_name, _rotation(container, picture)
        return replace(info, codec=codec, rotation=rotation, **size), declared


def _declared_of(picture: Any) -> float:
    """How long the picture is, as its track declares; 0 where it does not. Matroska writes it among the tags."""
    if picture.duration:
        return seconds(picture.duration, picture.time_base)
    clock = _CLOCK.fullmatch(picture.metadata.get("DURATION", ""))
    return int(clock[1]) * 3600 + int(clock[2]) * 60 + float(clock[3]) if clock else 0.0


def _tagged_tracks(container: InputContainer) -> list[dict[str, str]]:
    """Ogg has tags at its tracks alone; elsewhere those name the track and not the film."""
    return [track.metadata for track in container.streams] if container.format.name == "ogg" else []


def _rotation(container: InputContainer, picture: Any) -> int:
    frame = next(frames_of(islice(container.demux(picture), _DECODING_TRIES)), None)
    if frame is None:
        raise Undecodable("no picture of it can be decoded")
    return int(frame.rotation)


def _measured(stream: BinaryIO, mime_type: str) -> float:
    with opened(stream, mime_type) as container:
        return measured_seconds(container, picture_of(container) or container.streams.audio[0])


def _why(stream: BinaryIO, mime_type: str) -> str:
    """Why a container cannot be opened, as far as its outermost structure tells."""
    missing = missing_bytes(stream, mime_type)
    if missing:
        return f"cut off: {missing:,} of at least {missing + size_of(stream):,} bytes are missing"
    if DEMUXERS.get(mime_type) == "mov" and has_box(stream, b"mdat") and not has_box(stream, b"moov"):
        return "cut off: its index (moov) is missing, so the recording or its download was never finished"
    return ""
