"""Animated pictures: the frames that stand for one, and the film that it makes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, BinaryIO

import av
import numpy as np
from PIL import Image

from llama_index_gemini_mm.codecs.image import frames_of, last_frame, opened, upload_form
from llama_index_gemini_mm.codecs.image.pixels import on_paper
from llama_index_gemini_mm.media import Box

_CANDIDATES, _HELD = 24, 64_000_000
"""Frames, and pixels of them, of which the most different are chosen."""
_THUMB = 64
_SAME = 1e-3
"""Mean difference (0 to 1) below which a frame shows nothing new."""
_SIDE = 720
_DEFAULT_MILLISECONDS = 100


def count(stream: BinaryIO) -> int:
    """How many frames a picture has; 1 for a still. Raises ``Undecodable``."""
    with opened(stream) as image:
        return frames_of(image)


def frames(stream: BinaryIO, box: Box | None, most: int) -> list[tuple[bytes, str]]:
    """Up to ``most`` frames in order, each in its upload form: the first, the last, and the most different between.

    Frames that show nothing new are left out, and a still has one. Raises ``Undecodable``.
    """
    with opened(stream) as image:
        shots = [_copy(image, number) for number in _spread(last_frame(image) + 1, _candidates(image, most))]
        return [upload_form(shots[n], box) for n in _different([_thumb(shot) for shot in shots], most)]


def film(stream: BinaryIO) -> tuple[bytes, float]:
    """The animation as MP4 (H.264, no sound), and its seconds. Raises ``Undecodable``."""
    target = io.BytesIO()
    milliseconds = 0
    with opened(stream) as image, av.open(target, "w", format="mp4") as out:
        scale = min(1.0, _SIDE / min(image.size))
        size = _even(image.width * scale), _even(image.height * scale)
        track: Any = out.add_stream("libx264", rate=25, options={"preset": "veryfast", "crf": "26", "bf": "0"})
        track.width, track.height, track.pix_fmt = *size, "yuv420p"
        track.codec_context.time_base = Fraction(1, 1000)
        for shot, shown in _timed(image):
            _mux(out, track, shot.resize(size), milliseconds)
            milliseconds += shown
        # A film ends where its last frame begins, so that one is shown once more at the end of its time.
        _mux(out, track, shot.resize(size), milliseconds - 1)
        out.mux(track.encode(None))
    return target.getvalue(), milliseconds / 1000


def _even(side: float) -> int:
    return max(2, round(side / 2) * 2)


def _mux(out: Any, track: Any, shot: Image.Image, milliseconds: int) -> None:
    frame = av.VideoFrame.from_ndarray(np.asarray(shot), format="rgb24")
    frame.pts, frame.time_base = milliseconds, Fraction(1, 1000)
    out.mux(track.encode(frame))


def _timed(image: Image.Image) -> Iterator[tuple[Image.Image, int]]:
    """The frames and for how many milliseconds each is shown; browsers too show very short ones for a tenth."""
    for number in range(last_frame(image) + 1):
        shot = _copy(image, number)
        shown = round(float(image.info.get("duration") or 0))
        yield shot, shown if shown > 10 else _DEFAULT_MILLISECONDS


def _candidates(image: Image.Image, most: int) -> int:
    return max(most, min(_CANDIDATES, _HELD // (image.width * image.height)))


def _spread(frames: int, wanted: int) -> list[int]:
    """So many numbers below ``frames``, evenly, the first and the last among them."""
    return sorted({round(n) for n in np.linspace(0, frames - 1, min(frames, wanted))})


def _copy(image: Image.Image, number: int) -> Image.Image:
    image.seek(number)
    image.load()
    shot = image.convert("RGBA" if image.has_transparency_data else "RGB")
    return on_paper(shot) if shot.mode == "RGBA" else shot


def _thumb(shot: Image.Image) -> Any:
    return np.asarray(shot.resize((_THUMB, _THUMB), Image.Resampling.BOX), dtype=np.float32) / 255


def _different(thumbs: list[Any], most: int) -> list[int]:
    """Which to keep: the ends, then whatever differs most from all that is kept, while it shows anything new."""
    kept, wanted = [0], len(thumbs) - 1
    distance = _distances(thumbs, 0)
    if distance[wanted] <= _SAME:  # it ends as it began
        wanted = int(distance.argmax())
    while len(kept) < most and distance[wanted] > _SAME:
        kept.append(wanted)
        distance = np.minimum(distance, _distances(thumbs, wanted))
        wanted = int(distance.argmax())
    return sorted(kept)


def _distances(thumbs: list[Any], to: int) -> Any:
    return np.array([float(np.abs(thumb - thumbs[to]).mean()) for thumb in thumbs])
