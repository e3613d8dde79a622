"""What is embedded in OpenDocument files: charts and formulas as text, other documents, sound and film as files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from llama_index_gemini_mm.readers._ole_objects import embedded_files
from llama_index_gemini_mm.readers._text import table
from llama_index_gemini_mm.readers.opendocument.package import OFFICE, OdfFile

_CHART = "{urn:oasis:names:tc:opendocument:xmlns:chart:1.0}"
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_MATH = "{http://www.w3.org/1998/Math/MathML}"
_MAX_ROWS = 1000
"""Rows of one chart's values that are written out."""


@dataclass(frozen=True)
class Embedded:
    """What an object says, and the files it is."""

    text: str = ""
    files: tuple[tuple[str, bytes], ...] = ()


def embedded(file: OdfFile, link: str, element: Any) -> Embedded:
    """The object that a link names (``./Object 1``), or that lies in the element of a flat file.

    Raises ``lxml.etree.XMLSyntaxError`` for a broken one, and ``FileTooLarge``.
    """
    name = link.removeprefix("./").strip("/")
    inner = next((e for e in element if isinstance(e.tag, str)), None)
    root = inner if file.archive is None else file.tree(f"{name}/content.xml")
    if root is not None and (text := _chart(root) or _formula(root)):
        return Embedded(text)
    if root is not None:
        found, data = file.inner_file(name)
        return Embedded(files=((found, data),) if data else ())
    part, data = file.part(link)
    return Embedded(files=tuple(embedded_files(data, part)) if data else ())


def _formula(root: Any) -> str:
    """A formula as it was typed."""
    if root.tag != f"{_MATH}math":
        return ""
    return " ".join((root.findtext(f".//{_MATH}annotation") or "").split())


def _chart(root: Any) -> str:
    """The titles, and the values that the chart keeps as a table."""
    chart = next(root.iter(f"{_CHART}chart"), None)
    if chart is None or next(root.iter(f"{OFFICE}chart"), None) is None:
        return ""
    titles = [_words(t) for name in ("title", "subtitle") for t in chart.iterfind(_CHART + name)]
    axes = ", ".join(
        filter(None, (_words(t) for a in chart.iter(f"{_CHART}axis") for t in a.iterfind(f"{_CHART}title")))
    )
    rows = [list(_cells(row)) for row in islice(chart.iter(f"{_TABLE}table-row"), _MAX_ROWS)]
    head = "\n".join(filter(None, (*titles, f"Axes: {axes}" if axes else "")))
    return "\n\n".join(filter(None, (head, table(rows))))


def _cells(row: Any) -> Iterator[str]:
    for cell in islice(row.iterfind(f"{_TABLE}table-cell"), _MAX_ROWS):
        words = _words(cell)
        yield "" if words == "NaN" else words


def _words(element: Any) -> str:
    return " ".join(" ".join("".join(p.itertext()) for p in element.iter(f"{_TEXT}p")).split())
