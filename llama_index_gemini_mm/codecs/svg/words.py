"""The words of an SVG tree: its title, its description, and the texts that are drawn."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lxml import etree

from llama_index_gemini_mm.codecs.image.words import said

_DC = "{http://purl.org/dc/elements/1.1/}"
FALLBACK = re.compile(r"text is not svg|viewer does not support", re.IGNORECASE)
"""What drawing programs leave for viewers that cannot show a drawing's text."""
_BREAKS = frozenset(("br", "p", "div", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6"))
_MAX_TEXT = 20_000


def words_of(root: Any) -> tuple[str, str]:
    """Title, and a caption of the description and the texts in the order of the file."""
    own = {etree.QName(child).localname: "".join(child.itertext()) for child in root.iterchildren(etree.Element)}
    title = said(" ".join(own.get("title", "").split())) or _core(root, "title")
    description = said(own.get("desc", "")) or _core(root, "description")
    lines = dict.fromkeys(line for line in (description, *_texts(root)) if line and line != title)
    return title, "\n".join(lines)[:_MAX_TEXT]


def lines_of(element: Any) -> list[str]:
    """The words of HTML inside a drawing, a line for each block."""
    parts: list[str] = []
    for node in element.iter():
        if not isinstance(node.tag, str):
            continue
        parts.append("\n" if etree.QName(node).localname.lower() in _BREAKS else "")
        parts.append(node.text or "")
        parts.append((node.tail or "") if node is not element else "")
    lines = (" ".join(line.split()) for line in "".join(parts).split("\n"))
    return [line for line in lines if line]


def _core(root: Any, name: str) -> str:
    """A Dublin Core field of the drawing as a whole."""
    found = root.find(f".//{_DC}{name}")
    return said(" ".join("".join(found.itertext()).split())) if found is not None else ""


def _texts(root: Any) -> Iterator[str]:
    for element in root.iter(etree.Element):
        name = etree.QName(element).localname
        if name == "text":
            line = " ".join("".join(_runs(element)).split())
            if not FALLBACK.search(line):
                yield line
        elif name == "foreignObject":
            yield " ".join(lines_of(element))


def _runs(text: Any) -> Iterator[str]:
    """The words of a text; a part of it that has a place of its own is a word of its own."""
    yield text.text or ""
    for part in text.iterchildren(etree.Element):
        if etree.QName(part).localname not in ("title", "desc"):
            yield " " if {"x", "y", "dy"} & set(part.attrib) else ""
            yield from _runs(part)
        yield part.tail or ""
