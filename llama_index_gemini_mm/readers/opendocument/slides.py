"""Slides of OpenDocument presentations and pages of drawings as values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llama_index_gemini_mm.readers._sections import Block, Picture
from llama_index_gemini_mm.readers.opendocument.blocks import PRESENTATION, STYLE, OdfText, joined
from llama_index_gemini_mm.readers.opendocument.package import DRAW

_TITLE = "title"
_NOTES = f"{PRESENTATION}notes"


@dataclass(frozen=True)
class Slide:
    """A slide or page; ``number`` counts from 1. The text begins with the title and ends with the notes."""

    number: int
    title: str
    text: str
    pictures: tuple[Picture, ...]
    is_hidden: bool


def slides(body: Any, root: Any, text: OdfText) -> Iterator[Slide]:
    """Yield the slides of a document's body; ``root`` has the styles, which say what is hidden."""
    hidden = {
        style.get(f"{STYLE}name")
        for style in root.iter(f"{STYLE}style")
        for properties in style.iterfind(f"{STYLE}drawing-page-properties")
        if properties.get(f"{PRESENTATION}visibility") == "hidden"
    }
    for number, page in enumerate(body.iter(f"{DRAW}page"), 1):
        shapes = [e for e in page if isinstance(e.tag, str) and e.tag != _NOTES]
        titles = [s for s in shapes if s.get(f"{PRESENTATION}class") == _TITLE]
        title = " ".join(" ".join(map(joined, titles)).split())
        blocks = list(text.blocks(s for s in shapes if s not in titles))
        said = joined(page.find(_NOTES))
        parts = (title, *_texts(blocks), f"Notes:\n{said}" if said else "")
        pictures = tuple(b for b in blocks if isinstance(b, Picture))
        is_hidden = page.get(f"{DRAW}style-name") in hidden
        yield Slide(number, title, "\n\n".join(filter(None, parts)), pictures, is_hidden)


def _texts(blocks: list[Block]) -> Iterator[str]:
    """The texts of blocks, items of a list together."""
    items: list[str] = []
    for block in blocks:
        if isinstance(block, Picture):
            continue
        if getattr(block, "is_item", False):
            items.append(block.text)
            continue
        yield "\n".join(items)
        items = []
        yield block.text
    yield "\n".join(items)
