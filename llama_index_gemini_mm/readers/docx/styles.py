"""What the styles of a Word document make of a paragraph: a heading, an item of a list, a caption."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llama_index_gemini_mm.readers._ooxml import parsed
from llama_index_gemini_mm.readers.docx.inline import W, value_of
from llama_index_gemini_mm.readers.docx.numbering import Numbering

_HEADING = re.compile(r"heading (\d)", re.IGNORECASE)
_LIST = re.compile(r"list (?:bullet|number)(?: (\d))?", re.IGNORECASE)
_CONTENTS = re.compile(r"toc \d|toc heading|table of figures", re.IGNORECASE)
_MAX_PARENTS = 10


@dataclass(frozen=True)
class _Style:
    key: str
    name: str
    level: int | None
    parent: str | None
    number: str | None
    indent: int | None


@dataclass(frozen=True)
class Place:
    """What a paragraph is.

    ``level`` is that of a heading, from 0 (a title) inwards; ``number`` names the list that an item belongs to,
    ``indent`` how deep in it it stands; ``is_contents`` says that it belongs to a table of contents.
    """

    level: int | None = None
    number: str | None = None
    indent: int = 0
    is_caption: bool = False
    is_contents: bool = False


class Styles:
    """The styles and lists of a document; ``label`` counts, so ask it for each paragraph once and in order."""

    def __init__(self, part: Any, element: Any) -> None:
        self._styles = {s.get(f"{W}styleId"): _style(s) for s in element.iter(f"{W}style")}
        self._numbering = Numbering(_numbering_root(part))
        self._places: dict[str | None, Place] = {}

    def place_of(self, paragraph: Any) -> Place:
        """What a paragraph is by its own properties, its style, and the styles that one is based on."""
        properties = paragraph.find(f"{W}pPr")
        own_style = outline = own = None
        if properties is not None:
            own_style, outline, own = map(properties.find, (f"{W}pStyle", f"{W}outlineLvl", f"{W}numPr"))
        named = value_of(own_style)
        place = self._places.get(named)
        if place is None:
            place = self._places[named] = self._of_style(named)
        if outline is None and own is None:
            return place
        level = place.level if outline is None else _outline(outline)
        number, indent = place.number, place.indent
        if own is not None:
            number = value_of(own.find(f"{W}numId")) or number
            indent = _digit(value_of(own.find(f"{W}ilvl"))) or (indent if number == place.number else 0)
        return Place(level, number if number != "0" else None, indent, place.is_caption, place.is_contents)

    def label(self, place: Place) -> str:
        """The bullet or number of an item or heading, counted on; empty for other paragraphs."""
        return self._numbering.label(place.number, place.indent) if place.number is not None else ""

    def _of_style(self, key: str | None) -> Place:
        chain = list(self._chain(key))
        level = next((s.level for s in chain if s.level is not None), None)
        listed = next((s for s in chain if s.number is not None), None)
        names = [s.name.lower() for s in chain]
        by_name = next(filter(None, map(_LIST.fullmatch, names)), None)
        number, indent = None, 0
        if listed is not None and listed.number != "0":
            number = listed.number
            own = listed.indent if listed.indent is not None else self._numbering.level_of(number or "", listed.key)
            indent = max(own, int(by_name[1] or 1) - 1 if by_name else 0)
        elif by_name:
            number, indent = "", int(by_name[1] or 1) - 1
        contents = any(map(_CONTENTS.fullmatch, names[:1]))
        return Place(level, number, indent, "caption" in names[:1], contents)

    def _chain(self, key: str | None) -> Iterator[_Style]:
        """A style and those it is based on."""
        for _ in range(_MAX_PARENTS):
            style = self._styles.get(key)
            if style is None:
                return
            yield style
            key = style.parent


def _numbering_root(part: Any) -> Any:
    for relation in part.rels.values():
        if not relation.is_external and relation.reltype.endswith("/numbering"):
            return parsed(relation.target_part.blob, str(relation.target_part.partname))
    return None


def _style(element: Any) -> _Style:
    name = value_of(element.find(f"{W}name")) or ""
    outline = element.find(f"{W}pPr/{W}outlineLvl")
    numbered = _HEADING.fullmatch(name)
    level = 0 if name.lower() == "title" else int(numbered[1]) if numbered else None
    if level is None and outline is not None:
        level = _outline(outline)
    number = value_of(element.find(f"{W}pPr/{W}numPr/{W}numId"))
    depth = element.find(f"{W}pPr/{W}numPr/{W}ilvl")
    indent = None if depth is None else _digit(value_of(depth))
    return _Style(element.get(f"{W}styleId") or "", name, level, value_of(element.find(f"{W}basedOn")), number, indent)


def _outline(element: Any) -> int | None:
    """Levels count from 0 in the file; 9 means body text."""
    text = value_of(element) or "9"
    level = int(text) if text.isdecimal() and len(text) == 1 else 9
    return level + 1 if level < 9 else None


def _digit(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) == 1 else 0
