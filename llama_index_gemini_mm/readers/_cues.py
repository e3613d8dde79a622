"""Subtitles: what is said from when to when, and how it becomes documents."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from llama_index.core.schema import Document

from llama_index_gemini_mm.media import Locator
from llama_index_gemini_mm.readers._base import DocumentBuilder, Extra

_PAUSE = 6.0
"""Seconds of silence after which something else begins."""
_TOUCHING = 0.2
"""Seconds between two cues that are one on the screen."""
_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?[ \t]+([^<>]*)>")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<\d[\d:.]*>|\{\\[^{}]*\}")
_MARKS = dict.fromkeys(map(ord, "\u200e\u200f\u202a\u202b\u202c\ufeff"))


@dataclass(frozen=True)
class Cue:
    """Words on the screen from ``start`` to ``end``, in seconds from the beginning; lines as they stand there."""

    start: float
    end: float
    text: str


def grouped(cues: Iterable[Cue], seconds: float = 30.0) -> Iterator[Cue]:
    """Join cues, in the order of their beginnings, to stretches of about ``seconds``, parted at long pauses.

    A line that merely stays on the screen while the next one appears, as in live captions, is said once.
    """
    taken: list[str] = []
    first = last = Cue(0.0, 0.0, "")
    for cue in sorted((c for c in cues if c.text.strip()), key=lambda c: (c.start, c.end)):
        if taken and (cue.start - last.end > _PAUSE or cue.end - first.start > seconds):
            yield Cue(first.start, last.end, "\n".join(taken))
            taken = []
        stays = set(last.text.splitlines()) if cue.start - last.end <= _TOUCHING else set()
        new = [line for line in cue.text.splitlines() if line.strip() and line not in stays]
        first = cue if not taken else first
        taken += new
        last = Cue(cue.start, max(cue.end, last.end), cue.text)
    if taken:
        yield Cue(first.start, last.end, "\n".join(taken))


def plain_cue(text: str) -> str:
    r"""What a cue says, without tags and marks of direction; the speaker that WebVTT names stands before the words.

    Takes the breaks of SubStation Alpha (``\N``) as well.
    """
    text = text.replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " ")
    text = html.unescape(_TAG.sub("", _VOICE.sub(r"\1: ", text))).translate(_MARKS)
    return "\n".join(filter(None, (" ".join(line.split()) for line in text.split("\n"))))


def cue_documents(
    cues: Iterable[Cue],
    builder: DocumentBuilder,
    *,
    title: str,
    container_path: str | None = None,
    extra: Extra | None = None,
) -> Iterator[Document]:
    """Yield a document of words for every stretch of ``cues``, with its ``start_seconds`` and ``end_seconds``."""
    for cue in grouped(cues):
        at = Locator(start_seconds=cue.start, end_seconds=cue.end, container_path=container_path)
        yield builder.text(cue.text, title=title, at=at, extra=extra)
