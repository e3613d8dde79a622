"""Long text in stretches of bounded length that begin where something begins, with the lines they stand on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TextIO, TypeVar

from llama_index_gemini_mm.media import LINE_END, LINE_START

T = TypeVar("T")
Rank = Callable[[str, str], int]
"""How well a stretch begins at a line, given the line before: the lower, the better."""


@dataclass(frozen=True)
class Stretch:
    """Lines ``first`` to ``last``, counted from 1, and what stands on them."""

    first: int
    last: int
    text: str

    def lines(self) -> dict[str, int]:
        """Its place under the keys of ``media.py``."""
        return {LINE_START: self.first, LINE_END: self.last}


def numbered(stream: TextIO, max_chars: int) -> Iterator[tuple[int, str]]:
    """The lines of a text with their numbers; a line longer than ``max_chars`` comes in pieces of one number."""
    number = 1
    while line := stream.readline(max_chars):
        yield number, line.replace("\0", "")
        number += line.endswith("\n")


def stretches(lines: Iterable[tuple[int, str]], rank: Rank, max_chars: int) -> Iterator[Stretch]:
    """Yield stretches of at most ``max_chars``, each but the first from the line in reach that ranks best."""

    def of_lines(before: tuple[int, str], line: tuple[int, str]) -> int:
        return rank(before[1], line[1])

    for taken in portions(lines, lambda line: len(line[1]), of_lines, max_chars):
        yield Stretch(taken[0][0], taken[-1][0], "".join(text for _, text in taken))


def portions(
    items: Iterable[T], size: Callable[[T], int], rank: Callable[[T, T], int], max_size: int
) -> Iterator[list[T]]:
    """Yield runs of items, of at most ``max_size`` together unless a single one is larger.

    ``rank`` says how well a run begins at an item, given the one before: the lower, the better.
    """
    taken: list[T] = []
    total = 0
    for item in items:
        while taken and total + size(item) > max_size:
            cut = _cut([*taken, item], size, rank, total // 2)
            yield taken[:cut]
            taken = taken[cut:]
            total = sum(map(size, taken))
        taken.append(item)
        total += size(item)
    if taken:
        yield taken


def _cut(items: list[T], size: Callable[[T], int], rank: Callable[[T, T], int], least: int) -> int:
    """The best item to begin the next run with: the last of the best, once ``least`` is behind."""
    best, best_rank, behind = len(items) - 1, None, 0
    for index, (before, item) in enumerate(pairwise(items), 1):
        behind += size(before)
        if behind >= least:
            this = rank(before, item)
            if best_rank is None or this <= best_rank:
                best, best_rank = index, this
    return best


def by_paragraph(before: str, line: str) -> int:
    """The rank for prose: after a blank line, or else anywhere."""
    return 1 if before.strip() or not line.strip() else 0
