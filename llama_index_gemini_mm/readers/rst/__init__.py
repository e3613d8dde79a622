"""reStructuredText: its sections, tables and code, and the pictures that lie beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llama_index.core.schema import Document

from llama_index_gemini_mm import media
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers import _unread
from llama_index_gemini_mm.readers._base import BY_SUFFIX, NO_MATCH, DocumentBuilder, Format, ReaderOptions, humanise
from llama_index_gemini_mm.readers._links import Links
from llama_index_gemini_mm.readers._sections import Heading, section_documents
from llama_index_gemini_mm.readers._text import looks_like_text, read_text
from llama_index_gemini_mm.readers.rst.blocks import rst_blocks
from llama_index_gemini_mm.source import Source

_FIELD = re.compile(r"^:(\w+):[ \t]*(\S.*)$", re.MULTILINE)
_HEAD_CHARS = 4096
_KEYS = {
    "author": media.AUTHOR,
    "authors": media.AUTHOR,
    "date": media.CREATED,
    "keywords": media.KEYWORDS,
    "language": media.LANGUAGE,
}
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d")


class RstFormat(Format):
    """reStructuredText, with the directives of Sphinx as far as they hold text; nothing is included or run."""

    name = "rst"
    suffixes = (".rst", ".rest")
    mime_types = ("text/prs.fallenstein.rst",)

    def score(self, source: Source) -> int:
        """Match text by the suffix: its rules and colons stand in other texts as well."""
        is_text = source.suffix in self.suffixes and looks_like_text(source.head) and not _unread.wrapped(source)
        return BY_SUFFIX + 1 if is_text else NO_MATCH

    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Document]:
        """Yield each section under its heading path, and the pictures in it."""
        text = read_text(source)
        blocks = list(rst_blocks(text, Links(source, options).picture))
        title = next((block.text for block in blocks if isinstance(block, Heading)), humanise(source))
        builder = DocumentBuilder(source, store, self.mime_types[0], _docinfo(text))
        yield from section_documents(blocks, builder, options, title)


def _docinfo(text: str) -> dict[str, str]:
    """Author, date, keywords and language, from the fields below the title."""
    head = text[:_HEAD_CHARS].lstrip("\ufeff")
    found = {
        _KEYS[name.lower()]: media.one_line(value) for name, value in _FIELD.findall(head) if name.lower() in _KEYS
    }
    if not _ISO_DATE.fullmatch(found.get(media.CREATED, "")):
        found.pop(media.CREATED, None)
    return found


FORMAT = RstFormat()
