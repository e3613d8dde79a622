"""Small media made on the spot, so that tests know what is in them. Every function returns the bytes of a file."""

from __future__ import annotations

import io
import wave
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

import av
import numpy as np
import pymupdf
from PIL import Image

RATE = 16_000
Color = str | tuple[int, int, int]


def picture(color: Color = "red", size: tuple[int, int] = (48, 32), mode: str = "RGB") -> Image.Image:
    """A picture of one colour whose top left quarter is white, so that its orientation shows."""
    image = Image.new("RGB", size, color)
    image.paste("white", (0, 0, max(1, size[0] // 2), max(1, size[1] // 2)))
    return image.convert(mode)


@lru_cache
def png(color: Color = "red", size: tuple[int, int] = (48, 32), mode: str = "RGB") -> bytes:
    """A PNG."""
    return encoded(picture(color, size, mode), "PNG")


@lru_cache
def jpeg(
    color: Color = "red",
    size: tuple[int, int] = (48, 32),
    mode: str = "RGB",
    orientation: int = 1,
    description: str = "",
) -> bytes:
    """A JPEG with an EXIF orientation (1 upright, 6 turned) and description."""
    exif = Image.Exif()
    if orientation != 1:
        exif[0x0112] = orientation
    if description:
        exif[0x010E] = description
    return encoded(picture(color, size, mode), "JPEG", exif=exif)


@lru_cache
def photo(size: tuple[int, int] = (64, 48), form: str = "PNG") -> bytes:
    """Noise: more colours than a palette holds."""
    noise = np.random.default_rng(7).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    return encoded(Image.fromarray(noise), form)


@lru_cache
def gif(colors: tuple[Color, ...] = ("red", "blue"), size: tuple[int, int] = (16, 16)) -> bytes:
    """An animation with a frame for each colour."""
    frames = [Image.new("RGB", size, color) for color in colors]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    """``image`` as a file of Pillow's format ``form``."""
    target = io.BytesIO()
    image.save(target, form, **options)
    return target.getvalue()


def tone(
    seconds: float, hz: float = 440, rate: int = RATE, pauses: Sequence[tuple[float, float]] = (), offset: float = 0
) -> np.ndarray[Any, np.dtype[np.int16]]:
    """Samples of a sine at half of full scale, silent within ``pauses``; ``offset`` delays nothing but the phase."""
    times = np.arange(round(seconds * rate)) / rate
    samples = 0.5 * np.sin(2 * np.pi * hz * (times + offset))
    for start, end in pauses:
        samples[(times >= start) & (times < end)] = 0
    return (samples * 32767).astype(np.int16)


@lru_cache
def wav(
    seconds: float = 1.0,
    hz: float = 440,
    rate: int = RATE,
    channels: int = 1,
    pauses: tuple[tuple[float, float], ...] = (),
) -> bytes:
    """16 bit PCM."""
    target = io.BytesIO()
    with wave.open(target, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(np.repeat(tone(seconds, hz, rate, pauses), channels).tobytes())
    return target.getvalue()


_ENCODERS = {"mp3": "libmp3lame", "flac": "flac", "ogg": "libopus", "mp4": "aac", "aiff": "pcm_s16be"}


@lru_cache
def sound(
    form: str = "flac",
    seconds: float = 1.0,
    hz: float = 440,
    rate: int = RATE,
    channels: int = 1,
    pauses: tuple[tuple[float, float], ...] = (),
    tags: tuple[tuple[str, str], ...] = (),
    cover: bytes = b"",
) -> bytes:
    """A recording in FFmpeg's format ``form``: mp3, flac, ogg (Opus), mp4 (AAC) or aiff."""
    target = io.BytesIO()
    with av.open(target, "w", format=form) as out:
        out.metadata.update(dict(tags))
        track = out.add_stream(_ENCODERS[form], rate=rate)
        track.layout = "mono" if channels == 1 else "stereo"
        if cover:
            _add_cover(out, cover)
        samples = np.repeat(tone(seconds, hz, rate, pauses), channels)
        _mux_sound(out, track, samples, rate, channels)
    return target.getvalue()


def mp3(
    seconds: float = 1.0,
    hz: float = 440,
    rate: int = RATE,
    channels: int = 1,
    pauses: tuple[tuple[float, float], ...] = (),
    tags: tuple[tuple[str, str], ...] = (),
    cover: bytes = b"",
) -> bytes:
    """An MP3."""
    return sound("mp3", seconds, hz, rate, channels, pauses, tags, cover)


def _add_cover(out: Any, cover: bytes) -> None:
    with av.open(io.BytesIO(cover)) as source:
        stream = out.add_stream_from_template(source.streams.video[0])
        stream.disposition = av.stream.Disposition.attached_pic
        packet = next(source.demux(source.streams.video[0]))
        packet.stream = stream
        out.mux(packet)


def _mux_sound(out: Any, track: Any, samples: Any, rate: int, channels: int) -> None:
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout=track.layout.name)
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    for part in av.AudioResampler(track.format, track.layout, track.rate, track.frame_size or None).resample(frame):
        out.mux(track.encode(part))
    out.mux(track.encode(None))


_QUIET = {"libx265": {"x265-params": "log-level=none"}}


@lru_cache
def film(
    seconds: float = 2.0,
    colors: tuple[Color, ...] = ("red", "blue"),
    size: tuple[int, int] = (64, 48),
    sound: bool = False,
    gop: int = 10,
    form: str = "mp4",
    codec: str = "libx264",
    fps: int | Fraction = 10,
    rotation: int = 0,
    hz: float = 440,
) -> bytes:
    """A film that shows each of ``colors`` for an equal share of its time, with a white top left quarter.

    A key frame stands every ``gop`` frames, and at each change of colour when libx264 finds it.
    """
    target = io.BytesIO()
    with av.open(target, "w", format=form) as out:
        track: Any = out.add_stream(codec, rate=fps, options=_QUIET.get(codec, {}))
        track.width, track.height, track.pix_fmt = *size, "yuvj420p" if codec == "mjpeg" else "yuv420p"
        track.codec_context.gop_size = gop
        if rotation:
            track.set_display_rotation(rotation)
        speech: Any = out.add_stream("aac", rate=RATE, layout="mono") if sound else None
        count = round(seconds * fps)
        shots = [np.asarray(picture(color, size)) for color in colors]
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(shots[number * len(shots) // count], format="rgb24")
            frame.pts, frame.time_base = number, 1 / Fraction(fps)
            out.mux(track.encode(frame))
        out.mux(track.encode(None))
        if speech:
            _mux_sound(out, speech, tone(seconds, hz), RATE, 1)
    return target.getvalue()


@lru_cache
def pdf(pages: tuple[str, ...] = ("one", "two", "three"), password: str = "") -> bytes:
    """A PDF with a page for each text."""
    with pymupdf.open() as document:
        for text in pages:
            document.new_page(width=200, height=200).insert_text((20, 50), text)
        lock = {"encryption": pymupdf.PDF_ENCRYPT_AES_256, "user_pw": password, "owner_pw": password}
        return bytes(document.tobytes(**lock if password else {}))
