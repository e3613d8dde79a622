"""The blocks of a Word document in reading order, from the XML that python-docx has loaded.

python-docx's own paragraphs leave out what stands in content controls, text boxes, insertions and fields; the XML has
it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from llama_index_gemini_mm.readers._alt_chunk import alt_chunk_blocks
from llama_index_gemini_mm.readers._ooxml import CHART, DIAGRAM, DRAWING, EMU_PER_PIXEL, RELATION, part_text
from llama_index_gemini_mm.readers._sections import Block, Heading, Paragraph, Picture
from llama_index_gemini_mm.readers._text import table

_log = logging.getLogger(__name__)
W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_MC_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_MATH_TEXT = "{http://schemas.openxmlformats.org/officeDocument/2006/math}t"
_WP = "{http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing}"
_VML_IMAGE = "{urn:schemas-microsoft-com:vml}imagedata"
_VML_SHAPE = "{urn:schemas-microsoft-com:vml}shape"
_WRAPPERS = frozenset(W + name for name in ("sdt", "sdtContent", "ins", "moveTo", "smartTag", "customXml"))
_BREAKS = {W + "tab": "\t", W + "br": "\n", W + "cr": "\n", W + "noBreakHyphen": "-"}
_HEADING = re.compile(r"heading (\d)", re.IGNORECASE)


@dataclass(frozen=True)
class _Style:
    name: str
    level: int | None
    parent: str | None
    is_list: bool


def docx_blocks(document: Any) -> Iterator[Block]:
    """Yield the blocks of a ``docx.Document``, and its footnotes at the end."""
    walk = _Walk(document.part, _styles(document))
    yield from walk.blocks(document.element.body)
    for note in _notes(document.part):
        yield Paragraph(note)


class _Walk:
    def __init__(self, part: Any, styles: Mapping[str, _Style]) -> None:
        self._part = part
        self._styles = styles

    def blocks(self, parent: Any) -> Iterator[Block]:
        for element in parent:
            if element.tag == W + "p":
                yield from self._paragraph(element)
            elif element.tag == W + "tbl":
                yield from self._table(element)
            elif element.tag in _WRAPPERS:
                yield from self.blocks(element)
            elif element.tag == W + "altChunk" and (part := self._related(element.get(f"{RELATION}id"))):
                yield from alt_chunk_blocks(part)

    def _paragraph(self, element: Any) -> Iterator[Block]:
        text = _text(element).strip()
        style = self._style_of(element)
        level = self._level(element, style)
        if text and level is not None:
            yield Heading(level, " ".join(text.split()))
        elif text:
            item = "- " if style.is_list or element.find(f"{W}pPr/{W}numPr") is not None else ""
            yield Paragraph(item + text, is_caption=style.name.lower() == "caption")
        yield from self._inside(element)

    def _inside(self, element: Any) -> Iterator[Block]:
        """What is drawn in a paragraph: pictures, charts, diagrams, and the text in boxes."""
        for inner in element.iter(f"{DRAWING}blip", _VML_IMAGE, f"{CHART}chart", f"{DIAGRAM}relIds", f"{W}txbxContent"):
            if _owner(inner) is not element:
                continue
            if inner.tag == f"{W}txbxContent":
                yield from self.blocks(inner)
            elif inner.tag in (f"{DRAWING}blip", _VML_IMAGE):
                yield from self._picture(inner)
            elif part := self._related(inner.get(f"{RELATION}id") or inner.get(f"{RELATION}dm")):
                yield from [Paragraph(text)] if (text := part_text(part)) else ()

    def _picture(self, element: Any) -> Iterator[Picture]:
        part = self._related(element.get(f"{RELATION}embed") or element.get(f"{RELATION}id"))
        if part is not None:
            yield Picture(part.blob, _alternative(element), _shown(element))

    def _related(self, relation: str | None) -> Any:
        """The part that a relation names; ``None`` when it is missing, or lies outside of the package."""
        known = self._part.rels.get(relation)
        if known is None or known.is_external:
            _log.info("a drawing is left out: its part is not in the document")
            return None
        return known.target_part

    def _table(self, element: Any) -> Iterator[Block]:
        cells = [row.findall(f".//{W}tc") for row in element.iter(f"{W}tr") if _table_of(row) is element]
        if sum(map(len, cells)) == 1:
            yield from self.blocks(cells[0][0])
            return
        rows = [[_cell_text(c) for c in row if _table_of(c) is element] for row in cells]
        if text := table(rows):
            yield Paragraph(text)
        for paragraph in element.iter(f"{W}p"):
            yield from self._inside(paragraph)

    def _style_of(self, element: Any) -> _Style:
        named = element.find(f"{W}pPr/{W}pStyle")
        found = self._styles.get(named.get(f"{W}val")) if named is not None else None
        return found or _Style("", None, None, False)

    def _level(self, element: Any, style: _Style) -> int | None:
        """The outline level, from 0 (a title) inwards, of the paragraph itself, its style or the style below that."""
        direct = element.find(f"{W}pPr/{W}outlineLvl")
        if direct is not None:
            return _outline(direct)
        for _ in range(10):
            parent = self._styles.get(style.parent or "")
            if style.level is not None or parent is None:
                break
            style = parent
        return style.level


def _styles(document: Any) -> dict[str, _Style]:
    return {s.get(f"{W}styleId"): _style(s) for s in document.styles.element.iter(f"{W}style")}


def _style(element: Any) -> _Style:
    name = _value(element.find(f"{W}name")) or ""
    outline = element.find(f"{W}pPr/{W}outlineLvl")
    numbered = _HEADING.fullmatch(name)
    level = 0 if name.lower() == "title" else int(numbered[1]) if numbered else None
    if level is None and outline is not None:
        level = _outline(outline)
    is_list = name.lower().startswith("list ") and "paragraph" not in name.lower()
    return _Style(name, level, _value(element.find(f"{W}basedOn")), is_list)


def _value(element: Any) -> str | None:
    return None if element is None else str(element.get(f"{W}val"))


def _outline(element: Any) -> int | None:
    """Levels count from 0 in the file; 9 means body text."""
    level = int(_value(element) or 9)
    return level + 1 if level < 9 else None


def _text(paragraph: Any) -> str:
    """The words of a paragraph, without those in text boxes, which are blocks of their own."""
    pieces = []
    for element in paragraph.iter(f"{W}t", _MATH_TEXT, *_BREAKS):
        if element.tag in _BREAKS and element.getparent().tag != f"{W}r":
            continue
        if _owner(element) is paragraph:
            pieces.append(_BREAKS.get(element.tag) or element.text or "")
    return "".join(pieces)


def _owner(element: Any) -> Any:
    """The innermost paragraph around an element; none for the copies kept for old programs."""
    for ancestor in element.iterancestors():
        if ancestor.tag == f"{W}p":
            return ancestor
        if ancestor.tag == _MC_FALLBACK:
            return None
    return None


def _table_of(element: Any) -> Any:
    return next(element.iterancestors(f"{W}tbl"), None)


def _cell_text(cell: Any) -> str:
    return "\n".join(filter(None, (_text(p).strip() for p in cell.iter(f"{W}p"))))


def _frame(element: Any) -> Any:
    """What places a drawing in the text."""
    return next(element.iterancestors(f"{_WP}inline", f"{_WP}anchor", _VML_SHAPE), None)


def _alternative(element: Any) -> str:
    """The alternative text and title of a drawing."""
    frame = _frame(element)
    if frame is None:
        return ""
    properties = frame if frame.tag == _VML_SHAPE else frame.find(f"{_WP}docPr")
    found = () if properties is None else (properties.get(name) for name in ("title", "descr", "alt"))
    return "\n".join(dict.fromkeys(words.strip() for words in found if words and words.strip()))


def _shown(element: Any) -> float:
    """The shorter side of a drawing on the page, in pixels of 1/96 inch; 0 when it is not given."""
    frame = _frame(element)
    extent = frame.find(f"{_WP}extent") if frame is not None else None
    return min(int(extent.get("cx")), int(extent.get("cy"))) / EMU_PER_PIXEL if extent is not None else 0.0


def _notes(part: Any) -> Iterator[str]:
    """The texts of footnotes and endnotes."""
    from docx.oxml.parser import parse_xml

    for relation in part.rels.values():
        if not relation.is_external and relation.reltype.endswith(("/footnotes", "/endnotes")):
            root = parse_xml(relation.target_part.blob)
            for note in root.iter(f"{W}footnote", f"{W}endnote"):
                if text := " ".join(_text(p).strip() for p in note.iter(f"{W}p")).strip():
                    yield f"[{note.get(f'{W}id')}] {text}"
