"""Which heading a block of text stands under: by the bookmarks, or else by the size of the type."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from llama_index_gemini_mm.readers.pdf.page import RawPage
from llama_index_gemini_mm.readers.pdf.text import Block

Heads = tuple[str, ...]
"""Headings from the outermost inwards."""
_LONGEST = 160
"""Characters of a heading."""
_LONGEST_BOLD = 80
"""Of one that is told by its weight alone."""
_LARGER = 1.15
"""How many times the size of the running text a heading has."""
_SLACK = 24
"""Characters a heading on the page may have besides its bookmark: its number."""
_LETTER = re.compile(r"[^\W\d_]{2}")
_WORD = "(?i:chapter|section|part|appendix|kapitel|abschnitt|teil|anhang|chapitre|partie|cap[ií]tulo|parte|capitolo)"
_CHAPTER = re.compile(rf"{_WORD}\s+(\d+|[A-Z]|[IVX]+)[.:]?")
_NUMBER = re.compile(rf"({_WORD}\s+)?(\d+|[A-Z]|[IVX]+)([.:]\d+)*[.:)]?\s+")


@dataclass(frozen=True)
class Section:
    """Blocks of one page under one heading."""

    headings: Heads
    blocks: tuple[Block, ...]


class Headings:
    """Follows the headings of one file from page to page; pages must come in order.

    Args:
        entries: the bookmarks as (level, name, page), pages from 1; empty when there are none.
    """

    def __init__(self, entries: list[tuple[int, str, int]]) -> None:
        self._on: dict[int, list[tuple[int, str]]] = {}
        for level, name, page in entries:
            self._on.setdefault(page, []).append((level, name))
        self.by_type = not entries
        self._sizes: Counter[float] = Counter()
        self._path: list[tuple[float, str]] = []

    def measured(self, pages: Iterator[RawPage]) -> Iterator[RawPage]:
        """Pass pages on and count how much is printed in which size: most of it is running text."""
        for page in pages:
            if self.by_type:
                for line in page.lines:
                    self._sizes[round(line.size * 2) / 2] += len(line.text)
            yield page

    def sections(self, number: int, blocks: list[Block]) -> list[Section]:
        """The blocks of page ``number`` by heading, in order; one section without blocks for a page without any."""
        starts = self._by_size(blocks) if self.by_type else self._by_bookmark(number, blocks)
        sections: list[Section] = []
        path = starts.pop(-1)
        part: list[Block] = []
        for index, block in enumerate(blocks):
            if index in starts:
                if part:
                    sections.append(Section(path, tuple(part)))
                path, part = starts[index], []
            part.append(block)
        return _joined([*sections, Section(path, tuple(part))])

    def _by_bookmark(self, number: int, blocks: list[Block]) -> dict[int, Heads]:
        """Which block begins which heading; -1 is the heading above the first."""
        before = self._heads()
        starts: dict[int, Heads] = {}
        at = 0
        entries = self._on.get(number, [])
        for order, (level, name) in enumerate(entries):
            self._path = [*(p for p in self._path if p[0] < level), (level, name)]
            found = next((n for n in range(at, len(blocks)) if _names(blocks[n], name)), None)
            if found is not None:
                starts[found] = self._heads()
                at = found + 1
            elif order == 0:
                # What cannot be found on its page is taken to head it.
                before = self._heads()
        starts[-1] = before
        return starts

    def _by_size(self, blocks: list[Block]) -> dict[int, Heads]:
        starts = {-1: self._heads()}
        body = self._sizes.most_common(1)[0][0] if self._sizes else 0.0
        ranks = [_rank(block, body) for block in blocks]
        for index, (block, rank, following) in enumerate(zip(blocks, ranks, [*ranks[1:], None], strict=False)):
            # Names and dates below a title, or lines of bold labels, have nothing under them: they head nothing.
            if rank is not None and (following is None or following > rank):
                self._path = [*(p for p in self._path if p[0] < rank), (rank, " ".join(block.text.split()))]
                starts[index] = self._heads()
        return starts

    def _heads(self) -> Heads:
        return tuple(name.strip() for _, name in self._path if name.strip())


def _rank(block: Block, body: float) -> float | None:
    """How far in a heading stands, by its size and weight, or that it is none."""
    return -round(block.size * 2) / 2 + (0.0 if block.bold else 0.25) if _is_heading(block, body) else None


def _is_heading(block: Block, body: float) -> bool:
    text = block.text
    if block.is_table or len(text) > _LONGEST or block.rows > 3 or not _LETTER.search(text):
        return False
    if block.size >= _LARGER * body:
        return True
    alone = block.rows == 1 and len(text) <= _LONGEST_BOLD and text[-1] not in ".,;:"
    return block.bold and block.size >= body and alone and not text[0].islower()


def _names(block: Block, bookmark: str) -> bool:
    """Whether a block is the heading that a bookmark leads to, whatever number stands before it."""
    if len(block.text) > len(bookmark) + _SLACK or block.is_table:
        return False
    printed, wanted = _plain(block.text), _plain(bookmark)
    return bool(wanted) and (printed == wanted or _unnumbered(block.text) == _unnumbered(bookmark))


def _unnumbered(text: str) -> str:
    number = _NUMBER.match(text)
    return _plain(text[number.end() :] if number else text)


def _plain(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _joined(sections: list[Section]) -> list[Section]:
    """A heading with nothing under it goes to the first one below it."""
    joined: list[Section] = []
    for section in sections:
        last = joined[-1] if joined else None
        if last and len(last.blocks) == 1 and _is_above(last, section):
            joined[-1] = Section(section.headings, last.blocks + section.blocks)
        else:
            joined.append(section)
    return joined


def _is_above(section: Section, following: Section) -> bool:
    """Whether a section is only the name of what follows: its heading, or "Chapter 4" before one."""
    (block,) = section.blocks
    if len(block.text) > _LONGEST:
        return False
    if following.headings[: len(section.headings)] == section.headings:
        name = section.headings[-1] if section.headings else ""
        return _names(block, name) if name else len(block.text) <= _SLACK
    return bool(_CHAPTER.fullmatch(block.text))
