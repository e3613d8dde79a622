"""Features of sound: how loud, how high, how noisy, how pulsed; the shape of its spectrum; its tags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import av
import numpy as np
import numpy.typing as npt
from av.audio.resampler import AudioResampler
from av.container import InputContainer

from llama_index_gemini_mm.emulator.features.container import opened, seconds_of, sniff, tags_of
from llama_index_gemini_mm.emulator.features.space import Features, blend
from llama_index_gemini_mm.emulator.features.text import text_features, word_features
from llama_index_gemini_mm.emulator.replies import invalid
from llama_index_gemini_mm.limits import TOKENS_PER_AUDIO_SECOND, Modality

Samples = npt.NDArray[np.float32]
"""Mono, 16 kHz, within ±1."""

_RATE = 16_000
_WINDOW = 512
_HOP = 256
_BANDS = 26
_USED_BANDS = 22
_FLOOR = 1e-7


@dataclass(frozen=True)
class Sound:
    """An audio part, decoded."""

    samples: Samples
    seconds: float
    tags: str
    modality: ClassVar[Modality] = "audio"

    @property
    def tokens(self) -> int:
        """Its cost, by the second."""
        return max(1, round(self.seconds * TOKENS_PER_AUDIO_SECOND))

    def features(self) -> Features:
        """What the stand-in model hears in it."""
        return blend((sample_features(self.samples), 1.0), (text_features(self.tags), 1.0))


def read_sound(data: bytes, containers: tuple[str, ...], max_seconds: float | None) -> Sound:
    """Decode a sound file.

    Args:
        data: the file.
        containers: FFmpeg's names of the containers that are accepted.
        max_seconds: the endpoint's bound.

    Raises:
        Refusal: 400 when it is too long, of another format or cannot be decoded.
    """
    container = sniff(data)
    if container not in containers:
        raise invalid("Unable to process input audio: the data is not of the declared type.")
    seconds = seconds_of(data, container, "audio")
    if max_seconds is not None and seconds > max_seconds + 0.5:
        raise invalid(f"Audio of {seconds:.1f} s is too long, at most {max_seconds:g} s are supported.")
    with opened(data, container, "audio") as file:
        samples = decode_samples(file)
        if not len(samples):
            raise invalid("Unable to process input audio: it holds no sound.")
        return Sound(samples, seconds, tags_of(file))


def decode_samples(file: InputContainer) -> Samples:
    """The first audio stream of an opened file; empty when there is none."""
    if not file.streams.audio:
        return np.zeros(0, dtype=np.float32)
    resampler = AudioResampler(format="flt", layout="mono", rate=_RATE)
    chunks: list[Samples] = []
    for packet in file.demux(file.streams.audio[0]):
        try:
            frames = packet.decode()
        except av.InvalidDataError:
            continue  # one broken packet, as players skip it; a file of nothing else ends up without sound
        chunks.extend(piece.to_ndarray()[0] for frame in frames for piece in resampler.resample(frame))
    chunks.extend(piece.to_ndarray()[0] for piece in resampler.resample(None))
    return np.concatenate(chunks).astype(np.float32) if chunks else np.zeros(0, dtype=np.float32)


def sample_features(samples: Samples) -> Features:
    """Words and spectral shape of mono 16 kHz samples; only words for silence."""
    power = _band_power(samples)
    if not len(power) or float(power.max()) < 1e-6:
        return word_features({"silence": 1.0, "silent": 1.0, "quiet": 1.0})
    return blend((word_features(_sound_words(samples, power)), 0.5), (_shape(power), 0.8))


def _band_power(samples: Samples) -> npt.NDArray[np.float64]:
    """Mean power of 26 mel-spaced bands in every window, shape (windows, 26)."""
    padded = np.pad(samples, (0, max(0, _WINDOW - len(samples))))
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    taper = np.hanning(_WINDOW).astype(np.float32)
    filters = _mel_filters()
    blocks = [
        (np.abs(np.fft.rfft(windows[at : at + 4096] * taper)) ** 2 / _WINDOW) @ filters
        for at in range(0, len(windows), 4096)
    ]
    power: npt.NDArray[np.float64] = np.concatenate(blocks)
    return power


def _mel_filters() -> npt.NDArray[np.float64]:
    mel = np.linspace(0.0, 2595 * np.log10(1 + _RATE / 2 / 700), _BANDS + 1)
    edges = 700 * (10 ** (mel / 2595) - 1)
    band = np.searchsorted(edges, np.fft.rfftfreq(_WINDOW, 1 / _RATE), side="right") - 1
    filters = (band.clip(0, _BANDS - 1)[:, None] == np.arange(_BANDS)).astype(np.float64)
    means: npt.NDArray[np.float64] = filters / np.maximum(filters.sum(axis=0), 1.0)
    return means


def _sound_words(samples: Samples, power: npt.NDArray[np.float64]) -> dict[str, float]:
    loudness = 20 * np.log10(float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) + _FLOOR)
    spectrum = power.mean(axis=0)
    centre = float((spectrum * np.arange(_BANDS)).sum() / spectrum.sum())
    flatness = float(np.exp(np.log(spectrum + _FLOOR).mean()) / (spectrum.mean() + _FLOOR))
    envelope = np.sqrt(power.sum(axis=1))
    pulsed = float(envelope.std() / (envelope.mean() + _FLOOR)) > 0.8
    words = {"sound": 0.5}
    if loudness > -14 or loudness < -36:
        words["loud" if loudness > -14 else "quiet"] = 1.0
    words["pulsed" if pulsed else "steady"] = 0.7
    if centre > 13 or centre < 6:
        words["high" if centre > 13 else "low"] = 1.0
    words["pitch" if flatness < 0.1 else "noise"] = 0.7
    words[_kind(pulsed=pulsed, tonal=flatness < 0.1, low=centre < 6)] = 1.0
    return words


def _kind(*, pulsed: bool, tonal: bool, low: bool) -> str:
    """The everyday word for a sound of this make."""
    if tonal:
        return "beep" if pulsed else ("hum" if low else "tone")
    if pulsed:
        return "knock" if low else "click"
    return "rumble" if low else "hiss"


def _shape(power: npt.NDArray[np.float64]) -> Features:
    """The spectrum's shape and slope, its movement, and how loudness runs over sixteen stretches.

    All on fixed scales and beside a constant: were each brought to unit length, the chance ripples of a flat spectrum
    would count as much as the peaks of a chord. The uppermost bands are left out, because MP3 cuts them off.
    """
    levels = np.log(power[:, :_USED_BANDS] / float(power.max()) + 1e-5)
    bands = np.arange(_USED_BANDS)
    mean, spread = levels.mean(axis=0), levels.std(axis=0)
    slope, height = np.polyfit(bands, mean, 1)
    stretches = np.array([part.mean() if len(part) else 0.0 for part in np.array_split(power.sum(axis=1), 16)])
    course = np.sqrt(stretches / (stretches.max() + _FLOOR))
    return {
        "sound": 1.0,
        "slope": 6.0 * float(slope),
        **_numbered("mel", 0.6 * (mean - slope * bands - height)),
        **_numbered("move", 0.4 * (spread - spread.mean())),
        **_numbered("course", 2.0 * (course - course.mean())),
    }


def _numbered(name: str, values: npt.NDArray[np.float64]) -> Features:
    return {f"{name}:{at}": float(value) for at, value in enumerate(values)}
