"""The moving picture in a container, and its frames as they are meant to be seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from llama_index_gemini_mm.codecs import TooMuch, Undecodable
from llama_index_gemini_mm.codecs._container import MAX_LEAP_SECONDS, frames_of, origin, seconds

if TYPE_CHECKING:
    from av.container import InputContainer

MAX_FRAME_PIXELS = 2**26
"""Of one frame, of which a decoder holds up to sixteen: twice those of 8K."""
_ASSUMED_RATE = 25
"""Frames a second where a frame does not say how long it is shown, or says what cannot be."""
_MAX_STRETCH = 4.0
"""Pixels are never more than so many times as wide as high, nor as high as wide, whatever a file says."""
_MAX_LONG_SIDE = 2560
_PQ_TRANSFER = 16
"""FFmpeg's number for HDR10's scale of brightness, which looks grey all over where it is taken for the usual one."""
_PQ_WHITE = 203 / 10_000
"""Where the white of paper lies on that scale, by ITU-R BT.2408."""


def picture_of(container: InputContainer) -> Any:
    """The first moving picture, or ``None``; covers are none. Raises ``TooMuch`` for frames of absurd size."""
    cover = av.stream.Disposition.attached_pic
    picture = next((s for s in container.streams.video if s.codec_context and not s.disposition & cover), None)
    if picture and picture.codec_context.width * picture.codec_context.height > MAX_FRAME_PIXELS:
        raise TooMuch(f"its frames have more than {MAX_FRAME_PIXELS:,} pixels")
    return picture


def moving_picture(container: InputContainer) -> Any:
    """The first moving picture, alone of all the tracks to be read; raises ``Undecodable`` when there is none."""
    picture = picture_of(container)
    if picture is None:
        raise Undecodable("there is no picture in it")
    only(container, picture)
    return picture


def only(container: InputContainer, *tracks: Any) -> None:
    """Let the demuxer pass over all other tracks, where it can, instead of reading and dropping them."""
    wanted = {track.index for track in tracks}
    for other in container.streams:
        if other.index not in wanted:
            other.discard = av.stream.Discard.all


def timed_frames(container: InputContainer, picture: Any, start: float) -> Iterator[tuple[Any, float, float]]:
    """Frames that are shown after ``start``, each with the seconds from which and until which it is shown.

    ``container`` has been sought to a key frame before ``start``.
    """
    held: tuple[Any, float] | None = None
    zero, until = origin(container), 0.0
    picture.thread_type = "AUTO"
    for frame in frames_of(container.demux(picture)):
        at = until if frame.time is None else max(0.0, frame.time - zero)
        if held and at - held[1] > MAX_LEAP_SECONDS:
            at = until
        if held and at > start:
            yield *held, at
        held = frame, at
        length = seconds(frame.duration, frame.time_base)
        until = at + (length if 0 < length < MAX_LEAP_SECONDS else 1 / _ASSUMED_RATE)
    if held and until > start:
        yield *held, until


def pixel_aspect(picture: Any) -> float:
    """How many times as wide as high a pixel is shown; 1 where that is not known or absurd."""
    aspect = float(picture.sample_aspect_ratio or 1)
    return aspect if 1 / _MAX_STRETCH <= aspect <= _MAX_STRETCH else 1.0


def upright(frame: Any, aspect: float, max_side: float) -> Any:
    """RGB pixels of a frame as it is meant to be seen, with even sides, the shorter one at most ``max_side``.

    Pixels become square, the turn of the display matrix is applied, interlaced frames are shown by their first field
    and HDR10 in the range of an ordinary screen.
    """
    width, height = frame.width * aspect, float(frame.height)
    scale = min(1.0, max_side / min(width, height), _MAX_LONG_SIDE / max(width, height))
    columns, rows = (max(2, round(side * scale / 2) * 2) for side in (width, height))
    if frame.interlaced_frame and frame.height > 1:
        lines = frame.reformat(columns, frame.height, "rgb24").to_ndarray()[::2]
        seen = av.VideoFrame.from_ndarray(np.ascontiguousarray(lines), format="rgb24")
    else:
        seen = frame
    pixels = seen.reformat(columns, rows, "rgb24").to_ndarray()
    if frame.color_trc == _PQ_TRANSFER:
        pixels = _PQ_TO_SCREEN[pixels]
    return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90)))


def _pq_to_screen() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The 256 steps of HDR10's scale as an ordinary screen shows them, its lights above white drawn together."""
    step = (np.arange(256) / 255) ** (1 / 78.84375)
    light = (np.maximum(step - 0.8359375, 0) / (18.8515625 - 18.6875 * step)) ** (1 / 0.1593017578125) / _PQ_WHITE
    return np.asarray(np.round(255 * (light * (1 + light / 16) / (1 + light)) ** (1 / 2.2)).clip(0, 255), np.uint8)


_PQ_TO_SCREEN = _pq_to_screen()
