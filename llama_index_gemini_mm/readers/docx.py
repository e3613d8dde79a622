"""Word documents, templates and documents with macros: their sections, tables, notes and pictures."""

from __future__ import annotations

from collections.abc import Iterator

from llama_index.core.schema import Document

from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers import _ooxml
from llama_index_gemini_mm.readers._base import DocumentBuilder, Format, ReaderOptions, corrupt, humanise
from llama_index_gemini_mm.readers._docx_blocks import docx_blocks
from llama_index_gemini_mm.readers._sections import Block, section_documents
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
    """Office Open XML text documents; one document a section, one a picture."""

    name = "docx"
    suffixes = (".docx", ".docm", ".dotx", ".dotm")
    mime_types = ("application/vnd.openxmlformats-officedocument.wordprocessingml.document",)

    def score(self, source: Source) -> int:
        """Match a package with Word's parts."""
        return _ooxml.score(source, "word/", self.suffixes)

    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Document]:
        """Yield each section under its heading path, and the pictures in it."""
        title, blocks = _loaded(source)
        builder = DocumentBuilder(source, store, self.mime_types[0])
        yield from section_documents(blocks, builder, options, title or humanise(source))


def _loaded(source: Source) -> tuple[str, list[Block]]:
    """The title in the properties, and all blocks: python-docx meets broken parts only when it comes to them."""
    import docx
    from docx.opc.exceptions import OpcError
    from lxml.etree import LxmlError

    stream = _ooxml.package(source, _WHAT, _MAIN, _OTHERS)
    with stream, corrupt(source, _WHAT, OpcError, LxmlError, *_ooxml.BROKEN_PART):
        document = docx.Document(stream)
        title = (document.core_properties.title or "").strip()
        return "" if title == _UNTITLED else title, list(docx_blocks(document))


FORMAT = DocxFormat()
