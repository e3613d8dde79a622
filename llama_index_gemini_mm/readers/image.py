"""Pictures in every raster format that Pillow reads, and HEIC when pillow-heif is installed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, BinaryIO

from llama_index.core.schema import Document

from llama_index_gemini_mm import media
from llama_index_gemini_mm.codecs import TooMuch
from llama_index_gemini_mm.errors import FileTooLarge, MissingDependency, NothingToRead
from llama_index_gemini_mm.media import Fragment, Locator, MediaRef
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers._base import BY_SUFFIX, DocumentBuilder, Format, ReaderOptions, humanise
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
_NETPBM = re.compile(rb"P(?:[1-6]\r?\n(?:#[^\n]*\n)*\d+[ \t\r\n]+\d+\s|f\n\d+ \d+\n-?\d)")
_PCX = re.compile(rb"\n[\x00\x02-\x05][\x00\x01][\x01\x02\x04\x08].{60}(?:\x00|$)", re.DOTALL)
_TARGA = re.compile(rb".(?:\x00[\x02\x03\x0a\x0b]|\x01[\x01\x09]).{13}[\x08\x10\x18\x20]", re.DOTALL)
"""Weak: it is taken for one only where the suffix says so too."""
_TARGA_SUFFIX = ".tga"
_AVIF = frozenset((b"avif", b"avis"))
_HEIF = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"))
ISO_BRANDS = _AVIF | _HEIF
"""Brands of the ISO container that hold pictures rather than film."""


class ImageFormat(Format):
    """Photos, scans, drawings and animations; one image document a picture."""

    name = "image"
    suffixes = (
        *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".tif", ".tiff", ".bmp", ".dib", ".avif"),
        *(".heic", ".heif", ".hif", ".jp2", ".j2k", ".jpx", ".ico", ".pgm", ".ppm", ".pbm", ".pnm", ".pfm", ".pcx"),
        *(".mpo", _TARGA_SUFFIX),
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
        "image/x-pcx",
        "image/x-tga",
    )

    def score(self, source: Source) -> int:
        """Match the first bytes; Targa has no magic number, and needs its suffix."""
        if source.suffix == _TARGA_SUFFIX and _TARGA.match(source.head):
            return BY_SUFFIX
        return self.score_by_magic(source, matches=is_picture(source.head))

    def medium(self, source: Source) -> str | None:
        """The type of the picture."""
        return _described(source).mime_type

    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Document]:
        """Yield the picture, captioned and titled by the words embedded in it, or else titled by its file name.

        Each page of a TIFF is a picture of its own; an animation is one picture, or by choice a film.
        """
        info = _described(source)
        if info.width * info.height == 1:
            raise NothingToRead(source.location, "the picture is a single pixel")
        builder = DocumentBuilder(source, store, info.mime_type)
        if info.frames > 1 and options.animations == "film":
            yield _film(source, builder, info)
        else:
            yield from _pictures(builder, info)


def _pictures(builder: DocumentBuilder, info: ImageInfo) -> Iterator[Document]:
    title, extra = _title(builder.source, info), _facts(info)
    if len(info.pages) == 1:
        yield builder.original("image", text=info.words.caption, title=title, extra=extra)
        return
    for number, page in enumerate(info.pages, 1):
        ref = MediaRef(builder.info.sha256, Fragment(first_page=page))
        at = Locator(page_label=str(number), page_start=page)
        yield builder.original("image", text=info.words.caption, title=title, at=at, ref=ref, extra=extra)


def _film(source: Source, builder: DocumentBuilder, info: ImageInfo) -> Document:
    from llama_index_gemini_mm.codecs import animation

    with source.open() as stream:
        data, seconds = animation.film(stream)
    at = Locator(start_seconds=0.0, end_seconds=round(seconds, 3))
    words, title, extra = info.words.caption, _title(source, info), _facts(info)
    return builder.extracted("video", data, "video/mp4", text=words, title=title, at=at, extra=extra)


def _title(source: Source, info: ImageInfo) -> str:
    return info.words.title or humanise(source)


def _facts(info: ImageInfo) -> dict[str, str | int | float]:
    """Who took the picture, when and where, as far as the file says."""
    words = info.words
    facts: dict[str, str | int | float] = {
        media.AUTHOR: words.author,
        media.CREATED: words.created,
        media.KEYWORDS: ", ".join(words.keywords),
    }
    known = {key: value for key, value in facts.items() if value}
    return known if words.place is None else known | {media.LATITUDE: words.place[0], media.LONGITUDE: words.place[1]}


def is_picture(head: bytes) -> bool:
    """Whether these first bytes are those of a picture."""
    return (
        head.startswith(_MAGIC)
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        or (head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS)
        or (head[:4] == b"\x00\x00\x01\x00" and 0 < head[4] < 64 and head[5] == 0)
        or _NETPBM.match(head) is not None
        or _PCX.match(head) is not None
        or _brand(head) in ISO_BRANDS
    )


def _brand(head: bytes) -> bytes:
    """The main brand of an ISO container."""
    return head[8:12] if head[4:8] == b"ftyp" else b""


def _described(source: Source) -> ImageInfo:
    """Size and words of the picture; one that cannot be decoded is refused here rather than when it is embedded."""
    if _brand(source.head) in _HEIF and find_spec("pillow_heif") is None:
        raise MissingDependency(source.location, "pillow-heif", "heif")
    try:
        with source.open() as stream:
            return decoded_info(stream)
    except TooMuch as error:
        raise FileTooLarge(source.location, str(error)) from error


def decoded_info(stream: BinaryIO) -> ImageInfo:
    """What a picture is, after decoding it once: a header can be sound over content that is cut off.

    Raises ``codecs.Undecodable``, and so for one with more pixels than are ever decoded.
    """
    from llama_index_gemini_mm.codecs import image

    info = image.probe(stream)
    image.check(stream)
    return info


FORMAT = ImageFormat()
