"""Pictures in every raster format that Pillow reads, and HEIC when pillow-heif is installed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, BinaryIO

from llama_index.core.schema import Document

from llama_index_gemini_mm.codecs import Undecodable
from llama_index_gemini_mm.errors import FileTooLarge, MissingDependency
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers._base import DocumentBuilder, Format, ReaderOptions, humanise
from llama_index_gemini_mm.source import Source

if TYPE_CHECKING:
    from llama_index_gemini_mm.codecs.image import ImageInfo

_MAGIC = (
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"GIF87a",
    b"GIF89a",
    b"II*\x00",
    b"MM\x00*",
    b"II+\x00",
    b"MM\x00+",
    b"\x00\x00\x00\x0cjP  \r\n\x87\n",
    b"\xff\x4f\xff\x51\xff\x52",
)
_BMP_HEADERS = frozenset((12, 40, 52, 56, 64, 108, 124))
_NETPBM = re.compile(rb"P[1-6]\n(?:#[^\n]*\n)*\d+[ \t\n]+\d+\s")
_AVIF = frozenset((b"avif", b"avis"))
_HEIF = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"))
_ONE_PIXEL = (0.0, 0.0, 0.0, 0.0)
ISO_BRANDS = _AVIF | _HEIF
"""Brands of the ISO container that hold pictures rather than film."""


class ImageFormat(Format):
    """Photos, scans, drawings and animations; one image document a file."""

    name = "image"
    suffixes = (
        *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".tif", ".tiff", ".bmp", ".dib", ".avif"),
        *(".heic", ".heif", ".hif", ".jp2", ".j2k", ".jpx", ".ico", ".pgm", ".ppm", ".pbm", ".pnm"),
    )
    mime_types = (
        "image/png",
        "image/jpeg",
        "image/webp",
        "image/gif",
        "image/tiff",
        "image/bmp",
        "image/avif",
        "image/heic",
        "image/jp2",
        "image/x-icon",
        "image/x-portable-anymap",
    )

    def score(self, source: Source) -> int:
        """Match the first bytes."""
        return self.score_by_magic(source, matches=is_picture(source.head))

    def medium(self, source: Source) -> str | None:
        """The type of the picture."""
        return _described(source).mime_type

    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Document]:
        """Yield the picture, captioned by the description embedded in it and titled by its title or file name."""
        info = _described(source)
        builder = DocumentBuilder(source, store, info.mime_type)
        yield builder.original("image", text=info.caption, title=info.title or humanise(source))


def is_picture(head: bytes) -> bool:
    """Whether these first bytes are those of a picture."""
    return (
        head.startswith(_MAGIC)
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        or (head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS)
        or (head[:4] == b"\x00\x00\x01\x00" and 0 < head[4] < 64 and head[5] == 0)
        or _NETPBM.match(head) is not None
        or _brand(head) in ISO_BRANDS
    )


def _brand(head: bytes) -> bytes:
    """The main brand of an ISO container."""
    return head[8:12] if head[4:8] == b"ftyp" else b""


def _described(source: Source) -> ImageInfo:
    """Size and words of the picture; one that cannot be decoded is refused here rather than when it is embedded."""
    from PIL.Image import DecompressionBombError

    if _brand(source.head) in _HEIF and find_spec("pillow_heif") is None:
        raise MissingDependency(source.location, "pillow-heif", "heif")
    try:
        with source.open() as stream:
            info = decoded_info(stream)
    except Undecodable as error:
        if isinstance(error.__cause__, DecompressionBombError):
            raise FileTooLarge(source.location, "the picture has more pixels than are read") from error
        raise
    if info is None:
        raise FileTooLarge(source.location, "the picture has more pixels than are read")
    return info


def decoded_info(stream: BinaryIO) -> ImageInfo | None:
    """What a picture is, after decoding it once: a header can be sound over content that is cut off.

    ``None`` for one with more pixels than are ever decoded. Raises ``codecs.Undecodable``.
    """
    from llama_index_gemini_mm.codecs import image

    info = image.probe(stream)
    if info.width * info.height > image.MAX_PIXELS:
        return None
    image.cut(stream, _ONE_PIXEL)
    return info


FORMAT = ImageFormat()
