"""The blocks of an HTML page: headings, paragraphs, lists, tables and pictures, without what surrounds them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from llama_index_gemini_mm.readers._sections import Block, Heading, Paragraph, Picture
from llama_index_gemini_mm.readers._text import table

_NEVER_TEXT = ("script", "style", "noscript", "template")
_DROPPED = {
    *("head", "nav", "svg", "math", "iframe", "object", "embed", "audio", "video", "canvas"),
    *("form", "button", "select", "textarea", "input", "dialog"),
}
_BLOCKS = {
    *("p", "div", "section", "article", "main", "aside", "header", "footer", "ul", "ol", "dl", "dt", "dd", "table"),
    *("tr", "td", "th", "thead", "tbody", "tfoot", "caption", "blockquote", "figure", "figcaption", "address"),
    *("details", "summary", "fieldset", "hr", "center", "body", "html"),
}
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_PRE = frozenset(("pre", "listing", "xmp"))
_BLANKS = re.compile(r"[ \t\n\r\f]+")

Fetch = Callable[[str], bytes | None]
"""From a picture's link to its bytes."""


def html_blocks(root: Any, fetch: Fetch) -> Iterator[Block]:
    """Yield the blocks below an lxml element in reading order.

    Pages nest deeply, so this walks instead of calling itself.
    """
    from lxml import etree

    etree.strip_elements(root, etree.Comment, *_NEVER_TEXT, with_tail=False)
    yield from _Walk(fetch).blocks(root)


class _Walk:
    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._line: list[str] = []

    def blocks(self, root: Any) -> Iterator[Block]:
        from lxml import etree

        walker = etree.iterwalk(root, events=("start", "end"))
        for event, element in walker:
            if event == "start":
                whole = list(self._whole(element))
                if whole or _is_dropped(element) or element.tag in _HEADINGS:
                    yield from self._flush()
                    yield from whole
                    walker.skip_subtree()
                    continue
                yield from self._start(element)
            elif event == "end" and element.tag in _BLOCKS:
                yield from self._flush()
            if event == "end" and element is not root:
                self._line.append(_BLANKS.sub(" ", element.tail or ""))
        yield from self._flush()

    def _whole(self, element: Any) -> Iterator[Block]:
        """Elements that are one block with all that is in them."""
        if element.tag in _HEADINGS and (words := _words(element)):
            yield Heading(_HEADINGS[element.tag], words)
        elif element.tag in _PRE:
            text = "".join(element.itertext()).strip("\n")
            if text.strip():
                yield Paragraph(text)
        elif element.tag == "table" and _is_data(element):
            rows = [[_words(cell) for cell in row.iterchildren("td", "th")] for row in element.iter("tr")]
            if text := table(rows):
                yield Paragraph("\n\n".join(filter(None, (_words_of(element, "caption"), text))))
        elif element.tag == "figcaption" and (words := _words(element)):
            yield Paragraph(words, is_caption=True)
        if element.tag in _HEADINGS or (element.tag == "table" and _is_data(element)):
            for picture in element.iter("img"):
                yield from self._picture(picture)

    def _start(self, element: Any) -> Iterator[Block]:
        if element.tag in _BLOCKS:
            yield from self._flush()
        if element.tag == "img":
            yield from self._flush_before_picture(element)
        if element.tag == "br":
            self._line.append("\n")
        if element.tag == "li":
            self._line.append("\n- ")
        self._line.append(_BLANKS.sub(" ", element.text or ""))

    def _flush_before_picture(self, element: Any) -> Iterator[Block]:
        pictures = list(self._picture(element))
        if pictures:
            yield from self._flush()
            yield from pictures

    def _picture(self, element: Any) -> Iterator[Picture]:
        data = self._fetch((element.get("src") or "").strip())
        if data:
            words = (element.get("alt") or "", element.get("title") or "")
            yield Picture(data, "\n".join(dict.fromkeys(" ".join(w.split()) for w in words if w.strip())))

    def _flush(self) -> Iterator[Paragraph]:
        lines = "".join(self._line).split("\n")
        self._line = []
        text = "\n".join(" ".join(line.split()) for line in lines).strip()
        if text and text != "-":
            yield Paragraph(text)


def _is_dropped(element: Any) -> bool:
    """What is not content, or not to be seen."""
    style = (element.get("style") or "").replace(" ", "").lower()
    return (
        element.tag in _DROPPED
        or element.get("role") == "navigation"
        or "hidden" in element.attrib
        or "display:none" in style
    )


def _is_data(table_element: Any) -> bool:
    """Whether a table holds data rather than the layout of the page."""
    if next(table_element.iter("h1", "h2", "h3", "h4", "h5", "h6"), None) is not None:
        return False
    if sum(1 for _ in table_element.iter("table")) > 1:
        return False
    columns = [sum(1 for _ in row.iterchildren("td", "th")) for row in table_element.iter("tr")]
    return len(columns) > 1 and max(columns) > 1


def _words(element: Any) -> str:
    """All text in an element as one line."""
    return " ".join("".join(element.itertext()).split())


def _words_of(element: Any, tag: str) -> str:
    child = element.find(tag)
    return "" if child is None else _words(child)
