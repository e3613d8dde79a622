"""Which kind of sound file some content is, by its first bytes."""

from __future__ import annotations

from collections.abc import Mapping

from llama_index_gemini_mm.codecs._mpeg import find_mpeg, starts_adts, starts_mpeg
from llama_index_gemini_mm.source import HEAD_BYTES, Source

_MAGIC: Mapping[bytes, str] = {
    b"fLaC": "audio/flac",
    b"OggS": "audio/ogg",
    b"#!AMR": "audio/amr",
    b"caff\x00\x01": "audio/x-caf",
    b".snd": "audio/basic",
}
_ISO_BRANDS = frozenset((b"M4A ", b"M4B ", b"M4P ", b"F4A ", b"F4B "))
_DOLBY = b"\x0b\x77"
_DOLBY_SUFFIXES = (".ac3", ".eac3", ".ec3", ".bin", "")
_MPEG_SUFFIXES = (".mp3", ".mp2", ".mpga")
_FILM_IN_OGG = (b"\x80theora", b"\x01video\x00")


def mime_of(source: Source) -> str | None:
    """The registered type of a sound container by its content, or ``None``."""
    head = source.head
    tagged = head[:3] == b"ID3"
    if tagged:
        head = _behind_id3(source)
    known = _by_magic(head, source.suffix)
    if known or head[4:8] == b"ftyp":
        return known or ("audio/mp4" if head[8:12] in _ISO_BRANDS else None)
    if starts_adts(head):
        return "audio/aac"
    if tagged or starts_mpeg(head) or (source.suffix in _MPEG_SUFFIXES and find_mpeg(head) >= 0):
        return "audio/mpeg"
    return None


def _by_magic(head: bytes, suffix: str) -> str | None:
    if head[:4] in (b"RIFF", b"RF64", b"BW64", b"RIFX") and head[8:12] == b"WAVE":
        return "audio/wav"
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "audio/aiff"
    if head.startswith(_DOLBY) and len(head) > 5 and suffix in _DOLBY_SUFFIXES:
        return "audio/eac3" if head[5] >> 3 > 10 else "audio/ac3"
    if head.startswith(b"OggS") and any(name in head for name in _FILM_IN_OGG):
        return None
    return next((mime for magic, mime in _MAGIC.items() if head.startswith(magic)), None)


def _behind_id3(source: Source) -> bytes:
    """What follows the ID3v2 tags at the start, of which there may be several."""
    with source.open() as stream:
        position = 0
        while (head := stream.read(HEAD_BYTES))[:3] == b"ID3" and len(head) >= 10:
            size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
            position += 10 + size + (10 if head[5] & 0x10 else 0)
            stream.seek(position)
        return head.lstrip(b"\0")
