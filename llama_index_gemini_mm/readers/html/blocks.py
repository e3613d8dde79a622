"""The blocks of an HTML page: headings, paragraphs, lists, tables and pictures, without what surrounds them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from llama_index_gemini_mm.readers._sections import Block, Heading, Paragraph, Picture
from llama_index_gemini_mm.readers._text import table
from llama_index_gemini_mm.readers.html.table import cells, is_data, words
from llama_index_gemini_mm.readers.image import is_picture
from llama_index_gemini_mm.readers.svg import is_drawing
from llama_index_gemini_mm.source import HEAD_BYTES

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_NEVER_TEXT = ("script", "style", "noscript", "template")
_DROPPED = {
    *("head", "nav", "iframe", "canvas", "button", "select", "textarea", "input", "dialog"),
}
_OPAQUE = {*_HEADINGS, "svg", "audio", "video"}
"""What is inside of them is not walked through."""
_BLOCKS = {
    *("p", "div", "section", "article", "main", "aside", "header", "footer", "ul", "ol", "dl", "dt", "dd", "table"),
    *("tr", "td", "th", "thead", "tbody", "tfoot", "caption", "blockquote", "figure", "figcaption", "address"),
    *("details", "summary", "fieldset", "hr", "center", "body", "html", "form"),
}
_PRE = frozenset(("pre", "listing", "xmp"))
_BLANKS = re.compile(r"[ \t\n\r\f]+")
_MARKER = re.compile(r"(?:-|\d+\.)")
_ITEM = re.compile(rf"\s*{_MARKER.pattern} ")
_INDENT = "\x1e"
"""One level of a list inside a list; pages are parsed without control characters, so that they cannot hold it."""
_XLINK = "{http://www.w3.org/1999/xlink}href"
_CANDIDATE = re.compile(r"\s*([^\s,]\S*[^\s,]|[^\s,])(?:\s+[^,]*)?(?:,|$)")
_MAX_CANDIDATES, _MAX_SRCSET = 16, 100_000

Fetch = Callable[[str], bytes | None]
"""From a picture's link to its bytes."""
Media = Callable[[str], bool]
"""Told the links of sounds, films and drawings as they come; whether one was taken."""


def _no_media(link: str) -> bool:
    return False


def html_blocks(root: Any, fetch: Fetch, media: Media = _no_media) -> Iterator[Block]:
    """Yield the blocks below an lxml element in reading order.

    Pages nest deeply, so this walks instead of calling itself.
    """
    from lxml import etree

    etree.strip_elements(root, etree.Comment, *_NEVER_TEXT, with_tail=False)
    yield from _Walk(fetch, media).blocks(root)


class _Walk:
    def __init__(self, fetch: Fetch, media: Media) -> None:
        self._fetch = fetch
        self._media = media
        self._line: list[str] = []
        self._lists: list[int | None] = []
        """The lists around, outermost first: the number of the item in an ordered one."""

    def blocks(self, root: Any) -> Iterator[Block]:
        from lxml import etree

        walker = etree.iterwalk(root, events=("start", "end"))
        passed_over = None
        for event, element in walker:
            if event == "start":
                dropped = _is_dropped(element)
                whole = [] if dropped else list(self._whole(element))
                if dropped or whole or element.tag in _OPAQUE:
                    yield from self._flush()
                    yield from whole
                    walker.skip_subtree()
                    passed_over = element
                    continue
                yield from self._start(element)
            elif element is not passed_over:
                yield from self._end(element)
            if event == "end" and element is not root:
                self._line.append(_BLANKS.sub(" ", element.tail or ""))
        yield from self._flush()

    def _whole(self, element: Any) -> Iterator[Block]:
        """Elements that are one block with all that is in them."""
        tag = element.tag
        if tag in _HEADINGS and (text := words(element)):
            yield Heading(_HEADINGS[tag], text)
        elif tag in _PRE:
            text = "".join(element.itertext()).strip("\n")
            if text.strip():
                yield Paragraph(text)
        elif tag == "table" and is_data(element):
            if text := table(cells(element)):
                yield Paragraph("\n\n".join(filter(None, (_words_of(element, "caption"), text))))
        elif tag == "figcaption" and (text := words(element)):
            yield Paragraph(text, is_caption=True)
        elif tag == "svg":
            yield from self._drawing(element)
        elif tag in ("audio", "video", "embed", "object"):
            yield from self._embedded(element)
        if tag in _HEADINGS or (tag == "table" and is_data(element)):
            for picture in element.iter("img"):
                yield from self._picture(picture)

    def _start(self, element: Any) -> Iterator[Block]:
        tag = element.tag
        if tag in _BLOCKS:
            yield from self._flush()
        if tag in ("ul", "ol", "menu"):
            self._lists.append(_first_number(element) if tag == "ol" else None)
        elif tag == "img":
            yield from self._flush_before_picture(element)
        elif tag == "br":
            self._line.append("\n")
        elif tag == "li":
            self._line.append("\n" + self._marker())
        elif tag == "math" and element.get("alttext"):
            self._line.append(f" {element.get('alttext')} ")
        self._line.append(_BLANKS.sub(" ", element.text or ""))

    def _end(self, element: Any) -> Iterator[Block]:
        if element.tag in _BLOCKS:
            yield from self._flush()
        if element.tag in ("ul", "ol", "menu") and self._lists:
            self._lists.pop()
        if element.tag == "li" and _MARKER.fullmatch(_indented("".join(self._line)).strip()):
            self._line = []

    def _marker(self) -> str:
        indent = _INDENT * max(len(self._lists) - 1, 0)
        if not self._lists or (number := self._lists[-1]) is None:
            return f"{indent}- "
        self._lists[-1] = number + 1
        return f"{indent}{number}. "

    def _flush_before_picture(self, element: Any) -> Iterator[Block]:
        pictures = list(self._picture(element))
        if pictures:
            yield from self._flush()
            yield from pictures
        else:
            self._line.append(" ".join((element.get("alt") or "").split()))

    def _picture(self, element: Any) -> Iterator[Picture]:
        """The first of its forms that can be had: pages name several for screens of several kinds.

        A drawing is a file of its own, as sounds and films are: drawing it is the work of its format.
        """
        for link in islice(_links(element), _MAX_CANDIDATES):
            data = self._fetch(link)
            if data and is_picture(data[:64]):
                said = (element.get("alt") or "", element.get("title") or "")
                yield Picture(data, _lines(*said), _shown(element))
                return
            if data and is_drawing(data[:HEAD_BYTES]) and self._media(link):
                return

    def _drawing(self, svg: Any) -> Iterator[Block]:
        """Pictures that a drawing frames, as on the covers of e-books, and the words in it."""
        title = _lines(*(words(e) for e in svg.iter("title", "desc")))
        for image in svg.iter("image"):
            data = self._fetch((image.get("href") or image.get(_XLINK) or image.get("xlink:href") or "").strip())
            if data:
                yield Picture(data, title)
                title = ""
        lettering = " ".join(filter(None, (words(e) for e in svg.iter("text"))))
        if text := _lines(title, lettering):
            yield Paragraph(text)

    def _embedded(self, element: Any) -> Iterator[Block]:
        """Pictures that stand for a film or an object; sounds and films themselves are told to whom it concerns."""
        for link in filter(None, (element.get("poster"), element.get("data"))):
            data = self._fetch(link.strip())
            if data and is_picture(data[:64]):
                yield Picture(data, _lines(element.get("title") or "", words(element)))
        own = element.get("src") or element.get("data")
        sources = [own, *(s.get("src") for s in element.iter("source"))]
        any(self._media(link.strip()) for link in sources if link)

    def _flush(self) -> Iterator[Paragraph]:
        """The lines so far as a paragraph; the marker of a list item waits for the words that follow it."""
        lines = "".join(self._line).split("\n")
        waiting = lines.pop() if _MARKER.fullmatch(_indented(lines[-1]).strip()) else None
        self._line = ["\n" + waiting] if waiting else []
        text = "\n".join(map(_indented, lines)).strip("\n")
        if text.strip():
            yield Paragraph(text if self._lists else text.lstrip(), is_item=_ITEM.match(text) is not None)


def _indented(line: str) -> str:
    return "  " * line.count(_INDENT) + " ".join(line.replace(_INDENT, " ").split())


def _first_number(ordered: Any) -> int:
    start = ordered.get("start") or "1"
    return int(start) if start.isdecimal() and len(start) < 9 else 1


def _links(element: Any) -> Iterator[str]:
    """Where a picture may lie: pages that load late hold the true link beside a placeholder."""
    # To libxml2 a <source> goes on until its parent ends, so that the <img> after it lies within.
    around = islice(element.iterancestors("picture"), 1)
    sources = [source for picture in around for source in picture.iter("source")]
    for name in ("data-src", "data-original", "src"):
        if link := (element.get(name) or "").strip():
            yield link
    for holder in (element, *sources):
        for name in ("srcset", "data-srcset"):
            for found in _CANDIDATE.finditer(" ".join((holder.get(name) or "").split())[:_MAX_SRCSET]):
                yield found[1]


def _shown(image: Any) -> float:
    """The shorter side that the page gives a picture, in its pixels; 0 when it does not say."""
    sides = [(image.get(name) or "").strip().removesuffix("px") for name in ("width", "height")]
    return min(map(float, sides)) if all(side.isdecimal() for side in sides) else 0.0


def _is_dropped(element: Any) -> bool:
    """What is not content, or not to be seen."""
    style = (element.get("style") or "").replace(" ", "").lower()
    return (
        element.tag in _DROPPED
        or element.get("role") == "navigation"
        or "hidden" in element.attrib
        or "display:none" in style
        or "visibility:hidden" in style
    )


def _lines(*texts: str) -> str:
    """What is said in several places, each on a line of its own, once."""
    return "\n".join(dict.fromkeys(" ".join(text.split()) for text in texts if text.strip()))


def _words_of(element: Any, tag: str) -> str:
    child = element.find(tag)
    return "" if child is None else words(child)
