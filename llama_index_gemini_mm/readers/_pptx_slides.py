"""Slides as values: their text in order, and what is drawn or played on them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from llama_index_gemini_mm.codecs import Undecodable
from llama_index_gemini_mm.media import Box
from llama_index_gemini_mm.readers import audio, video
from llama_index_gemini_mm.readers._ooxml import CHART, DIAGRAM, DRAWING, EMU_PER_PIXEL, RELATION, part_text
from llama_index_gemini_mm.readers._text import table
from llama_index_gemini_mm.readers.audio import Recording
from llama_index_gemini_mm.source import Source

_log = logging.getLogger(__name__)
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_MEDIA = "{http://schemas.microsoft.com/office/powerpoint/2010/main}media"
_FILE_TAGS = tuple(DRAWING + name for name in ("audioFile", "videoFile", "wavAudioFile", "quickTimeFile"))
_FURNITURE = frozenset(("dt", "ftr", "hdr", "sldNum"))
"""Placeholders that repeat on every slide."""


@dataclass(frozen=True)
class Drawn:
    """A picture, sound or film: its bytes, its part name (``ppt/media/…``), its alternative text and where it stands.

    ``shown`` is the shorter side in pixels of 1/96 inch.
    """

    data: bytes = field(repr=False)
    part: str
    words: str = ""
    boxes: tuple[Box, ...] = ()
    shown: float = 0.0


@dataclass(frozen=True)
class Slide:
    """A slide; ``number`` counts from 1."""

    number: int
    title: str
    text: str
    pictures: tuple[Drawn, ...]
    media: tuple[Drawn, ...]


def slides(deck: Any) -> Iterator[Slide]:
    """Yield the slides of a ``pptx.Presentation``."""
    size = (deck.slide_width or 1, deck.slide_height or 1)
    for number, slide in enumerate(deck.slides, 1):
        yield _slide(number, slide, size)


def _slide(number: int, slide: Any, size: tuple[int, int]) -> Slide:
    texts: list[str] = []
    pictures: list[Drawn] = []
    media: list[Drawn] = []
    title_shape = slide.shapes.title
    title = _lines(title_shape.text_frame) if title_shape is not None else ""
    for shape, is_grouped in _shapes(slide.shapes):
        box = () if is_grouped else _box(shape, size)
        if title_shape is None or shape.shape_id != title_shape.shape_id:
            texts.append(_text(shape, slide.part))
        pictures += _pictures(shape, slide.part, box)
        media += _media(shape, slide.part, box)
    notes = _lines(slide.notes_slide.notes_text_frame) if slide.has_notes_slide else ""
    parts = (title, *texts, f"Notes:\n{notes}" if notes else "")
    return Slide(number, " ".join(title.split()), "\n\n".join(filter(None, parts)), tuple(pictures), tuple(media))


def _shapes(shapes: Any, *, is_grouped: bool = False) -> Iterator[tuple[Any, bool]]:
    """All shapes in order, those in groups too."""
    for shape in shapes:
        if shape.element.tag == f"{_P}grpSp":
            yield from _shapes(shape.shapes, is_grouped=True)
        else:
            yield shape, is_grouped


def _text(shape: Any, part: Any) -> str:
    placeholder = shape.element.find(f"./*/{_P}nvPr/{_P}ph")
    if placeholder is not None and placeholder.get("type") in _FURNITURE:
        return ""
    if shape.has_text_frame:
        return _lines(shape.text_frame)
    if getattr(shape, "has_table", False):
        return table([[cell.text_frame.text for cell in row.cells] for row in shape.table.rows])
    drawn = next(shape.element.iter(f"{CHART}chart", f"{DIAGRAM}relIds"), None)
    if drawn is None:
        return ""
    target = _related(part, drawn.get(f"{RELATION}id") or drawn.get(f"{RELATION}dm"))
    return part_text(target) if target is not None else ""


def _lines(frame: Any) -> str:
    """The paragraphs of a text frame; a vertical tab is a line break within one."""
    return (
        ""
        if frame is None
        else "\n".join(line for p in frame.paragraphs if (line := p.text.replace("\v", "\n").strip()))
    )


def _box(shape: Any, size: tuple[int, int]) -> tuple[Box, ...]:
    """Where a shape stands, as shares of the slide; empty when that is inherited from the layout."""
    if None in (shape.left, shape.top, shape.width, shape.height):
        return ()
    x, y = shape.left / size[0], shape.top / size[1]
    corners = (x, y, x + shape.width / size[0], y + shape.height / size[1])
    x0, y0, x1, y1 = (min(1.0, max(0.0, v)) for v in corners)
    return ((x0, y0, x1, y1),)


def _pictures(shape: Any, part: Any, box: tuple[Box, ...]) -> Iterator[Drawn]:
    """The pictures of a shape; that of a film is only its poster."""
    if _plays(shape):
        return
    for blip in shape.element.iter(f"{DRAWING}blip"):
        target = _related(part, blip.get(f"{RELATION}embed"))
        if target is not None:
            shown = min(shape.width or 0, shape.height or 0) / EMU_PER_PIXEL
            yield Drawn(target.blob, str(target.partname), _alternative(shape), box, shown)


def _plays(shape: Any) -> bool:
    return next(shape.element.iter(_MEDIA, *_FILE_TAGS), None) is not None


def _media(shape: Any, part: Any, box: tuple[Box, ...]) -> Iterator[Drawn]:
    """The sound or film that a shape plays, once, though it is named under an old and a new tag."""
    seen = set()
    for tag in shape.element.iter(_MEDIA, *_FILE_TAGS):
        target = _related(part, tag.get(f"{RELATION}embed") or tag.get(f"{RELATION}link"))
        if target is not None and target.partname not in seen:
            seen.add(target.partname)
            yield Drawn(target.blob, str(target.partname), _alternative(shape), box)


def _related(part: Any, relation: str | None) -> Any:
    """The part that a relation names; ``None`` when it is missing, or lies outside of the package."""
    known = part.rels.get(relation) if relation else None
    if known is None or known.is_external:
        return None
    return known.target_part


def _alternative(shape: Any) -> str:
    properties = shape.element.find(f"./*/{_P}cNvPr")
    found = () if properties is None else (properties.get("title"), properties.get("descr"))
    return "\n".join(dict.fromkeys(words.strip() for words in found if words and words.strip()))


def recordings(drawn: Drawn) -> list[Recording]:
    """What a sound or film holds; empty, with a note in the log, for one that cannot be read."""
    source = Source.of_bytes(drawn.data, drawn.part)
    try:
        if mime_type := audio.mime_of(source):
            return [audio.describe(source, mime_type)]
        if mime_type := video.mime_of(source.head):
            return video.describe(source, mime_type)
    except Undecodable as error:
        _log.info("%s is left out: %s", source.name, error)
    return []
