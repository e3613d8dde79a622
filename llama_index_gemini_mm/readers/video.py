"""Films, screen casts, recorded meetings: the pictures as one document, the sound as another over the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from llama_index.core.schema import Document

from llama_index_gemini_mm.media import Fragment
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers import audio
from llama_index_gemini_mm.readers._base import Format, ReaderOptions
from llama_index_gemini_mm.readers.audio import Recording
from llama_index_gemini_mm.readers.image import ISO_BRANDS
from llama_index_gemini_mm.source import Source

_MAGIC = {
    b"FLV\x01": "video/x-flv",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": "video/x-ms-wmv",
    b"\x00\x00\x01\xba": "video/mpeg",
    b"\x00\x00\x01\xb3": "video/mpeg",
}
_EBML = b"\x1a\x45\xdf\xa3"
_ATOMS = frozenset((b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"))
"""What a QuickTime file without a brand may start with."""
_TS_PACKETS = ((188, 0), (192, 4), (204, 0))
_SOUND_ALONE = {"video/mp4": "audio/mp4", "video/quicktime": "audio/mp4", "video/x-ms-wmv": "audio/x-ms-wma"}
"""What a container is called when nothing is to be seen in it."""


class VideoFormat(Format):
    """Films; one video document, and one audio document when there is sound."""

    name = "video"
    suffixes = (
        *(
            ".mp4",
            ".m4v",
            ".mov",
            ".qt",
            ".webm",
            ".mkv",
            ".mka",
            ".avi",
            ".mpeg",
            ".mpg",
            ".mpe",
            ".vob",
            ".ts",
            ".mts",
        ),
        *(".m2ts", ".wmv", ".asf", ".wma", ".flv", ".f4v", ".3gp", ".3g2"),
    )
    mime_types = (
        "video/mp4",
        "video/quicktime",
        "video/webm",
        "video/x-matroska",
        "video/x-msvideo",
        "video/mpeg",
        "video/mp2t",
        "video/x-ms-wmv",
        "video/x-flv",
        "video/3gpp",
        "audio/x-ms-wma",
    )

    def score(self, source: Source) -> int:
        """Match the first bytes."""
        return self.score_by_magic(source, matches=mime_of(source.head) is not None)

    def medium(self, source: Source) -> str | None:
        """The type of the container, named after what is in it: a film, or sound alone."""
        recordings = describe(source, mime_of(source.head) or self.mime_types[0])
        return next(iter(recordings)).mime_type

    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Document]:
        """Yield the film and its sound."""
        for recording in describe(source, mime_of(source.head) or self.mime_types[0]):
            yield audio.original(source, store, recording)


def describe(source: Source, mime_type: str) -> list[Recording]:
    """The film and its sound, or the one that there is; raises ``codecs.Undecodable``."""
    from llama_index_gemini_mm.codecs import video

    with source.open() as stream:
        info = video.probe(stream, mime_type)
    if not info.has_picture:
        alone = _SOUND_ALONE.get(mime_type)
        return [audio.describe(source, alone or mime_type, None if alone else Fragment(track="audio"))]
    title, text = audio.title_of(info.tags, source), audio.words_of(info.tags)
    film = Recording("video", mime_type, title, text, info.duration)
    return [film, replace(film, modality="audio", fragment=Fragment(track="audio"))] if info.has_sound else [film]


def mime_of(head: bytes) -> str | None:
    """The registered type of a film container by its first bytes, or ``None``."""
    known = next((mime for magic, mime in _MAGIC.items() if head.startswith(magic)), None)
    if known:
        return known
    if head.startswith(_EBML):
        return "video/webm" if b"webm" in head[:64] else "video/x-matroska"
    if head[:4] == b"RIFF" and head[8:11] == b"AVI":
        return "video/x-msvideo"
    if _is_transport_stream(head):
        return "video/mp2t"
    return _iso(head)


def _iso(head: bytes) -> str | None:
    """MP4, QuickTime and 3GPP are one container; the brand tells them apart."""
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        if brand in ISO_BRANDS:
            return None
        return "video/quicktime" if brand == b"qt  " else "video/3gpp" if brand[:2] == b"3g" else "video/mp4"
    return "video/quicktime" if head[4:8] in _ATOMS else None


def _is_transport_stream(head: bytes) -> bool:
    """Whether sync bytes recur at the distance of packets, five times."""
    return any(
        len(head) > start + 4 * size and all(head[start + i * size] == 0x47 for i in range(5))
        for size, start in _TS_PACKETS
    )


FORMAT = VideoFormat()
