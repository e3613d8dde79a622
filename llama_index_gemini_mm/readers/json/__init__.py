"""JSON and JSON Lines: their values as readable lines, by the elements that hold them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from llama_index.core.schema import Document

from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers import _unread
from llama_index_gemini_mm.readers._base import BY_SUFFIX, NO_MATCH, DocumentBuilder, Format, ReaderOptions
from llama_index_gemini_mm.readers._stretches import numbered, stretches
from llama_index_gemini_mm.readers._text import looks_like_text, read_text, text_stream
from llama_index_gemini_mm.readers._tree import tree_documents, tree_text
from llama_index_gemini_mm.readers.json.values import json_values, leaves
from llama_index_gemini_mm.source import Source

_LINES = (".jsonl", ".ndjson", ".jsonlines")
_MAX_LINE = 16 << 20
_MAX_CHARS = 3500
"""Characters of records in one document: about what one chunk holds."""


class JsonFormat(Format):
    """Data as JSON; a document for every stretch of elements or records."""

    name = "json"
    suffixes = (".json", ".jsonc", ".json5", ".jsonld", ".geojson", ".topojson", ".webmanifest", ".har", *_LINES)
    mime_types = ("application/json", "application/jsonl")

    def score(self, source: Source) -> int:
        """Match text by the suffix: much that begins with a bracket is no JSON."""
        is_text = source.suffix in self.suffixes and looks_like_text(source.head) and not _unread.wrapped(source)
        return BY_SUFFIX + 1 if is_text else NO_MATCH

    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Document]:
        """Yield lines of ``path: value``; JSON Lines are read record by record, at any length of the file."""
        title = PurePosixPath(source.name).stem
        if source.suffix in _LINES:
            yield from _records(source, DocumentBuilder(source, store, self.mime_types[1]), title)
            return
        values = json_values(source, read_text(source))
        value = values[0] if len(values) == 1 else values
        yield from tree_documents(leaves(source, value), DocumentBuilder(source, store, self.mime_types[0]), title)


def _records(source: Source, builder: DocumentBuilder, title: str) -> Iterator[Document]:
    with text_stream(source) as stream:
        written = (
            (number, tree_text(list(leaves(source, value))) + "\n\n")
            for number, line in numbered(stream, _MAX_LINE)
            if line.strip()
            for value in json_values(source, line.rstrip(), number)
        )
        for part in stretches(written, lambda before, line: 0, _MAX_CHARS):
            yield builder.text(part.text.rstrip("\n"), title=title, extra=part.lines())


FORMAT = JsonFormat()
