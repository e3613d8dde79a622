"""Markdown: its sections, and the pictures that lie beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from llama_index.core.schema import Document

from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers import _unread
from llama_index_gemini_mm.readers._base import BY_SUFFIX, NO_MATCH, DocumentBuilder, Format, ReaderOptions, humanise
from llama_index_gemini_mm.readers._pictures import linked_bytes
from llama_index_gemini_mm.readers._sections import Block, Heading, Paragraph, Picture, section_documents
from llama_index_gemini_mm.readers._text import looks_like_text, read_text
from llama_index_gemini_mm.source import Source

if TYPE_CHECKING:
    from markdown_it.token import Token

_FRONT_MATTER = re.compile(r"\A(---|\+\+\+)[ \t]*\n(.*?)\n\1[ \t]*(?:\n|\Z)", re.DOTALL)
_TITLE = re.compile(r"^title[ \t]*[:=][ \t]*(.+)$", re.MULTILINE)
_IMG = re.compile(r"<img\b[^<>]*>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"\b(src|alt|title)\s*=\s*(\"[^\"]*\"|'[^']*')", re.IGNORECASE)


class MarkdownFormat(Format):
    """CommonMark with tables; one document a section, one a picture."""

    name = "markdown"
    suffixes = (".md", ".markdown", ".mkd", ".mdx", ".qmd", ".rmd")
    mime_types = ("text/markdown",)

    def score(self, source: Source) -> int:
        """Match text by the suffix: nothing in the content tells Markdown from other text."""
        is_text = source.suffix in self.suffixes and looks_like_text(source.head) and not _unread.wrapped(source)
        return BY_SUFFIX + 1 if is_text else NO_MATCH

    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Document]:
        """Yield each section under its heading path, and the pictures in it."""
        text = read_text(source)
        front = _FRONT_MATTER.match(text)
        named = _TITLE.search(front[2]) if front else None
        body = text[front.end() :] if front else text
        builder = DocumentBuilder(source, store, self.mime_types[0])
        title = named[1].strip().strip("\"'") if named else humanise(source)
        yield from section_documents(_Parser(source, options).blocks(body), builder, options, title)


class _Parser:
    """Finds the blocks of Markdown. Text is kept as it is written, so that tables, lists and code stay themselves."""

    def __init__(self, source: Source, options: ReaderOptions) -> None:
        self._source = source
        self._options = options

    def blocks(self, text: str) -> Iterator[Block]:
        """Yield the blocks in reading order."""
        from markdown_it import MarkdownIt
        from markdown_it.token import Token

        lines = text.split("\n")
        tokens = MarkdownIt("commonmark").enable("table").parse(text)
        for before, token in pairwise([Token("start", "", 0), *tokens]):
            pictures = list(self._pictures(token))
            if before.type == "heading_open" and before.level == 0:
                yield Heading(int(before.tag[1]), _plain(token))
            elif _is_outermost(before, token) and not (pictures and _shows_only(token)):
                first, last = token.map or (0, 0)
                written = "\n".join(lines[first:last]).strip("\n")
                yield from [Paragraph(_without_data(written))] if written.strip() else ()
            yield from pictures

    def _pictures(self, token: Token) -> Iterator[Picture]:
        for child in token.children or ():
            if child.type == "image":
                yield from self._picture(
                    str(child.attrs.get("src", "")), child.content, str(child.attrs.get("title", ""))
                )
        if token.type in ("html_block", "inline"):
            written = token.content if token.type == "html_block" else "".join(_inline_html(token))
            for tag in _IMG.findall(written):
                found = {name.lower(): value[1:-1] for name, value in _ATTRIBUTE.findall(tag)}
                yield from self._picture(found.get("src", ""), found.get("alt", ""), found.get("title", ""))

    def _picture(self, link: str, alt: str, title: str) -> Iterator[Picture]:
        data = linked_bytes(self._source, link, self._options.link_root) if self._options.figures else None
        if data:
            yield Picture(data, "\n".join(dict.fromkeys(filter(None, (alt.strip(), title.strip())))))


def _is_outermost(before: Token, token: Token) -> bool:
    """Whether a token stands for a whole block: a list, a table, code, or the words of a paragraph."""
    if token.type == "inline":
        return before.type == "paragraph_open" and before.level == 0
    return token.level == 0 and token.nesting >= 0 and token.type not in ("paragraph_open", "heading_open")


def _shows_only(inline: Token) -> bool:
    """Whether a paragraph has no words of its own beside pictures."""
    words = (c for c in inline.children or () if c.type not in ("image", "html_inline", "softbreak", "hardbreak"))
    return not any(c.content.strip() for c in words)


def _plain(inline: Token) -> str:
    """The words of a heading without its markup."""
    words = (c.content if c.type in ("text", "code_inline", "image") else " " for c in inline.children or ())
    return " ".join("".join(words).split())


def _inline_html(inline: Token) -> Iterator[str]:
    return (c.content for c in inline.children or () if c.type == "html_inline")


def _without_data(text: str) -> str:
    """Text without the bytes of pictures that are written into it."""
    return (
        re.sub(r"data:image/[\w.+-]+;base64,[A-Za-z0-9+/=%\s]{64,}", "data:", text) if "data:image/" in text else text
    )


FORMAT = MarkdownFormat()
