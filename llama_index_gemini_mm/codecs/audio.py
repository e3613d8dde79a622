"""Sound: what a recording is, how loud it is over time, and the stretch of it that is uploaded."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

import av
import numpy as np
from av.audio.resampler import AudioResampler

from llama_index_gemini_mm.codecs import Undecodable
from llama_index_gemini_mm.codecs._container import (
    MAX_LEAP_SECONDS,
    frames_of,
    measured_seconds,
    opened,
    origin,
    seconds,
    seek,
    tags_of,
)

if TYPE_CHECKING:
    from av.container import InputContainer

RATE = 16_000
"""Samples a second of re-encoded sound, mono, 16 bit: 180 s are 5.8 MB, and speech keeps its consonants."""
SILENCE_DB = -120.0
_COPY_BYTES = 8 * 2**20
_COPY_WAV_BYTES = 4 * 2**20
_LEAD_SECONDS = 0.5

Samples = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class AudioInfo:
    """A recording. ``duration`` in seconds, ``tags`` under lower-case names, ``cover`` an encoded picture."""

    duration: float
    codec: str
    sample_rate: int
    channels: int
    tags: dict[str, str] = field(default_factory=dict)
    cover: bytes | None = field(default=None, repr=False)


def probe(stream: BinaryIO, mime_type: str) -> AudioInfo:
    """Describe a recording, or the sound of a film. Raises ``Undecodable`` when there is no sound in it."""
    with opened(stream, mime_type) as container:
        track = _track(container)
        tags, context = tags_of(container.metadata, track.metadata), track.codec_context
        cover = _cover(container)
    return AudioInfo(
        duration=_duration(stream, mime_type),
        codec=context.codec.canonical_name,
        sample_rate=context.sample_rate,
        channels=context.channels,
        tags=tags,
        cover=cover,
    )


def cut(stream: BinaryIO, mime_type: str, start: float | None, end: float | None) -> tuple[bytes, str]:
    """The sound from ``start`` to ``end`` seconds as MP3 or WAV, with its MIME type; ``None`` is the whole.

    MP3 is copied frame by frame and so exact to 26 ms, and keeps its quality. A modest mono or stereo WAV passes
    through. Anything else becomes 16 kHz mono WAV. Raises ``Undecodable`` when nothing sounds there.
    """
    whole = start is None or end is None
    if mime_type == "audio/mpeg" and _is_mp3(stream):
        if whole and (data := _read_up_to(stream, _COPY_BYTES)):
            return data, mime_type
        return _copy_mp3(stream, start or 0.0, end if end is not None else float("inf")), mime_type
    if whole and mime_type == "audio/wav" and (data := _plain_wav(stream)):
        return data, mime_type
    return _wav(stream, mime_type, start or 0.0, end if end is not None else float("inf")), "audio/wav"


def loudness(stream: BinaryIO, mime_type: str, step: float = 0.05) -> Samples:
    """Root mean square of each ``step`` seconds in dBFS, from -120 (silence) to 0; the last step may be shorter."""
    width = round(RATE * step)
    levels: list[Samples] = []
    rest = np.zeros(0, dtype=np.float32)
    for samples in _samples(stream, mime_type, 0.0, float("inf")):
        joined = np.concatenate([rest, samples])
        full = len(joined) // width * width
        levels.append(_decibels(joined[:full].reshape(-1, width)))
        rest = joined[full:]
    if len(rest):
        levels.append(_decibels(rest.reshape(1, -1)))
    return np.concatenate(levels)


def _decibels(rows: Samples) -> Samples:
    power = np.mean(np.square(rows, dtype=np.float32), axis=1)
    level: Samples = np.maximum(10 * np.log10(power + 1e-12), SILENCE_DB).astype(np.float32)
    return level


def _track(container: InputContainer) -> Any:
    track = next((s for s in container.streams.audio if s.codec_context), None)
    if track is None:
        raise Undecodable("there is no sound in it")
    return track


def _duration(stream: BinaryIO, mime_type: str) -> float:
    with opened(stream, mime_type) as container:
        duration = measured_seconds(container, _track(container))
    if not duration:
        raise Undecodable("there is no sound in it")
    return duration


def _cover(container: InputContainer) -> bytes | None:
    for picture in container.streams.video:
        if picture.disposition & av.stream.Disposition.attached_pic:
            return next((bytes(packet) for packet in container.demux(picture) if packet.size), None)
    return None


def _is_mp3(stream: BinaryIO) -> bool:
    with opened(stream, "audio/mpeg") as container:
        name: str = _track(container).codec_context.codec.canonical_name
        return name == "mp3"


def _read_up_to(stream: BinaryIO, limit: int) -> bytes | None:
    stream.seek(0)
    data = stream.read(limit + 1)
    return data if len(data) <= limit else None


def _plain_wav(stream: BinaryIO) -> bytes | None:
    data = _read_up_to(stream, _COPY_WAV_BYTES)
    if not data:
        return None
    try:
        with wave.open(io.BytesIO(data)) as sound:
            declared = sound.getnframes() * sound.getnchannels() * sound.getsampwidth()
            plain = sound.getnchannels() <= 2 and sound.getsampwidth() == 2 and 0 < declared < len(data)
    except (wave.Error, EOFError):
        return None
    return data if plain else None


def _copy_mp3(stream: BinaryIO, start: float, end: float) -> bytes:
    """Frames end to end, which is all that an MP3 is.

    FFmpeg's muxer would put a header before them whose count of samples to drop eats up to a quarter of a second.
    """
    frames: list[bytes] = []
    with opened(stream, "audio/mpeg") as container:
        track = _track(container)
        zero = origin(container)
        seek(container, start - _LEAD_SECONDS)
        for packet in container.demux(track):
            at = seconds(packet.pts, packet.time_base) - zero
            if at >= end:
                break
            if packet.size and at + seconds(packet.duration, packet.time_base) / 2 >= start:
                frames.append(bytes(packet))
    if not frames:
        raise Undecodable("there is no sound in this stretch")
    return b"".join(frames)


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
    with opened(stream, mime_type) as container:
        track = _track(container)
        seek(container, start - _LEAD_SECONDS)
        for at, heard in _resampled(container, track):
            expected = round(at * RATE)
            position = min(expected, first) if position is None else position
            gap = expected - position
            silence = gap if RATE // 10 < gap < RATE * MAX_LEAP_SECONDS else 0
            samples = np.concatenate([np.zeros(silence, dtype=np.float32), heard])
            piece = samples[max(0, first - position) :]
            stop = position + len(samples)
            if stop > last:
                piece = piece[: len(piece) - int(stop - last)]
            position = stop
            if len(piece):
                found = True
                yield piece
            if stop >= last:
                break
    if not found:
        raise Undecodable("there is no sound in this stretch")


def _resampled(container: InputContainer, track: Any) -> Iterator[tuple[float, Samples]]:
    zero, shape, resampler = origin(container), None, None
    for frame in frames_of(container.demux(track)):
        found = (frame.format.name, frame.layout.name, frame.sample_rate)
        if resampler is None or found != shape:
            # Not to float: there FFmpeg adds channels up without keeping them below full scale.
            shape, resampler = found, AudioResampler("s16", "mono", RATE)
        at = max(0.0, (frame.time or 0.0) - zero)
        frame.pts = None
        for part in resampler.resample(frame):
            yield at, part.to_ndarray()[0].astype(np.float32) / 32768
