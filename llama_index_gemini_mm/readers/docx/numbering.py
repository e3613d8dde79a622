"""The bullets and numbers of paragraphs, which Word does not store: they are counted."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

from llama_index_gemini_mm.readers.docx.inline import W, value_of

_PLACE = re.compile(r"%(\d)")
_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"))
_ROMAN_SMALL = ((10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))
MAX_LEVEL = 8
_MAX_FORM = 100
"""Characters of what stands around the numbers of a list."""


class Numbering:
    """Counts through the numbered paragraphs of a document in reading order.

    Args:
        root: the root of the numbering part; ``None`` when there is none.
    """

    def __init__(self, root: Any) -> None:
        found = [] if root is None else list(root)
        self._lists = {e.get(f"{W}abstractNumId"): e for e in found if e.tag == f"{W}abstractNum"}
        self._numbers = {e.get(f"{W}numId"): e for e in found if e.tag == f"{W}num"}
        self._levels: dict[str, dict[int, Any]] = {}
        self._counts: dict[str, dict[int, int]] = {}
        self._begun: set[str] = set()

    def level_of(self, number: str, style: str) -> int:
        """The level of a list that belongs to a paragraph style; 0 when none does."""
        found = (n for n, level in self._list(number).items() if value_of(level.find(f"{W}pStyle")) == style)
        return next(found, 0)

    def label(self, number: str, level: int) -> str:
        """Count one paragraph and return ``2.1`` or ``a)``; ``-`` for bullets and for lists that are not defined."""
        level = max(0, min(level, MAX_LEVEL))
        levels = self._list(number)
        form = levels.get(level)
        if form is None or _kind(form) == "bullet":
            return "-"
        counts = self._counted(number, level, levels)
        plain = form.find(f"{W}isLgl") is not None

        def written(match: re.Match[str]) -> str:
            place = int(match[1]) - 1
            kind = "decimal" if plain else _kind(levels.get(place))
            return _written(counts.get(place, _start(levels.get(place))), kind)

        return _PLACE.sub(written, (value_of(form.find(f"{W}lvlText")) or "")[:_MAX_FORM]).strip()

    def _counted(self, number: str, level: int, levels: dict[int, Any]) -> dict[int, int]:
        """The counts of all levels once this paragraph is counted; levels further in start anew."""
        counts = self._counts.setdefault(self._key(number), {})
        if number not in self._begun:
            self._begun.add(number)
            for override in self._numbers[number].iterfind(f"{W}lvlOverride"):
                first = override.find(f"{W}startOverride")
                if first is not None:
                    counts[_integer(override.get(f"{W}ilvl"), 0)] = _integer(value_of(first), 1) - 1
        counts[level] = counts.get(level, _start(levels.get(level)) - 1) + 1
        for inner in [each for each in counts if each > level]:
            del counts[inner]
        return counts

    def _key(self, number: str) -> str:
        element = self._numbers.get(number)
        return (value_of(element.find(f"{W}abstractNumId")) or "") if element is not None else ""

    def _list(self, number: str) -> dict[int, Any]:
        """The levels of a list."""
        levels = self._levels.get(number)
        if levels is None:
            found = self._lists.get(self._key(number))
            elements = () if found is None else islice(found.iterfind(f"{W}lvl"), MAX_LEVEL + 1)
            levels = self._levels[number] = {_integer(e.get(f"{W}ilvl"), 0): e for e in elements}
        return levels


def _integer(text: str | None, default: int) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 7 else default


def _start(level: Any) -> int:
    return _integer(value_of(level.find(f"{W}start")), 1) if level is not None else 1


def _kind(level: Any) -> str:
    return (value_of(level.find(f"{W}numFmt")) or "decimal") if level is not None else "decimal"


def _written(number: int, kind: str) -> str:
    if kind == "none":
        return ""
    if kind in ("lowerLetter", "upperLetter"):
        # a to z, then aa to zz
        letters = chr(ord("a") + (number - 1) % 26) * min((number - 1) // 26 + 1, 10) if number > 0 else ""
        return letters.upper() if kind == "upperLetter" else letters
    if kind in ("lowerRoman", "upperRoman"):
        return roman(number).upper() if kind == "upperRoman" else roman(number)
    return f"{number:02}" if kind == "decimalZero" else str(number)


def roman(number: int) -> str:
    """1 as ``i``, 4 as ``iv``; numbers from 4,000 in digits."""
    if not 0 < number < 4000:
        return str(number)
    text = ""
    for value, sign in (*_ROMAN, *_ROMAN_SMALL):
        text += sign * (number // value)
        number %= value
    return text
