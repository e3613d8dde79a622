"""Film encoded anew, for what cannot be copied: H.264, upright, with few frames a second."""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, BinaryIO

import av

from llama_index_gemini_mm.codecs import Undecodable
from llama_index_gemini_mm.codecs._container import opened, seek
from llama_index_gemini_mm.codecs.video.frames import moving_picture, pixel_aspect, timed_frames, upright

FPS = 4
"""Frames a second. The model looks at one a second at most, so more is upload without effect; a few in reserve let it
take its frame close to where it wants it."""
MAX_SIDE = 720
"""The shorter side, in pixels."""
_ENCODER = {"preset": "veryfast", "crf": "26"}


def encoded(stream: BinaryIO, mime_type: str, start: float, end: float) -> bytes:
    """The film from ``start`` to ``end`` seconds as MP4 without sound, from time 0.

    Raises ``Undecodable`` when no picture is shown there.
    """
    target = io.BytesIO()
    track: Any = None
    with av.open(target, "w", format="mp4") as out:
        for image in _ticks(stream, mime_type, start, end):
            if track is None:
                track = out.add_stream("libx264", rate=FPS, options=_ENCODER)
                track.height, track.width, track.pix_fmt = image.shape[0], image.shape[1], "yuv420p"
            # The encoder brings pictures of another size, where a film changes it midway, to that of the first.
            out.mux(track.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        if track is None:
            raise Undecodable("there is no picture in this stretch")
        out.mux(track.encode(None))
    return target.getvalue()


def _ticks(stream: BinaryIO, mime_type: str, start: float, end: float) -> Iterator[Any]:
    """One upright picture for each 1/``FPS`` second from ``start`` to ``end``; at least one."""
    tick, shown = Fraction(start).limit_denominator(1000), None
    with opened(stream, mime_type) as container:
        picture = moving_picture(container)
        aspect = pixel_aspect(picture)
        seek(container, start)
        for frame, at, until in timed_frames(container, picture, start):
            if at >= end:
                break
            pixels = None
            while tick < min(until, end) or shown is None:
                pixels = shown = upright(frame, aspect, MAX_SIDE) if pixels is None else pixels
                yield pixels
                tick += Fraction(1, FPS)
