"""Film: what it is, where its scenes change, and the stretch of it that is uploaded."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, BinaryIO

import av
import numpy as np

from llama_index_gemini_mm.codecs import Undecodable
from llama_index_gemini_mm.codecs._container import (
    MAX_LEAP_SECONDS,
    MICROSECONDS,
    TOLERANCE,
    frames_of,
    has_index,
    measured_seconds,
    opened,
    origin,
    seconds,
    seek,
    tags_of,
)

if TYPE_CHECKING:
    from av.container import InputContainer

FPS = 4
"""Frames a second of re-encoded film. The model looks at one a second at most, so more is upload without effect; a few
in reserve let it take its frame close to where it wants it."""
MAX_SIDE = 720
"""The shorter side of re-encoded film, in pixels."""
_COPY_CODECS = ("h264", "hevc")
_COPY_DEMUXERS = ("mov", "matroska", "flv")
"""Containers that keep H.264 as MP4 does; the others would need their packets rewritten."""
_CONFIGURATION_RECORD = b"\x01"
"""What the decoder's set-up starts with where packets are length-prefixed, as MP4 wants them."""
_COPY_PIXELS = ("yuv420p", "yuvj420p")
_COPY_BYTES = 16 * 2**20
"""A camera's film of half a minute can be hundreds of megabytes; encoded anew it is a few."""
_COPY_SIDE = 1080
_COPY_LEAD = 0.5
_COPY_SHORT = 0.2
"""Seconds by which copied film may start early or end short."""
_THUMB = 32
_KEY_SPACING = 0.5


@dataclass(frozen=True)
class VideoInfo:
    """A film. Size in pixels as stored, ``rotation`` in degrees counter-clockwise.

    ``duration`` in seconds is that of the picture, and that of the sound where there is no picture.
    """

    duration: float
    width: int
    height: int
    codec: str
    rotation: int
    has_sound: bool
    has_picture: bool
    tags: dict[str, str] = field(default_factory=dict)


def probe(stream: BinaryIO, mime_type: str) -> VideoInfo:
    """Describe a film. Pictures that are attached as a cover are no film, and ``has_picture`` is false for them."""
    with opened(stream, mime_type) as container:
        picture = _picture(container)
        has_sound = bool(container.streams.audio)
        if picture is None and not has_sound:
            raise Undecodable("there is neither picture nor sound in it")
        declared = (container.duration or 0) / MICROSECONDS if has_index(container) else 0.0
        tags = tags_of(container.metadata)
        if picture is None:
            return VideoInfo(declared or _measured(stream, mime_type), 0, 0, "", 0, has_sound, False, tags)
        context = picture.codec_context
        if has_index(container) and picture.duration:
            declared = seconds(picture.duration, picture.time_base)
        codec, width, height = context.codec.canonical_name, context.width, context.height
        rotation = _rotation(container, picture)
    return VideoInfo(declared or _measured(stream, mime_type), width, height, codec, rotation, has_sound, True, tags)


def cut(stream: BinaryIO, mime_type: str, start: float | None, end: float | None) -> bytes:
    """The film from ``start`` to ``end`` seconds as MP4 without sound, from time 0; ``None`` is the whole.

    H.264 and H.265 up to 1080 lines are copied when a key frame lies close enough; all else is encoded anew as H.264,
    upright, with 4 frames a second. Raises ``Undecodable`` when there is no picture there.
    """
    first, last = start or 0.0, end if end is not None else float("inf")
    lead = _copy_lead(stream, mime_type, first)
    if lead is not None and (data := _copied(stream, mime_type, lead, last)):
        return data
    return _encoded(stream, mime_type, first, last)


def scene_changes(stream: BinaryIO, mime_type: str) -> list[tuple[float, float]]:
    """Key frames in order: seconds, and how different each is from the one before, 0 to 1 (the first is 0)."""
    changes: list[tuple[float, float]] = []
    before: Any = None
    with opened(stream, mime_type) as container:
        picture = _picture(container)
        if picture is None:
            return []
        zero = origin(container)
        for frame in frames_of(_key_packets(container, picture)):
            thumb = frame.reformat(_THUMB, _THUMB, "rgb24").to_ndarray()
            change = 0.0 if before is None else _difference(before, thumb)
            changes.append((max(0.0, (frame.time or 0.0) - zero), change))
            before = thumb
    return sorted(changes)


def _difference(before: Any, after: Any) -> float:
    """0 to 1, half by the colours that are there and half by where they are.

    Colours alone miss the next slide on the same background, places alone take a moving camera for another scene.
    """
    colors = np.abs(_histogram(before) - _histogram(after)).sum() / 2
    places = np.abs(before.astype(np.float32) - after).mean() / 255
    return float((colors + places) / 2)


def _histogram(thumb: Any) -> Any:
    bins = (thumb // 64).astype(np.int64) @ np.array([16, 4, 1])
    return np.bincount(bins.ravel(), minlength=64) / bins.size


def _key_packets(container: InputContainer, picture: Any) -> Iterator[Any]:
    """Key frames alone, and of films that hold nothing else only two a second; then the packet that flushes."""
    last = float("-inf")
    for packet in container.demux(picture):
        at = seconds(packet.pts, packet.time_base)
        if packet.size == 0:
            yield packet
        elif packet.is_keyframe and at >= last + _KEY_SPACING:
            last = at
            yield packet


def _picture(container: InputContainer) -> Any:
    cover = av.stream.Disposition.attached_pic
    return next((s for s in container.streams.video if s.codec_context and not s.disposition & cover), None)


def _measured(stream: BinaryIO, mime_type: str) -> float:
    with opened(stream, mime_type) as container:
        return measured_seconds(container, _picture(container) or container.streams.audio[0])


def _rotation(container: InputContainer, picture: Any) -> int:
    frame = next(frames_of(container.demux(picture)), None)
    if frame is None:
        raise Undecodable("no picture of it can be decoded")
    return int(frame.rotation)


def _copy_lead(stream: BinaryIO, mime_type: str, start: float) -> float | None:
    """The time of the key frame from which packets may be copied, or ``None`` when the film must be encoded anew."""
    with opened(stream, mime_type) as container:
        picture = _picture(container)
        if picture is None:
            raise Undecodable("there is no picture in it")
        context = picture.codec_context
        fits = (
            context.codec.canonical_name in _COPY_CODECS
            and (context.extradata or b"")[:1] == _CONFIGURATION_RECORD
            and container.format.name.split(",")[0] in _COPY_DEMUXERS
            and context.pix_fmt in _COPY_PIXELS
            and min(context.width, context.height) <= _COPY_SIDE
        )
        if not fits or _rotation(container, picture):
            return None
    with opened(stream, mime_type) as container:
        picture = _picture(container)
        seek(container, start)
        key = next((p for p in container.demux(picture) if p.is_keyframe and p.pts is not None), None)
        at = seconds(key.pts, key.time_base) - origin(container) if key else float("-inf")
        return at if start - _COPY_LEAD <= at <= start + TOLERANCE else None


def _copied(stream: BinaryIO, mime_type: str, start: float, end: float) -> bytes | None:
    target = io.BytesIO()
    with opened(stream, mime_type) as container, av.open(target, "w", format="mp4") as out:
        picture = _picture(container)
        copy = out.add_stream_from_template(picture)
        seek(container, start)
        zero, first, reached, size = origin(container), None, 0.0, 0
        for packet in _with_decoding_times(container.demux(picture)):
            at = seconds(packet.pts, packet.time_base) - zero
            if at >= end:
                # What follows in the order of decoding may be shown earlier, but needs this packet.
                break
            size += packet.size
            if size > _COPY_BYTES:
                return None
            reached = max(reached, at + seconds(packet.duration, packet.time_base))
            first = packet.pts if first is None else first
            packet.pts, packet.dts = packet.pts - first, packet.dts - first
            packet.stream = copy
            out.mux(packet)
        else:
            reached = end
    return target.getvalue() if first is not None and reached >= end - _COPY_SHORT else None


def _with_decoding_times(packets: Iterable[Any]) -> Iterator[Any]:
    """Packets with time stamps; after a seek Matroska leaves the first few without the one for decoding."""
    early: list[Any] = []
    for packet in packets:
        if packet.pts is None:
            continue
        early.append(packet)
        if packet.dts is None:
            continue
        for behind, waiting in enumerate(early[-2::-1], 1):
            waiting.dts = packet.dts - behind * (packet.duration or 1)
        yield from early
        early.clear()


def _encoded(stream: BinaryIO, mime_type: str, start: float, end: float) -> bytes:
    target = io.BytesIO()
    track: Any = None
    with av.open(target, "w", format="mp4") as out:
        for image in _ticks(stream, mime_type, start, end):
            if track is None:
                track = out.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "crf": "26"})
                track.height, track.width, track.pix_fmt = image.shape[0], image.shape[1], "yuv420p"
            # The encoder brings pictures of another size, where a film changes it midway, to that of the first.
            out.mux(track.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        if track is None:
            raise Undecodable("there is no picture in this stretch")
        out.mux(track.encode(None))
    return target.getvalue()


def _ticks(stream: BinaryIO, mime_type: str, start: float, end: float) -> Iterator[Any]:
    """One upright RGB picture for each 1/``FPS`` second from ``start`` to ``end``; at least one."""
    tick, shown = Fraction(start).limit_denominator(1000), None
    with opened(stream, mime_type) as container:
        picture = _picture(container)
        if picture is None:
            raise Undecodable("there is no picture in it")
        aspect = float(picture.sample_aspect_ratio or 1)
        for frame, at, until in _timed_frames(container, picture, start):
            if at >= end:
                break
            pixels = None
            while tick < min(until, end) or shown is None:
                pixels = shown = _upright(frame, aspect) if pixels is None else pixels
                yield pixels
                tick += Fraction(1, FPS)


def _timed_frames(container: InputContainer, picture: Any, start: float) -> Iterator[tuple[Any, float, float]]:
    """Frames that are shown after ``start``, each with the seconds from which and until which it is shown."""
    held: tuple[Any, float] | None = None
    zero, until = origin(container), 0.0
    picture.thread_type = "AUTO"
    seek(container, start)
    for frame in frames_of(container.demux(picture)):
        at = until if frame.time is None else max(0.0, frame.time - zero)
        if held and at - held[1] > MAX_LEAP_SECONDS:
            at = until
        if held and at > start:
            yield *held, at
        held = frame, at
        until = at + (seconds(frame.duration, frame.time_base) or 1 / (picture.guessed_rate or FPS))
    if held and until > start:
        yield *held, until


def _upright(frame: Any, aspect: float) -> Any:
    """RGB pixels of a frame as it is shown: square ones, rotated, even sides, the shorter one at most ``MAX_SIDE``."""
    width, height = frame.width * aspect, float(frame.height)
    scale = min(1.0, MAX_SIDE / min(width, height))
    even = [max(2, round(side * scale / 2) * 2) for side in (width, height)]
    pixels = frame.reformat(even[0], even[1], "rgb24").to_ndarray()
    return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90)))
