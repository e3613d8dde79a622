"""Sound recordings: music, speech, calls, noises."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from llama_index.core.schema import Document

from llama_index_gemini_mm.codecs import Undecodable
from llama_index_gemini_mm.limits import Modality
from llama_index_gemini_mm.media import Fragment, Locator, MediaRef
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers._base import DocumentBuilder, Format, ReaderOptions, humanise
from llama_index_gemini_mm.source import HEAD_BYTES, Source

_MAGIC = {
    b"fLaC": "audio/flac",
    b"OggS": "audio/ogg",
    b"#!AMR": "audio/amr",
    b"\x0b\x77": "audio/ac3",
}
_ISO_BRANDS = frozenset((b"M4A ", b"M4B ", b"M4P ", b"F4A ", b"F4B "))
_WORTH_READING = ("artist", "album", "description", "comment", "synopsis", "lyrics")
"""Tags that say what is heard; encoders, dates and numbers do not."""

_MPEG1_KBITS = {
    1: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
}
_MPEG2_KBITS = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES = (44100, 48000, 32000)
_LAYER_III = 1


@dataclass(frozen=True)
class Recording:
    """What is known of a sound or film before a document is made of it. ``fragment`` is the part of the bytes meant."""

    modality: Modality
    mime_type: str
    title: str
    text: str
    duration: float
    fragment: Fragment = field(default_factory=Fragment)

    @property
    def at(self) -> Locator:
        """From the beginning to the end."""
        return Locator(start_seconds=0.0, end_seconds=round(self.duration, 3))


class AudioFormat(Format):
    """Recordings; one audio document a file."""

    name = "audio"
    suffixes = (
        *(".mp3", ".mp2", ".mpga", ".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".m4a", ".m4b", ".aac"),
        *(".aif", ".aiff", ".aifc", ".amr", ".ac3"),
    )
    mime_types = (
        "audio/mpeg",
        "audio/wav",
        "audio/flac",
        "audio/ogg",
        "audio/mp4",
        "audio/aac",
        "audio/aiff",
        "audio/amr",
        "audio/ac3",
    )

    def score(self, source: Source) -> int:
        """Match the first bytes, behind ID3 tags if there are any."""
        return self.score_by_magic(source, matches=mime_of(source) is not None)

    def medium(self, source: Source) -> str | None:
        """The type of the container."""
        return mime_of(source)

    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Document]:
        """Yield the recording, titled and captioned by its tags."""
        yield original(source, store, describe(source, mime_of(source) or self.mime_types[0]))


def original(source: Source, store: MediaStore, recording: Recording) -> Document:
    """The document of a recording that is a file of its own."""
    builder = DocumentBuilder(source, store, recording.mime_type)
    ref = MediaRef(builder.info.sha256, recording.fragment)
    return builder.original(recording.modality, text=recording.text, title=recording.title, at=recording.at, ref=ref)


def describe(source: Source, mime_type: str, fragment: Fragment | None = None) -> Recording:
    """Length and tags of a sound; raises ``codecs.Undecodable``."""
    from llama_index_gemini_mm.codecs import audio

    with source.open() as stream:
        info = audio.probe(stream, mime_type)
        _check_sounds(stream, mime_type, info.duration)
    title, text = title_of(info.tags, source), words_of(info.tags)
    return Recording("audio", mime_type, title, text, info.duration, fragment or Fragment())


def _check_sounds(stream: BinaryIO, mime_type: str, duration: float) -> None:
    """Decode a second at the beginning, or else in the middle: a header can be sound over frames that are not."""
    from llama_index_gemini_mm.codecs import audio

    try:
        audio.cut(stream, mime_type, 0.0, 1.0)
    except Undecodable:
        audio.cut(stream, mime_type, duration / 2, duration / 2 + 1)


def title_of(tags: dict[str, str], source: Source) -> str:
    """The tagged title, else the file's name."""
    return tags.get("title", "").strip() or humanise(source)


def words_of(tags: dict[str, str]) -> str:
    """What the tags say besides the title, one a line, each once."""
    return "\n".join(dict.fromkeys(tags[name].strip() for name in _WORTH_READING if tags.get(name, "").strip()))


def mime_of(source: Source) -> str | None:
    """The registered type of a sound container by its content, or ``None``."""
    head = source.head
    tagged = head[:3] == b"ID3"
    if tagged:
        head = _behind_id3(source)
    known = _riff_or_iff(head) or next((mime for magic, mime in _MAGIC.items() if head.startswith(magic)), None)
    if known == "audio/ac3" and source.suffix not in (".ac3", ".bin", ""):
        known = None
    if known or head[4:8] == b"ftyp":
        return known or ("audio/mp4" if head[8:12] in _ISO_BRANDS else None)
    if _is_adts(head):
        return "audio/aac"
    return "audio/mpeg" if tagged or _is_mpeg(head) else None


def _behind_id3(source: Source) -> bytes:
    """What follows the ID3v2 tags at the start, of which there may be several."""
    with source.open() as stream:
        position = 0
        while (head := stream.read(HEAD_BYTES))[:3] == b"ID3" and len(head) >= 10:
            size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
            position += 10 + size + (10 if head[5] & 0x10 else 0)
            stream.seek(position)
        return head.lstrip(b"\0")


def _riff_or_iff(head: bytes) -> str | None:
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return "audio/wav"
    return "audio/aiff" if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC") else None


def _is_adts(head: bytes) -> bool:
    """Two AAC frames in a row, or one that is all there is."""
    length = _adts_length(head)
    return length > 0 and (length >= len(head) - 7 or _adts_length(head[length:]) > 0)


def _adts_length(head: bytes) -> int:
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
        return 0
    return (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5


def _is_mpeg(head: bytes) -> bool:
    """Two MPEG audio frames in a row, or one that is all there is."""
    length = _mpeg_length(head)
    return length > 0 and (length >= len(head) - 4 or _mpeg_length(head[length:]) > 0)


def _mpeg_length(head: bytes) -> int:
    """Bytes of the MPEG audio frame (layer II or III) that starts here; 0 when none does."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return 0
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bitrate, rate = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer not in (1, 2) or bitrate in (0, 15) or rate == 3:
        return 0
    hertz = _RATES[rate] >> (0 if version == 3 else 1 if version == 2 else 2)
    kbits = _MPEG1_KBITS[layer][bitrate] if version == 3 else _MPEG2_KBITS[bitrate]
    samples = 72 if layer == _LAYER_III and version != 3 else 144
    return samples * kbits * 1000 // hertz + (head[2] >> 1 & 1)


FORMAT = AudioFormat()
