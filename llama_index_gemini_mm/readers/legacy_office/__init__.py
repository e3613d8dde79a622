"""Old Office files (Word, Excel, PowerPoint before 2007, RTF) through LibreOffice, and new ones behind a password.

Both are read as what they are inside: the old ones as LibreOffice converts them, the locked ones once decrypted. Their
documents say where the file lies and what it is, as if it had been read itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from llama_index.core.schema import Document

from llama_index_gemini_mm.errors import UnsupportedFormat
from llama_index_gemini_mm.media import FILE_SIZE, FILE_TYPE, SOURCE_SHA256
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers import docx, pptx, xlsx
from llama_index_gemini_mm.readers._base import BY_SUFFIX, NO_MATCH, Format, Piece, ReaderOptions
from llama_index_gemini_mm.readers.legacy_office.crypto import OLE_MAGIC, ole_streams, unlocked
from llama_index_gemini_mm.readers.legacy_office.soffice import converted
from llama_index_gemini_mm.readers.zip.members import member_names
from llama_index_gemini_mm.source import Source


@dataclass(frozen=True)
class _Kind:
    """One kind of old file: its suffix and type, and what it is converted to."""

    suffix: str
    mime_type: str
    target: str


_LOCKED = "encryptedpackage"
"""The stream of an OLE file that holds an encrypted package."""
_WORD = _Kind(".doc", "application/msword", "docx")
_EXCEL = _Kind(".xls", "application/vnd.ms-excel", "xlsx")
_BY_STREAM = {
    "worddocument": _WORD,
    "workbook": _EXCEL,
    "book": _EXCEL,
    "powerpoint document": _Kind(".ppt", "application/vnd.ms-powerpoint", "pptx"),
}
_RTF = _Kind(".rtf", "application/rtf", "docx")
_XLSB = _Kind(".xlsb", "application/vnd.ms-excel.sheet.binary.macroEnabled.12", "xlsx")
_READ_BY: dict[str, Format] = {"docx": docx.FORMAT, "xlsx": xlsx.FORMAT, "pptx": pptx.FORMAT}


class LegacyOfficeFormat(Format):
    """Office files that another format reads once they are converted or decrypted."""

    name = "legacy_office"
    suffixes = (".doc", ".dot", ".xls", ".xlt", ".ppt", ".pps", ".pot", ".rtf", ".xlsb")
    mime_types = (
        *("application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint", "application/rtf"),
        _XLSB.mime_type,
    )

    def score(self, source: Source) -> int:
        """Match OLE files by their streams, RTF by its first bytes, and binary workbooks by their main part."""
        streams = ole_streams(source)
        if source.head.startswith(OLE_MAGIC) and not streams:
            return BY_SUFFIX if source.suffix in self.suffixes else NO_MATCH
        return self.score_by_magic(source, matches=_kind(source) is not None or _LOCKED in streams)

    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Piece]:
        """Yield what the format that knows the content yields.

        Raises:
            MissingDependency: there is no LibreOffice.
        """
        opened = unlocked(source, options.passwords) if source.head.startswith(OLE_MAGIC) else source
        kind = _kind(opened)
        facts: dict[str, str | int] = {FILE_SIZE: source.size, SOURCE_SHA256: source.sha256}
        if kind is not None:
            data = converted(opened, kind.suffix, kind.target)
            opened = Source(source.location, data, source.container_path)
            facts[FILE_TYPE] = kind.mime_type
        inner = _READ_BY[kind.target] if kind else _package_format(opened)
        for piece in inner.read(opened, store, options):
            if isinstance(piece, Document):
                piece.metadata.update(facts)
            yield piece


def _kind(source: Source) -> _Kind | None:
    """What is to be converted."""
    if source.head.startswith(b"{\\rtf"):
        return _RTF
    if source.head.startswith(b"PK\x03\x04"):
        return _XLSB if _is_binary_workbook(source) else None
    streams = ole_streams(source)
    return next((kind for stream, kind in _BY_STREAM.items() if stream in streams), None)


def _is_binary_workbook(source: Source) -> bool:
    return xlsx.BINARY in (member_names(source) or ())


def _package_format(source: Source) -> Format:
    """The format of a package that was encrypted."""
    score, found = max(((f.score(source), f) for f in _READ_BY.values()), key=lambda pair: pair[0])
    if score == NO_MATCH:
        raise UnsupportedFormat(source.location, "a locked file that is no Word, Excel or PowerPoint document")
    return found


FORMAT = LegacyOfficeFormat()
