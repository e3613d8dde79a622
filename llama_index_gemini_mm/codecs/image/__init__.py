"""Pictures: what one is, and the form in which it is uploaded."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import BinaryIO

from PIL import Image, JpegImagePlugin

from llama_index_gemini_mm.codecs import TooMuch, Undecodable
from llama_index_gemini_mm.codecs.image.encoded import bare_jpeg, bare_png
from llama_index_gemini_mm.codecs.image.ends import is_cut_off
from llama_index_gemini_mm.codecs.image.fields import BROKEN
from llama_index_gemini_mm.codecs.image.pixels import is_drawing, plain, upright
from llama_index_gemini_mm.codecs.image.words import Words, orientation_of, words_of
from llama_index_gemini_mm.media import Box

MAX_SIDE = 3072
"""Longer side of an uploaded picture, in pixels."""
MAX_PIXELS = 178_956_970
"""Pixels that are decoded at once; beyond lies what is made to exhaust memory. Pillow stops there too."""
MAX_JPEG_PIXELS = 4 * MAX_PIXELS
"""Pixels of a JPEG that can be decoded at a half, a quarter or an eighth of its size."""
MAX_WORK = 2_000_000_000
"""Pixels of all the frames of an animation that are looked at; what comes later in a longer one is not."""
MAX_SCAN_PIXELS = 64 * MAX_PIXELS
"""Pixels of all the pages of a file; 1,300 pages of A4 at 300 dpi."""
MAX_PAGES = 10_000
_JPEG = ("JPEG", "MPO")
"""MPO is JPEG with further pictures behind the first, as many cameras write it."""
_FORMATS = (
    *("PNG", "JPEG", "MPO", "GIF", "WEBP", "TIFF", "BMP", "DIB", "AVIF", "HEIF", "JPEG2000", "ICO", "PPM", "PCX"),
    "TGA",  # last, because it has no magic number and takes much for itself
)
"""Those of Pillow's formats that are opened. Others run programs (EPS) or are not pictures that people keep."""
_ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")
_PAGED = ("TIFF", "HEIF")
_SUBFILE = 254
_NO_PAGE = 0b101
"""Bits of a TIFF's subfile type: a smaller copy, a mask."""
_PASSED_BYTES = 4 * 2**20
"""A PNG photo may be several times larger than the same as JPEG."""
_GRAPHIC_COLORS = 256
_SHARPNESS = 2
"""So many times the bytes of a JPEG may be spent on a drawing that PNG keeps sharp."""
_QUALITY = 90
_CUT_OFF = re.compile(r"truncat|unexpected end|EOF|not enough", re.IGNORECASE)


@dataclass(frozen=True)
class ImageInfo:
    """A picture. Size in pixels as shown (upright), and what the file says about it.

    ``frames`` counts those of an animation, ``pages`` are the numbers, from 1, of the pictures that stand one after
    another in a TIFF or HEIC file.
    """

    width: int
    height: int
    mime_type: str
    frames: int = 1
    pages: tuple[int, ...] = (1,)
    words: Words = field(default_factory=Words)


def probe(stream: BinaryIO) -> ImageInfo:
    """Describe a picture from its header. Raises ``Undecodable``."""
    with opened(stream) as image:
        width, height = image.size
        if image.format != "TIFF" and orientation_of(image) >= 5:
            width, height = height, width
        words = words_of(image)
        return ImageInfo(width, height, _mime_type(image), frames_of(image), _pages(image), words)


def check(stream: BinaryIO) -> None:
    """Decode all that is in the file: a header can be sound over content that is broken. Raises ``Undecodable``."""
    with opened(stream) as image:
        pages = _pages(image)
        if len(pages) > 1 and (pixels := _pixels_of(image, pages)) > MAX_SCAN_PIXELS:
            raise TooMuch(f"the pages have {pixels:,} pixels, and at most {MAX_SCAN_PIXELS:,} are read")
        for page in pages:
            _load(image, page)
        if frames_of(image) > 1:
            image.seek(last_frame(image))
            image.load()


def cut(stream: BinaryIO, box: Box | None, page: int | None = None) -> tuple[bytes, str]:
    """The picture, or the ``box`` of it, as PNG or JPEG of at most 3,072 pixels a side, with its MIME type.

    Pixels that are fit for upload pass through as they are, without what stands beside them in the file. Else they
    come upright, without transparency, in 8 bit gray or sRGB; of an animation the first frame, of several pictures the
    one with the number ``page``. Raises ``Undecodable``.
    """
    with opened(stream) as image:
        fits = box is None and frames_of(image) == 1 and _fits(image)
        _load(image, page, whole=box is not None)
        if fits:
            stream.seek(0)
            data = stream.read()
            bare = bare_png(data) if image.format == "PNG" else bare_jpeg(data)
            if bare and (image.format == "JPEG" or len(bare) <= _PASSED_BYTES):
                return bare, _mime_type(image)
        return upload_form(image, box)


def is_white(stream: BinaryIO) -> bool:
    """Whether a picture is white throughout. Raises ``Undecodable``."""
    with opened(stream) as image:
        return image.convert("L").getextrema() == (255, 255)


def upload_form(image: Image.Image, box: Box | None) -> tuple[bytes, str]:
    """A decoded picture, or the ``box`` of it, as it is uploaded: PNG when it is drawn, JPEG when it is a photo."""
    is_jpeg, orientation = image.format in _JPEG, orientation_of(image)
    if box is not None:
        image = upright(image, orientation)
        image = image.crop(_pixels(box, image.size))
    image = plain(image, MAX_SIDE)
    return _encoded(image if box is not None else upright(image, orientation), photo=is_jpeg)


@contextmanager
def opened(stream: BinaryIO) -> Iterator[Image.Image]:
    """The picture in a stream, its header read. What is broken or too large inside becomes ``Undecodable``."""
    _register_heif()
    stream.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on odd tags would go to the user's terminal
            with _open(stream) as image:
                yield image
    except Undecodable:
        raise
    except Image.DecompressionBombError as error:
        count = re.search(r"\((\d+) pixels\)", str(error))
        raise _too_many(int(count[1]) if count else MAX_PIXELS + 1) from error
    except BROKEN as error:
        cut_off = isinstance(error, EOFError) or _CUT_OFF.search(str(error)) or is_cut_off(stream)
        raise Undecodable("the picture is cut off" if cut_off else "not readable as a picture") from error


def frames_of(image: Image.Image) -> int:
    """Number of frames of an animation; 1 for a still."""
    return int(getattr(image, "n_frames", 1)) if image.format in _ANIMATED else 1


def last_frame(image: Image.Image) -> int:
    """Number, from 0, of the last frame that is looked at."""
    return max(1, min(frames_of(image), MAX_WORK // (image.width * image.height))) - 1


def _open(stream: BinaryIO) -> Image.Image:
    formats = [name for name in _FORMATS if name in Image.OPEN]
    head = stream.read(8)
    stream.seek(0)
    try:
        image = Image.open(stream, formats=formats)
        if image.format == "PNG" and frames_of(image) > 1:
            image.seek(last_frame(image))
            image.load()
            stream.seek(0)
            return Image.open(stream, formats=["PNG"])  # anew, because going back may upset the count of its frames
        return image
    except Image.DecompressionBombError:
        if not head.startswith(b"\xff\xd8\xff"):
            raise
        stream.seek(0)
        return JpegImagePlugin.JpegImageFile(stream)  # which can be decoded at a fraction of its size
    except BROKEN:
        if not head.startswith(b"\x89PNG") or is_cut_off(stream):
            raise
        stream.seek(0)
        # Texts that unpack to gigabytes, or an animation that breaks its rules: the picture itself may be sound.
        return Image.open(io.BytesIO(bare_png(stream.read())), formats=["PNG"])


def _register_heif() -> None:
    Image.init()
    with suppress(ImportError):
        from pillow_heif import register_heif_opener

        register_heif_opener()


def _load(image: Image.Image, page: int | None, *, whole: bool = False) -> None:
    """Decode a page, a large JPEG at a fraction of its size unless the ``whole`` is needed."""
    if page is not None and image.format in _PAGED:
        image.seek(page - 1)
    pixels = image.width * image.height
    if image.format in _JPEG:
        # In a progressive JPEG every scan runs over all of the picture, which then is in memory at its full size.
        if pixels > (MAX_PIXELS if image.info.get("progressive") else MAX_JPEG_PIXELS):
            raise _too_many(pixels)
        if not whole or pixels > MAX_PIXELS:
            scale = min(1.0, MAX_SIDE / max(image.size))
            image.draft(image.mode, (int(image.width * scale) or 1, int(image.height * scale) or 1))
    if image.width * image.height > MAX_PIXELS:
        raise _too_many(pixels)
    image.load()


def _too_many(pixels: int) -> TooMuch:
    return TooMuch(f"the picture has {pixels:,} pixels, and at most {MAX_PIXELS:,} are read")


def _pages(image: Image.Image) -> tuple[int, ...]:
    """Numbers of the pictures that stand for themselves: smaller copies and masks in a TIFF do not."""
    count = int(getattr(image, "n_frames", 1)) if image.format in _PAGED else 1
    if count > MAX_PAGES:
        raise TooMuch(f"the file has {count:,} pages, and at most {MAX_PAGES:,} are read")
    if count == 1 or image.format != "TIFF":
        return tuple(range(1, count + 1))
    pages = []
    for number in range(count):
        image.seek(number)
        if not int(image.tag_v2.get(_SUBFILE, 0)) & _NO_PAGE:  # type: ignore[attr-defined]
            pages.append(number + 1)
    image.seek(0)
    return tuple(pages) or (1,)


def _pixels_of(image: Image.Image, pages: tuple[int, ...]) -> int:
    total = 0
    for page in pages:
        image.seek(page - 1)
        total += image.width * image.height
    return total


def _mime_type(image: Image.Image) -> str:
    if image.format in _JPEG:
        return "image/jpeg"
    return Image.MIME.get(image.format or "", "")


def _fits(image: Image.Image) -> bool:
    return (
        image.format in ("PNG", "JPEG")
        and image.mode in ("RGB", "L")
        and max(image.size) <= MAX_SIDE
        and not image.has_transparency_data
        and not any(";16" in str(tile) for tile in getattr(image, "tile", ()))
        and orientation_of(image) == 1
    )


def _pixels(box: Box, size: tuple[int, int]) -> tuple[int, int, int, int]:
    width, height = size
    x0, x1 = _inside(box[0] * width, box[2] * width, width)
    y0, y1 = _inside(box[1] * height, box[3] * height, height)
    return x0, y0, x1, y1


def _inside(start: float, end: float, size: int) -> tuple[int, int]:
    first = min(max(0, int(start)), size - 1)
    return first, max(first + 1, min(round(end), size))


def _encoded(image: Image.Image, *, photo: bool) -> tuple[bytes, str]:
    image.info = {}
    if not photo and image.mode == "RGB" and image.getcolors(_GRAPHIC_COLORS) is not None:
        return _saved(image, "PNG"), "image/png"
    jpeg = _saved(image, "JPEG", quality=_QUALITY)
    if not photo and is_drawing(image):
        png = _saved(image, "PNG")
        if len(png) <= _SHARPNESS * len(jpeg):
            return png, "image/png"
    return jpeg, "image/jpeg"


def _saved(image: Image.Image, form: str, **options: int) -> bytes:
    target = io.BytesIO()
    image.save(target, form, **options)
    return target.getvalue()
