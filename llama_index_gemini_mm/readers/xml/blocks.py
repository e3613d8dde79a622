"""The blocks of XML that was written to be read: DocBook, DITA, JATS, TEI, FictionBook and their like.

They agree on more than their names suggest: a section holds a title and what stands under it, words stand in
paragraphs, items and cells, and a figure names its picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from llama_index_gemini_mm.readers._sections import Block, Heading, Paragraph, Picture
from llama_index_gemini_mm.readers._text import table
from llama_index_gemini_mm.readers.xml.tree import local

_PARAGRAPHS = frozenset(("p", "para", "simpara", "ab", "l", "v"))
_TITLES = frozenset(("title", "head", "heading", "header", "article-title", "book-title", "bridgehead", "subtitle"))
_CODE = frozenset(("programlisting", "screen", "literallayout", "codeblock", "pre", "verbatim", "source-code"))
_TABLES = frozenset(("table", "informaltable", "simpletable", "tgroup"))
_ROWS = frozenset(("row", "tr", "strow", "sthead"))
_CELLS = frozenset(("entry", "td", "th", "cell", "stentry"))
_ITEMS = frozenset(("listitem", "li", "item", "step", "list-item"))
_FIGURES = frozenset(("figure", "fig", "informalfigure", "mediaobject", "inlinemediaobject", "graphic", "image"))
_PICTURES = frozenset(("imagedata", "graphic", "inline-graphic", "image"))
_ALTERNATIVES = frozenset(("mediaobject", "inlinemediaobject", "alternatives"))
_LINKS = ("fileref", "href", "{http://www.w3.org/1999/xlink}href", "url", "src")
_ALTS = frozenset(("textobject", "alt", "alt-text", "figDesc", "long-desc"))
_CAPTIONS = frozenset(("caption", "label", "figDesc"))
_BLOCKS_IN_ITEMS = _CODE | _TABLES | _ITEMS | _FIGURES
_UNLABELLED = frozenset(
    (
        "blockquote",
        "quote",
        "note",
        "term",
        "caption",
        "speaker",
        "attribution",
        "dt",
        "dd",
        "shortdesc",
        "cmd",
        "abstract",
    )
)
_DROPPED = frozenset(("binary", "style", "script", "stylesheet", "svg", "math", "indexterm", "prolog"))

Fetch = Callable[[str], bytes | None]
"""From a picture's link to its bytes."""


def is_prose(root: Any) -> bool:
    """Whether a document holds paragraphs."""
    return any(local(element) in _PARAGRAPHS for element in root.iter("{*}*"))


def xml_blocks(root: Any, fetch: Fetch) -> Iterator[Block]:
    """Yield headings, paragraphs, tables and pictures below an lxml element in reading order."""
    from lxml import etree

    walker = etree.iterwalk(root, events=("start", "end"), tag="{*}*")
    sections: list[Any] = []
    for event, element in walker:
        if event == "end":
            sections = sections[:-1] if sections and sections[-1] is element else sections
            continue
        blocks = _whole(element, len(sections), fetch)
        if blocks is not None:
            yield from blocks
            walker.skip_subtree()
        elif _has_title(element):
            sections.append(element)


def _whole(element: Any, depth: int, fetch: Fetch) -> list[Block] | None:
    """The blocks of an element that is read as one; ``None`` for one that only holds others."""
    name = local(element)
    if name in _DROPPED:
        return []
    if name in _FIGURES:
        return _figure(element, fetch)
    if name in _TABLES:
        return _table(element)
    if name in _CODE:
        return _paragraph("".join(element.itertext()).strip("\n"), "```\n{}\n```")
    if name in _TITLES:
        return [Heading(max(depth, 1), words)] if (words := _words(element)) else []
    if name in _PARAGRAPHS:
        return [*_paragraph(_words(element)), *_pictures(element, fetch)]
    if name in _ITEMS and not _holds(element, _BLOCKS_IN_ITEMS):
        return _paragraph(_words(element), "- {}")
    return _other(element, name)


def _other(element: Any, name: str) -> list[Block] | None:
    """An element of no known name: a paragraph when it holds words itself, labelled when it holds nothing else."""
    if len(element) == 0:
        return _paragraph(_words(element), "{}" if name in _UNLABELLED else name + ": {}")
    own = any(text and text.strip() for text in (element.text, *(child.tail for child in element)))
    return _paragraph(_words(element)) if own and not _holds(element, _PARAGRAPHS | _BLOCKS_IN_ITEMS) else None


def _paragraph(text: str, form: str = "{}") -> list[Block]:
    return [Paragraph(form.replace("{}", text))] if text.strip() else []


def _table(element: Any) -> list[Block] | None:
    rows = [
        [_words(cell) for cell in row if local(cell) in _CELLS] for row in element.iter("{*}*") if local(row) in _ROWS
    ]
    text = table(rows)
    title = next((_words(child) for child in element if local(child) in _TITLES | {"caption"}), "")
    return [Paragraph("\n\n".join(filter(None, (title, text))))] if text else None


def _figure(element: Any, fetch: Fetch) -> list[Block] | None:
    """Its pictures with what is written to them, or that alone; other figures hold tables or code."""
    if not _links(element):
        return None
    found = _pictures(element, fetch)
    caption = _caption(element)
    return [*found, *([Paragraph(caption, is_caption=True)] if caption else [])]


def _pictures(element: Any, fetch: Fetch) -> list[Block]:
    """A document may offer one picture in several formats: the first that can be had is taken from each object."""
    taken: dict[Any, Block] = {}
    for holder, link in _links(element):
        if holder not in taken and (data := fetch(link)):
            taken[holder] = Picture(data, _alternative(holder))
    return list(taken.values())


def _links(element: Any) -> list[tuple[Any, str]]:
    """What is linked to as a picture, with the element whose forms are alternatives of each other."""
    found = []
    for inner in element.iter("{*}*"):
        if local(inner) in _PICTURES and (link := next((inner.get(key) for key in _LINKS if inner.get(key)), "")):
            around = next((up for up in inner.iterancestors() if local(up) in _ALTERNATIVES), inner)
            found.append((around, link.strip()))
    return found


def _alternative(element: Any) -> str:
    words = [_words(inner) for inner in element.iter("{*}*") if local(inner) in _ALTS]
    return "\n".join(dict.fromkeys(filter(None, [element.get("alt") or "", *words])))


def _caption(element: Any) -> str:
    words = [_words(child) for child in element if local(child) in _TITLES | _CAPTIONS]
    return "\n".join(dict.fromkeys(filter(None, words)))


def _has_title(element: Any) -> bool:
    """Whether an element is a section; its title may stand among information about it."""
    name = local(element)
    if name.endswith("info") or name in _TITLES:
        return False
    inside = (
        child for outer in element if isinstance(outer.tag, str) and local(outer).endswith("info") for child in outer
    )
    return any(local(child) in _TITLES for child in (*element, *inside) if isinstance(child.tag, str))


def _holds(element: Any, names: frozenset[str]) -> bool:
    return any(local(inner) in names for inner in element.iterdescendants("{*}*"))


def _words(element: Any) -> str:
    """All text in an element as one line."""
    return " ".join("".join(element.itertext()).split())
