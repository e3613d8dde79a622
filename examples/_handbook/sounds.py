"""Synthetic sounds of the machine, as one-dimensional arrays of samples between -1 and 1."""

from __future__ import annotations

from math import pi
from pathlib import Path
from typing import TypeAlias

import av
import numpy as np
from numpy.typing import NDArray

Sound: TypeAlias = NDArray[np.float64]
SPEECH_RATE = 16_000
MUSIC_RATE = 32_000


def spindle_normal(seconds: float = 6.0, rate: int = SPEECH_RATE) -> Sound:
    """A healthy spindle: a steady hum with soft overtones and a little air."""
    time = _time(seconds, rate)
    hum = sum(np.sin(2 * pi * 100 * order * time + order) / order**1.6 for order in range(1, 6))
    whine = 0.06 * np.sin(2 * pi * 1150 * time)
    air = 0.03 * _band(len(time), rate, 200, 2500, seed=1)
    return _level(_fade(hum + whine + air, rate), 0.30)


def spindle_grinding(seconds: float = 8.0, rate: int = MUSIC_RATE) -> Sound:
    """A worn front bearing: rough broadband noise that swells with every turn, over impacts and a howl."""
    time = _time(seconds, rate)
    turn = 0.5 * (1 + np.sin(2 * pi * 6.5 * time))
    rough = _band(len(time), rate, 600, 7500, seed=2) * (0.25 + turn**3)
    impacts = _impacts(len(time), rate, per_second=52, tone=3200) * (0.4 + turn)
    howl = 0.22 * np.sin(2 * pi * 470 * time + 2.5 * np.sin(2 * pi * 6.5 * time))
    hum = 0.25 * np.sin(2 * pi * 100 * time)
    return _level(_fade(rough + 0.7 * impacts + howl + hum, rate), 0.85)


def coolant_pump_cavitation(seconds: float = 7.0, rate: int = MUSIC_RATE) -> Sound:
    """A pump that draws air: gravel-like crackle in irregular bursts over the motor's hum."""
    time = _time(seconds, rate)
    rng = np.random.default_rng(3)
    crackle = np.where(rng.random(len(time)) < 0.004, rng.normal(0, 1, len(time)), 0)
    ring = np.exp(-np.arange(int(rate * 0.006)) / (rate * 0.0012)) * np.cos(np.arange(int(rate * 0.006)) * 0.35)
    steps = rng.uniform(0.2, 1, int(seconds * 5) + 2)
    bursts = np.interp(time, np.arange(len(steps)) / 5, steps)
    gurgle = _band(len(time), rate, 120, 600, seed=4) * bursts
    hum = 0.3 * np.sin(2 * pi * 50 * time) + 0.2 * np.sin(2 * pi * 150 * time)
    return _level(_fade(1.6 * np.convolve(crackle, ring, "same") * bursts + 0.5 * gurgle + hum, rate), 0.7)


def warning_horn(seconds: float = 3.0, rate: int = MUSIC_RATE) -> Sound:
    """Three blasts of a two-tone horn."""
    time = _time(seconds, rate)
    tone = np.tanh(2 * np.sin(2 * pi * 415 * time)) + np.tanh(2 * np.sin(2 * pi * 523 * time))
    gate = np.convolve((time % 1.0 < 0.7).astype(float), np.ones(400) / 400, "same")
    return _level(_fade(tone * gate, rate), 0.6)


def belt_replacement(seconds: float, stop: float, start: float, clicks: tuple[float, ...], rate: int) -> Sound:
    """The sound of the film: the drive runs down at ``stop``, tools click, the drive starts again at ``start``."""
    time = _time(seconds, rate)
    speed = np.clip((stop - time) / 1.2, 0, 1) + np.clip((time - start) / 1.2, 0, 1)
    phase = 2 * pi * np.cumsum(110 * speed) / rate
    motor = (np.sin(phase) + 0.5 * np.sin(2 * phase) + 0.25 * np.sin(5 * phase)) * speed
    squeal = 0.35 * np.sin(2 * pi * 1900 * time + 3 * np.sin(2 * pi * 9 * time)) * np.clip((stop - time) / 1.2, 0, 1)
    tools = np.zeros_like(time)
    click = np.exp(-np.arange(int(rate * 0.05)) / (rate * 0.008)) * _band(int(rate * 0.05), rate, 900, 5000, seed=5)
    for at in clicks:
        tools[int(at * rate) : int(at * rate) + len(click)] += click
    return _level(_fade(0.6 * motor + squeal + tools, rate), 0.6)


def write_sound(path: Path, sound: Sound, rate: int, tags: dict[str, str], codec: str = "libmp3lame") -> None:
    """Writes one channel (MP3 unless told otherwise) with the title and comment in the file's own tags."""
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        container.metadata.update(tags)
        stream = container.add_stream(codec, rate=rate)
        if not isinstance(stream, av.AudioStream):
            raise TypeError(f"{codec} is no audio codec")
        stream.layout = "mono"
        if codec == "libmp3lame":
            stream.bit_rate = 80_000
        for packet in stream.encode(audio_frame(sound, rate)):
            container.mux(packet)
        container.mux(stream.encode(None))


def audio_frame(sound: Sound, rate: int) -> av.AudioFrame:
    """All samples as one frame of 16-bit integers; the encoder cuts it to its own size."""
    frame = av.AudioFrame.from_ndarray((sound * 32_000).astype(np.int16)[None, :], format="s16", layout="mono")
    frame.sample_rate = rate
    frame.pts = 0
    return frame


def _time(seconds: float, rate: int) -> Sound:
    return np.arange(int(seconds * rate)) / rate


def _band(samples: int, rate: int, low: float, high: float, seed: int) -> Sound:
    """Noise of unit strength between two frequencies in hertz."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(0, 1, samples))
    frequency = np.fft.rfftfreq(samples, 1 / rate)
    spectrum[(frequency < low) | (frequency > high)] = 0
    noise: Sound = np.fft.irfft(spectrum, samples)
    noise /= noise.std() + 1e-9
    return noise


def _impacts(samples: int, rate: int, per_second: float, tone: float) -> Sound:
    """Short ringing blows, as a pit in a bearing race gives them."""
    length = int(rate * 0.012)
    ring = np.exp(-np.arange(length) / (rate * 0.0025)) * np.sin(2 * pi * tone * np.arange(length) / rate)
    train = np.zeros(samples)
    train[(np.arange(int(samples / rate * per_second)) * rate / per_second).astype(int)] = 1
    return np.convolve(train, ring)[:samples]


def _fade(sound: Sound, rate: int) -> Sound:
    edge = int(rate * 0.08)
    shape = np.ones(len(sound))
    shape[:edge] = np.linspace(0, 1, edge)
    shape[-edge:] = np.linspace(1, 0, edge)
    return sound * shape


def _level(sound: Sound, peak: float) -> Sound:
    level: Sound = sound / np.abs(sound).max() * peak
    return level
