"""Pictures: what one is, and the form in which it is uploaded."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from llama_index_gemini_mm.codecs import Undecodable
from llama_index_gemini_mm.codecs._image_words import orientation_of, words_of
from llama_index_gemini_mm.media import Box

MAX_SIDE = 3072
"""Longer side of an uploaded picture, in pixels."""
MAX_PIXELS = 90_000_000
"""Pixels that are decoded at once; beyond lies what is made to exhaust memory."""
_JPEG = ("JPEG", "MPO")
"""MPO is JPEG with further pictures behind the first, as many cameras write it."""
_GRAPHIC_COLORS = 256
_QUALITY = 90
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    OverflowError,
    NotImplementedError,
    MemoryError,
    ZeroDivisionError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""What Pillow's plug-ins raise on broken content."""


@dataclass(frozen=True)
class ImageInfo:
    """A picture. Size in pixels as shown (upright), ``title`` and ``caption`` as embedded in the file, or empty."""

    width: int
    height: int
    mime_type: str
    frames: int = 1
    title: str = ""
    caption: str = ""


def probe(stream: BinaryIO) -> ImageInfo:
    """Describe a picture from its header. Raises ``Undecodable``."""
    with _opened(stream) as image:
        width, height = image.size
        if orientation_of(image) >= 5:
            width, height = height, width
        title, caption = words_of(image)
        frames = int(getattr(image, "n_frames", 1))
        return ImageInfo(width, height, _mime_type(image), frames, title, caption)


def cut(stream: BinaryIO, box: Box | None) -> tuple[bytes, str]:
    """The picture, or the ``box`` of it, as PNG or JPEG of at most 3,072 pixels a side, with its MIME type.

    A picture that is already fit for upload passes through byte for byte. Else it comes upright, without transparency,
    in 8 bit gray or RGB, and of an animation the first frame. Raises ``Undecodable``.
    """
    with _opened(stream) as image:
        if box is None and _fits(image):
            image.load()
            stream.seek(0)
            return stream.read(), _mime_type(image)
        if image.format in _JPEG and box is None:
            image.draft(image.mode, (MAX_SIDE, MAX_SIDE))
        if image.width * image.height > MAX_PIXELS:
            raise Undecodable(f"{image.width} x {image.height} pixels are too many")
        plain = _plain(ImageOps.exif_transpose(image))
        if box is not None:
            plain = plain.crop(_pixels(box, plain.size))
        plain.thumbnail((MAX_SIDE, MAX_SIDE))
        return _encoded(plain, photo=image.format in _JPEG)


def _mime_type(image: Image.Image) -> str:
    if image.format in _JPEG:
        return "image/jpeg"
    return Image.MIME.get(image.format or "", "")


@contextmanager
def _opened(stream: BinaryIO) -> Iterator[Image.Image]:
    _register_heif()
    stream.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on odd tags would go to the user's terminal
            with Image.open(stream) as image:
                yield image
    except Undecodable:
        raise
    except _BROKEN as error:
        raise Undecodable("not readable as a picture") from error


def _register_heif() -> None:
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return
    register_heif_opener()


def _fits(image: Image.Image) -> bool:
    return (
        image.format in ("PNG", "JPEG")
        and image.mode in ("RGB", "L")
        and max(image.size) <= MAX_SIDE
        and getattr(image, "n_frames", 1) == 1
        and "transparency" not in image.info
        and not any(";16" in str(tile) for tile in getattr(image, "tile", ()))
        and orientation_of(image) == 1
    )


def _plain(image: Image.Image) -> Image.Image:
    """8 bit gray or RGB, transparency on white."""
    if image.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        return _stretched(image)
    if "A" in image.getbands() or "transparency" in image.info:
        color = image.convert("RGBA")
        paper = Image.new("RGBA", color.size, "white")
        return Image.alpha_composite(paper, color).convert("RGB")
    return image if image.mode in ("RGB", "L") else image.convert("L" if image.mode == "1" else "RGB")


def _stretched(image: Image.Image) -> Image.Image:
    """Wide gray values brought to 8 bit: 16 bit ones by their scale, others by the range that they use."""
    gray = np.nan_to_num(np.asarray(image, dtype=np.float32))
    low, high = (0.0, 65535.0) if image.mode.startswith("I;16") else (float(gray.min()), float(gray.max()))
    return Image.fromarray(((gray - low) * (255 / max(high - low, 1e-9))).clip(0, 255).astype(np.uint8))


def _pixels(box: Box, size: tuple[int, int]) -> tuple[int, int, int, int]:
    width, height = size
    x0, x1 = _inside(box[0] * width, box[2] * width, width)
    y0, y1 = _inside(box[1] * height, box[3] * height, height)
    return x0, y0, x1, y1


def _inside(start: float, end: float, size: int) -> tuple[int, int]:
    first = min(max(0, int(start)), size - 1)
    return first, max(first + 1, min(round(end), size))


def _encoded(image: Image.Image, *, photo: bool) -> tuple[bytes, str]:
    target = io.BytesIO()
    if photo or image.getcolors(_GRAPHIC_COLORS) is None:
        image.save(target, "JPEG", quality=_QUALITY)
        return target.getvalue(), "image/jpeg"
    image.save(target, "PNG", optimize=True)
    return target.getvalue(), "image/png"
