"""One paragraph of a Word document: its words as a line, what is drawn in it, and the notes it refers to.

python-docx's own paragraphs leave out what stands in content controls, insertions, fields and equations; the XML has
it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from llama_index_gemini_mm.readers._omml import MATH, math_text
from llama_index_gemini_mm.readers._ooxml import MARKUP

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
ALTERNATE, FALLBACK = f"{MARKUP}AlternateContent", f"{MARKUP}Fallback"

DRAWN = frozenset((f"{W}drawing", f"{W}pict", f"{W}object"))
_MATH = frozenset((f"{MATH}oMath", f"{MATH}oMathPara"))
_NOTES = {f"{W}footnoteReference": "footnote", f"{W}endnoteReference": "endnote"}
_BREAKS = {f"{W}tab": "\t", f"{W}ptab": "\t", f"{W}br": "\n", f"{W}cr": "\n", f"{W}noBreakHyphen": "-"}
_UNSEEN = frozenset((*(W + n for n in ("pPr", "rPr", "sdtPr", "del", "moveFrom", "rt")), f"{MATH}oMathParaPr"))
"""Properties, what a tracked change has taken out, and the reading aids above Chinese and Japanese."""
_PAGE_FIELD = re.compile(r"\s*(PAGE|NUMPAGES|SECTIONPAGES)\b", re.IGNORECASE)
_COUNT_FIELD = re.compile(r"\s*SEQ\b", re.IGNORECASE)

Mark = Callable[[str, str], str]
"""From a kind of note (``footnote``, ``endnote``) and its id to the sign that refers to it."""


@dataclass
class Line:
    """What a paragraph holds, in order.

    ``drawn`` are drawing elements, ``notes`` kinds and ids, ``comments`` ids. ``is_counted`` says that Word counts it
    as it counts figures and tables, ``is_paged`` that it had a page number, which is left out.
    """

    text: str = ""
    drawn: list[Any] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    is_counted: bool = False
    is_paged: bool = False


def value_of(element: Any) -> str | None:
    """The ``w:val`` of an element that may be missing."""
    return None if element is None else element.get(f"{W}val")


def is_unfilled(control: Any) -> bool:
    """Whether a content control shows nothing but the invitation to fill it in."""
    return control.find(f"{W}sdtPr/{W}showingPlcHdr") is not None


def line_of(paragraph: Any, mark: Mark = lambda kind, note_id: "") -> Line:
    """Read one ``w:p``; ``mark`` gives the signs of notes."""
    return _Reading(mark).read(paragraph)


@dataclass
class _Field:
    """A field that is open: its instruction, and whether what follows is its result."""

    instruction: str = ""
    is_result: bool = False


class _Reading:
    def __init__(self, mark: Mark) -> None:
        self._mark = mark
        self._line = Line()
        self._pieces: list[str] = []
        self._fields: list[_Field] = []
        self._unused: set[Any] = set()

    def read(self, paragraph: Any) -> Line:
        from lxml import etree

        walker = etree.iterwalk(paragraph, events=("start",))
        for _, element in walker:
            if element is not paragraph and self._is_whole(element):
                walker.skip_subtree()
        self._line.text = "".join(self._pieces).strip()
        return self._line

    def _is_whole(self, element: Any) -> bool:
        """Take what an element says; whether that is all there is to say of it and of what is in it."""
        tag = element.tag
        if tag == f"{W}t":
            self._say(element.text or "")
        elif tag in _BREAKS:
            self._say(_BREAKS[tag])
        elif tag in _MATH:
            self._say(math_text(element))
        elif tag in _NOTES:
            self._refer(_NOTES[tag], element)
        elif tag == f"{W}commentReference":
            self._line.comments.append(element.get(f"{W}id"))
        elif tag == ALTERNATE:
            used = _branch(element)
            self._unused.update(branch for branch in element if branch is not used)
            return False
        elif tag in DRAWN:
            self._line.drawn.append(element)
        elif tag == f"{W}fldSimple":
            return self._is_page_number(element.get(f"{W}instr") or "")
        elif tag in (f"{W}fldChar", f"{W}instrText"):
            self._field(element)
        elif tag == f"{W}sdt":
            return is_unfilled(element)
        else:
            return tag in _UNSEEN or tag == f"{W}p" or element in self._unused
        return True

    def _say(self, text: str) -> None:
        if all(f.is_result and not _PAGE_FIELD.match(f.instruction) for f in self._fields):
            self._pieces.append(text)

    def _refer(self, kind: str, element: Any) -> None:
        note_id = element.get(f"{W}id") or ""
        self._line.notes.append((kind, note_id))
        self._say(self._mark(kind, note_id))

    def _is_page_number(self, instruction: str) -> bool:
        is_page = bool(_PAGE_FIELD.match(instruction))
        self._line.is_paged |= is_page
        self._line.is_counted |= bool(_COUNT_FIELD.match(instruction))
        return is_page

    def _field(self, element: Any) -> None:
        kind = element.get(f"{W}fldCharType")
        if kind == "begin":
            self._fields.append(_Field())
        elif not self._fields:  # it was opened in a paragraph before
            return
        elif kind == "separate":
            self._fields[-1].is_result = True
            self._is_page_number(self._fields[-1].instruction)
        elif kind == "end":
            self._fields.pop()
        else:
            self._fields[-1].instruction += element.text or ""


def _branch(alternate: Any) -> Any:
    """Which of several versions of the same content is read: the first that holds something."""
    tags = (f"{W}t", *DRAWN, *_MATH)
    filled = (branch for branch in alternate if next(branch.iter(*tags), None) is not None)
    return next(filled, next(iter(alternate), None))
