"""From headings, paragraphs and pictures in reading order to documents, one a section and one a picture.

Markdown, HTML and Word differ in how these blocks are found and in nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from llama_index.core.schema import Document

from llama_index_gemini_mm.media import HEADING_SEPARATOR, Locator
from llama_index_gemini_mm.readers._base import DocumentBuilder, ReaderOptions
from llama_index_gemini_mm.readers._pictures import drawn, usable_mime

_log = logging.getLogger(__name__)
_MAX_CONTEXT = 500
"""Characters of the paragraph before a picture that go with it."""


@dataclass(frozen=True)
class Heading:
    """A heading; ``level`` 1 is the outermost."""

    level: int
    text: str


@dataclass(frozen=True)
class Paragraph:
    """Text that belongs together: a paragraph, a list, a table, a piece of code.

    ``is_item`` is set for one item of a list, which stays with its neighbours; text that begins with ``- `` is one
    anyway.
    """

    text: str
    is_caption: bool = False
    is_item: bool = False


@dataclass(frozen=True)
class Picture:
    """A picture and what its author wrote to it: alternative text, title, caption.

    ``shown`` is the shorter side at which it stands on its page, in pixels of 1/96 inch; 0 when that is not known.
    ``beside`` is the text that it stands in or among, such as its row of a table: it goes with a picture that has no
    caption, in place of the paragraph before.
    """

    data: bytes = field(repr=False)
    words: str = ""
    shown: float = 0.0
    beside: str = ""


Block = Heading | Paragraph | Picture


@dataclass
class _Section:
    headings: tuple[Heading, ...] = ()
    texts: list[str] = field(default_factory=list)
    in_list: bool = False
    pictures: list[Picture] = field(default_factory=list)
    """Their ``words`` complete."""

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(h.text for h in self.headings)


def section_documents(
    blocks: Iterable[Block], builder: DocumentBuilder, options: ReaderOptions, title: str
) -> Iterator[Document]:
    """Yield, section by section, its text and then its pictures; ``title`` is that of the whole file.

    A picture is captioned by what its author wrote to it and by the caption next to it, or else the paragraph before
    it. One that recurs in the file is yielded where it stands first.
    """
    seen: set[bytes] = set()
    for section in _sections(list(blocks)):
        at = Locator(headings=section.path)
        name = HEADING_SEPARATOR.join(section.path) or title
        if section.texts:
            yield builder.text("\n\n".join(section.texts), title=name, at=at)
        for picture in section.pictures if options.figures else ():
            if picture.data in seen:
                continue
            seen.add(picture.data)
            data, inside = drawn(picture.data)
            mime_type = usable_mime(data, options.min_figure_pixels, picture.shown)
            if mime_type:
                words = "\n".join(filter(None, (picture.words, inside)))
                yield builder.extracted("image", data, mime_type, text=words, title=name, at=at)
            else:
                _log.info("%s: a picture is left out: too small, or of a kind that is not read", builder.source.name)


def _sections(blocks: list[Block]) -> Iterator[_Section]:
    section = _Section()
    for index, block in enumerate(blocks):
        if isinstance(block, Heading):
            yield from _finished(section, block)
            section = _Section((*(h for h in section.headings if h.level < block.level), block))
        elif isinstance(block, Paragraph):
            _append(section, block)
        else:
            section.pictures.append(replace(block, words=_words(blocks, index, block)))
    yield from _finished(section, None)


def _append(section: _Section, paragraph: Paragraph) -> None:
    """Add a paragraph; items of a list stay together."""
    is_item = paragraph.is_item or paragraph.text.startswith("- ")
    if is_item and section.in_list:
        section.texts[-1] += "\n" + paragraph.text
    else:
        section.texts.append(paragraph.text)
    section.in_list = is_item


def _finished(section: _Section, following: Heading | None) -> Iterator[_Section]:
    """The section unless it is empty. A heading with nothing under it is its own text."""
    if section.texts or section.pictures:
        yield section
    elif section.headings and (following is None or following.level <= section.headings[-1].level):
        yield _Section(section.headings, [section.headings[-1].text])


def _words(blocks: list[Block], index: int, picture: Picture) -> str:
    caption = _caption(blocks, index) or picture.beside or _before(blocks, index)
    return "\n".join(dict.fromkeys(filter(None, (picture.words.strip(), caption))))


def _caption(blocks: list[Block], index: int) -> str:
    """The caption right below or right above."""
    for neighbour in (index + 1, index - 1):
        block = blocks[neighbour] if 0 <= neighbour < len(blocks) else None
        if isinstance(block, Paragraph) and block.is_caption:
            return block.text
    return ""


def _before(blocks: list[Block], index: int) -> str:
    """The paragraph before in the same section, passing over other pictures."""
    for block in reversed(blocks[:index]):
        if isinstance(block, Heading):
            return ""
        if isinstance(block, Paragraph):
            return block.text[-_MAX_CONTEXT:]
    return ""
