"""Plain text in any encoding: notes, logs, tables, data, configuration, subtitles, source code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from llama_index.core.schema import Document

from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers import _unread
from llama_index_gemini_mm.readers._base import BY_SUFFIX, NO_MATCH, DocumentBuilder, Format, ReaderOptions
from llama_index_gemini_mm.readers._text import looks_like_text, read_text
from llama_index_gemini_mm.source import Source

_ANY_TEXT = 1
"""The score of text whose suffix says nothing: every other format goes first."""
_MIME_TYPES = {
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".ndjson": "application/x-ndjson",
    ".xml": "application/xml",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".toml": "application/toml",
    ".vtt": "text/vtt",
}
_PROSE = (".txt", ".text", ".log", ".rst", ".adoc", ".asciidoc", ".org", ".tex", ".bib", ".srt", ".diff", ".patch")
_CONFIG = (".ini", ".cfg", ".conf", ".env", ".properties", ".lock")
_CODE = (
    *(".py", ".pyi", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx", ".java", ".kt", ".kts", ".scala", ".groovy", ".c"),
    *(".h", ".cc", ".cpp", ".cxx", ".hpp", ".hh", ".cs", ".fs", ".go", ".rs", ".swift", ".m", ".mm", ".rb", ".php"),
    *(".pl", ".pm", ".lua", ".r", ".jl", ".dart", ".ex", ".exs", ".erl", ".hs", ".ml", ".clj", ".lisp", ".el", ".sh"),
    *(
        ".bash",
        ".zsh",
        ".fish",
        ".ps1",
        ".bat",
        ".cmd",
        ".sql",
        ".graphql",
        ".proto",
        ".css",
        ".scss",
        ".sass",
        ".less",
    ),
    *(".vue", ".svelte", ".tf", ".gradle", ".cmake", ".mk", ".dockerfile", ".asm", ".s", ".v", ".vhd"),
)
_UNDERLINE = re.compile(r"([=\-~*#^\"'`+])\1{2,}\s*")


class TextFormat(Format):
    """Text that carries no markup this package takes apart; one document a file."""

    name = "text"
    suffixes = (*_PROSE, *_MIME_TYPES, *_CONFIG, *_CODE)
    mime_types = ("text/plain", *dict.fromkeys(_MIME_TYPES.values()))

    def score(self, source: Source) -> int:
        """Any text matches, weakly; text that wraps its words in something else does not."""
        if _unread.wrapped(source) or not looks_like_text(source.head):
            return NO_MATCH
        return BY_SUFFIX if source.suffix in self.suffixes else _ANY_TEXT

    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Document]:
        """Yield the whole text, titled by its underlined first line or the file's name."""
        text = read_text(source)
        builder = DocumentBuilder(source, store, _MIME_TYPES.get(source.suffix, "text/plain"))
        if text.strip():
            yield builder.text(text, title=_title(text) or PurePosixPath(source.name).stem)


def _title(text: str) -> str:
    """The heading of reStructuredText and its like: a first line with a rule under it, and perhaps one above."""
    lines = [line for line in text[:2000].lstrip().split("\n") if not _UNDERLINE.fullmatch(line)][:1]
    ruled = any(_UNDERLINE.fullmatch(line) for line in text[:2000].lstrip().split("\n")[1:3])
    return lines[0].strip() if lines and ruled else ""


FORMAT = TextFormat()
