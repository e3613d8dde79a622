"""Sound: what a recording is, how loud it is over time, and the stretch of it that is uploaded."""

from __future__ import annotations

import io
import math
import wave
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import av
import numpy as np
from av.audio.resampler import AudioResampler

from llama_index_gemini_mm.codecs import Undecodable
from llama_index_gemini_mm.codecs._container import (
    MAX_LEAP_SECONDS,
    Chapter,
    chapters_of,
    measured_seconds,
    opened,
    origin,
    seek,
    tags_of,
)
from llama_index_gemini_mm.codecs._mpeg import is_constant
from llama_index_gemini_mm.codecs.audio.levels import (
    FLOOR_DB,
    SILENCE_DB,
    Batch,
    Meter,
    Samples,
    batches,
    silence_below,
)
from llama_index_gemini_mm.codecs.audio.whole import promised_seconds

if TYPE_CHECKING:
    from av.container import InputContainer

__all__ = [
    "FLOOR_DB",
    "SILENCE_DB",
    "AudioInfo",
    "Chapter",
    "Cover",
    "Loudness",
    "cut",
    "is_silent",
    "loudness",
    "probe",
]
__all__ += ["Samples", "silence_below"]

RATE = 16_000
"""Samples a second of re-encoded sound, mono, 16 bit: 180 s are 5.8 MB, and speech keeps its consonants."""
STEP_SECONDS = 0.05
"""The grain in which loudness is measured: shorter than the shortest pause between words."""
_COPY_BYTES = 8 * 2**20
_COPY_WAV_BYTES = 4 * 2**20
_LEAD_SECONDS = 0.5
_SAMPLE_SECONDS = 5.0
"""So much is decoded before a recording is believed to be decodable."""
_MAX_COVERS = 16
_LOCKED = frozenset(("drms", "enca"))
"""What MP4 calls sound that only the shop's own player can decrypt."""


@dataclass(frozen=True)
class Cover:
    """An encoded picture that comes with a recording, and what is said of it: ``"Our boat"``, ``"Cover (front)"``."""

    data: bytes = field(repr=False)
    title: str = ""
    kind: str = ""


class Loudness(NamedTuple):
    """``levels`` in dBFS step by step, and the ``seconds`` that they cover."""

    levels: Samples
    seconds: float


@dataclass(frozen=True)
class AudioInfo:
    """A recording. ``duration`` in seconds, ``tags`` under lower-case names.

    ``promised`` are the seconds that there should be by the container's own count, 0 where it does not count.
    ``is_locked`` says that the sound is encrypted.
    """

    duration: float
    codec: str
    sample_rate: int
    channels: int
    tags: dict[str, str] = field(default_factory=dict)
    covers: tuple[Cover, ...] = ()
    chapters: tuple[Chapter, ...] = ()
    promised: float = 0.0
    is_locked: bool = False


def probe(stream: BinaryIO, mime_type: str) -> AudioInfo:
    """Describe a recording, or the sound of a film. Raises ``Undecodable`` when there is no sound in it."""
    with opened(stream, mime_type) as container:
        track = _track(container)
        context = track.codec_context
        info = AudioInfo(
            duration=0.0,
            codec=context.codec.canonical_name,
            sample_rate=context.sample_rate,
            channels=context.channels,
            tags=tags_of(container.metadata, track.metadata),
            covers=_covers(container),
            chapters=tuple(chapters_of(container)),
            is_locked=context.codec_tag in _LOCKED,
        )
    duration, promised = _durations(stream, mime_type)
    return replace(info, duration=duration, promised=promised)


def cut(stream: BinaryIO, mime_type: str, start: float | None, end: float | None) -> tuple[bytes, str]:
    """The sound from ``start`` to ``end`` seconds as MP3 or WAV, with its MIME type; ``None`` is the whole.

    MP3 is copied frame by frame and so exact to 26 ms, and keeps its quality. A stretch of 16 bit mono or stereo WAV
    that is no larger than 4 MiB is copied too. Anything else becomes 16 kHz mono WAV, in which all channels sound.
    Raises ``Undecodable`` when nothing sounds there.
    """
    first, last = start or 0.0, end if end is not None else math.inf
    if mime_type == "audio/mpeg" and _is_mp3(stream):
        whole = start is None or end is None
        data = _read_up_to(stream, _COPY_BYTES) if whole else None
        return data or _copied_mp3(stream, first, last), mime_type
    data = _copied_wav(stream, first, last) if mime_type == "audio/wav" else None
    return data or _wav(stream, mime_type, first, last), "audio/wav"


def loudness(
    stream: BinaryIO, mime_type: str, step: float = STEP_SECONDS, start: float = 0.0, end: float = math.inf
) -> Samples:
    """Root mean square of each ``step`` seconds in dBFS, from -120 (nothing) to 0, from ``start`` to ``end`` seconds.

    Of several channels the loudest counts, and a constant offset does not. The last step may be shorter. Raises
    ``Undecodable`` when there is no sound to decode.
    """
    return listen(stream, mime_type, step, start, end).levels


def listen(
    stream: BinaryIO, mime_type: str, step: float = STEP_SECONDS, start: float = 0.0, end: float = math.inf
) -> Loudness:
    """``loudness``, and how long what was heard is."""
    meter = Meter(step, start)
    for batch in _decoded(stream, mime_type, start, end):
        meter.add(batch)
    length = min(meter.end, end - start)
    if length <= 0:
        raise Undecodable("there is no sound in this stretch")
    return Loudness(meter.levels()[: math.ceil(round(length / step, 6))], length)


def is_silent(stream: BinaryIO, mime_type: str) -> bool:
    """Whether a recording stays below ``FLOOR_DB`` from beginning to end; decodes it up to where it does not.

    Raises ``Undecodable`` when most of what is looked at cannot be decoded: headers can be sound over frames that are
    not.
    """
    heard, silent, taken = 0.0, True, [0.0]
    with opened(stream, mime_type) as container:
        track = _track(container)
        for batch in batches(_timed(container.demux(track), float(track.time_base), taken), origin(container)):
            meter = Meter(STEP_SECONDS, batch.at)
            meter.add(batch)
            silent = silent and bool(meter.levels().max() <= FLOOR_DB)
            heard += batch.end - batch.at
            if not silent and taken[0] >= _SAMPLE_SECONDS:
                break
    if not heard:
        raise Undecodable("there is no sound in it that can be decoded")
    if heard < taken[0] / 2:
        raise Undecodable("most of the sound cannot be decoded")
    return silent


def _timed(packets: Iterable[Any], unit: float, taken: list[float]) -> Iterator[Any]:
    """Pass packets on and add their lengths in seconds to ``taken``, whether they can be decoded or not."""
    for packet in packets:
        length = (packet.duration or 0) * unit
        taken[0] += length if length < MAX_LEAP_SECONDS else 0.0
        yield packet


def _track(container: InputContainer) -> Any:
    track = next((s for s in container.streams.audio if s.codec_context), None)
    if track is None:
        raise Undecodable("there is no sound in it")
    return track


def _durations(stream: BinaryIO, mime_type: str) -> tuple[float, float]:
    """The seconds that there are, and those that there should be."""
    with opened(stream, mime_type) as container:
        track = _track(container)
        duration = measured_seconds(container, track)
        promised = promised_seconds(container, track, stream, duration)
    if not duration:
        raise Undecodable("there is no sound in it")
    return duration, promised


def _covers(container: InputContainer) -> tuple[Cover, ...]:
    """The pictures attached to a recording, in order, each once."""
    cover = av.stream.Disposition.attached_pic
    pictures = [s for s in container.streams.video if s.disposition & cover][:_MAX_COVERS]
    found: dict[bytes, Cover] = {}
    waiting = {picture.index for picture in pictures}
    for packet in container.demux(*pictures) if pictures else ():
        if packet.size and packet.stream.index in waiting:
            waiting.remove(packet.stream.index)
            said = packet.stream.metadata
            found.setdefault(bytes(packet), Cover(bytes(packet), said.get("title", ""), said.get("comment", "")))
        if not waiting:
            break
    return tuple(found.values())


def _is_mp3(stream: BinaryIO) -> bool:
    with opened(stream, "audio/mpeg") as container:
        name: str = _track(container).codec_context.codec.canonical_name
        return name == "mp3"


def _read_up_to(stream: BinaryIO, limit: int) -> bytes | None:
    stream.seek(0)
    data = stream.read(limit + 1)
    return data if len(data) <= limit else None


def _copied_wav(stream: BinaryIO, start: float, end: float) -> bytes | None:
    """Samples as they are under a new header, or ``None`` for those that must be converted."""
    stream.seek(0)
    try:
        with wave.open(stream) as sound:
            first = round(start * sound.getframerate())
            count = min(sound.getnframes(), end * sound.getframerate()) - first
            width = sound.getnchannels() * sound.getsampwidth()
            if sound.getnchannels() > 2 or sound.getsampwidth() != 2 or count <= 0:
                return None
            sound.setpos(first)
            samples = sound.readframes(min(round(count), _COPY_WAV_BYTES // width + 1))
            return _wav_of(samples, sound) if 0 < len(samples) <= _COPY_WAV_BYTES else None
    except (wave.Error, EOFError, ZeroDivisionError):
        return None


def _wav_of(samples: bytes, like: wave.Wave_read) -> bytes:
    target = io.BytesIO()
    with wave.open(target, "wb") as out:
        out.setnchannels(like.getnchannels())
        out.setsampwidth(like.getsampwidth())
        out.setframerate(like.getframerate())
        out.writeframes(samples)
    return target.getvalue()


def _copied_mp3(stream: BinaryIO, start: float, end: float) -> bytes:
    """Frames end to end, which is all that an MP3 is.

    FFmpeg's muxer would put a header before them whose count of samples to drop eats up to a quarter of a second.
    """
    frames: list[bytes] = []
    with opened(stream, "audio/mpeg", seek_by_size=start > 0 and _has_equal_frames(stream)) as container:
        track = _track(container)
        zero, unit = origin(container), float(track.time_base)
        seek(container, start - _LEAD_SECONDS)
        for packet in container.demux(track):
            at = (packet.pts or 0) * unit - zero
            if at >= end:
                break
            if packet.size and at + (packet.duration or 0) * unit / 2 >= start:
                frames.append(bytes(packet))
    if not frames:
        raise Undecodable("there is no sound in this stretch")
    return b"".join(frames)


def _has_equal_frames(stream: BinaryIO) -> bool:
    """Whether the place of a second can be computed, so that what comes before need not be read."""
    with opened(stream, "audio/mpeg") as container:
        packet = next(container.demux(_track(container)))
        first = packet.pos if packet.size else None
    return first is not None and is_constant(stream, first)


def _wav(stream: BinaryIO, mime_type: str, start: float, end: float) -> bytes:
    target = io.BytesIO()
    with wave.open(target, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        for samples in _samples(stream, mime_type, start, end):
            out.writeframesraw((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return target.getvalue()


def _samples(stream: BinaryIO, mime_type: str, start: float, end: float) -> Iterator[Samples]:
    """Mono samples at ``RATE`` from ``start`` to ``end``; raises ``Undecodable`` when there are none."""
    first, last = round(start * RATE), end * RATE
    position: int | None = None
    found = False
    for at, heard in _resampled(_decoded(stream, mime_type, start, end)):
        expected = round(at * RATE)
        position = min(expected, first) if position is None else position
        gap = expected - position
        silence = gap if RATE // 10 < gap < RATE * MAX_LEAP_SECONDS else 0
        samples = np.concatenate([np.zeros(silence, dtype=np.float32), heard])
        piece = samples[max(0, first - position) :]
        stop = position + len(samples)
        if stop > last:
            piece = piece[: max(0, len(piece) - int(stop - last))]
        position = stop
        if len(piece):
            found = True
            yield piece
    if not found:
        raise Undecodable("there is no sound in this stretch")


def _decoded(stream: BinaryIO, mime_type: str, start: float, end: float) -> Iterator[Batch]:
    """What sounds from shortly before ``start`` to shortly after ``end``."""
    with opened(stream, mime_type) as container:
        track = _track(container)
        seek(container, start - _LEAD_SECONDS)
        for batch in batches(container.demux(track), origin(container)):
            if batch.at >= end:
                break
            yield batch


def _resampled(heard: Iterator[Batch]) -> Iterator[tuple[float, Samples]]:
    """The mean of all channels at ``RATE``, each piece with its time; FFmpeg's own mix leaves deep effects out."""
    resampler, rate, at = None, 0, 0.0
    for batch in heard:
        if resampler is None or batch.rate != rate:
            resampler, rate = AudioResampler("fltp", "mono", RATE), batch.rate
        mono = np.ascontiguousarray(batch.samples.mean(axis=0, keepdims=True))
        frame = av.AudioFrame.from_ndarray(mono, format="fltp", layout="mono")
        frame.sample_rate = rate
        at = batch.end
        for part in resampler.resample(frame):
            yield batch.at, part.to_ndarray()[0]
    for part in resampler.resample(None) if resampler else ():
        yield at, part.to_ndarray()[0]
