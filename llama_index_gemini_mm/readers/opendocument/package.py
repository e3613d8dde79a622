"""An OpenDocument file: a package of XML parts, or one flat XML part; what kind it is, and what its properties say.

The XML is walked with lxml. odfdo was weighed and left: it loads every part at once with lxml's own settings, which
resolve entities, and it writes out repeated rows and cells.
"""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lxml import etree

from llama_index_gemini_mm.codecs.markup import xml_parser
from llama_index_gemini_mm.errors import CorruptFile, EncryptedFile, FileTooLarge
from llama_index_gemini_mm.media import AUTHOR, CREATED, KEYWORDS, LANGUAGE
from llama_index_gemini_mm.readers._base import Extra, corrupt
from llama_index_gemini_mm.readers._bounds import MAX_PART_BYTES, MAX_XML_BYTES
from llama_index_gemini_mm.readers._ooxml_parts import BROKEN_ZIP
from llama_index_gemini_mm.source import Source

WHAT = "OpenDocument file"
BROKEN_ODF = (
    *(*BROKEN_ZIP, etree.LxmlError),
    *(LookupError, TypeError, AttributeError),
)
"""What broken packages, parts and numbers raise."""

DRAW = "{urn:oasis:names:tc:opendocument:xmlns:drawing:1.0}"
OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_META = "{urn:oasis:names:tc:opendocument:xmlns:meta:1.0}"
_DUBLIN = "{http://purl.org/dc/elements/1.1/}"
_MANIFEST = "{urn:oasis:names:tc:opendocument:xmlns:manifest:1.0}"
_TYPE = b"application/vnd.oasis.opendocument."
_MIMETYPE = re.compile(rb"\s*application/vnd\.oasis\.opendocument\.([a-z]+)")
_FLAT = re.compile(rb"<office:document\s[^>]*office:mimetype=[\"']application/vnd\.oasis\.opendocument\.([a-z]+)")
_MAX_TREE_BYTES = 64 * 2**20
"""A part that is parsed as a whole: its parsed form takes ten times as much memory. Sheets are parsed row by row."""
_PROPERTIES = {
    AUTHOR: (f"{_META}initial-creator", f"{_DUBLIN}creator"),
    CREATED: (f"{_META}creation-date",),
    LANGUAGE: (f"{_DUBLIN}language",),
}


def kind_of(source: Source) -> str:
    """``text``, ``presentation``, ``spreadsheet``, ``graphics`` and so on; empty when it is no OpenDocument file."""
    head = source.head
    if not head.startswith(b"PK\x03\x04"):
        found = _FLAT.search(head)
        return found[1].decode() if found else ""
    if (at := head.find(_TYPE, 0, 200)) > 0:
        found = _MIMETYPE.match(head, at)
        return found[1].decode() if found else ""
    try:
        with source.open() as stream, zipfile.ZipFile(stream) as archive, archive.open("mimetype") as part:
            found = _MIMETYPE.match(part.read(100))
            return found[1].decode() if found else ""
    except (*BROKEN_ODF, OSError):
        return ""


@dataclass(frozen=True)
class OdfFile:
    """An open OpenDocument file; ``archive`` is ``None`` for a flat one."""

    source: Source
    archive: zipfile.ZipFile | None

    def part(self, link: str, base: str = "") -> tuple[str, bytes]:
        """The name and the bytes of the part that a link names, from a part in the folder ``base``; else nothing.

        Raises ``FileTooLarge`` for more than is read of one part.
        """
        name = posixpath.normpath(posixpath.join(base, link))
        if self.archive is None or name not in self.archive.NameToInfo:
            return "", b""
        self._check(name, MAX_PART_BYTES)
        return name, self.archive.read(name)

    def tree(self, name: str) -> Any:
        """The root of an XML part, or of the whole flat file; ``None`` when there is no such part."""
        if self.archive is None:
            if self.source.size > _MAX_TREE_BYTES:
                raise FileTooLarge(self.source.location, f"XML of more than {_MAX_TREE_BYTES >> 20} MiB")
            return etree.fromstring(self.source.read(), xml_parser(remove_pis=True))
        if name not in self.archive.NameToInfo:
            return None
        self._check(name, _MAX_TREE_BYTES)
        return etree.fromstring(self.archive.read(name), xml_parser(remove_pis=True))

    def stream(self, name: str) -> Any:
        """A stream over an XML part, or over the whole flat file."""
        if self.archive is None:
            return self.source.open()
        self._check(name, MAX_XML_BYTES)
        return self.archive.open(name)

    def inner_file(self, folder: str) -> tuple[str, bytes]:
        """A document that lies in a folder of this one, as a package of its own; nothing when it is none."""
        prefix = folder + "/"
        names = [n for n in self.archive.namelist() if n.startswith(prefix)] if self.archive else []
        if self.archive is None or f"{prefix}content.xml" not in names:
            return "", b""
        kind = self._manifest().get(prefix, "")
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as package:
            package.writestr("mimetype", kind, zipfile.ZIP_STORED)
            for name in names:
                self._check(name, MAX_PART_BYTES)
                package.writestr(name.removeprefix(prefix), self.archive.read(name))
        return folder, target.getvalue() if kind.startswith(_TYPE.decode()) else b""

    def properties(self) -> tuple[str, Extra]:
        """The title, and the metadata that are given."""
        root = self.tree("meta.xml")
        meta = root.find(f".//{OFFICE}meta") if root is not None else None
        if meta is None:
            return "", {}
        found = {key: next(filter(None, map(meta.findtext, tags)), "") for key, tags in _PROPERTIES.items()}
        found[KEYWORDS] = ", ".join(filter(None, (k.text for k in meta.iter(f"{_META}keyword"))))
        return (meta.findtext(f"{_DUBLIN}title") or "").strip(), found

    def check_unlocked(self) -> None:
        """Raise ``EncryptedFile`` for a file behind a password."""
        root = self.tree("META-INF/manifest.xml") if self.archive else None
        if root is not None and next(root.iter(f"{_MANIFEST}encryption-data"), None) is not None:
            raise EncryptedFile(self.source.location, "the OpenDocument file needs a password; save a copy without one")

    def _manifest(self) -> dict[str, str]:
        root = self.tree("META-INF/manifest.xml")
        entries = () if root is None else root.iter(f"{_MANIFEST}file-entry")
        return {e.get(f"{_MANIFEST}full-path"): e.get(f"{_MANIFEST}media-type", "") for e in entries}

    def _check(self, name: str, bound: int) -> None:
        size = self.archive.NameToInfo[name].file_size if self.archive else 0
        if size > bound:
            reason = f"a part of the {WHAT} unpacks to {size >> 20} MiB, at most {bound >> 20} are read"
            raise FileTooLarge(self.source.location, reason)


@contextmanager
def open_odf(source: Source) -> Iterator[OdfFile]:
    """Open an OpenDocument file.

    Raises:
        CorruptFile: it is broken or cut off.
        EncryptedFile: it needs a password.
    """
    if not source.head.startswith(b"PK"):
        yield OdfFile(source, None)
        return
    with source.open() as stream:
        with corrupt(source, WHAT, *BROKEN_ODF):
            file = OdfFile(source, zipfile.ZipFile(stream))
            file.check_unlocked()
            if "content.xml" not in file.archive.NameToInfo:  # type: ignore[union-attr]
                raise CorruptFile(source.location, f"not a readable {WHAT}: its content is missing")
        yield file
