"""Tables of contents of e-books: which titles lead to which page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from llama_index_gemini_mm.media import one_line

_MAX_DEPTH = 12
_TYPE = "{http://www.idpf.org/2007/ops}type"

Target = Callable[[str], tuple[str, str]]
"""From a link to the page in the book, and the id of an element on it."""
_Entry = tuple[tuple[str, ...], str]
"""The titles that lead to a link, outermost first."""


@dataclass(frozen=True)
class Contents:
    """What a table of contents says.

    Attributes:
        titles: page to the titles that lead to it; those that all its chapters share, when it holds several.
        anchors: page to the chapters on it, when it holds several: id of an element to title.
    """

    titles: dict[str, tuple[str, ...]]
    anchors: dict[str, dict[str, str]]


def of_navigation(root: Any, target: Target) -> Contents:
    """The table of contents of EPUB 3, a page of lists."""
    tables = list(root.iter("nav"))
    chosen = next((n for n in tables if "toc" in (n.get(_TYPE) or n.get("epub:type") or "").split()), None)
    table = chosen if chosen is not None else next(iter(tables), root)
    outermost = next(table.iter("ol"), None)
    return _collected(_listed(outermost, ()) if outermost is not None else iter(()), target)


def of_ncx(root: Any, target: Target) -> Contents:
    """The table of contents of EPUB 2."""
    outermost = root.find("{*}navMap")
    return _collected(_pointed(outermost, ()) if outermost is not None else iter(()), target)


def _listed(ordered: Any, above: tuple[str, ...]) -> Iterator[_Entry]:
    for item in ordered.iterchildren("li"):
        label = next(item.iterchildren("a", "span"), None)
        titles = (*above, one_line("".join(label.itertext()))) if label is not None else above
        if label is not None and label.get("href"):
            yield titles, label.get("href")
        for inner in item.iterchildren("ol") if len(titles) < _MAX_DEPTH else ():
            yield from _listed(inner, titles)


def _pointed(parent: Any, above: tuple[str, ...]) -> Iterator[_Entry]:
    for point in parent.iterchildren("{*}navPoint"):
        titles = (*above, one_line(point.findtext("{*}navLabel/{*}text") or ""))
        content = point.find("{*}content")
        if content is not None and content.get("src"):
            yield titles, content.get("src")
        if len(titles) < _MAX_DEPTH:
            yield from _pointed(point, titles)


def _collected(entries: Iterator[_Entry], target: Target) -> Contents:
    by_page: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    for titles, link in entries:
        page, fragment = target(link)
        named = tuple(filter(None, titles))
        if page and named:
            by_page.setdefault(page, []).append((fragment, named))
    titles_of = {page: _shared([named for _, named in found]) for page, found in by_page.items()}
    several = {page: found for page, found in by_page.items() if len(found) > 1}
    anchors = {page: {fragment: named[-1] for fragment, named in found if fragment} for page, found in several.items()}
    return Contents(titles_of, anchors)


def _shared(paths: list[tuple[str, ...]]) -> tuple[str, ...]:
    """The titles that all paths begin with."""
    levels = takewhile(lambda level: len(set(level)) == 1, zip(*paths, strict=False))
    return tuple(level[0] for level in levels)
