"""The words in a film's container: subtitles as text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from llama_index_gemini_mm.codecs import TooMuch
from llama_index_gemini_mm.codecs._container import frames_of, opened, origin, seconds
from llama_index_gemini_mm.codecs.video.frames import only

if TYPE_CHECKING:
    from av.container import InputContainer

Cue = tuple[float, float, str]
_TEXT_CODECS = frozenset(("mov_text", "subrip", "ass", "webvtt", "text"))
"""Subtitles that are words; those of discs and broadcasts are pictures of words."""
_STYLE = re.compile(r"\{[^}]*\}|<[^>\n]*>")
_ASSUMED_SECONDS = 3.0
"""How long words stand of which only the beginning is written down."""


@dataclass(frozen=True)
class Subtitles:
    """A track of words. ``language`` as the container writes it, mostly ISO 639-2; empty where it does not say."""

    index: int
    language: str


def subtitles_of(container: InputContainer) -> tuple[Subtitles, ...]:
    """The tracks that hold words."""
    return tuple(Subtitles(track.index, language_of(track)) for track in _word_tracks(container))


def _word_tracks(container: InputContainer) -> list[Any]:
    return [
        track
        for track in container.streams.subtitles
        if track.codec_context and track.codec_context.codec.canonical_name in _TEXT_CODECS
    ]


def language_of(track: Any) -> str:
    """The language of a track as the container writes it, or nothing."""
    language = (track.language if track else None) or ""
    return "" if language in ("und", "mis", "mul", "zxx") else language


def cues(stream: BinaryIO, mime_type: str, most: int) -> dict[int, list[Cue]]:
    """The words of every track of subtitles by its index: from when to when they stand, in seconds, without styles.

    Raises ``TooMuch`` for more than ``most`` of them.
    """
    found: dict[int, list[Cue]] = {}
    with opened(stream, mime_type) as container:
        tracks = _word_tracks(container)
        only(container, *tracks)
        zero = origin(container)
        for number, packet in enumerate(container.demux(*tracks) if tracks else ()):
            if number >= most:
                raise TooMuch(f"more than {most:,} subtitles")
            start = max(0.0, seconds(packet.pts, packet.time_base) - zero)
            end = start + (seconds(packet.duration, packet.time_base) or _ASSUMED_SECONDS)
            for words in frames_of([packet]):
                text = _plain(getattr(words, "dialogue", b""))
                if text:
                    found.setdefault(packet.stream.index, []).append((start, end, text))
    return found


def _plain(dialogue: bytes) -> str:
    text = _STYLE.sub("", dialogue.decode("utf-8", "replace")).replace("\\h", " ").replace("\\n", "\n")
    return "\n".join(line for line in (" ".join(line.split()) for line in text.splitlines()) if line)
