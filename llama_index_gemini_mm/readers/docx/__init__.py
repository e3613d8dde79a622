"""Word documents, templates and documents with macros: their sections, tables, notes, pictures and attached files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from llama_index_gemini_mm.errors import FileTooLarge
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers import _ooxml
from llama_index_gemini_mm.readers._base import DocumentBuilder, Extra, Format, Piece, ReaderOptions, corrupt, humanise
from llama_index_gemini_mm.readers._bounds import MAX_BLOCKS
from llama_index_gemini_mm.readers._sections import Block, section_documents
from llama_index_gemini_mm.readers.docx.blocks import Walk
from llama_index_gemini_mm.readers.docx.drawings import File
from llama_index_gemini_mm.readers.docx.notes import running_text
from llama_index_gemini_mm.source import Source

_MAIN = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
_OTHERS = (
    "application/vnd.openxmlformats-officedocument.wordprocessingml.template.main+xml",
    "application/vnd.ms-word.document.macroEnabled.main+xml",
    "application/vnd.ms-word.template.macroEnabledTemplate.main+xml",
)
_WHAT = "Word document"
_UNTITLED = "Word Document"
"""What some programs call every document that nobody has named."""


class DocxFormat(Format):
    """Office Open XML text documents; one document a section, one a picture. Attached files are files inside it."""

    name = "docx"
    suffixes = (".docx", ".docm", ".dotx", ".dotm")
    mime_types = ("application/vnd.openxmlformats-officedocument.wordprocessingml.document",)

    def score(self, source: Source) -> int:
        """Match a package with Word's parts."""
        return _ooxml.score(source, "word/", self.suffixes)

    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Piece]:
        """Yield each section under its heading path and the pictures in it, running heads, then the files inside."""
        found = _loaded(source)
        builder = DocumentBuilder(source, store, self.mime_types[0], found.said)
        title = found.title or humanise(source)
        yield from section_documents(found.blocks, builder, options, title)
        if found.running:
            yield builder.text(found.running, title=title)
        for name, data in found.files:
            yield builder.part(name, data)


@dataclass(frozen=True)
class _Content:
    title: str
    said: Extra
    blocks: list[Block]
    running: str
    files: list[File]


def _loaded(source: Source) -> _Content:
    """All there is in a document: python-docx meets broken parts only when it comes to them."""
    import docx
    from docx.opc.exceptions import OpcError
    from lxml.etree import LxmlError

    stream = _ooxml.package(source, _WHAT, _MAIN, _OTHERS)
    with stream, corrupt(source, _WHAT, OpcError, LxmlError, *_ooxml.BROKEN_PART):
        document = docx.Document(stream)
        if document.element.xpath("count(.//w:p)") > MAX_BLOCKS:
            raise FileTooLarge(source.location, f"more than {MAX_BLOCKS:,} paragraphs")
        walk = Walk(document)
        blocks = list(walk.blocks())
        title, said = _ooxml.properties(document.core_properties, _UNTITLED)
        return _Content(title, said, blocks, running_text(document.part), walk.files)


FORMAT = DocxFormat()
