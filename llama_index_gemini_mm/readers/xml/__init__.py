"""XML: documents by their sections, feeds by their entries, and data by the elements that hold it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

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
from llama_index_gemini_mm.readers._feed import feed_documents, is_feed
from llama_index_gemini_mm.readers._links import Links
from llama_index_gemini_mm.readers._sections import Heading, section_documents
from llama_index_gemini_mm.readers._text import decode, looks_like_text
from llama_index_gemini_mm.readers._tree import tree_documents
from llama_index_gemini_mm.readers.xml.blocks import is_prose, xml_blocks
from llama_index_gemini_mm.readers.xml.tree import xml_leaves, xml_root
from llama_index_gemini_mm.source import Source

_DECLARED = re.compile(r"\ufeff?\s*<\?xml[\s?]")
_BEGINS = re.compile(r"\ufeff?\s*<[!?A-Za-z_]")


class XmlFormat(Format):
    """XML of every kind that is not a format of its own. No entity is expanded, and nothing else is opened."""

    name = "xml"
    suffixes = (
        *(
            ".xml",
            ".xsd",
            ".xsl",
            ".xslt",
            ".wsdl",
            ".rdf",
            ".owl",
            ".rss",
            ".atom",
            ".opml",
            ".plist",
            ".resx",
            ".xaml",
        ),
        *(".dbk", ".docbook", ".dita", ".ditamap", ".nxml", ".jats", ".tei", ".fb2", ".xlf", ".xliff", ".tmx", ".gpx"),
        *(".kml", ".gml", ".csproj", ".vcxproj", ".pom", ".musicxml", ".drawio"),
    )
    mime_types = ("application/xml", "application/rss+xml", "application/atom+xml")

    def score(self, source: Source) -> int:
        """Match an XML declaration, or a suffix with a tag at the beginning; formats made of XML go first."""
        if _unread.wrapped(source) or not looks_like_text(source.head):
            return NO_MATCH
        start = decode(source.head) or ""
        if _DECLARED.match(start):
            return BY_SUFFIX + 5
        return BY_SUFFIX + 1 if source.suffix in self.suffixes and _BEGINS.match(start) else NO_MATCH

    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Piece]:
        """Yield sections and pictures, entries, or lines of ``path: value``, as the document is built."""
        root = xml_root(source, source.read())
        if is_feed(root):
            yield from feed_documents(root, source, store, options)
            return
        builder = DocumentBuilder(source, store, self.mime_types[0])
        if not is_prose(root):
            yield from tree_documents(xml_leaves(source, root), builder, PurePosixPath(source.name).stem)
            return
        blocks = list(xml_blocks(root, _Pictures(root, Links(source, options)).find))
        title = next((block.text for block in blocks if isinstance(block, Heading)), humanise(source))
        yield from section_documents(blocks, builder, options, title)


class _Pictures:
    """Pictures that a document links to, beside it or, as in FictionBook, in itself."""

    def __init__(self, root: Any, links: Links) -> None:
        self._inside = {element.get("id"): element for element in root.iter("{*}binary") if element.get("id")}
        self._links = links

    def find(self, link: str) -> bytes | None:
        """The bytes of a picture."""
        element = self._inside.get(link.removeprefix("#")) if link.startswith("#") else None
        if element is None:
            return self._links.picture(link)
        try:
            return base64.b64decode("".join((element.text or "").split()))
        except (binascii.Error, ValueError):
            return None


FORMAT = XmlFormat()
