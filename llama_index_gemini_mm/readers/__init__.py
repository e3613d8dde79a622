"""Files into documents: one module a family of formats, found by content before suffix.

    Source ── find_format ──▶ Format.read ──▶ Documents: text | image | audio | video | document, each with its place

A new format is one new module here: a subclass of ``Format`` with its magic numbers, suffixes and MIME types, and an
instance of it named ``FORMAT``.
"""

from __future__ import annotations

from llama_index_gemini_mm.readers._base import (
    BY_BOTH,
    BY_CONTENT,
    BY_SUFFIX,
    NO_MATCH,
    DocumentBuilder,
    Format,
    Piece,
    ReaderOptions,
)
from llama_index_gemini_mm.readers._reader import MediaReader, Outcome, media_file_extractor
from llama_index_gemini_mm.readers._registry import find_format, formats, media_type, read_source
from llama_index_gemini_mm.readers._report import ReadReport, Skipped
from llama_index_gemini_mm.readers._walk import Readable

__all__ = [
    "BY_BOTH",
    "BY_CONTENT",
    "BY_SUFFIX",
    "NO_MATCH",
    "DocumentBuilder",
    "Format",
    "MediaReader",
    "Outcome",
    "Piece",
    "ReadReport",
    "Readable",
    "ReaderOptions",
    "Skipped",
    "find_format",
    "formats",
    "media_file_extractor",
    "media_type",
    "read_source",
]
