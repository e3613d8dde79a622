"""HTML pages: their sections, tables, and the pictures that lie beside them or are written into them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from urllib.parse import urljoin

from llama_index_gemini_mm.errors import FileTooLarge
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers import _unread
from llama_index_gemini_mm.readers._base import (
    BY_SUFFIX,
    NO_MATCH,
    DocumentBuilder,
    Format,
    Piece,
    ReaderOptions,
    humanise,
)
from llama_index_gemini_mm.readers._links import Links
from llama_index_gemini_mm.readers._sections import Block, Paragraph, section_documents
from llama_index_gemini_mm.readers._text import MAX_TEXT_BYTES, decode, looks_like_text
from llama_index_gemini_mm.readers.html.blocks import html_blocks
from llama_index_gemini_mm.readers.html.tree import About, about, page_text, page_tree
from llama_index_gemini_mm.source import Source

_START = re.compile(
    r"\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*<(?:!doctype\s+html|html|head|body)[\s>]", re.I | re.S
)
_BY_SUFFIX = BY_SUFFIX + 6
"""Above XML: pages without an outermost tag may begin with its declaration."""


class HtmlFormat(Format):
    """Web pages; one document a section, one a picture. Sounds and films written into a page are files inside it."""

    name = "html"
    suffixes = (".html", ".htm", ".xhtml", ".shtml")
    mime_types = ("text/html", "application/xhtml+xml")

    def score(self, source: Source) -> int:
        """Match a document type or an outermost tag at the beginning, or else text by its suffix."""
        if _unread.wrapped(source):
            return NO_MATCH
        is_text = looks_like_text(source.head)
        # A page may hold bytes that are no text.
        start = (decode(source.head) if is_text else None) or source.head.decode("latin-1")
        if _START.match(start):
            return self.score_by_magic(source, matches=True)
        return _BY_SUFFIX if is_text and source.suffix in self.suffixes else NO_MATCH

    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Piece]:
        """Yield each section under its heading path and the pictures in it, then what can be played."""
        root = page_tree(source, _markup(source))
        said = about(root)
        builder = DocumentBuilder(source, store, self.mime_types[0], said.extra)
        links, whole = Links(source, options), partial(_whole, said.base)
        page = html_blocks(root, lambda link: links.picture(whole(link)), lambda link: links.play(whole(link)))
        yield from section_documents([*_summary(said), *page], builder, options, said.title or humanise(source))
        yield from links.parts(builder)


def _markup(source: Source) -> str:
    if source.size > MAX_TEXT_BYTES:
        raise FileTooLarge(source.location, f"a page of {source.size >> 20} MiB, at most {MAX_TEXT_BYTES >> 20}")
    data = source.read()
    return page_text(data) or data.decode("cp1252", errors="replace")


def _whole(base: str, link: str) -> str:
    """A link as the page means it, which may say what its links are relative to."""
    return urljoin(base, link) if base and link[:5].lower() != "data:" else link


def _summary(said: About) -> Iterator[Block]:
    if said.description:
        yield Paragraph(said.description)


FORMAT = HtmlFormat()
