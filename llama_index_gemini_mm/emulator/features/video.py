"""Features of films: up to 32 frames as pictures, the tags, and on request the sound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import av
import numpy as np
from av.container import InputContainer
from PIL import Image

from llama_index_gemini_mm.emulator.features.audio import Samples, decode_samples, sample_features
from llama_index_gemini_mm.emulator.features.container import opened, seconds_of, sniff, tags_of
from llama_index_gemini_mm.emulator.features.image import Pixels, pixel_features, shrink
from llama_index_gemini_mm.emulator.features.space import Features, blend
from llama_index_gemini_mm.emulator.features.text import text_features
from llama_index_gemini_mm.emulator.replies import invalid
from llama_index_gemini_mm.limits import MAX_FRAMES, TOKENS_PER_AUDIO_SECOND, TOKENS_PER_FRAME, Modality

_CODECS = frozenset({"h264", "hevc", "av1", "vp9"})
_MPEG_CODECS = frozenset({"mpeg1video", "mpeg2video", "mpeg4"})


@dataclass(frozen=True)
class Film:
    """A video part: its sampled frames, and its samples where the endpoint listens to them."""

    frames: tuple[Pixels, ...]
    samples: Samples
    tags: str
    seconds: float
    modality: ClassVar[Modality] = "video"

    @property
    def tokens(self) -> int:
        """Its cost: frames, and seconds of sound if the sound was used."""
        sound = round(self.seconds * TOKENS_PER_AUDIO_SECOND) if len(self.samples) else 0
        return len(self.frames) * TOKENS_PER_FRAME + sound

    def features(self) -> Features:
        """What the stand-in model sees and hears in it."""
        total: Features = {}
        for frame in self.frames:
            for name, value in pixel_features(frame).items():
                total[name] = total.get(name, 0.0) + value
        sound = sample_features(self.samples) if len(self.samples) else {}
        return blend((total, 1.0), (sound, 0.6), (text_features(self.tags), 1.0))


def read_film(
    data: bytes, containers: tuple[str, ...], max_seconds: float | None, *, max_seconds_with_sound: float | None
) -> Film:
    """Decode a film.

    Args:
        data: the file.
        containers: FFmpeg's names of the containers that are accepted.
        max_seconds: the endpoint's bound.
        max_seconds_with_sound: the bound when the sound is used as well; None leaves the sound out.

    Raises:
        Refusal: 400 when it is too long, of another format or codec, or cannot be decoded.
    """
    container = sniff(data)
    if container not in containers:
        raise invalid("Unable to process input video: the data is not of the declared type.")
    seconds = seconds_of(data, container, "video")
    bound = max_seconds if max_seconds_with_sound is None else max_seconds_with_sound
    if bound is not None and seconds > bound + 0.5:
        raise invalid(f"Video of {seconds:.1f} s is too long, at most {bound:g} s are supported.")
    with opened(data, container, "video") as file:
        frames, tags = _frames(file, seconds), tags_of(file)
    samples: Samples = np.zeros(0, dtype=np.float32)
    if max_seconds_with_sound is not None:
        with opened(data, container, "video") as file:
            samples = decode_samples(file)
    return Film(frames, samples, tags, seconds)


def _frames(file: InputContainer, seconds: float) -> tuple[Pixels, ...]:
    """One frame a second, or 32 evenly spread ones of a longer film."""
    if not file.streams.video:
        raise invalid("Unable to process input video: it holds no pictures.")
    stream = file.streams.video[0]
    codec = stream.codec_context.name.removeprefix("lib").removesuffix("dav1d") or "av1"
    if codec not in _CODECS and not (file.format.name == "mpeg" and codec in _MPEG_CODECS):
        raise invalid(f"Video codec {codec} is not supported.")
    stream.thread_type = "AUTO"
    step = max(1.0, seconds / MAX_FRAMES)
    frames: list[Pixels] = []
    start: float | None = None
    for frame in file.decode(stream):
        time = frame.time or 0.0
        start = time if start is None else start
        if time - start >= len(frames) * step - 1e-6 and len(frames) < MAX_FRAMES:
            frames.append(_picture(frame))
    if not frames:
        raise invalid("Unable to process input video: no frame can be decoded.")
    return tuple(frames)


def _picture(frame: av.VideoFrame) -> Pixels:
    """A frame at 32 × 32, shrunk by FFmpeg first because Pillow would convert every pixel."""
    return shrink(Image.fromarray(frame.reformat(width=128, height=128, format="rgb24").to_ndarray()))
