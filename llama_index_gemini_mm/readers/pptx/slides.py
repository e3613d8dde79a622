"""Slides as values: their text in order, and what is drawn on them, played on them and enclosed in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from llama_index_gemini_mm.media import Box
from llama_index_gemini_mm.readers._ole_objects import embedded_files
from llama_index_gemini_mm.readers._ooxml import CHART, DIAGRAM, DRAWING, RELATION, SVG_BLIP, alternative
from llama_index_gemini_mm.readers._ooxml_charts import CHARTEX, chart_text
from llama_index_gemini_mm.readers._ooxml_diagrams import diagram_text
from llama_index_gemini_mm.readers.image import is_picture
from llama_index_gemini_mm.readers.pptx.comments import Comments
from llama_index_gemini_mm.readers.pptx.shapes import Layouts, P, Shape, shapes
from llama_index_gemini_mm.readers.pptx.text import lines, table_text

_MEDIA = "{http://schemas.microsoft.com/office/powerpoint/2010/main}media"
_TRACK = "{http://schemas.microsoft.com/office/powerpoint/2017/3/main}track"
_FILE_TAGS = tuple(DRAWING + name for name in ("audioFile", "videoFile", "wavAudioFile", "quickTimeFile"))
_TITLES = frozenset(("title", "ctrTitle"))
_FURNITURE = frozenset(("dt", "ftr", "hdr", "sldNum", "sldImg"))
"""Placeholders that repeat on every slide."""
_MAX_CAPTION = 200
"""Characters."""
_MAX_CAPTIONS = 100
_CAPTION_GAP = 0.06
"""How far below a picture, as a share of the slide's height, its caption begins at most."""


@dataclass(frozen=True)
class Drawn:
    """A picture, sound or film: its bytes, its part name (``ppt/media/…``), the words to it and where it stands.

    ``shown`` is the shorter side in pixels of 1/96 inch.
    """

    data: bytes = field(repr=False)
    part: str
    words: str = ""
    boxes: tuple[Box, ...] = ()
    shown: float = 0.0


@dataclass(frozen=True)
class Slide:
    """A slide; ``number`` counts from 1, ``files`` are names and bytes."""

    number: int
    title: str
    text: str
    is_hidden: bool
    pictures: tuple[Drawn, ...]
    media: tuple[Drawn, ...]
    files: tuple[tuple[str, bytes], ...]


def slides(deck: Any) -> Iterator[Slide]:
    """Yield the slides of a ``pptx.Presentation``."""
    layouts = Layouts(deck.slide_width or 1, deck.slide_height or 1)
    comments = Comments(deck)
    taken: set[str] = set()
    for number, slide in enumerate(deck.slides, 1):
        if slide.part.partname not in taken:
            taken.add(slide.part.partname)
            yield _Reading(slide, layouts, taken).slide(number, comments)


@dataclass(frozen=True)
class _Said:
    text: str
    boxes: tuple[Box, ...]


class _Reading:
    """One slide on its way to a value."""

    def __init__(self, slide: Any, layouts: Layouts, taken: set[str]) -> None:
        """``taken`` names the parts that were read for slides before, and grows."""
        self._slide = slide
        self._taken = taken
        self._part = slide.part
        found = shapes(slide, layouts)
        titles = [s for s in found if s.placeholder in _TITLES and lines(s.element.find(f"{P}txBody"))]
        self._shapes = [*titles[:1], *(s for s in found if s not in titles[:1])]
        self._said = [_Said(self._text(shape), shape.boxes) for shape in self._shapes]
        self._title = " ".join(self._said[0].text.split()) if titles else ""
        others = (s for s in self._said[bool(titles) :] if s.boxes and 0 < len(s.text) <= _MAX_CAPTION)
        self._captions = list(islice(others, _MAX_CAPTIONS))

    def slide(self, number: int, comments: Comments) -> Slide:
        pictures, media, files = list(self._background()), list[Drawn](), list[tuple[str, bytes]]()
        for shape in self._shapes:
            played, enclosed = list(self._media(shape)), list(self._files(shape))
            # The picture of a film is its poster, and that of a file its preview.
            pictures += () if enclosed or _plays(shape) else self._pictures(shape)
            media += played
            files += enclosed
        notes = _notes(self._slide)
        parts = (*(said.text for said in self._said), f"Notes:\n{notes}" if notes else "", *comments.on(self._slide))
        return Slide(
            number,
            self._title,
            "\n\n".join(filter(None, parts)),
            self._slide.element.get("show") in ("0", "false"),
            tuple(pictures),
            tuple(media),
            tuple(files),
        )

    def _text(self, shape: Shape) -> str:
        if shape.placeholder in _FURNITURE:
            return ""
        element = shape.element
        table = next(element.iter(f"{DRAWING}tbl"), None)
        if table is not None:
            return table_text(table)
        drawn = next(element.iter(f"{CHART}chart", f"{CHARTEX}chart", f"{DIAGRAM}relIds"), None)
        target = self._once(drawn, "id", "dm") if drawn is not None else None
        if target is not None:
            name = str(target.partname)
            return chart_text(target.blob, name) or diagram_text(target.blob, name)
        return lines(element.find(f"{P}txBody"))

    def _background(self) -> Iterator[Drawn]:
        """The picture behind the slide; that of a layout is no content."""
        for blip in self._slide.element.iterfind(f"{P}cSld/{P}bg//{DRAWING}blip"):
            yield from self._picture(blip, self._caption(()), ((0.0, 0.0, 1.0, 1.0),), 0.0)

    def _pictures(self, shape: Shape) -> Iterator[Drawn]:
        words = _alternative(shape) or self._caption(shape.boxes)
        for blip in shape.element.iter(f"{DRAWING}blip"):
            yield from self._picture(blip, words, shape.boxes, shape.side)

    def _picture(self, blip: Any, words: str, boxes: tuple[Box, ...], shown: float) -> Iterator[Drawn]:
        """A picture, or, where it is a metafile, the drawing that it stands in for."""
        if blip.getparent().tag == f"{DRAWING}buBlip":
            return
        parts = [part for each in (blip, *blip.iter(SVG_BLIP)) if (part := self._related(each, "embed")) is not None]
        part = next((p for p in parts if is_picture(p.blob[:64])), parts[0] if parts else None)
        if part is not None:
            yield Drawn(part.blob, str(part.partname), words, boxes, shown)

    def _caption(self, boxes: tuple[Box, ...]) -> str:
        """The short text right below a picture, or else the title of the slide, or its first line."""
        under = next((s.text for s in self._captions if boxes and _is_under(s.boxes[0], boxes[0])), "")
        text = next((s.text for s in self._said if s.text), "")
        return under or self._title or text.partition("\n")[0][:_MAX_CAPTION]

    def _media(self, shape: Shape) -> Iterator[Drawn]:
        """The sound or film that a shape plays, once, though it is named under an old and a new tag."""
        for tag in shape.element.iter(_MEDIA, *_FILE_TAGS):
            if (target := self._once(tag, "embed", "link")) is not None:
                yield Drawn(target.blob, str(target.partname), _alternative(shape), shape.boxes)

    def _files(self, shape: Shape) -> Iterator[tuple[str, bytes]]:
        """The files behind icons, and the subtitles of films."""
        for tag in shape.element.iter(f"{P}oleObj", _TRACK):
            if (target := self._once(tag, "id", "embed")) is not None:
                yield from embedded_files(target.blob, str(target.partname).lstrip("/"))

    def _once(self, element: Any, *names: str) -> Any:
        """The part that an element names, unless it was read before; else ``None``."""
        target = self._related(element, *names)
        if target is None or target.partname in self._taken:
            return None
        self._taken.add(target.partname)
        return target

    def _related(self, element: Any, *names: str) -> Any:
        """The part that an element names; ``None`` when it is missing, or lies outside of the package."""
        relation = next(filter(None, (element.get(RELATION + name) for name in names)), None)
        known = self._part.rels.get(relation) if relation else None
        if known is None or known.is_external:
            return None
        return known.target_part


def _plays(shape: Shape) -> bool:
    return next(shape.element.iter(_MEDIA, *_FILE_TAGS), None) is not None


def _is_under(text: Box, picture: Box) -> bool:
    overlap = min(text[2], picture[2]) - max(text[0], picture[0])
    narrower = min(text[2] - text[0], picture[2] - picture[0])
    return abs(text[1] - picture[3]) <= _CAPTION_GAP and overlap >= narrower / 2


def _alternative(shape: Shape) -> str:
    return alternative(shape.element.find(f"./*/{P}cNvPr"))


def _notes(slide: Any) -> str:
    """What stands on the page of speaker notes, without what all such pages repeat."""
    if not slide.has_notes_slide:
        return ""
    bodies = []
    for shape in slide.notes_slide.shapes:
        placeholder = shape.element.find(f"./*/{P}nvPr/{P}ph")
        if placeholder is None or placeholder.get("type") not in _FURNITURE:
            bodies.append(lines(shape.element.find(f"{P}txBody")))
    return "\n\n".join(filter(None, bodies))
