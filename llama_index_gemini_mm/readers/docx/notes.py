"""What stands beside the text of a Word document: footnotes, endnotes, comments, and running heads and feet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llama_index_gemini_mm.readers._ooxml import related_roots
from llama_index_gemini_mm.readers._sections import Paragraph
from llama_index_gemini_mm.readers.docx.inline import Line, W, line_of
from llama_index_gemini_mm.readers.docx.numbering import roman

_MAX_QUOTE = 300
"""Characters of the commented words that are quoted."""


@dataclass(frozen=True)
class _Comment:
    author: str
    text: str


class Notes:
    """The notes and comments of a document, to be given out at the end of the section that refers to them."""

    def __init__(self, part: Any, body: Any) -> None:
        self._texts: dict[tuple[str, str], str] = {}
        self._comments: dict[str, _Comment] = {}
        for name in ("footnote", "endnote"):
            for root in related_roots(part, f"{name}s"):
                self._texts |= {
                    (name, n.get(f"{W}id")): _words(n) for n in root.iter(W + name) if not n.get(f"{W}type")
                }
        for root in related_roots(part, "comments"):
            for comment in root.iter(f"{W}comment"):
                written = _Comment(" ".join((comment.get(f"{W}author") or "").split()), _words(comment))
                self._comments[comment.get(f"{W}id")] = written
        self._quotes = _quotes(body) if self._comments else {}
        self._marks: dict[tuple[str, str], str] = {}
        self._counts = {"footnote": 0, "endnote": 0}
        self._waiting: list[Paragraph] = []

    def mark(self, kind: str, note_id: str) -> str:
        """The sign that refers to a note: numbers for footnotes and small Roman ones for endnotes, in order."""
        key = (kind, note_id)
        if key not in self._marks and self._texts.get(key):
            number = self._counts[kind] = self._counts[kind] + 1
            self._marks[key] = f"[{roman(number) if kind == 'endnote' else number}]"
        return self._marks.get(key, "")

    def take(self, line: Line) -> None:
        """Remember what a paragraph refers to."""
        for key in line.notes:
            if text := self._texts.pop(key, ""):
                self._waiting.append(Paragraph(f"{self._marks[key]} {text}"))
        for comment_id in line.comments:
            self._waiting += self._comment(comment_id)

    def given(self) -> Iterator[Paragraph]:
        """What was referred to since the last call."""
        yield from self._waiting
        self._waiting = []

    def left(self) -> Iterator[Paragraph]:
        """The comments on no words in the text."""
        for comment_id in list(self._comments):
            yield from self._comment(comment_id)

    def _comment(self, comment_id: str) -> Iterator[Paragraph]:
        comment = self._comments.pop(comment_id, None)
        if comment is not None and comment.text:
            by = f" by {comment.author}" if comment.author else ""
            quote = self._quotes.get(comment_id, "")
            on = f" on “{quote}”" if quote else ""
            yield Paragraph(f"Comment{by}{on}: {comment.text}")


def _words(note: Any) -> str:
    return " ".join(filter(None, (line_of(p).text for p in note.iter(f"{W}p"))))


def _quotes(body: Any) -> dict[str, str]:
    """The words that each comment stands to, by its id."""
    found: dict[str, list[str]] = {}
    lengths: dict[str, int] = {}
    for element in body.iter(f"{W}commentRangeStart", f"{W}commentRangeEnd", f"{W}t", f"{W}p"):
        if element.tag == f"{W}t" or element.tag == f"{W}p":
            text = (element.text or "") if element.tag == f"{W}t" else " "
            for comment_id in list(lengths) if text else ():
                found[comment_id].append(text)
                lengths[comment_id] += len(text)
                if lengths[comment_id] > _MAX_QUOTE:
                    del lengths[comment_id]
        elif element.tag == f"{W}commentRangeStart":
            found[element.get(f"{W}id")] = []
            lengths[element.get(f"{W}id")] = 0
        else:
            lengths.pop(element.get(f"{W}id"), None)
    return {comment_id: _shortened(" ".join("".join(pieces).split())) for comment_id, pieces in found.items()}


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_QUOTE else text[: _MAX_QUOTE - 1] + "…"


def running_text(part: Any) -> str:
    """What the heads and feet of the pages say, each line once and without page numbers."""
    lines: dict[str, None] = {}
    for kind in ("header", "footer"):
        for root in related_roots(part, kind):
            for line in map(line_of, root.iter(f"{W}p")):
                if line.text and not (line.is_paged and len(line.text.split()) < 3):
                    lines[" ".join(line.text.split())] = None
    return "\n".join(lines)
