"""What is drawn in a Word document: pictures, charts, diagrams, text boxes, and the files behind icons."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from llama_index_gemini_mm.readers._ole_objects import embedded_files
from llama_index_gemini_mm.readers._ooxml import CHART, DIAGRAM, DRAWING, EMU_PER_PIXEL, RELATION, SVG_BLIP, alternative
from llama_index_gemini_mm.readers._ooxml_charts import CHARTEX, chart_text
from llama_index_gemini_mm.readers._ooxml_diagrams import diagram_text
from llama_index_gemini_mm.readers._sections import Paragraph, Picture
from llama_index_gemini_mm.readers.docx.inline import ALTERNATE, FALLBACK, W
from llama_index_gemini_mm.readers.image import is_picture

_log = logging.getLogger(__name__)
_WP = "{http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing}"
_VML = "{urn:schemas-microsoft-com:vml}"
_FRAMES = (f"{_WP}inline", f"{_WP}anchor", f"{_VML}shape", f"{_VML}rect")
_PICTURES = (f"{DRAWING}blip", f"{_VML}imagedata", f"{_VML}fill")
_CHARTS = (f"{CHART}chart", f"{CHARTEX}chart", f"{DIAGRAM}relIds")
TEXT_BOX = f"{W}txbxContent"
_ENCLOSED = (
    *("{urn:schemas-microsoft-com:office:office}OLEObject", f"{W}objectEmbed"),
    *(DRAWING + name for name in ("audioFile", "videoFile", "wavAudioFile", "quickTimeFile")),
)

File = tuple[str, bytes]
"""The name of a file in the package, and its bytes."""


class Drawings:
    """Finds what the drawings of a document part show."""

    def __init__(self, part: Any) -> None:
        self._part = part
        self._taken: set[str] = set()

    def files(self, drawn: Any) -> Iterator[File]:
        """The files that a drawing stands for, each once in the document."""
        for element in drawn.iter(*_ENCLOSED):
            if (part := self.once(element)) is not None:
                yield from embedded_files(part.blob, str(part.partname).lstrip("/"))

    def shown(self, drawn: Any, beside: str) -> Iterator[Paragraph | Picture | Any]:
        """Pictures, what charts and diagrams say, and the elements of text boxes, in order."""
        from lxml import etree

        walker = etree.iterwalk(drawn, events=("start",), tag=(*_PICTURES, *_CHARTS, TEXT_BOX, FALLBACK))
        for _, element in walker:
            if element.tag in (TEXT_BOX, FALLBACK):
                walker.skip_subtree()
            if element.tag in _PICTURES:
                yield from self._picture(element, beside)
            elif element.tag in _CHARTS:
                yield from self._chart(element)
            elif element.tag == TEXT_BOX:
                yield element

    def once(self, element: Any) -> Any:
        """The part that an element names, unless another one has named it before; else ``None``."""
        part = self._related(element)
        if part is None or part.partname in self._taken:
            return None
        self._taken.add(part.partname)
        return part

    def _related(self, element: Any) -> Any:
        """The part that an element names; ``None`` when it is missing, or lies outside of the package."""
        names = (element.get(RELATION + name) for name in ("embed", "id", "dm", "link"))
        relation = self._part.rels.get(next(filter(None, names), None))
        if relation is None or relation.is_external:
            _log.info("a drawing is left out: its part is not in the document")
            return None
        return relation.target_part

    def _picture(self, element: Any, beside: str) -> Iterator[Picture]:
        """A picture, or, where it is a metafile, another version of it that can be read."""
        parts = (self._related(each) for each in (element, *element.iter(SVG_BLIP), *_older_versions(element)))
        blobs = [part.blob for part in parts if part is not None]
        if blobs:
            data = next((blob for blob in blobs if is_picture(blob[:64])), blobs[0])
            yield Picture(data, _words(element), _side(element), beside)

    def _chart(self, element: Any) -> Iterator[Paragraph]:
        if (part := self.once(element)) is not None:
            name = str(part.partname)
            text = chart_text(part.blob, name) or diagram_text(part.blob, name)
            yield from [Paragraph(text)] if text else ()


def _older_versions(element: Any) -> Iterator[Any]:
    """The pictures that are kept for programs that do not know this kind of drawing."""
    alternate = next(element.iterancestors(ALTERNATE), None)
    if alternate is not None:
        for fallback in alternate.iterchildren(FALLBACK):
            yield from fallback.iter(*_PICTURES)


def _frame(element: Any) -> Any:
    """What places a drawing in the text."""
    return next(element.iterancestors(*_FRAMES), None)


def _words(element: Any) -> str:
    """The alternative text and title of a drawing."""
    frame = _frame(element)
    if frame is None:
        return ""
    return alternative(frame if frame.tag.startswith(_VML) else frame.find(f"{_WP}docPr"))


def _side(element: Any) -> float:
    """The shorter side of a drawing on the page, in pixels of 1/96 inch; 0 when it is not given."""
    frame = _frame(element)
    extent = frame.find(f"{_WP}extent") if frame is not None else None
    sides = [extent.get(name, "") for name in ("cx", "cy")] if extent is not None else [""]
    return min(map(int, sides)) / EMU_PER_PIXEL if all(side.isdecimal() for side in sides) else 0.0
