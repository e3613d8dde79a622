"""The parts of an office package before any library opens it: whether they are too large, and what must be mended."""

from __future__ import annotations

import posixpath
import re
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from llama_index_gemini_mm.codecs.markup import xml_parser
from llama_index_gemini_mm.errors import CorruptFile, FileTooLarge
from llama_index_gemini_mm.source import Source

CONTENT_TYPES = "[Content_Types].xml"
MAX_XML_BYTES = 64 * 2**20
"""A bound on one XML part, unpacked: a very long book has 5 MiB, and its parsed form takes ten times as much memory."""
MAX_ALL_XML_BYTES = 128 * 2**20
"""A bound on all of them: the libraries keep the parsed form of each."""
MAX_BYTES = 2**30
"""A bound on all parts, unpacked."""
BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, RuntimeError, OverflowError)

STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/(\w+)")
TRANSITIONAL = rb"http://schemas.openxmlformats.org/\1/2006/\2"
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_NAMED_XML = (".xml", ".rels", ".vml")


def check_sizes(source: Source, what: str, opened: zipfile.ZipFile) -> None:
    """Refuse a package that unpacks to too much, going by what it declares.

    What a part declares is the most that is read of it. That it is not the least of what it unpacks to would show in
    packed bytes that are more than it needs.

    Raises:
        FileTooLarge: it passes a bound.
        CorruptFile: it is packed in a way that office packages are not.
    """
    parts = opened.infolist()
    typed = _xml_parts(opened)
    xml = [p.file_size for p in parts if p.filename in typed or p.filename.lower().endswith(_NAMED_XML)]
    total = sum(p.file_size for p in parts)
    for size, bound in ((max(xml, default=0), MAX_XML_BYTES), (sum(xml), MAX_ALL_XML_BYTES), (total, MAX_BYTES)):
        if size > bound:
            reason = f"the {what} unpacks to {size >> 20} MiB, at most {bound >> 20} are read"
            raise FileTooLarge(source.location, reason)
    if any(p.compress_type not in _METHODS or p.compress_size > 1.1 * p.file_size + 4096 for p in parts):
        raise CorruptFile(source.location, f"not a readable {what}: its parts are packed in an unknown way")


def _xml_parts(opened: zipfile.ZipFile) -> set[str]:
    """The names of the parts that are XML by their content type, whatever their suffix."""
    if opened.getinfo(CONTENT_TYPES).file_size > MAX_XML_BYTES:
        return set()
    root = _tree(opened.read(CONTENT_TYPES))
    listed = [] if root is None else [e for e in root if (e.get("ContentType") or "").endswith("xml")]
    suffixes = tuple(f".{e.get('Extension')}".lower() for e in listed if e.get("Extension"))
    names = {(e.get("PartName") or "").lstrip("/").lower() for e in listed}
    return {n for n in opened.namelist() if n.lower() in names or (suffixes and n.lower().endswith(suffixes))}


def mended(opened: zipfile.ZipFile, types: Mapping[str, str]) -> dict[str, bytes]:
    """The parts that must be changed for a library to open the package, by name; mostly none.

    Args:
        opened: the package.
        types: content types to be replaced, each with its replacement.
    """
    names = opened.namelist()
    is_strict = any(STRICT.search(opened.read(n)) for n in names if n == "_rels/.rels")
    typed = _xml_parts(opened) if is_strict else set()
    by_name = {name.lower(): name for name in names}
    changes = {}
    for name in names:
        if not (name in typed or name == CONTENT_TYPES or name.endswith(".rels")):
            continue
        data = old = opened.read(name)
        if is_strict:
            data = STRICT.sub(TRANSITIONAL, data)
        if name == CONTENT_TYPES:
            for other, plain in types.items():
                data = data.replace(other.encode(), plain.encode())
        elif name.endswith(".rels"):
            data = _related(name, data, by_name)
        if data != old:
            changes[name] = data
    return changes


def _related(name: str, data: bytes, names: Mapping[str, str]) -> bytes:
    """Relations without those to parts that are missing; a part that is named in another case is found."""
    from lxml import etree

    root = _tree(data)
    folder = posixpath.dirname(posixpath.dirname(name))
    is_changed = False
    for relation in [] if root is None else list(root):
        target = relation.get("Target") or ""
        if relation.get("TargetMode") == "External" or target.startswith("#"):
            continue
        path = posixpath.normpath(posixpath.join("/", folder, unquote(target.partition("#")[0]))).lstrip("/")
        found = names.get(path.lower())
        if found != path:
            is_changed = True
            root.remove(relation) if found is None else relation.set("Target", f"/{found}")
    return bytes(etree.tostring(root, encoding="UTF-8", standalone=True)) if is_changed else data


def _tree(data: bytes) -> Any:
    from lxml import etree

    try:
        return etree.fromstring(data, xml_parser())
    except (etree.LxmlError, ValueError):
        return None
