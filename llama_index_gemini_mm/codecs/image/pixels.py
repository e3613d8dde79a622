"""From the pixels that files hold to those that are uploaded: 8 bit gray or sRGB, upright, on paper, of a fit size."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, ImageCms

_WIDE = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")
_SCALES = {"F": 1.0, "I": 255.0}
"""The white of float pixels, and of gray values that are kept in more bits than they need; else it is 16 bit."""
_USED = 0.25
"""A picture that uses less than this share of its scale was not meant for the eye, and is stretched."""
_OUTLIERS = (0.1, 99.9)
"""Percentiles taken for black and white when stretching: hot pixels and dead ones do not count."""
_SAMPLE = 1_000_000
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""By EXIF orientation: what brings the picture upright."""
_SEEN, _CLEAR = 16, 0.1
_LIGHT, _SWALLOWED = 235, 0.5
_DARK, _LINES = 100, 0.01
"""A picture that is clear in a tenth of it, and as light as this in half of the rest, would vanish on white; unless
more than a hundredth of it is as dark as lines and letters are, which would vanish on dark paper."""
_DARK_PAPER = (64, 64, 64)
_SRGB = (b"sRGB", "sRGB".encode("utf-16-be"))
_FLAT = 0.4
"""Share of pixels equal to their neighbour, from which a picture is a drawing."""


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """The picture turned as its EXIF orientation says."""
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


def plain(image: Image.Image, max_side: int) -> Image.Image:
    """8 bit gray or sRGB of at most ``max_side`` pixels a side. ``image`` is used up."""
    image = _scalable(image)
    image.thumbnail((max_side, max_side), reducing_gap=1.0)
    return _in_srgb(on_paper(image) if image.has_transparency_data else image)


def is_drawing(image: Image.Image) -> bool:
    """Whether most of it is flat colour, as in drawings, charts and screens, so that PNG keeps it sharp and small."""
    pixels = np.asarray(image)
    if pixels.shape[1] < 2:
        pixels = pixels.swapaxes(0, 1)
    same = pixels[:, 1:] == pixels[:, :-1]
    return bool((same.all(axis=-1) if same.ndim == 3 else same).mean() >= _FLAT) if same.size else True


def _scalable(image: Image.Image) -> Image.Image:
    """A mode whose pixels can be mixed."""
    if image.mode in _WIDE:
        return stretched(image)
    if image.mode == "1":
        return image.convert("L")
    if image.mode in ("RGBA", "LA", "CMYK", "LAB") or (image.mode in ("RGB", "L") and not image.has_transparency_data):
        return image
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def stretched(image: Image.Image) -> Image.Image:
    """Wide gray values in 8 bit: by their scale if they make use of it, or else by the range that most of them use."""
    gray = np.asarray(image).astype(np.float32)
    sample = gray.ravel()[:: max(1, gray.size // _SAMPLE)]
    sample = sample[np.isfinite(sample)]
    low, high = _range(sample, image.mode) if sample.size else (0.0, 1.0)
    np.nan_to_num(gray, copy=False, nan=low, posinf=high, neginf=low)
    gray -= low
    gray *= 255 / max(high - low, 1e-9)
    return Image.fromarray(gray.clip(0, 255, out=gray).round(out=gray).astype(np.uint8))


def _range(sample: Any, mode: str) -> tuple[float, float]:
    darkest, brightest = (float(v) for v in np.percentile(sample, _OUTLIERS))
    scale = _SCALES.get(mode, 65535.0)
    if float(sample.min()) >= 0 and float(sample.max()) <= scale and brightest - darkest >= _USED * scale:
        return 0.0, scale
    if brightest > darkest:
        return darkest, brightest
    return (0.0, scale) if 0 <= darkest <= scale else (float(sample.min()), float(sample.max()))


def on_paper(image: Image.Image) -> Image.Image:
    """What is transparent becomes white, or dark gray where white would swallow most of what is drawn."""
    color = image.convert("RGBA")
    paper = Image.new("RGBA", color.size, _DARK_PAPER if _needs_dark(color) else "white")
    paper.alpha_composite(color)
    flat = paper.convert("RGB")
    flat.info = image.info
    return flat


def _needs_dark(color: Image.Image) -> bool:
    small = color.reduce(max(1, max(color.size) // 256))
    opacity, light = np.asarray(small.getchannel("A")), np.asarray(small.convert("L"))
    seen = light[opacity > _SEEN]
    if not seen.size or (opacity <= _SEEN).mean() < _CLEAR:
        return False
    return bool((seen >= _LIGHT).mean() >= _SWALLOWED and (seen <= _DARK).mean() <= _LINES)


def _in_srgb(image: Image.Image) -> Image.Image:
    """Gray as it is, colours by the profile that belongs to them."""
    if image.mode == "L":
        return image
    profile = image.info.get("icc_profile") or b""
    if image.mode == "LAB" or (profile and not any(name in profile[:4096] for name in _SRGB)):
        try:
            source: Any = ImageCms.ImageCmsProfile(io.BytesIO(profile)) if profile else ImageCms.createProfile("LAB")
            target: Any = ImageCms.createProfile("sRGB")
            return ImageCms.profileToProfile(image, source, target, outputMode="RGB") or image
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass  # a broken profile, or that of other pixels: the colours then come as near as they do without one
    return image if image.mode == "RGB" else image.convert("RGB")
