"""News feeds, as RSS and Atom: a section for every entry, with its author and date."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from llama_index_gemini_mm import media
from llama_index_gemini_mm.errors import CorruptFile
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers._base import DocumentBuilder, Piece, ReaderOptions, humanise
from llama_index_gemini_mm.readers._links import Links
from llama_index_gemini_mm.readers._sections import Block, Heading, Paragraph, section_documents
from llama_index_gemini_mm.readers.html.blocks import html_blocks
from llama_index_gemini_mm.readers.html.tree import page_tree
from llama_index_gemini_mm.readers.xml.tree import local
from llama_index_gemini_mm.source import Source

_ROOTS = {"rss": "application/rss+xml", "RDF": "application/rss+xml", "feed": "application/atom+xml"}
_ENTRIES = frozenset(("item", "entry"))
_BODIES = ("encoded", "content", "description", "summary")
_AUTHORS = ("author", "creator")
_DATES = ("published", "pubDate", "date", "updated")
_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:?\d\d)?)?")


def is_feed(root: Any) -> bool:
    """Whether a root element is that of a feed with entries."""
    return local(root) in _ROOTS and any(local(element) in _ENTRIES for element in root.iter("{*}item", "{*}entry"))


def feed_documents(root: Any, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Piece]:
    """Yield each entry as a section under its title, and the pictures in it."""
    builder = DocumentBuilder(source, store, _ROOTS[local(root)], {})
    channel = next(root.iter("{*}channel", "{*}feed"), root)
    links = Links(source, options)
    title = _text(channel, "title") or humanise(source)
    if about := _text(channel, "description", "subtitle", "tagline"):
        yield from section_documents([Paragraph(about)], builder, options, title)
    for entry in root.iter("{*}item", "{*}entry"):
        blocks = [Heading(1, _text(entry, "title") or "untitled"), *_body(entry, source, links)]
        said = {
            media.AUTHOR: media.one_line(_text(entry, *_AUTHORS)),
            media.CREATED: _date(_text(entry, *_DATES)),
            media.KEYWORDS: media.one_line(", ".join(_categories(entry))),
        }
        builder.common = {key: value for key, value in said.items() if value}
        yield from section_documents(blocks, builder, options, title)
    builder.common = {}
    yield from links.parts(builder)


def _text(element: Any, *names: str) -> str:
    """The words of the first child that has one of the names, by the order of these."""
    for name in names:
        for child in element.iterchildren("{*}*"):
            if local(child) == name and (words := " ".join(" ".join(child.itertext()).split())):
                return words
    return ""


def _categories(entry: Any) -> Iterator[str]:
    for child in entry.iterchildren("{*}category"):
        if words := (child.get("term") or child.text or "").strip():
            yield words


def _body(entry: Any, source: Source, links: Links) -> Iterator[Block]:
    """The fullest text of an entry, be it escaped markup or elements."""
    children = {local(child): child for child in reversed(list(entry.iterchildren("{*}*")))}
    body = next((children[name] for name in _BODIES if name in children and _filled(children[name])), None)
    if body is None:
        return
    root = body
    if len(body) == 0:
        try:
            root = page_tree(source, body.text or "")
        except CorruptFile:
            yield Paragraph((body.text or "").strip())
            return
    else:
        for element in body.iter("{*}*"):
            element.tag = local(element)
    yield from html_blocks(root, links.picture, links.play)


def _filled(element: Any) -> bool:
    return len(element) > 0 or bool((element.text or "").strip())


def _date(written: str) -> str:
    """In ISO 8601, from the form of mail or from itself."""
    if _ISO.fullmatch(written):
        return written
    try:
        return parsedate_to_datetime(written).astimezone(UTC).isoformat().replace("+00:00", "Z") if written else ""
    except (ValueError, TypeError, IndexError, OverflowError):
        return ""
