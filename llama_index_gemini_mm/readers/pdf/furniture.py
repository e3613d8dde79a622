"""What every page repeats: running heads, feet and page numbers are no part of the text."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import replace

from llama_index_gemini_mm.readers.pdf.page import Line, RawPage

REACH = 3
"""Pages before and after that are compared: enough for heads that differ on left and right pages."""
_ZONE = 0.2
"""Share of the page height, at the top and at the bottom, in which furniture stands."""
_NEAR = 0.006
"""How far it may shift from page to page, as a share of the height."""
_NUMBER = re.compile(r"\d+|\b[ivxlc]{1,7}\b")
_BARE = re.compile(r"\W*(page|seite|p\.|s\.)?\s*#(\s*(of|von|/|\|)\s*#)?\W*")

Mark = tuple[str, float]
"""Words without their numbers, and how far down they stand."""


def without_furniture(pages: Iterator[RawPage]) -> Iterator[RawPage]:
    """Yield the pages without the lines that their neighbours have at the same place.

    Looks ``REACH`` pages ahead. Pages that have nothing but such lines prove nothing, and one that would have no words
    left keeps them: slides of one title each.
    """
    ahead: deque[tuple[RawPage, dict[Line, Mark]]] = deque()
    behind: deque[dict[Line, Mark]] = deque(maxlen=REACH)
    for page in pages:
        ahead.append((page, _marks(page)))
        if len(ahead) > REACH:
            yield _bared(ahead, behind)
    while ahead:
        yield _bared(ahead, behind)


def _bared(ahead: deque[tuple[RawPage, dict[Line, Mark]]], behind: deque[dict[Line, Mark]]) -> RawPage:
    page, marks = ahead.popleft()
    others: dict[str, list[float]] = {}
    for near in (*behind, *(m for p, m in ahead if len(p.lines) > len(m))):
        for words, place in near.values():
            others.setdefault(words, []).append(place)
    behind.append(marks if len(page.lines) > len(marks) else {})
    repeated = {line for line, mark in marks.items() if _recurs(mark, others)}
    kept = tuple(line for line in page.lines if line not in repeated) if repeated else ()
    return replace(page, lines=kept) if kept else page


def _recurs(mark: Mark, others: dict[str, list[float]]) -> bool:
    words, place = mark
    return any(abs(place - there) < _NEAR for there in others.get(words, ()))


def _marks(page: RawPage) -> dict[Line, Mark]:
    """The lines at the top and at the bottom that could be furniture."""
    top, bottom = _ZONE * page.height, (1 - _ZONE) * page.height
    return {
        line: (_words(line.text, page), (line.box[1] + line.box[3]) / 2 / page.height)
        for line in page.lines
        if line.box[3] <= top or line.box[1] >= bottom
    }


def _words(text: str, page: RawPage) -> str:
    """Words in which page numbers, and no others, are replaced: "Chapter 3" and "Chapter 4" differ."""
    folded = text.casefold()
    bare = _NUMBER.sub("#", folded)
    if _BARE.fullmatch(bare):
        return bare
    own = {str(page.number), page.label.casefold()}
    return " ".join("#" if word.strip("|-–—·.()[]") in own else word for word in folded.split())
