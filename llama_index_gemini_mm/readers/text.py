"""Plain text in any encoding and of any length: notes, manuals, logs, configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import PurePosixPath
from typing import TextIO

from llama_index.core.schema import Document

from llama_index_gemini_mm.media import Locator
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers import _unread
from llama_index_gemini_mm.readers._base import BY_SUFFIX, NO_MATCH, DocumentBuilder, Format, ReaderOptions
from llama_index_gemini_mm.readers._stretches import by_paragraph, numbered, stretches
from llama_index_gemini_mm.readers._text import looks_like_text, text_stream
from llama_index_gemini_mm.source import Source

_ANY_TEXT = 1
"""The score of text whose suffix says nothing: every other format goes first."""
_MAX_CHARS = 1 << 16
"""Characters of one document; the text of a longer file becomes several."""
_MIME_TYPES = {".yaml": "application/yaml", ".yml": "application/yaml", ".toml": "application/toml"}
_PROSE = (".txt", ".text", ".log", ".adoc", ".asciidoc", ".org", ".tex", ".bib", ".diff", ".patch")
_CONFIG = (".ini", ".cfg", ".conf", ".env", ".properties", ".lock")
_UNDERLINE = re.compile(r"([=\-~*#^\"'`+])\1{2,}\s*")


class TextFormat(Format):
    """Text that carries no markup this package takes apart; one document a file, a page, or 64 K characters."""

    name = "text"
    suffixes = (*_PROSE, *_MIME_TYPES, *_CONFIG)
    mime_types = ("text/plain", *dict.fromkeys(_MIME_TYPES.values()))

    def score(self, source: Source) -> int:
        """Any text matches, weakly; text that wraps its words in something else does not."""
        if _unread.wrapped(source) or not looks_like_text(source.head):
            return NO_MATCH
        return BY_SUFFIX if source.suffix in self.suffixes else _ANY_TEXT

    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Document]:
        """Yield the text with its lines, titled by its underlined first line or the file's name."""
        builder = DocumentBuilder(source, store, _MIME_TYPES.get(source.suffix, "text/plain"))
        with text_stream(source) as stream:
            start = stream.read(_MAX_CHARS)
            stream.seek(0)
            title = _title(start) or PurePosixPath(source.name).stem
            for page, lines in groupby(_paged(stream), key=lambda line: line[0]):
                at = Locator(page_start=page if "\f" in start else None)
                for part in stretches(((number, text) for _, number, text in lines), by_paragraph, _MAX_CHARS):
                    if part.text.strip():
                        yield builder.text(part.text, title=title, at=at, extra=part.lines())


def _paged(stream: TextIO) -> Iterator[tuple[int, int, str]]:
    """Page, number and text of every line; form feeds end pages."""
    page = 1
    for number, line in numbered(stream, _MAX_CHARS):
        for index, text in enumerate(line.split("\f")):
            page += index > 0
            if text:
                yield page, number, text


def _title(text: str) -> str:
    """The heading of lightly marked text: a first line with a rule under it, and perhaps one above."""
    lines = [line for line in text[:2000].lstrip().split("\n") if not _UNDERLINE.fullmatch(line)][:1]
    ruled = any(_UNDERLINE.fullmatch(line) for line in text[:2000].lstrip().split("\n")[1:3])
    return lines[0].strip() if lines and ruled else ""


FORMAT = TextFormat()
