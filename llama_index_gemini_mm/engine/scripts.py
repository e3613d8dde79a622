"""What each character costs of the model's window, by its kind and the kinds of the two characters before it.

Costs are whole ``UNIT``-ths of a token, so that sums are exact. ``tokens.py`` says where the numbers come from.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np

UNIT = 20
Numbers = np.ndarray[Any, np.dtype[Any]]


class _Range(NamedTuple):
    """Characters of one kind: what the first costs, and what each one costs right after another of the same kind.

    A blank becomes part of the token behind it, but not before ``apart`` ones; there it is a token of its own.
    """

    low: int
    high: int
    first: int
    again: int
    apart: bool = False


_BYTES = (
    _Range(0x00, 0x7F, 20, 20, apart=True),
    _Range(0x80, 0x7FF, 40, 40, apart=True),
    _Range(0x800, 0xFFFF, 60, 60, apart=True),
    _Range(0x10000, 0x1FFFF, 80, 80, apart=True),
)
"""What is not in the vocabulary costs a token for each byte of UTF-8. The ranges below are exceptions to this."""
_BLANK = _Range(0x20, 0x20, 0, 1)
"""The second of a run costs a token, the third and later ones next to nothing."""
_RANGES = (
    _Range(0x09, 0x09, 20, 2, apart=True),  # tabs
    _Range(0x0A, 0x0A, 20, 2, apart=True),  # line breaks
    _Range(0x21, 0x2F, 20, 20),  # punctuation; of it, # * - . = _ make rules and leaders
    _Range(0x3A, 0x7F, 20, 20),
    *(_Range(ord(sign), ord(sign), 20, 3) for sign in "#*-.=_"),
    _Range(0x370, 0x3FF, 20, 7),  # Greek
    _Range(0x530, 0x58F, 20, 13),  # Armenian
    _Range(0x590, 0x5FF, 20, 14),  # Hebrew
    _Range(0x600, 0x6FF, 20, 12),  # Arabic
    _Range(0x700, 0x74F, 20, 20),  # Syriac
    _Range(0x780, 0x7BF, 20, 15),  # Thaana
    _Range(0x900, 0x97F, 20, 9),  # Devanagari
    _Range(0x980, 0x9FF, 20, 4),  # Bengali
    _Range(0xA00, 0xA7F, 20, 12),  # Gurmukhi
    _Range(0xA80, 0xAFF, 20, 7),  # Gujarati
    _Range(0xB00, 0xB7F, 20, 20),  # Odia
    _Range(0xB80, 0xBFF, 20, 5),  # Tamil
    _Range(0xC00, 0xC7F, 20, 9),  # Telugu
    _Range(0xC80, 0xCFF, 20, 8),  # Kannada
    _Range(0xD00, 0xD7F, 20, 6),  # Malayalam
    _Range(0xD80, 0xDFF, 20, 9),  # Sinhala
    _Range(0xE00, 0xE7F, 20, 9),  # Thai
    _Range(0xE80, 0xEFF, 20, 12),  # Lao
    _Range(0xF00, 0xFFF, 20, 15),  # Tibetan
    _Range(0x1000, 0x109F, 20, 18),  # Myanmar
    _Range(0x10A0, 0x10FF, 20, 8),  # Georgian
    _Range(0x1200, 0x137F, 20, 19),  # Ethiopic
    _Range(0x1780, 0x17FF, 20, 10),  # Khmer
    _Range(0x2010, 0x2044, 20, 20),  # dashes, quotation marks, bullets
    _Range(0x2070, 0x2BFF, 40, 40),  # arrows, mathematics, boxes: about half of them are in the vocabulary
    _Range(0x3001, 0x303F, 20, 20),  # punctuation of Chinese and Japanese
    _Range(0x3040, 0x30FF, 20, 14),  # kana
    _Range(0x4E00, 0x9FFF, 20, 20),  # Han
    _Range(0xAC00, 0xD7A3, 20, 13),  # Hangul
    _Range(0xFF00, 0xFFEF, 20, 20),  # wide forms
    _Range(0x1F300, 0x1FAFF, 50, 50),  # pictures
)
_KINDS = (*_BYTES, _BLANK, *_RANGES)

_ALPHABETS = (
    ("latin", "abcdefghijklmnopqrstuvwxyz", ((0xC0, 0xD6), (0xD8, 0xF6), (0xF8, 0x24F), (0x1E00, 0x1EFF))),
    ("cyrillic", "абвгдежзийклмнопрстуфхцчшщъыьэюяєії", ((0x400, 0x52F),)),
)
"""Letters that are a kind each, with their costs in ``letters/<name>.txt``, and their kin, which are one more kind."""
_DIGITS = "0123456789abcdefghijk"
"""How those files write costs from 0 to ``UNIT``."""
_CAPITAL_INSIDE = 12
"""The least that a capital of these costs inside a word: THIS, and camelCase. Those of other scripts cost a token."""

_BLOCK = 1 << 14
"""Characters looked at together: enough to be fast, few enough to stay in the processor's cache."""
_CONTEXT = 2
"""Characters before one on which its cost depends."""
_NOTHING_BEFORE = "\0" * _CONTEXT
"""Signs of the kind that says nothing about what follows."""
_LAST = 0x1FFFF
"""Characters above this cost what it does."""


@dataclass(frozen=True)
class _Tables:
    """``kind`` and ``capital`` by code point; ``inside``, the least for a capital after it, by kind.

    ``cost`` by ``(earlier * kinds + before) * kinds + this``.
    """

    kind: Numbers
    capital: Numbers
    inside: Numbers
    cost: Numbers


def costs(text: str) -> Iterator[Numbers]:
    """What each character costs, in ``UNIT``-ths of a token, in blocks that together are as long as ``text``."""
    for start in range(0, len(text), _BLOCK):
        context = min(start, _CONTEXT)
        yield _block_costs(text[start - context : start + _BLOCK])[context:]


def _block_costs(text: str) -> Numbers:
    tables = _tables()
    codes = np.frombuffer((_NOTHING_BEFORE + text).encode("utf-32-le", "surrogatepass"), np.uint32)
    kind = tables.kind[codes]
    earlier, before, this = kind[:-2], kind[1:-1], kind[2:]
    size = len(tables.inside)
    cost = tables.cost[(earlier * size + before) * size + this]
    raised: Numbers = np.maximum(cost, tables.capital[codes[2:]] * tables.inside[before])
    return raised


@cache
def _tables() -> _Tables:
    kind = np.zeros(sys.maxunicode + 1, np.intp)
    for number, each in enumerate(_KINDS):
        kind[each.low : each.high + 1] = number
    size = len(_KINDS) + sum(len(letters) + 1 for _, letters, _ in _ALPHABETS)
    cost = _cost_of_kinds(size)
    end = len(_KINDS)
    for name, letters, kin in _ALPHABETS:
        start, end = end, end + len(letters) + 1
        known = _written(name, end - start)
        cost[:, start:end, start:end] = known[0]
        cost[start:end, start:end, start:end] = known[1:]
        for low, high in kin:
            kind[low : high + 1] = end - 1
        for number, sign in enumerate(letters, start):
            kind[[ord(sign), ord(sign.upper())]] = number
    kind[_LAST:] = kind[_LAST]
    capital = np.zeros(sys.maxunicode + 1, bool)
    capital[: _LAST + 1] = [chr(point).isupper() for point in range(_LAST + 1)]
    inside = np.where(np.isin(np.arange(size), kind[capital]), UNIT, 0).astype(np.uint8)
    inside[len(_KINDS) :] = _CAPITAL_INSIDE
    return _Tables(kind, capital, inside, cost.ravel())


def _cost_of_kinds(size: int) -> Numbers:
    """The cost ``[earlier, before, this]`` without what the alphabets know."""
    cost = np.full((size, size, size), UNIT, np.uint8)
    blank = _KINDS.index(_BLANK)
    for number, each in enumerate(_KINDS):
        cost[:, :, number] = each.first
        cost[:, blank, number] += UNIT * each.apart
        cost[:, number, number] = each.again
    cost[:, blank, blank] = UNIT
    cost[blank, blank, blank] = _BLANK.again
    return cost


def _written(name: str, size: int) -> Numbers:
    """An alphabet's table ``[earlier, before, this]``; the first row stands for whatever is no letter of it."""
    lines = files(__package__).joinpath("letters", f"{name}.txt").read_text(encoding="ascii").split()
    known = np.array([[_DIGITS.index(sign) for sign in line] for line in lines], np.uint8)
    return known.reshape(size + 1, size, size)
