"""Sound recordings: music, speech, calls, noises."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from llama_index.core.schema import Document

from llama_index_gemini_mm import media
from llama_index_gemini_mm.codecs import Undecodable
from llama_index_gemini_mm.errors import EncryptedFile, FileTooLarge, NothingToRead
from llama_index_gemini_mm.limits import Modality
from llama_index_gemini_mm.media import HEADING_SEPARATOR, Fragment, Locator, MediaRef
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers._base import DocumentBuilder, Extra, Format, ReaderOptions
from llama_index_gemini_mm.readers._bounds import MAX_SECONDS
from llama_index_gemini_mm.readers.audio.kinds import mime_of
from llama_index_gemini_mm.readers.audio.words import facts_of, makers_of, title_of, words_of
from llama_index_gemini_mm.source import Source

if TYPE_CHECKING:
    from llama_index_gemini_mm.codecs.audio import AudioInfo, Chapter

__all__ = ["FORMAT", "Recording", "describe", "documents", "mime_of", "title_of", "words_of"]

_SHORTEST_CHAPTER = 5.0
"""Seconds. A shorter one, such as an announcement, is read with the one before it."""
_MOST_LOST = 0.05
"""The part of a recording that may be missing from the end of its file."""
_ROUNDING_SECONDS = 0.5


@dataclass(frozen=True)
class Recording:
    """What is known of a sound or film before a document is made of it. ``fragment`` is the part of the bytes meant."""

    modality: Modality
    mime_type: str
    title: str
    text: str
    duration: float
    fragment: Fragment = field(default_factory=Fragment)
    extra: Extra = field(default_factory=dict)

    @property
    def at(self) -> Locator:
        """From the beginning to the end, of the whole or of the part meant."""
        start, end = self.fragment.start or 0.0, self.fragment.end or self.duration
        return Locator(start_seconds=round(start, 3), end_seconds=round(end, 3))


class AudioFormat(Format):
    """Recordings; one audio document a file or chapter, and an image document for each cover."""

    name = "audio"
    suffixes = (
        *(".mp3", ".mp2", ".mpga", ".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".spx", ".m4a", ".m4b", ".m4p"),
        *(".aac", ".aif", ".aiff", ".aifc", ".amr", ".awb", ".ac3", ".eac3", ".ec3", ".caf", ".au", ".snd"),
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
        "audio/eac3",
        "audio/x-caf",
        "audio/basic",
    )

    def score(self, source: Source) -> int:
        """Match the first bytes, behind ID3 tags if there are any."""
        return self.score_by_magic(source, matches=mime_of(source) is not None)

    def medium(self, source: Source) -> str | None:
        """The type of the container."""
        return mime_of(source)

    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Document]:
        """Yield the recording or its chapters, titled and captioned by its tags, and then its covers."""
        yield from documents(source, store, options, mime_of(source) or self.mime_types[0])


def documents(
    source: Source, store: MediaStore, options: ReaderOptions, mime_type: str, fragment: Fragment | None = None
) -> Iterator[Document]:
    """Yield what is in a file in which there is nothing but sound.

    ``fragment`` names the sound where ``mime_type`` is that of a film. Raises ``EncryptedFile``, ``NothingToRead`` for
    one that is silent, and ``codecs.Undecodable``.
    """
    from llama_index_gemini_mm.codecs import audio

    with source.open() as stream:
        info = audio.probe(stream, mime_type)
        if info.is_locked:
            raise EncryptedFile(source.location, "it is locked to the shop that sold it, and no password opens it")
        if info.duration > MAX_SECONDS:
            raise FileTooLarge(source.location, f"longer than {MAX_SECONDS / 3600:g} hours")
        _check_whole(info)
        if audio.is_silent(stream, mime_type):
            raise NothingToRead(source.location, "it is silent from beginning to end")
    whole = _recording(source, info, mime_type, fragment)
    builder = DocumentBuilder(source, store, mime_type)
    for recording in _by_chapter(whole, info):
        yield _document(builder, recording)
    if options.figures:
        yield from _covers(builder, options, whole, info)


def _document(builder: DocumentBuilder, recording: Recording) -> Document:
    ref = MediaRef(builder.info.sha256, recording.fragment)
    return builder.original(
        recording.modality, text=recording.text, title=recording.title, at=recording.at, ref=ref, extra=recording.extra
    )


def describe(source: Source, mime_type: str, fragment: Fragment | None = None) -> Recording:
    """Length and tags of a sound; raises ``codecs.Undecodable``."""
    from llama_index_gemini_mm.codecs import audio

    with source.open() as stream:
        info = audio.probe(stream, mime_type)
        _check_whole(info)
        audio.is_silent(stream, mime_type)
    return _recording(source, info, mime_type, fragment)


def _recording(source: Source, info: AudioInfo, mime_type: str, fragment: Fragment | None) -> Recording:
    title, text, facts = title_of(info.tags, source), words_of(info.tags), facts_of(info.tags)
    return Recording("audio", mime_type, title, text, info.duration, fragment or Fragment(), facts)


def _check_whole(info: AudioInfo) -> None:
    """Refuse a recording of which a part is missing: half a download, a disk that was full."""
    lost = info.promised - info.duration
    if lost > max(_ROUNDING_SECONDS, _MOST_LOST * info.promised):
        raise Undecodable(f"cut off: {info.duration:.1f} of {info.promised:.1f} seconds are there")


def _by_chapter(whole: Recording, info: AudioInfo) -> Iterator[Recording]:
    """One recording for each chapter, or the whole where there are none; only the first one tells all that is known."""
    chapters = _covering(info.chapters, info.duration)
    if len(chapters) < 2:
        yield whole
        return
    text = whole.text
    for chapter in chapters:
        part = replace(whole.fragment, start=round(chapter.start, 3), end=round(chapter.end, 3))
        title = HEADING_SEPARATOR.join(filter(None, (whole.title, chapter.title)))
        extra = {**whole.extra, media.CHAPTER: media.one_line(chapter.title)} if chapter.title else whole.extra
        yield replace(whole, title=title, text=text, fragment=part, extra=extra)
        text = makers_of(info.tags)


def _covering(chapters: tuple[Chapter, ...], duration: float) -> list[Chapter]:
    """Chapters that follow one another from beginning to end: each lasts until the next one begins."""
    ends = [*(chapter.start for chapter in chapters[1:]), duration]
    kept = [c for c, end in zip(chapters, ends, strict=False) if min(end, duration) - c.start >= _SHORTEST_CHAPTER]
    starts = [0.0, *(chapter.start for chapter in kept[1:]), duration]
    return [replace(c, start=start, end=end) for c, (start, end) in zip(kept, pairwise(starts), strict=False)]


def _covers(builder: DocumentBuilder, options: ReaderOptions, whole: Recording, info: AudioInfo) -> Iterator[Document]:
    """The pictures that come with a recording and can be shown, captioned by what they and the recording are called."""
    from llama_index_gemini_mm.readers._pictures import usable_mime

    for number, cover in enumerate(info.covers, 1):
        # Every player shows a cover large, so a small one is no ornament.
        mime_type = usable_mime(cover.data, options.min_figure_pixels, shown=options.min_figure_pixels)
        if mime_type:
            at = Locator(container_path=builder.inside("cover" if number == 1 else f"cover-{number}"))
            said = (cover.title, "" if cover.kind == "Other" else cover.kind, makers_of(info.tags))
            text = "\n".join(dict.fromkeys(words.strip() for words in said if words.strip()))
            yield builder.extracted(
                "image", cover.data, mime_type, text=text, title=whole.title, at=at, extra=whole.extra
            )


FORMAT = AudioFormat()
