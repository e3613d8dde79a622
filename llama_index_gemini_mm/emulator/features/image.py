"""Features of pictures: colour names, brightness, layout, and captions stored in the file."""

from __future__ import annotations

import html
import importlib.util
import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps

from llama_index_gemini_mm.emulator.features.space import Features, blend
from llama_index_gemini_mm.emulator.features.text import text_features, word_features
from llama_index_gemini_mm.emulator.replies import invalid
from llama_index_gemini_mm.limits import TOKENS_PER_IMAGE, Modality

Pixels = npt.NDArray[np.uint8]
"""An RGB picture scaled to 32 × 32, shape (32, 32, 3)."""

_SIDE = 32
_CAPTION_KEYS = ("description", "title", "caption", "comment", "subject", "keywords", "headline")
_XMP_TEXT = re.compile(rb"<dc:(title|description|subject)\b.*?</dc:\1>", re.DOTALL)
_XMP_ITEM = re.compile(rb"<rdf:li[^>]*>([^<]*)</rdf:li>")
_EXIF_TEXTS = (ExifTags.Base.ImageDescription, ExifTags.Base.XPTitle, ExifTags.Base.XPSubject, ExifTags.Base.XPComment)
_HUES = (
    (15, "red"),
    (42, "orange"),
    (68, "yellow"),
    (165, "green"),
    (195, "cyan"),
    (260, "blue"),
    (290, "purple"),
    (335, "pink"),
    (360, "red"),
)


@dataclass(frozen=True)
class Picture:
    """A picture part, decoded."""

    pixels: Pixels
    caption: str
    modality: ClassVar[Modality] = "image"
    tokens: ClassVar[int] = TOKENS_PER_IMAGE

    def features(self) -> Features:
        """What the stand-in model sees in it.

        The stored caption weighs less than the picture, else a captioned picture would be further from its own copy
        without a caption than some other bare picture is.
        """
        return blend((pixel_features(self.pixels), 1.0), (text_features(self.caption), 0.5))


def read_picture(data: bytes, formats: tuple[str, ...]) -> Picture:
    """Decode a picture.

    Args:
        data: the file.
        formats: Pillow's names of the formats that are accepted, whatever the declared MIME type.

    Raises:
        Refusal: 400 when it is of another format or cannot be decoded.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns about odd metadata, which is the sender's business
            with Image.open(io.BytesIO(data), formats=_openable(formats)) as image:
                image.draft("RGB", (256, 256))
                return Picture(shrink(ImageOps.exif_transpose(image)), "\n".join(_captions(image)))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise invalid("Unable to process input image. Please retry or report.") from error


def shrink(image: Image.Image) -> Pixels:
    """Any Pillow image as RGB at 32 × 32; transparency becomes white, 16 bit become 8."""
    if image.mode.startswith(("I;16", "I", "F")):
        levels = np.asarray(image, dtype=np.float64)
        span = float(np.ptp(levels)) or 1.0
        image = Image.fromarray(((levels - levels.min()) / span * 255).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    small = image.convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.uint8)


def pixel_features(pixels: Pixels) -> Features:
    """Colour words and layout of a 32 × 32 picture."""
    return blend((word_features(colour_words(pixels)), 0.5), (_layout(pixels), 0.8))


def colour_words(pixels: Pixels) -> dict[str, float]:
    """Names of the colours in a picture with the root of their share, and "bright" or "dark"."""
    hue, saturation, value = np.moveaxis(
        np.asarray(Image.fromarray(pixels).convert("HSV"), dtype=np.float64).reshape(-1, 3), 1, 0
    )
    names = np.select(
        [value < 45, (saturation < 40) & (value > 200), saturation < 40], ["black", "white", "grey"], default="colour"
    ).astype("<U8")
    edges = [edge for edge, _ in _HUES]
    hues = np.array([name for _, name in _HUES])[np.searchsorted(edges, hue * 360 / 255).clip(0, len(_HUES) - 1)]
    names = np.where(names == "colour", hues, names)
    names[((names == "orange") | (names == "red")) & (value < 150) & (value >= 45)] = "brown"
    found, counts = np.unique(names, return_counts=True)
    words = {str(name): float(np.sqrt(count / len(names))) for name, count in zip(found, counts, strict=True)}
    brightness = float(value.mean())
    if brightness > 190 or brightness < 65:
        words["bright" if brightness > 190 else "dark"] = 0.5
    return {word: weight for word, weight in words.items() if weight > 0.2}


def _layout(pixels: Pixels) -> Features:
    """Light and colour by place, without their means: what stays the same when a picture is scaled or recompressed."""
    planes = np.asarray(Image.fromarray(pixels).convert("YCbCr"), dtype=np.float64) / 255
    cells = {"y": _pool(planes[..., 0], 16), "b": _pool(planes[..., 1], 8), "r": _pool(planes[..., 2], 8)}
    cells["y"] = cells["y"] - cells["y"].mean()
    weights = {"y": 1.0, "b": 2.0, "r": 2.0}
    offsets = {"y": 0.0, "b": 0.5, "r": 0.5}
    return {
        f"thumb:{plane}:{at}": float(level - offsets[plane]) * weights[plane]
        for plane, levels in cells.items()
        for at, level in enumerate(levels.ravel())
    }


def _openable(formats: tuple[str, ...]) -> list[str]:
    """Those of the formats for which Pillow has a decoder, with that of pillow-heif when it is installed."""
    Image.init()
    if "HEIF" in formats and "HEIF" not in Image.OPEN and importlib.util.find_spec("pillow_heif"):
        importlib.import_module("pillow_heif").register_heif_opener()
    return [name for name in formats if name in Image.OPEN]


def _pool(plane: npt.NDArray[np.float64], side: int) -> npt.NDArray[np.float64]:
    step = _SIDE // side
    pooled: npt.NDArray[np.float64] = plane.reshape(side, step, side, step).mean(axis=(1, 3))
    return pooled


def _captions(image: Image.Image) -> Iterator[str]:
    """Texts that describe the picture in its metadata: PNG text, EXIF, XMP."""
    for key, value in image.info.items():
        if isinstance(key, str) and key.lower() in _CAPTION_KEYS and isinstance(value, str | bytes):
            yield value if isinstance(value, str) else value.decode("utf-8", "replace")
    exif = image.getexif()
    for tag in _EXIF_TEXTS:
        value = exif.get(tag)
        if isinstance(value, bytes):
            value = value.decode("utf-16-le", "replace")
        if isinstance(value, str):
            yield value.rstrip("\x00")
    yield from _xmp_texts(image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b"")


def _xmp_texts(packet: bytes | str) -> Iterator[str]:
    raw = packet.encode() if isinstance(packet, str) else packet
    for block in _XMP_TEXT.finditer(raw):
        for item in _XMP_ITEM.finditer(block[0]):
            yield html.unescape(item[1].decode("utf-8", "replace"))
