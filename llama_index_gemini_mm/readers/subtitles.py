"""Subtitles beside a film: what is said, from when to when."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from llama_index.core.schema import Document

from llama_index_gemini_mm import media
from llama_index_gemini_mm.errors import CorruptFile
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers._base import BY_SUFFIX, NO_MATCH, DocumentBuilder, Format, ReaderOptions, corrupt
from llama_index_gemini_mm.readers._cues import Cue, cue_documents, plain_cue
from llama_index_gemini_mm.readers._languages import known_language
from llama_index_gemini_mm.readers._text import decode, looks_like_text, read_text
from llama_index_gemini_mm.readers._ttml import ttml_cues
from llama_index_gemini_mm.source import Source

_MIME_TYPES = {
    ".srt": "application/x-subrip",
    ".vtt": "text/vtt",
    ".ass": "text/x-ssa",
    ".ssa": "text/x-ssa",
    ".ttml": "application/ttml+xml",
    ".dfxp": "application/ttml+xml",
}
_KINDS = {".vtt": "vtt", ".ass": "ass", ".ssa": "ssa", ".ttml": "ttml", ".dfxp": "ttml"}
_CONTENT = {
    "vtt": re.compile(r"WEBVTT(?:[ \t\n]|\Z)"),
    "srt": re.compile(r"\s*\d+[ \t]*\n\d+:\d\d:\d\d[,.]\d{1,3}[ \t]*-->[ \t]*\d"),
    "ass": re.compile(r"\s*\[Script Info\]", re.IGNORECASE),
    "ttml": re.compile(
        r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--[^<>]*-->\s*)*<(?:\w+:)?tt\s[^>]*http://www\.w3\.org/(?:\d+/\d+/)?(?:ns/)?ttml?a?f?1?"
    ),
}
_VTT_LANGUAGE = re.compile(r"^Language:[ \t]*(\S+)", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n{3,}")
_DRAWING = re.compile(r"\{[^{}]*\\p[1-9]")
_BRACKETS = re.compile(r"\{[^{}]*\}")
_FLAGS = frozenset(("forced", "sdh", "cc", "default", "foreign", "full", "hi", "sub", "subs", "subtitles", "captions"))


class SubtitleFormat(Format):
    """Subtitles as SubRip, WebVTT, SubStation Alpha and TTML; a document for about every half minute of speech."""

    name = "subtitles"
    suffixes = tuple(_MIME_TYPES)
    mime_types = tuple(dict.fromkeys(_MIME_TYPES.values()))

    def score(self, source: Source) -> int:
        """Match the beginning of each kind, or text by its suffix."""
        if not looks_like_text(source.head):
            return NO_MATCH
        if _kind_of(decode(source.head) or ""):
            return self.score_by_magic(source, matches=True)
        return BY_SUFFIX + 1 if source.suffix in self.suffixes else NO_MATCH

    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Document]:
        """Yield what is said, with its times; the title is the film's name, as the file's name gives it."""
        text = read_text(source)
        recognised = _kind_of(text[:8192])
        kind = recognised or _KINDS.get(source.suffix, "srt")
        cues, said = ttml_cues(source, source.read()) if kind == "ttml" else (_parsed(source, text, kind), "")
        if not (cues or recognised):
            raise CorruptFile(source.location, "text without the times that make it subtitles")
        title, named = _film_of(source)
        header = _VTT_LANGUAGE.search(text.partition("\n\n")[0]) if kind == "vtt" else None
        language = named or known_language(header[1] if header else said)
        mime_type = _MIME_TYPES[f".{kind}"]
        extra = {media.LANGUAGE: language} if language else None
        yield from cue_documents(cues, DocumentBuilder(source, store, mime_type), title=title, extra=extra)


def _kind_of(text: str) -> str | None:
    return next((kind for kind, begins in _CONTENT.items() if begins.match(text.removeprefix("\ufeff"))), None)


def _parsed(source: Source, text: str, kind: str) -> list[Cue]:
    from pysubs2 import SSAFile
    from pysubs2.exceptions import Pysubs2Error

    text = _BLANK_LINES.sub("\n\n", text)
    if kind == "vtt":
        text = _only_cues(text)
    kept = {"keep_html_tags": True} if kind in ("srt", "vtt") else {}
    with corrupt(source, "subtitle file", Pysubs2Error, ValueError, LookupError, AttributeError, TypeError):
        events = SSAFile.from_string(text, format_=kind, **kept)
    return [
        Cue(
            event.start / 1000,
            max(event.start, event.end) / 1000,
            _said(event.name, plain_cue(_shown(event.text, kind))),
        )
        for event in events
        if not event.is_comment
    ]


def _shown(text: str, kind: str) -> str:
    """What of an event is on the screen as words: SubStation Alpha has drawings and remarks among them.

    pysubs2 knows that too, but its patterns take minutes for a long line of open brackets.
    """
    if kind != "ass":
        return text
    return "" if _DRAWING.search(text) else _BRACKETS.sub("", text)


def _said(speaker: str, words: str) -> str:
    return f"{speaker.strip()}: {words}" if speaker.strip() and words else words


def _only_cues(text: str) -> str:
    """WebVTT without notes, styles, regions and the names of cues, which pysubs2 takes for words of the cue before."""
    blocks = (block.split("\n") for block in text.split("\n\n"))
    timed = (lines[index:] for lines in blocks for index, line in enumerate(lines[:2]) if "-->" in line)
    return "\n\n".join(["WEBVTT", *("\n".join(lines) for lines in timed)])


def _film_of(source: Source) -> tuple[str, str | None]:
    """The film and the language in a name such as ``film.pt-BR.forced.srt``."""
    parts = PurePosixPath(source.name).stem.split(".")
    rest = list(parts)
    while len(rest) > 1 and rest[-1].lower() in _FLAGS:
        rest.pop()
    if len(rest) > 1 and (language := known_language(rest[-1])):
        return _words(rest[:-1]), language
    # ``hi`` is a flag only beside a language: by itself it is Hindi.
    if len(parts) > 1 and (language := known_language(parts[-1])):
        return _words(parts[:-1]), language
    return _words(rest), None


def _words(parts: list[str]) -> str:
    return " ".join(".".join(parts).replace("_", " ").split())


FORMAT = SubtitleFormat()
