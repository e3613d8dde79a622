"""The package of an e-book: what it says of itself, its pages in reading order, and its table of contents."""

from __future__ import annotations

import logging
import posixpath
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from llama_index_gemini_mm import media
from llama_index_gemini_mm.codecs.markup import xml_parser
from llama_index_gemini_mm.errors import CorruptFile, EncryptedFile, FileTooLarge
from llama_index_gemini_mm.readers._archive import check_declared
from llama_index_gemini_mm.readers._base import Extra
from llama_index_gemini_mm.readers._bounds import MAX_XML_BYTES
from llama_index_gemini_mm.readers.epub.contents import Contents, of_navigation, of_ncx
from llama_index_gemini_mm.readers.html.tree import iso_date, page_text, page_tree
from llama_index_gemini_mm.readers.zip.members import opened_zip, read_member
from llama_index_gemini_mm.source import Source

_log = logging.getLogger(__name__)
CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_FONT_METHODS = frozenset(("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"))
"""Ways to make fonts useless outside of their book, which leave words and pictures open."""
_MAX_BYTES = 2 * 2**30
_MAX_PAGES = 20_000
_NCX = "application/x-dtbncx+xml"


@dataclass(frozen=True)
class Item:
    """A file of the book; ``titles`` lead to it in the table of contents, outermost first."""

    path: str
    mime_type: str
    properties: tuple[str, ...] = ()
    titles: tuple[str, ...] = ()


@contextmanager
def opened_book(source: Source) -> Iterator[Book]:
    """The book in a package.

    Raises:
        CorruptFile: there is none, or it is broken.
        EncryptedFile: it is protected.
        FileTooLarge: it passes a bound.
    """
    with opened_zip(source, "e-book") as package:
        for member in package.infolist():
            check_declared(source.location, member.file_size, member.compress_size)
        if sum(member.file_size for member in package.infolist()) > _MAX_BYTES:
            raise FileTooLarge(source.location, f"the e-book unpacks to more than {_MAX_BYTES >> 30} GiB")
        yield Book(source, package)


class Book:
    """An opened e-book.

    Attributes:
        title: as its publisher gives it.
        extra: author, language, keywords and date, under keys of ``media.py``.
        items: every file that the book lists, by its id.
        spine: the pages in reading order.
        cover: the picture on the cover.
        anchors: of pages that hold several chapters, where these begin: page, id of an element, title.
    """

    def __init__(self, source: Source, package: zipfile.ZipFile) -> None:
        self._source = source
        self._package = package
        self._members = {member.filename: member for member in package.infolist()}
        self._refuse_protected()
        self._opf_path = self._package_path()
        opf = self._xml(self._opf_path)
        self._folder = posixpath.dirname(self._opf_path)
        metadata = opf.find("{*}metadata")
        self.title = _first(metadata, "title")
        self.extra: Extra = _facts(metadata)
        self.items = {id_: item for id_, item in self._listed(opf) if item.path in self._members}
        contents = self._contents(opf)
        self.anchors: Mapping[str, Mapping[str, str]] = contents.anchors
        self.spine = self._titled(opf, contents)
        self.cover = self._cover(opf)

    def read(self, path: str) -> bytes:
        """The bytes of a file of the book; raises ``SourceError`` for one that is missing or passes a bound."""
        member = self._members.get(path)
        if member is None:
            raise CorruptFile(self._source.location, "a file that the e-book lists is missing")
        return read_member(self._package, member, self._source.location)

    def find(self, folder: str, link: str) -> bytes | None:
        """The picture in the book that a link on a page in ``folder`` names; ``None`` for anything else."""
        path = _inside(folder, link)
        return self.picture(path) if path else None

    def picture(self, path: str) -> bytes | None:
        """The bytes of a picture; ``None`` for one that is missing or broken, which costs nothing else."""
        try:
            return self.read(path)
        except CorruptFile:
            _log.info("%s: a picture is left out: it is missing or broken", self._source.name)
            return None

    def _refuse_protected(self) -> None:
        if _ENCRYPTION in self._members:
            methods = (e.get("Algorithm") for e in self._xml(_ENCRYPTION).iter("{*}EncryptionMethod"))
            if any(method not in _FONT_METHODS for method in methods):
                raise EncryptedFile(self._source.location, "the e-book is protected against copying (DRM)")

    def _package_path(self) -> str:
        if CONTAINER not in self._members:
            found = next((name for name in self._members if name.endswith(".opf")), None)
            if found is None:
                raise CorruptFile(self._source.location, "not a readable e-book: it has no list of packages")
            return found
        rootfile = next(self._xml(CONTAINER).iter("{*}rootfile"), None)
        path = rootfile.get("full-path", "") if rootfile is not None else ""
        if _inside("", path) is None:
            raise CorruptFile(self._source.location, "not a readable e-book: its package lies outside of it")
        return path

    def _xml(self, path: str) -> Any:
        from lxml import etree

        member = self._members.get(path)
        if member is None:
            raise CorruptFile(self._source.location, "not a readable e-book: a part of it is missing")
        data = read_member(self._package, member, self._source.location, limit=MAX_XML_BYTES)
        try:
            root = etree.fromstring(data, xml_parser(recover=True, remove_comments=True))
        except (etree.XMLSyntaxError, ValueError):
            root = None
        if root is None:
            raise CorruptFile(self._source.location, "not a readable e-book: a part of it is broken")
        return root

    def _listed(self, opf: Any) -> Iterator[tuple[str, Item]]:
        for item in opf.iterfind("{*}manifest/{*}item"):
            path = _inside(self._folder, item.get("href") or "")
            if path and item.get("id"):
                properties = tuple((item.get("properties") or "").split())
                yield item.get("id"), Item(path, (item.get("media-type") or "").lower(), properties)

    def _titled(self, opf: Any, contents: Contents) -> list[Item]:
        """The spine. A page that the contents do not name goes on with the chapter before it."""
        pages: list[Item] = []
        titles: tuple[str, ...] = ()
        seen: set[str] = set()
        for reference in opf.iterfind("{*}spine/{*}itemref"):
            item = self.items.get(reference.get("idref") or "")
            if item is None or item.path in seen or "nav" in item.properties:
                continue
            seen.add(item.path)
            titles = contents.titles.get(item.path, titles)
            pages.append(replace(item, titles=titles))
            if len(pages) > _MAX_PAGES:
                raise FileTooLarge(self._source.location, f"an e-book of more than {_MAX_PAGES:,} pages")
        return pages

    def _contents(self, opf: Any) -> Contents:
        """The table of contents: of EPUB 3 or, where a book has none of these, of EPUB 2."""
        for item in self.items.values():
            if "nav" in item.properties and (markup := (page_text(self.read(item.path)) or "").strip()):
                return of_navigation(page_tree(self._source, markup), self._target(item.path))
        spine = opf.find("{*}spine")
        named = self.items.get(spine.get("toc") or "") if spine is not None else None
        ncx = named or next((item for item in self.items.values() if item.mime_type == _NCX), None)
        return of_ncx(self._xml(ncx.path), self._target(ncx.path)) if ncx else Contents({}, {})

    def _target(self, path: str) -> Any:
        folder = posixpath.dirname(path)

        def target(link: str) -> tuple[str, str]:
            page, _, fragment = link.partition("#")
            return _inside(folder, page) or "", unquote(fragment)

        return target

    def _cover(self, opf: Any) -> Item | None:
        for item in self.items.values():
            if "cover-image" in item.properties:
                return item
        named = next((m.get("content") for m in opf.iterfind("{*}metadata/{*}meta") if m.get("name") == "cover"), None)
        cover = self.items.get(named or "")
        return cover if cover is not None and cover.mime_type.startswith("image/") else None


def _inside(folder: str, link: str) -> str | None:
    """The path of a link within the book; ``None`` when it leads out of it."""
    path = unquote(link.partition("#")[0].partition("?")[0])
    if not path or ":" in path or path.startswith(("/", "\\")):
        return None
    normal = posixpath.normpath(posixpath.join(folder, path))
    return None if normal.startswith("..") else normal


def _facts(metadata: Any) -> Extra:
    facts = {
        media.AUTHOR: ", ".join(_all(metadata, "creator")),
        media.LANGUAGE: _first(metadata, "language"),
        media.KEYWORDS: ", ".join(_all(metadata, "subject")),
        media.CREATED: iso_date(_first(metadata, "date")),
    }
    return {key: value for key, value in facts.items() if value}


def _all(metadata: Any, name: str) -> list[str]:
    elements = metadata.iterfind(f"{{*}}{name}") if metadata is not None else ()
    found = (media.one_line("".join(element.itertext())) for element in elements)
    return list(dict.fromkeys(filter(None, found)))


def _first(metadata: Any, name: str) -> str:
    return next(iter(_all(metadata, name)), "")
