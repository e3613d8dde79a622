"""Word and PowerPoint packages: recognising them, refusing locked and oversized ones; what charts and diagrams say."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

from llama_index_gemini_mm.errors import CorruptFile, EncryptedFile, FileTooLarge
from llama_index_gemini_mm.readers._base import BY_BOTH, BY_CONTENT, BY_SUFFIX, NO_MATCH
from llama_index_gemini_mm.readers._text import table
from llama_index_gemini_mm.source import Source

ZIP_MAGIC = b"PK\x03\x04"
OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_LOCKED = "EncryptedPackage".encode("utf-16-le")
_TYPES = "[Content_Types].xml"

MAX_XML_BYTES = 64 * 2**20
"""A bound on one XML part, unpacked: a very long book has 5 MiB, and its parsed form takes ten times as much memory."""
MAX_BYTES = 2**30
"""A bound on all parts, unpacked."""
_BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, RuntimeError)
BROKEN_PART = (*_BROKEN_ZIP, KeyError, IndexError, AttributeError, TypeError, AssertionError)
"""What python-docx and python-pptx raise, besides errors of their own, on packages with missing or senseless parts."""

CHART = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"
EMU_PER_PIXEL = 9525
"""English metric units in a pixel of 1/96 inch."""
RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"


def score(source: Source, folder: str, suffixes: tuple[str, ...]) -> int:
    """Match a package whose parts lie in ``folder`` (``word/``), or, when it is locked or broken, by its suffix."""
    named = source.suffix in suffixes
    if source.head.startswith(ZIP_MAGIC):
        names = _names(source)
        if names is None:
            return BY_SUFFIX if named else NO_MATCH
        found = _TYPES in names and any(name.startswith(folder) for name in names)
        return (BY_BOTH if named else BY_CONTENT) if found else NO_MATCH
    return BY_SUFFIX if named and source.head.startswith(OLE_MAGIC) and is_locked(source) else NO_MATCH


def _names(source: Source) -> list[str] | None:
    try:
        with source.open() as stream, zipfile.ZipFile(stream) as package:
            return package.namelist()
    except _BROKEN_ZIP:
        return None


def is_locked(source: Source) -> bool:
    """Whether an OLE file wraps an Office document behind a password."""
    return source.head.startswith(OLE_MAGIC) and _LOCKED in source.read()


def package(source: Source, what: str, main_type: str, other_types: tuple[str, ...]) -> BinaryIO:
    """A stream over a sound package for the library that opens it.

    Templates, shows and files with macros differ from plain documents in the content type of their main part alone;
    they are handed on as what they otherwise are.

    Args:
        source: the file.
        what: what people call it.
        main_type: the content type that the library accepts.
        other_types: content types to be replaced by it.

    Raises:
        EncryptedFile: it needs a password.
        FileTooLarge: it unpacks to more than is read.
        CorruptFile: it is broken or cut off.
    """
    if source.head.startswith(OLE_MAGIC):
        raise EncryptedFile(source.location, f"the {what} needs a password; save a copy without one")
    try:
        with source.open() as stream, zipfile.ZipFile(stream) as opened:
            _check_sizes(source, what, opened)
            types = opened.read(_TYPES)
            plain = types
            for other in other_types:
                plain = plain.replace(other.encode(), main_type.encode())
            return source.open() if plain == types else _with_types(opened, plain)
    except KeyError as error:
        raise CorruptFile(source.location, f"not a readable {what}: its list of parts is missing") from error
    except _BROKEN_ZIP as error:
        raise CorruptFile(source.location, f"not a readable {what}: the package is broken or cut off") from error


def _check_sizes(source: Source, what: str, opened: zipfile.ZipFile) -> None:
    parts = opened.infolist()
    largest = max((p.file_size for p in parts if p.filename.endswith((".xml", ".rels", ".vml"))), default=0)
    total = sum(p.file_size for p in parts)
    for size, bound in ((largest, MAX_XML_BYTES), (total, MAX_BYTES)):
        if size > bound:
            reason = f"the {what} unpacks to {size >> 20} MiB, at most {bound >> 20} are read"
            raise FileTooLarge(source.location, reason)


def _with_types(opened: zipfile.ZipFile, types: bytes) -> BinaryIO:
    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w") as target:
        for part in opened.infolist():
            target.writestr(part.filename, types if part.filename == _TYPES else opened.read(part))
    copy.seek(0)
    return copy


def part_text(part: Any) -> str:
    """What a chart part (series as a table) or a diagram part (its words) says; empty for anything else.

    Raises ``lxml.etree.XMLSyntaxError`` for broken parts.
    """
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    root = etree.fromstring(part.blob, parser=parser)
    if root.tag == f"{CHART}chartSpace":
        return _chart_text(root)
    return "\n".join(_diagram_texts(root)) if root.tag == f"{DIAGRAM}dataModel" else ""


def _chart_text(root: Any) -> str:
    """The title, and the cached values: a row a category, a column a series."""
    title = " ".join("".join(t.text or "" for t in root.iterfind(f".//{CHART}title//{DRAWING}t")).split())
    series = list(root.iter(f"{CHART}ser"))
    names = [" ".join(_points(s, "tx").values()) or f"Series {n}" for n, s in enumerate(series, 1)]
    categories = next(filter(None, (_points(s, "cat") or _points(s, "xVal") for s in series)), {})
    values = [_points(s, "val") or _points(s, "yVal") for s in series]
    keys = sorted({*categories, *(key for column in values for key in column)})
    rows = [[categories.get(key, ""), *(column.get(key, "") for column in values)] for key in keys]
    return "\n\n".join(filter(None, (title, table([["", *names], *rows]) if rows else "")))


def _points(series: Any, name: str) -> dict[int, str]:
    points = series.iterfind(f"{CHART}{name}//{CHART}pt")
    return {int(p.get("idx", "0")): p.findtext(f"{CHART}v") or "" for p in points}


def _diagram_texts(root: Any) -> Iterator[str]:
    for point in root.iter(f"{DIAGRAM}pt"):
        words = " ".join("".join(t.text or "" for t in point.iter(f"{DRAWING}t")).split())
        if words:
            yield words
