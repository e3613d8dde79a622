"""Films, screen casts, recorded meetings: pictures, sound and subtitles as documents over the same time."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from llama_index.core.schema import Document

from llama_index_gemini_mm.codecs import TooMuch, Undecodable
from llama_index_gemini_mm.errors import CorruptFile, EncryptedFile, FileTooLarge, NothingToRead
from llama_index_gemini_mm.media import LANGUAGE, Fragment, Locator, MediaRef
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers import audio
from llama_index_gemini_mm.readers._base import BY_BOTH, DocumentBuilder, Format, ReaderOptions
from llama_index_gemini_mm.readers._bounds import MAX_BLOCKS, MAX_SECONDS
from llama_index_gemini_mm.readers._cues import Cue, cue_documents
from llama_index_gemini_mm.readers.image import ISO_BRANDS
from llama_index_gemini_mm.readers.video.language import bcp47
from llama_index_gemini_mm.readers.video.tags import plain_names, tagged
from llama_index_gemini_mm.source import Source

if TYPE_CHECKING:
    from llama_index_gemini_mm.codecs.video import VideoInfo

_log = logging.getLogger(__name__)

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
_OGG = "video/ogg"
_OGG_FILMS = (b"\x80theora", b"OVP80", b"\x01video\0", b"BBCD\0")
"""What the first page of moving pictures in an Ogg file holds: Theora, VP8, OGM, Dirac."""
_MOST_LOST = 0.05
"""The part of a file that may be missing from its end without being named."""
_SOUND_ALONE = {
    "video/mp4": "audio/mp4",
    "video/quicktime": "audio/mp4",
    "video/3gpp": "audio/mp4",
    "video/x-ms-wmv": "audio/x-ms-wma",
    "video/webm": "audio/webm",
    "video/x-matroska": "audio/x-matroska",
    _OGG: "audio/ogg",
}
"""What a container is called when nothing is to be seen in it."""


class VideoFormat(Format):
    """Films; one video document, one audio document when something is heard, and text from subtitles."""

    name = "video"
    suffixes = (
        *(".mp4", ".m4v", ".mov", ".qt", ".webm", ".mkv", ".mka", ".avi", ".mpeg", ".mpg", ".mpe", ".vob", ".ts"),
        *(".mts", ".m2ts", ".wmv", ".asf", ".wma", ".flv", ".f4v", ".3gp", ".3g2", ".ogv", ".ogm", ".ogx"),
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
        "video/ogg",
        "audio/x-ms-wma",
        "audio/webm",
        "audio/x-matroska",
    )

    def score(self, source: Source) -> int:
        """Match the first bytes."""
        found = mime_of(source.head)
        # What is in an Ogg file says more than that it is one, which is what the reader of sounds goes by.
        return BY_BOTH + 1 if found == _OGG else self.score_by_magic(source, matches=found is not None)

    def medium(self, source: Source) -> str | None:
        """The type of the container, named after what is in it: a film, or sound alone."""
        mime_type = mime_of(source.head) or self.mime_types[0]
        return mime_type if _probe(source, mime_type).has_picture else _SOUND_ALONE.get(mime_type, mime_type)

    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Document]:
        """Yield the film, its sound, and its subtitles, track by track."""
        mime_type = mime_of(source.head) or self.mime_types[0]
        info = _probe(source, mime_type)
        if info.has_picture:
            yield from _film(source, store, mime_type, info)
        else:
            yield from _sound(source, store, options, mime_type)
        yield from _subtitles(source, store, mime_type, info)
        _check_end(source, mime_type)


def _probe(source: Source, mime_type: str) -> VideoInfo:
    """What the container holds; raises ``codecs.Undecodable``, and ``SourceError`` for what is not to be read."""
    from llama_index_gemini_mm.codecs import video

    with source.open() as stream, _within_bounds(source):
        info = video.probe(stream, mime_type)
    if info.is_locked and not info.has_sound:
        raise EncryptedFile(source.location, "its pictures are locked, or of a kind that no decoder here knows")
    if not (info.has_picture or info.has_sound):
        raise NothingToRead(source.location, "there is neither picture nor sound in it")
    if info.duration > MAX_SECONDS:
        raise FileTooLarge(source.location, f"longer than {MAX_SECONDS / 3600:g} hours, or its time stamps are broken")
    return info


def _film(source: Source, store: MediaStore, mime_type: str, info: VideoInfo) -> Iterator[Document]:
    """The pictures, and the sound over the same time unless it is silent."""
    tags = plain_names(info.tags)
    title, text, extra = audio.title_of(tags, source), audio.words_of(tags), tagged(tags)
    at = Locator(start_seconds=0.0, end_seconds=round(info.duration, 3))
    builder = DocumentBuilder(source, store, mime_type)
    yield builder.original("video", text=text, title=title, at=at, extra=extra)
    if info.has_sound and _is_heard(source, mime_type):
        language = bcp47(info.language)
        extra |= {LANGUAGE: language} if language else {}
        ref = MediaRef(builder.info.sha256, Fragment(track="audio"))
        yield builder.original("audio", text=text, title=title, at=at, ref=ref, extra=extra)


def _is_heard(source: Source, mime_type: str) -> bool:
    """Whether the sound of a film is more than silence, and can be decoded; if not, the film is read without it."""
    from llama_index_gemini_mm.codecs import audio as sound

    try:
        with source.open() as stream:
            silent = sound.is_silent(stream, mime_type)
    except Undecodable as error:
        _log.warning("%s: its sound is left out: %s", source.name, error)
        return False
    if silent:
        _log.info("%s: its sound is left out: it is silent", source.name)
    return not silent


def _sound(source: Source, store: MediaStore, options: ReaderOptions, mime_type: str) -> Iterator[Document]:
    """A container in which nothing moves."""
    alone = _SOUND_ALONE.get(mime_type)
    track = None if alone else Fragment(track="audio")
    yield from audio.documents(source, store, options, alone or mime_type, track)


def _subtitles(source: Source, store: MediaStore, mime_type: str, info: VideoInfo) -> Iterator[Document]:
    """What is said, in stretches of about half a minute with their times."""
    from llama_index_gemini_mm.codecs import video

    title = audio.title_of(plain_names(info.tags), source)
    builder = DocumentBuilder(source, store, mime_type)
    with source.open() as stream, _within_bounds(source):
        found = video.cues(stream, mime_type, MAX_BLOCKS) if info.subtitles else {}
    for number, track in enumerate(info.subtitles, 1):
        language = bcp47(track.language)
        path = builder.inside(f"subtitles/{number}-{language}" if language else f"subtitles/{number}")
        words = (Cue(*cue) for cue in found.get(track.index, ()))
        extra = {LANGUAGE: language} if language else None
        yield from cue_documents(words, builder, title=title, container_path=path, extra=extra)


@contextmanager
def _within_bounds(source: Source) -> Iterator[None]:
    try:
        yield
    except TooMuch as error:
        raise FileTooLarge(source.location, str(error)) from error


def _check_end(source: Source, mime_type: str) -> None:
    """Name what is cut off, after what is there has been read."""
    from llama_index_gemini_mm.codecs import video

    with source.open() as stream:
        missing = video.missing_bytes(stream, mime_type)
    total = source.size + missing
    if missing > _MOST_LOST * total:
        raise CorruptFile(source.location, f"cut off: {missing:,} of {total:,} bytes are missing; the rest was read")


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
    if head.startswith(b"OggS"):
        return _OGG if any(sign in head for sign in _OGG_FILMS) else None
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
