"""Small media files, made on the spot."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt
import pymupdf
from PIL import Image, PngImagePlugin

RATE = 16_000


def picture(seed: int = 0, size: tuple[int, int] = (160, 120)) -> Image.Image:
    """A picture of soft blobs, another one for each seed."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def encoded(image: Image.Image, name: str = "PNG", **options: object) -> bytes:
    """A picture as a file of the given format."""
    buffer = io.BytesIO()
    image.save(buffer, name, **options)
    return buffer.getvalue()


def plain_png(colour: str = "red", caption: str | None = None) -> bytes:
    """A picture of one colour, with a caption in its PNG text when one is given."""
    info = PngImagePlugin.PngInfo()
    if caption:
        info.add_text("Description", caption)
    return encoded(Image.new("RGB", (64, 48), colour), pnginfo=info)


def tone(seconds: float, hertz: float = 440.0) -> npt.NDArray[np.float32]:
    """A steady tone with two overtones."""
    time = np.arange(int(seconds * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * hertz * k * time) / k for k in (1, 2, 3))
    return (0.3 * wave).astype(np.float32)


def noise(seconds: float, seed: int = 0) -> npt.NDArray[np.float32]:
    """White noise that swells and fades twice a second."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    return (0.3 * rng.standard_normal(len(time)) * (1 + np.sin(2 * np.pi * 2 * time)) / 2).astype(np.float32)


def sound(samples: npt.NDArray[np.float32], container: str = "wav", tags: dict[str, str] | None = None) -> bytes:
    """Samples as WAV or MP3."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as file:
        file.metadata.update(tags or {})
        stream = file.add_stream({"wav": "pcm_s16le", "mp3": "libmp3lame"}[container], rate=RATE, layout="mono")
        pcm = (samples.clip(-1, 1) * 32767).astype(np.int16)
        for at in range(0, len(pcm), 1152):
            frame = av.AudioFrame.from_ndarray(pcm[None, at : at + 1152], format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, at, Fraction(1, RATE)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return buffer.getvalue()


def film(
    seconds: float,
    images: list[Image.Image],
    *,
    codec: str = "libx264",
    container: str = "mp4",
    samples: npt.NDArray[np.float32] | None = None,
    rate: int = 2,
) -> bytes:
    """A film that shows the pictures one after the other, with sound when samples are given."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as file:
        video = file.add_stream(codec, rate=rate)
        video.width, video.height, video.pix_fmt = 160, 120, "yuv420p"
        audio = file.add_stream("aac", rate=RATE, layout="mono") if samples is not None else None
        total = int(seconds * rate)
        for number in range(total):
            frame = av.VideoFrame.from_image(images[number * len(images) // total].resize((160, 120)))
            frame.pts = number
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
        if audio is not None:
            for at in range(0, len(samples), 1024):
                piece = av.AudioFrame.from_ndarray(samples[None, at : at + 1024], format="flt", layout="mono")
                piece.sample_rate, piece.pts, piece.time_base = RATE, at, Fraction(1, RATE)
                file.mux(audio.encode(piece))
            file.mux(audio.encode(None))
    return buffer.getvalue()


def pdf(*texts: str, password: str | None = None, image: bytes | None = None) -> bytes:
    """A PDF with one page for each text."""
    document = pymupdf.open()
    for text in texts:
        page = document.new_page(width=300, height=400)
        page.insert_text((20, 40), text)
        if image:
            page.insert_image(pymupdf.Rect(20, 100, 280, 300), stream=image)
    options = {"encryption": pymupdf.PDF_ENCRYPT_AES_256, "user_pw": password} if password else {}
    return document.tobytes(**options)
