"""PowerPoint decks, shows, templates and decks with macros: slides, pictures, and embedded sound and film."""

from __future__ import annotations

from collections.abc import Iterator

from llama_index.core.schema import Document

from llama_index_gemini_mm.media import Locator
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers import _ooxml
from llama_index_gemini_mm.readers._base import DocumentBuilder, Format, ReaderOptions, corrupt, humanise
from llama_index_gemini_mm.readers._pictures import usable_mime
from llama_index_gemini_mm.readers._pptx_slides import Drawn, Slide, recordings, slides
from llama_index_gemini_mm.source import Source

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


class PptxFormat(Format):
    """Office Open XML presentations; one document a slide, one a picture, sound or film."""

    name = "pptx"
    suffixes = (".pptx", ".pptm", ".ppsx", ".ppsm", ".potx", ".potm")
    mime_types = ("application/vnd.openxmlformats-officedocument.presentationml.presentation",)

    def score(self, source: Source) -> int:
        """Match a package with PowerPoint's parts."""
        return _ooxml.score(source, "ppt/", self.suffixes)

    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Document]:
        """Yield, slide by slide, the text, the pictures, and the sounds and films."""
        title, deck = _loaded(source)
        builder = DocumentBuilder(source, store, self.mime_types[0])
        seen: set[bytes] = set()
        for slide in deck:
            name = slide.title or title or humanise(source)
            if slide.text:
                yield builder.text(slide.text, title=name, at=Locator(slide=slide.number))
            if options.figures:
                yield from _pictures(slide, name, builder, options, seen)
            for drawn in slide.media:
                yield from _media(slide, drawn, name, builder)


def _loaded(source: Source) -> tuple[str, list[Slide]]:
    """The title in the properties, and all slides: python-pptx meets broken parts only when it comes to them."""
    import pptx
    from lxml.etree import LxmlError
    from pptx.exc import PythonPptxError

    stream = _ooxml.package(source, _WHAT, _MAIN, _OTHERS)
    with stream, corrupt(source, _WHAT, PythonPptxError, LxmlError, *_ooxml.BROKEN_PART):
        deck = pptx.Presentation(stream)
        title = (deck.core_properties.title or "").strip()
        return "" if title == _UNTITLED else title, list(slides(deck))


def _pictures(
    slide: Slide, name: str, builder: DocumentBuilder, options: ReaderOptions, seen: set[bytes]
) -> Iterator[Document]:
    """The pictures of a slide; one that recurs, like a logo, is yielded where it stands first."""
    for drawn in slide.pictures:
        mime_type = usable_mime(drawn.data, options.min_figure_pixels, drawn.shown)
        if mime_type and drawn.data not in seen:
            at = Locator(slide=slide.number, boxes=drawn.boxes, container_path=builder.inside(drawn.part))
            yield builder.extracted("image", drawn.data, mime_type, text=drawn.words, title=name, at=at)
        seen.add(drawn.data)


def _media(slide: Slide, drawn: Drawn, name: str, builder: DocumentBuilder) -> Iterator[Document]:
    for recording in recordings(drawn):
        yield builder.extracted(
            recording.modality,
            drawn.data,
            recording.mime_type,
            text="\n".join(filter(None, (drawn.words, recording.text))),
            title=name,
            at=Locator(
                slide=slide.number,
                boxes=drawn.boxes,
                container_path=builder.inside(drawn.part),
                start_seconds=0.0,
                end_seconds=round(recording.duration, 3),
            ),
            fragment=recording.fragment,
        )


FORMAT = PptxFormat()
