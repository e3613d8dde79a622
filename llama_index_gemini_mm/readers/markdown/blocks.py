"""The blocks of Markdown. Text is kept as it is written, so that tables, lists and code stay themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from llama_index_gemini_mm.errors import CorruptFile
from llama_index_gemini_mm.readers._links import is_playable
from llama_index_gemini_mm.readers._sections import Block, Heading, Paragraph, Picture
from llama_index_gemini_mm.readers._stretches import stretches
from llama_index_gemini_mm.readers.html.blocks import html_blocks
from llama_index_gemini_mm.readers.html.tree import page_tree
from llama_index_gemini_mm.source import Source

if TYPE_CHECKING:
    from markdown_it.token import Token

_MAX_CHARS = 1 << 18
"""Characters that are parsed at once; a longer text is cut before a heading, for its tokens take a hundred times it."""
_FOOTNOTE = re.compile(r"^( {0,3})\[\^", re.MULTILINE)
_TAG = re.compile(r"<(img|audio|video|source)\b[^<>]*>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"\b(src|alt|title)\s*=\s*(\"[^\"]*\"|'[^']*')", re.IGNORECASE)
_ANY_TAG = re.compile(r"<[^<>]*>")
_SHOWS = re.compile(r"<(?:img|audio|video|source|svg|object)\b", re.IGNORECASE)
_DATA = re.compile(r"data:[\w.+-]+/[\w.+-]+;base64,[A-Za-z0-9+/=%\s]{64,}")
_ATTRIBUTES = re.compile(r"\s*\{[#.:][^{}]*\}$")
"""What some dialects write behind a heading: its anchor and class."""
_EMBEDDED = re.compile(r"!\[\[([^\[\]|#]+)(?:#[^\[\]|]*)?(?:\|([^\[\]]*))?\]\]")
"""Wiki links that show what they name, as in Obsidian."""

Fetch = Callable[[str], bytes | None]
"""From a picture's link to its bytes."""
Play = Callable[[str], bool]
"""Told the links of sounds and films; whether one was taken."""


def markdown_blocks(text: str, source: Source, picture: Fetch, play: Play) -> Iterator[Block]:
    """Yield headings, pictures, and everything else as paragraphs, in reading order.

    HTML in the text is read as in a page. ``source`` is what errors are about.
    """
    lines = enumerate(text.splitlines(keepends=True), 1)
    for part in stretches(lines, _by_heading, _MAX_CHARS):
        yield from _Part(part.text, source, picture, play).blocks()


def _by_heading(before: str, line: str) -> int:
    """Where to cut: before a heading, or else after a blank line."""
    if before.strip():
        return 2
    return 0 if line.startswith("#") else 1


class _Part:
    def __init__(self, text: str, source: Source, picture: Fetch, play: Play) -> None:
        self._text = text
        self._lines = text.split("\n")
        self._source = source
        self._fetch = picture
        self._play = play

    def blocks(self) -> Iterator[Block]:
        from markdown_it import MarkdownIt
        from markdown_it.token import Token

        # A footnote of one word would pass for the target of a link, and vanish.
        text = _FOOTNOTE.sub(r"\1\\[^", self._text)
        tokens = MarkdownIt("commonmark").enable("table").parse(text)
        for before, token in pairwise([Token("start", "", 0), *tokens]):
            if _is_html(before, token):
                yield from self._html(token.content)
            elif before.type == "heading_open" and before.level == 0:
                yield Heading(int(before.tag[1]), _plain(token))
                yield from self._shown(token)
            else:
                shown = list(self._shown(token))
                if _is_outermost(before, token):
                    yield from self._words(token, shown)
                yield from shown

    def _words(self, token: Token, shown: list[Picture]) -> Iterator[Paragraph]:
        """A block as it is written; of pictures alone, if they cannot be had, what they are said to show."""
        if _shows_only(token):
            written = "" if shown else _plain(token)
        else:
            first, last = token.map or (0, 0)
            written = _DATA.sub("data:", "\n".join(self._lines[first:last]).strip("\n"))
        if written.strip():
            yield Paragraph(written)

    def _html(self, markup: str) -> Iterator[Block]:
        markup = _without_comments(markup)
        if not (_SHOWS.search(markup) or _ANY_TAG.sub("", markup).strip()):
            return
        try:
            root = page_tree(self._source, markup)
        except CorruptFile:
            # Not worth the whole document: it stays what it is written as.
            yield Paragraph(_DATA.sub("data:", markup.strip()))
            return
        yield from html_blocks(root, self._fetch, self._play)

    def _shown(self, token: Token) -> Iterator[Picture]:
        for child in token.children or ():
            if child.type == "image":
                yield from self._picture(
                    str(child.attrs.get("src", "")), child.content, str(child.attrs.get("title", ""))
                )
        if token.type in ("html_block", "inline"):
            yield from self._shown_by_tags(token)
            for link, words in _EMBEDDED.findall(token.content) if "![[" in token.content else ():
                yield from self._picture(link.strip(), "" if words.strip().isdecimal() else words, "")

    def _shown_by_tags(self, token: Token) -> Iterator[Picture]:
        written = token.content if token.type == "html_block" else "".join(_inline_html(token))
        for tag in _TAG.finditer(written):
            found = {name.lower(): value[1:-1] for name, value in _ATTRIBUTE.findall(tag[0])}
            if tag[1].lower() == "img":
                yield from self._picture(found.get("src", ""), found.get("alt", ""), found.get("title", ""))
            elif found.get("src"):
                self._play(found["src"])

    def _picture(self, link: str, alt: str, title: str) -> Iterator[Picture]:
        if is_playable(link):
            self._play(link)
        elif data := self._fetch(link):
            yield Picture(data, "\n".join(dict.fromkeys(filter(None, (alt.strip(), title.strip())))))


def _is_outermost(before: Token, token: Token) -> bool:
    """Whether a token stands for a whole block: a list, a table, code, or the words of a paragraph."""
    if token.type == "inline":
        return before.type == "paragraph_open" and before.level == 0
    return token.level == 0 and token.nesting >= 0 and token.type not in ("paragraph_open", "heading_open", "hr")


def _is_html(before: Token, token: Token) -> bool:
    """Whether a block is HTML: one by itself, or a paragraph with no words outside of tags."""
    if token.type != "inline":
        return token.type == "html_block" and token.level == 0
    return _is_outermost(before, token) and any(_inline_html(token)) and not _has_words(token, ("html_inline",))


def _shows_only(token: Token) -> bool:
    """Whether a paragraph has no words of its own beside pictures."""
    return any(c.type == "image" for c in token.children or ()) and not _has_words(token, ("html_inline", "image"))


def _has_words(inline: Token, others: tuple[str, ...]) -> bool:
    return any(c.content.strip() for c in inline.children or () if c.type not in others)


def _plain(inline: Token) -> str:
    """The words of a heading or picture without its markup."""
    text = "".join(_words_of(child) for child in inline.children or ())
    return _ATTRIBUTES.sub("", " ".join(text.split()))


def _words_of(child: Token) -> str:
    if child.type in ("text", "code_inline", "image"):
        return child.content
    return " " if child.type in ("softbreak", "hardbreak", "html_inline") else ""


def _inline_html(inline: Token) -> Iterator[str]:
    return (c.content for c in inline.children or () if c.type == "html_inline")


def _without_comments(markup: str) -> str:
    first, *others = markup.split("<!--")
    return "".join((first, *(text.partition("-->")[2] for text in others)))
