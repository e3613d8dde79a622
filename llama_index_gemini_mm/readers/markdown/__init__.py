"""Markdown: its sections, and the pictures, sounds and films that lie beside it."""

from __future__ import annotations

from collections.abc import Iterator

from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers import _unread
from llama_index_gemini_mm.readers._base import (
    BY_SUFFIX,
    NO_MATCH,
    DocumentBuilder,
    Format,
    Piece,
    ReaderOptions,
    humanise,
)
from llama_index_gemini_mm.readers._links import Links
from llama_index_gemini_mm.readers._sections import Block, Paragraph, section_documents
from llama_index_gemini_mm.readers._text import looks_like_text, read_text
from llama_index_gemini_mm.readers.markdown.blocks import markdown_blocks
from llama_index_gemini_mm.readers.markdown.front_matter import metadata_in, split_front_matter, summary_in, title_in
from llama_index_gemini_mm.source import Source


class MarkdownFormat(Format):
    """CommonMark with tables; one document a section, one a picture."""

    name = "markdown"
    suffixes = (".md", ".markdown", ".mkd", ".mdx", ".qmd", ".rmd")
    mime_types = ("text/markdown",)

    def score(self, source: Source) -> int:
        """Match text by the suffix: nothing in the content tells Markdown from other text."""
        is_text = source.suffix in self.suffixes and looks_like_text(source.head) and not _unread.wrapped(source)
        return BY_SUFFIX + 1 if is_text else NO_MATCH

    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Piece]:
        """Yield each section under its heading path and the pictures in it, then what can be played."""
        fields, text = split_front_matter(read_text(source))
        builder = DocumentBuilder(source, store, self.mime_types[0], metadata_in(fields))
        links = Links(source, options)
        about: list[Block] = [Paragraph(words)] if (words := summary_in(fields)) else []
        blocks = [*about, *markdown_blocks(text, source, links.picture, links.play)]
        yield from section_documents(blocks, builder, options, title_in(fields) or humanise(source))
        yield from links.parts(builder)


FORMAT = MarkdownFormat()
