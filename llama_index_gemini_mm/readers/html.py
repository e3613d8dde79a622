"""HTML pages: their sections, tables, and the pictures that lie beside them or are written into them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from llama_index.core.schema import Document

from llama_index_gemini_mm.errors import CorruptFile
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers import _unread
from llama_index_gemini_mm.readers._base import (
    BY_SUFFIX,
    NO_MATCH,
    DocumentBuilder,
    Format,
    ReaderOptions,
    corrupt,
    humanise,
)
from llama_index_gemini_mm.readers._html_blocks import html_blocks
from llama_index_gemini_mm.readers._pictures import linked_bytes
from llama_index_gemini_mm.readers._sections import section_documents
from llama_index_gemini_mm.readers._text import decode, looks_like_text, read_text
from llama_index_gemini_mm.source import Source

_START = re.compile(
    r"\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*<(?:!doctype\s+html|html|head|body)[\s>]", re.I | re.S
)
_DECLARED = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_XML_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")
_CONTROLS = dict.fromkeys([*range(9), 11, 12, *range(14, 32)])


class HtmlFormat(Format):
    """Web pages; one document a section, one a picture. Nothing is fetched from the network."""

    name = "html"
    suffixes = (".html", ".htm", ".xhtml", ".shtml")
    mime_types = ("text/html", "application/xhtml+xml")

    def score(self, source: Source) -> int:
        """Match a document type or an outermost tag at the beginning, or else text by its suffix."""
        if not looks_like_text(source.head) or _unread.wrapped(source):
            return NO_MATCH
        if _START.match(decode(source.head) or ""):
            return self.score_by_magic(source, matches=True)
        return BY_SUFFIX + 1 if source.suffix in self.suffixes else NO_MATCH

    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Document]:
        """Yield each section under its heading path, and the pictures in it."""
        root = _parsed(source)
        builder = DocumentBuilder(source, store, self.mime_types[0])
        title = " ".join((root.findtext(".//head/title") or "").split()) or humanise(source)
        fetch = partial(linked_bytes, source, root=options.link_root) if options.figures else _nothing
        yield from section_documents(html_blocks(root, fetch), builder, options, title)


def _nothing(link: str) -> None:
    return None


def _parsed(source: Source) -> Any:
    from lxml import etree, html

    declared = _DECLARED.search(source.head)
    text = read_text(source, declared[1].decode("ascii") if declared else None)
    text = _XML_DECLARATION.sub("", text).translate(_CONTROLS)
    root = None
    for deep in (False, True) if text.strip() else ():
        parser = html.HTMLParser(no_network=True, huge_tree=deep, remove_pis=True)
        with corrupt(source, "HTML page", etree.LxmlError, ValueError):
            root = html.document_fromstring(text, parser=parser)
        if not any(entry.type == etree.ErrorTypes.ERR_RESOURCE_LIMIT for entry in parser.error_log):
            break
    else:
        raise CorruptFile(source.location, "the HTML page is nested too deeply")
    if root is None:
        raise CorruptFile(source.location, "the HTML page has no content")
    return root


FORMAT = HtmlFormat()
