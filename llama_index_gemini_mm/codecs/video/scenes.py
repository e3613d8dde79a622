"""Key frames: where the scene changes, and which of them shows best what a stretch of film is about."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from av.error import FFmpegError
from PIL import Image

from llama_index_gemini_mm.codecs._container import TOLERANCE, frames_of, has_index, opened, origin, seconds, seek
from llama_index_gemini_mm.codecs.video.frames import moving_picture, only, picture_of, pixel_aspect, upright

if TYPE_CHECKING:
    from av.container import InputContainer

_THUMB = 32
_KEY_SPACING = 0.5
_STILL_SIDE = 360
"""The shorter side of a still, in pixels: 640 x 360 for most films."""
_STILL_QUALITY = 80
_MOST_KEYS = 12
"""So many key frames of a stretch are held at once at most; where every frame is one they are large."""


def scene_changes(stream: BinaryIO, mime_type: str) -> list[tuple[float, float]]:
    """Key frames in order: seconds, and how different each is from the one before, 0 to 1 (the first is 0)."""
    changes: list[tuple[float, float]] = []
    before: Any = None
    with opened(stream, mime_type) as container:
        picture = picture_of(container)
        if picture is None:
            return []
        only(container, picture)
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


def stills(stream: BinaryIO, mime_type: str, spans: Sequence[tuple[float, float]]) -> Iterator[bytes]:
    """For each stretch of a film, in seconds and in order, a JPEG that shows what it is about.

    Of key frames at a quarter, a half and three quarters of it this is the one with most to see; where it has none, the
    last before it or the first after. Empty where none of them can be decoded.
    """
    with opened(stream, mime_type) as container:
        portions = [spans] if has_index(container) else [[span] for span in spans]
    for portion in portions:
        with opened(stream, mime_type) as container:
            picture = moving_picture(container)
            for start, end in portion:
                yield _still(container, picture, start, end)


def _still(container: InputContainer, picture: Any, start: float, end: float) -> bytes:
    seek(container, start)
    keys = _spread_keys(container, picture, start, end)
    chosen = sorted({len(keys) * quarter // 4 for quarter in (1, 2, 3)}) if keys else []
    aspect = pixel_aspect(picture)
    shown = [upright(frame, aspect, _STILL_SIDE) for frame in _decoded(picture, [keys[place] for place in chosen])]
    return _jpeg(max(shown, key=_detail)) if shown else b""


def _spread_keys(container: InputContainer, picture: Any, start: float, end: float) -> list[Any]:
    """Key frames between two times, not many and not close together, or else the nearest one that is come by."""
    zero, last = origin(container), float("-inf")
    spacing = max(_KEY_SPACING, (end - start) / _MOST_KEYS)
    other: list[Any] = []
    inside: list[Any] = []
    for packet in container.demux(picture):
        at = seconds(packet.pts, packet.time_base) - zero
        if packet.size == 0 or (at >= end and (other or inside)):
            break
        if packet.is_keyframe and not start - TOLERANCE <= at < end:
            other = [packet]
        elif packet.is_keyframe and at >= last + spacing:
            last = at
            inside.append(packet)
    return inside or other


def _decoded(picture: Any, packets: list[Any]) -> Iterator[Any]:
    """Their frames; damaged ones are passed over."""
    for packet in (*packets, None):
        try:
            yield from picture.codec_context.decode(packet)
        except FFmpegError:
            continue
    picture.codec_context.flush_buffers()


def _detail(pixels: Any) -> float:
    """How much there is to see: strong edges where a picture is sharp, none where it is black or one colour."""
    green = pixels[..., 1].astype(np.int16)
    return float(np.abs(np.diff(green, axis=0)).mean() + np.abs(np.diff(green, axis=1)).mean())


def _jpeg(pixels: Any) -> bytes:
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, "JPEG", quality=_STILL_QUALITY)
    return target.getvalue()
