"""E-books (EPUB 2 and 3): their chapters, the pictures in them, and what can be played."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any

from llama_index_gemini_mm import media
from llama_index_gemini_mm.errors import SourceError
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers._archive import Names, refused
from llama_index_gemini_mm.readers._base import (
    BY_SUFFIX,
    NO_MATCH,
    DocumentBuilder,
    Format,
    Piece,
    ReaderOptions,
    humanise,
)
from llama_index_gemini_mm.readers._pictures import NOWHERE, linked_bytes, remote
from llama_index_gemini_mm.readers._sections import Block, Heading, Picture, section_documents
from llama_index_gemini_mm.readers.epub.package import CONTAINER, Book, Item, opened_book
from llama_index_gemini_mm.readers.html.blocks import html_blocks
from llama_index_gemini_mm.readers.html.tree import page_text, page_tree
from llama_index_gemini_mm.readers.zip.members import member_names
from llama_index_gemini_mm.source import Source

_MIME = b"application/epub+zip"
_ABOVE_PAGE = -10
"""The level of the outermost title in the table of contents: above any heading of a page."""
_PLAYED = ("audio/", "video/", "image/svg", "application/pdf")


class EpubFormat(Format):
    """E-books; one document a section under the title of its chapter, one a picture."""

    name = "epub"
    suffixes = (".epub",)
    mime_types = ("application/epub+zip",)

    def score(self, source: Source) -> int:
        """Match the type that a book names first, or its list of packages; what is broken by its suffix."""
        if _MIME in source.head[:100]:
            return self.score_by_magic(source, matches=True)
        names = member_names(source)
        if names is None:
            return BY_SUFFIX if source.head.startswith(b"PK") and source.suffix in self.suffixes else NO_MATCH
        is_named_book = source.suffix in self.suffixes and "mimetype" in names
        return self.score_by_magic(source, matches=CONTAINER in names or is_named_book)

    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Piece]:
        """Yield the cover, each section of each chapter in reading order with its pictures, then what can be played.

        Raises:
            CorruptFile: there is no book in the package.
            EncryptedFile: it is protected by a scheme for copies that are sold.
            FileTooLarge: it passes a bound.
        """
        with opened_book(source) as book:
            builder = DocumentBuilder(source, store, self.mime_types[0], book.extra)
            title = book.title or humanise(source)
            pages = _Pages(source, book, options)
            yield from section_documents(pages.cover(), builder, options, title)
            for page in book.spine:
                builder.common = {**book.extra, media.CHAPTER: page.titles[-1]} if page.titles else book.extra
                yield from section_documents(list(pages.blocks(page)), builder, options, title)
            yield from _played(book, builder, pages)


def _played(book: Book, builder: DocumentBuilder, pages: _Pages) -> Iterator[Piece]:
    """Sounds, films and drawings of the book as files of their own."""
    names = Names()
    for item in book.items.values():
        if item.mime_type.startswith(_PLAYED) and item.path not in pages.read:
            name = names.take(item.path)
            try:
                data = book.read(item.path)
            except SourceError as error:
                yield refused(builder, name, type(error), error.reason)
            else:
                yield builder.part(name, data)


class _Pages:
    """Turns the pages of a book into blocks; each picture comes once."""

    def __init__(self, source: Source, book: Book, options: ReaderOptions) -> None:
        self._source = source
        self._book = book
        self._options = options
        self._remote = remote(options)
        self._seen: set[bytes] = set()
        self.read: set[str] = set()

    def cover(self) -> list[Block]:
        """The picture on the cover, named by title and author."""
        cover = self._book.cover
        if cover is None or cover.mime_type.startswith("image/svg"):
            return []
        words = "\n".join(filter(None, (self._book.title, str(self._book.extra.get(media.AUTHOR, "")))))
        data = self._book.picture(cover.path)
        return list(self._new([Picture(data, words)])) if data else []

    def blocks(self, page: Item) -> Iterator[Block]:
        """The blocks of one page below its titles in the table of contents."""
        self.read.add(page.path)
        held = list(self._page(page))
        blocks = list(self._new(held))
        if held and not blocks:
            # A page that shows the cover again, or another picture that was there before, and says nothing.
            return
        for depth, title in enumerate(page.titles):
            yield Heading(_ABOVE_PAGE + depth, title)
        yield from _without_title(blocks, page.titles[-1]) if page.titles else blocks

    def _page(self, page: Item) -> Iterator[Block]:
        data = self._book.read(page.path)
        if page.mime_type.startswith("image/"):
            yield Picture(data)
        elif markup := (page_text(data) or "").strip():
            root = page_tree(self._source, markup)
            _insert_titles(root, self._book.anchors.get(page.path, {}))
            folder = posixpath.dirname(page.path)
            yield from html_blocks(root, lambda link: self._picture(folder, link))

    def _picture(self, folder: str, link: str) -> bytes | None:
        if not self._options.figures:
            return None
        return self._book.find(folder, link) or linked_bytes(NOWHERE, link, None, self._remote)

    def _new(self, blocks: Iterable[Block]) -> Iterator[Block]:
        for block in blocks:
            if isinstance(block, Picture):
                digest = sha256(block.data).digest()
                if digest in self._seen:
                    continue
                self._seen.add(digest)
            yield block


def _without_title(blocks: Iterable[Block], title: str) -> Iterator[Block]:
    """The blocks of a page without the heading that says what the table of contents says, if it is the first one."""
    is_first = True
    for block in blocks:
        if isinstance(block, Heading) and is_first:
            is_first = False
            if block.text.casefold() == title.casefold():
                continue
        yield block


def _insert_titles(root: Any, anchors: Mapping[str, str]) -> None:
    """Give a page that holds several chapters and no headings those of the table of contents."""
    from lxml import etree

    if not anchors or next(root.iter("h1", "h2", "h3", "h4", "h5", "h6"), None) is not None:
        return
    for element in list(root.iter("*")):
        title = anchors.get(element.get("id") or "")
        if title and element.getparent() is not None:
            heading = etree.Element("h1")
            heading.text = title
            element.addprevious(heading)


FORMAT = EpubFormat()
