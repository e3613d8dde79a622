"""How loud a recording is over time, and what of it counts as silence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import av
import numpy as np

from llama_index_gemini_mm.codecs import Undecodable
from llama_index_gemini_mm.codecs._container import MAX_LEAP_SECONDS, frames_of

Samples = np.ndarray[Any, np.dtype[np.float32]]

SILENCE_DB = -120.0
"""The level of nothing at all."""
FLOOR_DB = -70.0
"""Silence in every recording: the noise of converters and of 16 bits lies below, the quietest speech above."""
_RANGE_DB = 50.0
"""What lies this far below the loud passages of its own recording is silence too: the room behind the speaker."""
_LOUD_PERCENTILE = 95
_BATCH_SECONDS = 1.0
_SAME_TIME = 0.1
"""Seconds by which time stamps may differ from the count of samples before they mean a gap."""
_RATES = range(1_000, 1_000_001)
"""Samples a second that can be sound; a broken header claims others, and with them hours or an endless computation."""
_FULL_SCALE = {"u8": 128.0, "s16": 32768.0, "s32": 2147483648.0, "flt": 1.0, "dbl": 1.0}


@dataclass(frozen=True)
class Batch:
    """About a second of sound without a gap: from when, at which rate, and samples from -1 to 1, one row a channel."""

    at: float
    rate: int
    samples: Samples

    @property
    def end(self) -> float:
        """Seconds from the start of the recording."""
        return self.at + int(self.samples.shape[1]) / self.rate


def batches(packets: Iterable[Any], zero: float) -> Iterator[Batch]:
    """Decode packets of sound, by the clock of the recording, which starts at the time stamp ``zero``."""
    position, start = -1.0, 0.0
    waiting = av.AudioFifo()
    for frame in frames_of(packets):
        if not frame.samples:
            continue
        if frame.sample_rate not in _RATES:
            raise Undecodable(f"{frame.sample_rate:,} samples a second are no sound")
        at = _time_of(frame, zero, position)
        frame.pts = None
        if waiting.samples and (at != position or waiting.samples >= _BATCH_SECONDS * frame.sample_rate):
            yield _batch(start, waiting)
        start = start if waiting.samples else at
        position = at + frame.samples / frame.sample_rate
        try:
            waiting.write(frame)
        except ValueError:  # from here on there are other channels, or another rate
            if waiting.samples:
                yield _batch(start, waiting)
            waiting, start = av.AudioFifo(), at
            waiting.write(frame)
    if waiting.samples:
        yield _batch(start, waiting)


def _time_of(frame: Any, zero: float, position: float) -> float:
    """When a frame is heard: right after the one before, at ``position``, unless its time stamp is well behind that."""
    at = max(0.0, (frame.time or 0.0) - zero)
    if position < 0:
        return at
    return at if _SAME_TIME < at - position < MAX_LEAP_SECONDS else position


def _batch(at: float, waiting: av.AudioFifo) -> Batch:
    """All that waits, as one batch."""
    frame: Any = waiting.read()
    form = frame.format.name
    scale = _FULL_SCALE.get(form.removesuffix("p"))
    if scale is None:
        raise Undecodable(f"samples of the kind {form} are not read")
    joined = frame.to_ndarray()
    if not frame.format.is_planar:
        joined = joined.reshape(-1, frame.layout.nb_channels).T
    samples = joined.astype(np.float32) if scale == 1.0 else joined / np.float32(scale)
    if form.startswith("u8"):
        samples -= 1
    if not np.isfinite(samples.sum()):
        samples = np.clip(np.nan_to_num(samples), -1, 1)
    return Batch(at, frame.sample_rate, samples.astype(np.float32, copy=False))


class Meter:
    """Adds up the power of each ``step`` seconds, of the loudest channel and without a constant offset.

    Steps count from ``start`` seconds; of those in which there is nothing the level is that of silence.
    """

    def __init__(self, step: float, start: float = 0.0) -> None:
        self._step = step
        self._start = start
        self._steps = 0
        self._end = 0.0
        self._power = np.zeros(1024, dtype=np.float32)
        self._count = np.zeros(1024, dtype=np.float32)

    def add(self, batch: Batch) -> None:
        """Take in what sounds after the start."""
        width = self._step * batch.rate
        first = round((batch.at - self._start) * batch.rate)
        samples = batch.samples[:, max(0, -first) :]
        first = max(0, first)
        length = samples.shape[1]
        if not length:
            return
        low, high = int(first / width), int((first + length - 1) / width)
        edges = np.ceil(np.arange(low, high + 2) * width).astype(np.int64) - first
        edges[0], edges[-1] = 0, length
        self._reserve(high + 1)
        self._end = max(self._end, batch.end - self._start)
        counts = np.diff(edges)
        sums = np.add.reduceat(samples, edges[:-1], axis=1)
        squares = np.add.reduceat(np.square(samples), edges[:-1], axis=1)
        self._power[low : high + 1] += np.maximum(squares - np.square(sums) / np.maximum(counts, 1), 0).max(axis=0)
        self._count[low : high + 1] += counts

    @property
    def end(self) -> float:
        """Seconds from ``start`` to the end of what was taken in."""
        return self._end

    def levels(self) -> Samples:
        """DBFS of each step, from -120 to 0."""
        mean = self._power[: self._steps] / np.maximum(self._count[: self._steps], 1)
        level: Samples = np.clip(10 * np.log10(mean + 1e-12), SILENCE_DB, 0.0).astype(np.float32)
        return level

    def _reserve(self, steps: int) -> None:
        self._steps = max(self._steps, steps)
        while len(self._power) < self._steps:
            self._power = np.concatenate([self._power, np.zeros_like(self._power)])
            self._count = np.concatenate([self._count, np.zeros_like(self._count)])


def silence_below(levels: Samples) -> float:
    """The level in dBFS at and below which a step of this recording is silence.

    It is -70 dBFS, or 50 dB below the recording's own loud passages where that is more: so a recording that is quiet
    throughout is heard, and the hiss between loud passages is not.
    """
    heard = levels[levels > FLOOR_DB]
    if not len(heard):
        return FLOOR_DB
    return max(FLOOR_DB, float(np.percentile(heard, _LOUD_PERCENTILE)) - _RANGE_DB)
