"""PowerPoint decks, shows, templates and decks with macros: slides, pictures, and embedded sound and film."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llama_index.core.schema import Document

from llama_index_gemini_mm import media
from llama_index_gemini_mm.codecs import Undecodable
from llama_index_gemini_mm.errors import FileTooLarge, SourceError
from llama_index_gemini_mm.media import HIDDEN, Locator
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers import _ooxml, audio, video
from llama_index_gemini_mm.readers._base import (
    BY_SUFFIX,
    DocumentBuilder,
    Extra,
    Format,
    Piece,
    ReaderOptions,
    corrupt,
    humanise,
)
from llama_index_gemini_mm.readers._bounds import MAX_BLOCKS
from llama_index_gemini_mm.readers._pictures import usable_mime
from llama_index_gemini_mm.readers.pptx.slides import Drawn, Slide, slides
from llama_index_gemini_mm.source import Source

_log = logging.getLogger(__name__)
_MAIN = "application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml"
_OTHERS = (
    "application/vnd.openxmlformats-officedocument.presentationml.slideshow.main+xml",
    "application/vnd.openxmlformats-officedocument.presentationml.template.main+xml",
    "application/vnd.ms-powerpoint.presentation.macroEnabled.main+xml",
    "application/vnd.ms-powerpoint.slideshow.macroEnabled.main+xml",
    "application/vnd.ms-powerpoint.template.macroEnabled.main+xml",
)
_WHAT = "PowerPoint deck"
_UNTITLED = "PowerPoint Presentation"
"""What PowerPoint calls every deck that nobody has named."""
_MAX_SLIDES = 10_000
_PLAYERS: tuple[Format, ...] = (audio.FORMAT, video.FORMAT)


class PptxFormat(Format):
    """Office Open XML presentations; one document a slide, one a picture, sound or film. Attached files are files."""

    name = "pptx"
    suffixes = (".pptx", ".pptm", ".ppsx", ".ppsm", ".potx", ".potm")
    mime_types = ("application/vnd.openxmlformats-officedocument.presentationml.presentation",)

    def score(self, source: Source) -> int:
        """Match a package with PowerPoint's parts."""
        return _ooxml.score(source, "ppt/", self.suffixes)

    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Piece]:
        """Yield, slide by slide, text with notes and comments, pictures, sounds and films, and the files inside."""
        title, said, deck = _loaded(source)
        builder = DocumentBuilder(source, store, self.mime_types[0], said)
        seen: set[bytes] = set()
        for slide in deck:
            shown = _Shown(slide, slide.title or title or humanise(source), builder)
            if slide.text:
                yield builder.text(slide.text, title=shown.title, at=Locator(slide=slide.number), extra=shown.extra)
            if options.figures:
                yield from shown.pictures(options, seen)
            for drawn in slide.media:
                yield from shown.media(drawn, options)
            for name, data in slide.files:
                yield builder.part(name, data)


def _loaded(source: Source) -> tuple[str, Extra, list[Slide]]:
    """The properties, and all slides: python-pptx meets broken parts only when it comes to them."""
    import pptx
    from lxml.etree import LxmlError
    from pptx.exc import PythonPptxError

    stream = _ooxml.package(source, _WHAT, _MAIN, _OTHERS)
    with stream, corrupt(source, _WHAT, PythonPptxError, LxmlError, *_ooxml.BROKEN_PART):
        deck = pptx.Presentation(stream)
        for count, bound, what in _extent(deck):
            if count > bound:
                raise FileTooLarge(source.location, f"more than {bound:,} {what}")
        title, said = _ooxml.properties(deck.core_properties, _UNTITLED)
        return title, said, list(slides(deck))


def _extent(deck: Any) -> Iterator[tuple[int, int, str]]:
    """Counts with their bounds; those on slides only once the number of slides is known to be sane."""
    yield len(deck.slides), _MAX_SLIDES, "slides"
    inside = "count(.//a:p) + count(.//p:nvPr)"
    yield int(sum(slide.element.xpath(inside) for slide in deck.slides)), MAX_BLOCKS, "shapes and paragraphs"


@dataclass(frozen=True)
class _Shown:
    """One slide while its documents are made."""

    slide: Slide
    title: str
    builder: DocumentBuilder

    @property
    def extra(self) -> Extra:
        return {HIDDEN: True} if self.slide.is_hidden else {}

    def pictures(self, options: ReaderOptions, seen: set[bytes]) -> Iterator[Document]:
        """The pictures; one that recurs in the deck, like a logo, is yielded where it stands first."""
        for drawn in self.slide.pictures:
            if drawn.data in seen:
                continue
            seen.add(drawn.data)
            mime_type = usable_mime(drawn.data, options.min_figure_pixels, drawn.shown)
            if mime_type:
                inside = self.builder.inside(drawn.part)
                at = Locator(slide=self.slide.number, boxes=drawn.boxes, container_path=inside)
                yield self.builder.extracted(
                    "image", drawn.data, mime_type, text=drawn.words, title=self.title, at=at, extra=self.extra
                )
            else:
                _log.info("%s is left out: it is too small, or of a kind that is not read", drawn.part)

    def media(self, drawn: Drawn, options: ReaderOptions) -> Iterator[Piece]:
        """What a sound or film holds, on this slide; one that cannot be read is left to be refused as a file inside."""
        source = self.builder.part(drawn.part, drawn.data)
        player = next((each for each in _PLAYERS if each.score(source) > BY_SUFFIX), None)
        try:
            found = list(player.read(source, self.builder.store, options)) if player else []
        except (SourceError, Undecodable):
            found = []
        for piece in found or [source]:
            yield self._played(piece, drawn) if isinstance(piece, Document) else piece

    def _played(self, document: Document, drawn: Drawn) -> Document:
        """A document of a sound or film as the slide shows it."""
        at = Locator(slide=self.slide.number, boxes=drawn.boxes).metadata()
        return media.build(
            Document,
            document.node_id,
            document.metadata[media.MODALITY],
            "\n".join(filter(None, (drawn.words, document.text))),
            {**self.builder.common, **document.metadata, **at, **self.extra},
            title=self.title,
            media=media.media_of(document),
        )


FORMAT = PptxFormat()
