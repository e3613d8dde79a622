"""The words of shapes, tables and notes, from the XML of DrawingML."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llama_index_gemini_mm.readers._omml import MATH, math_text
from llama_index_gemini_mm.readers._ooxml import DRAWING
from llama_index_gemini_mm.readers._tables import table_pieces
from llama_index_gemini_mm.readers._text import table
from llama_index_gemini_mm.readers.pptx.shapes import filled

_BREAK, _TEXT, _FIELD = f"{DRAWING}br", f"{DRAWING}t", f"{DRAWING}fld"
_PROPERTIES = frozenset(DRAWING + name for name in ("pPr", "rPr", "endParaRPr"))
_MATH = frozenset((f"{MATH}oMath", f"{MATH}oMathPara"))
_BULLETS = (f"{DRAWING}buChar", f"{DRAWING}buAutoNum", f"{DRAWING}buBlip")
_RUNNING = ("slidenum", "datetime")
"""Fields that say something else on every slide, or every day."""


def lines(body: Any) -> str:
    """The paragraphs of a text body, one a line, items of lists indented by their level."""
    if body is None:
        return ""
    return "\n".join(filter(None, map(_line, body.iterchildren(f"{DRAWING}p"))))


def _line(paragraph: Any) -> str:
    text = "".join(_pieces(paragraph)).replace("\v", "\n").strip()
    properties = paragraph.find(f"{DRAWING}pPr")
    if not text or properties is None:
        return text
    level = properties.get("lvl", "0")
    depth = int(level) if level.isdecimal() and len(level) == 1 else 0
    has_bullet = any(properties.find(tag) is not None for tag in _BULLETS)
    return f"{'  ' * depth}- {text}" if depth or has_bullet else text


def _pieces(parent: Any) -> Iterator[str]:
    for element in filled(parent):
        if element.tag == _TEXT:
            yield element.text or ""
        elif element.tag == _BREAK:
            yield "\n"
        elif element.tag in _MATH:
            yield math_text(element)
        elif not (element.tag in _PROPERTIES or (element.tag == _FIELD and _is_running(element))):
            yield from _pieces(element)


def _is_running(field: Any) -> bool:
    return (field.get("type") or "").startswith(_RUNNING)


def table_text(element: Any) -> str:
    """An ``a:tbl`` as Markdown; a cell over several rows is repeated, so that each row says what it is about."""
    rows: list[list[str]] = []
    for row in element.iterchildren(f"{DRAWING}tr"):
        above = rows[-1] if rows else []
        rows.append([_cell(cell, above, n) for n, cell in enumerate(row.iterchildren(f"{DRAWING}tc"))])
    if not rows:
        return ""
    pieces = [text for _, _, text in table_pieces(rows[1:], header=rows[0])]
    return "\n\n".join(pieces) or table(rows)


def _cell(cell: Any, above: list[str], column: int) -> str:
    if cell.get("vMerge") in ("1", "true"):
        return above[column] if column < len(above) else ""
    return lines(cell.find(f"{DRAWING}txBody"))
