"""Office packages: recognising them, handing on sound ones, and what their parts have in common."""

from __future__ import annotations

import io
import logging
import re
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Any, BinaryIO

from llama_index_gemini_mm.codecs.markup import xml_parser
from llama_index_gemini_mm.errors import CorruptFile, EncryptedFile
from llama_index_gemini_mm.media import AUTHOR, CREATED, KEYWORDS, LANGUAGE, one_line
from llama_index_gemini_mm.readers._base import BY_BOTH, BY_CONTENT, BY_SUFFIX, NO_MATCH
from llama_index_gemini_mm.readers._ooxml_parts import BROKEN_ZIP, CONTENT_TYPES, check_sizes, mended
from llama_index_gemini_mm.readers.zip.members import member_names
from llama_index_gemini_mm.source import Source

_log = logging.getLogger(__name__)
ZIP_MAGIC = b"PK\x03\x04"
OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_LOCKED = "EncryptedPackage".encode("utf-16-le")

_FILE_NAME = re.compile(r"[^/]{1,200}\.(?:png|jpe?g|gif|bmp|tiff?|webp|emf|wmf|svg|heic|mp[34]|mov|wav|m4[av])", re.I)
_OF_TEMPLATES = ("python-docx", "2013-12-23T23:15:00+00:00", "2013-01-27T09:14:16+00:00")
"""What libraries leave in documents that say nothing of themselves."""
_NO_YEAR = 1601
"""The year 0 of Windows, which stands for none."""
_REMARK = re.compile(r"Description automatically generated|AI-generated content may be incorrect", re.I)

BROKEN_PART = (*BROKEN_ZIP, KeyError, IndexError, AttributeError, TypeError, AssertionError)
"""What python-docx and python-pptx raise, besides errors of their own, on packages with missing or senseless parts."""

CHART = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
MARKUP = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
SVG_BLIP = "{http://schemas.microsoft.com/office/drawing/2016/SVG/main}svgBlip"
DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"
EMU_PER_PIXEL = 9525
"""English metric units in a pixel of 1/96 inch."""
RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"


def score(source: Source, folder: str, suffixes: tuple[str, ...]) -> int:
    """Match a package whose parts lie in ``folder`` (``word/``), or, when it is locked or broken, by its suffix."""
    named = source.suffix in suffixes
    if source.head.startswith(ZIP_MAGIC):
        names = member_names(source)
        if names is None:
            return BY_SUFFIX if named else NO_MATCH
        found = CONTENT_TYPES in names and any(name.startswith(folder) for name in names)
        return (BY_BOTH if named else BY_CONTENT) if found else NO_MATCH
    return BY_SUFFIX if named and source.head.startswith(OLE_MAGIC) and is_locked(source) else NO_MATCH


def related_roots(part: Any, kind: str) -> Iterator[Any]:
    """The root elements of the parts that ``part`` is related to by a kind such as ``comments``, each once."""
    relations = (r for r in part.rels.values() if not r.is_external and r.reltype.endswith(f"/{kind}"))
    for target in dict.fromkeys(relation.target_part for relation in relations):
        root = parsed(target.blob, str(target.partname))
        if root is not None:
            yield root


def is_locked(source: Source) -> bool:
    """Whether an OLE file wraps an Office document behind a password."""
    return source.head.startswith(OLE_MAGIC) and _LOCKED in source.read()


def package(source: Source, what: str, main_type: str, other_types: tuple[str, ...]) -> BinaryIO:
    """A stream over a sound package for the library that opens it.

    Templates, shows and files with macros differ from plain documents in the content type of their main part alone;
    they are handed on as what they otherwise are. So are files in the strict form of the standard, and relations to
    parts that are not there are left out.

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
            check_sizes(source, what, opened)
            changes = mended(opened, dict.fromkeys(other_types, main_type))
            return _changed(opened, changes) if changes else source.open()
    except KeyError as error:
        raise CorruptFile(source.location, f"not a readable {what}: its list of parts is missing") from error
    except BROKEN_ZIP as error:
        raise CorruptFile(source.location, f"not a readable {what}: the package is broken or cut off") from error


def _changed(opened: zipfile.ZipFile, changes: Mapping[str, bytes]) -> BinaryIO:
    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w") as target:
        for part in opened.infolist():
            changed = changes.get(part.filename)
            target.writestr(part.filename, changed if changed is not None else opened.read(part))
    copy.seek(0)
    return copy


def parsed(blob: bytes, name: str) -> Any:
    """The root element of a part that no other library loads; ``None``, with a note in the log, for a broken one."""
    from lxml import etree

    try:
        return etree.fromstring(blob, xml_parser())
    except (etree.LxmlError, ValueError) as error:
        _log.info("%s is left out: it is broken (%s)", name, type(error).__name__)
        return None


def alternative(properties: Any) -> str:
    """The title and alternative text that a drawing's properties carry.

    File names are left out, which libraries put there, and the remark that a program wrote it.
    """
    found = () if properties is None else (properties.get(name) or "" for name in ("title", "descr", "alt"))
    lines = [" ".join(line.split()) for words in found for line in words.splitlines()]
    kept = (line for line in lines if line and not _FILE_NAME.fullmatch(line) and not _REMARK.search(line))
    return "\n".join(dict.fromkeys(kept))


def properties(core: Any, untitled: str) -> tuple[str, dict[str, str]]:
    """The title in the core properties, and author, date of creation, keywords and language under keys of ``media.py``.

    Args:
        core: the ``core_properties`` of python-docx or python-pptx.
        untitled: the title that some programs give to what nobody has named.
    """
    title = one_line(core.title or "")
    is_dated = core.created and core.created.year > _NO_YEAR
    created = core.created.replace(tzinfo=UTC).isoformat() if is_dated else ""
    found = {AUTHOR: core.author, CREATED: created, KEYWORDS: core.keywords, LANGUAGE: core.language}
    said = {
        key: one_line(value) for key, value in found.items() if value and value.strip() and value not in _OF_TEMPLATES
    }
    return "" if title == untitled else title, said
