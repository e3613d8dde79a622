"""The shapes of a slide in reading order, each with its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llama_index_gemini_mm.media import Box
from llama_index_gemini_mm.readers._omml import MATH
from llama_index_gemini_mm.readers._ooxml import CHART, DIAGRAM, DRAWING, EMU_PER_PIXEL, MARKUP
from llama_index_gemini_mm.readers._ooxml_charts import CHARTEX

P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
GROUP = f"{P}grpSp"
ALTERNATE = f"{MARKUP}AlternateContent"
_SHAPES = frozenset(P + name for name in ("sp", "pic", "graphicFrame", "cxnSp", "contentPart"))
_CONTENT = (
    *(DRAWING + name for name in ("t", "blip")),
    *(f"{CHART}chart", f"{CHARTEX}chart", f"{DIAGRAM}relIds", f"{P}oleObj", f"{MATH}oMath"),
)
_ROW = 0.04
"""How far apart, as a share of the slide's height, the tops of shapes may be that stand side by side."""
_Edges = tuple[float, float, float, float]
"""Left, top, width and height."""


@dataclass(frozen=True)
class Shape:
    """A shape that is no group; ``edges`` are left, top, width and height in English metric units, if they are known.

    ``slide_size`` is in the same units.
    """

    element: Any
    edges: _Edges | None
    slide_size: tuple[int, int]

    @property
    def placeholder(self) -> str | None:
        """What kind of placeholder it fills (``title``, ``body``, ``sldNum``), or ``None``."""
        found = self.element.find(f"./*/{P}nvPr/{P}ph")
        return None if found is None else str(found.get("type", "obj"))

    @property
    def boxes(self) -> tuple[Box, ...]:
        """Where it stands on the slide; empty when that is not known, or off the slide."""
        if self.edges is None:
            return ()
        (left, top, width, height), (across, down) = self.edges, self.slide_size
        corners = (left / across, top / down, (left + width) / across, (top + height) / down)
        x0, y0, x1, y1 = (min(1.0, max(0.0, v)) for v in corners)
        return ((x0, y0, x1, y1),) if x1 > x0 and y1 > y0 else ()

    @property
    def side(self) -> float:
        """The shorter side in pixels of 1/96 inch."""
        return min(self.edges[2:]) / EMU_PER_PIXEL if self.edges else 0.0


@dataclass(frozen=True)
class _Frame:
    """How the coordinates inside a group map to those of the slide."""

    scale: tuple[float, float] = (1.0, 1.0)
    shift: tuple[float, float] = (0.0, 0.0)

    def placed(self, edges: _Edges) -> _Edges:
        left, top, width, height = edges
        (across, down), (right, below) = self.scale, self.shift
        return (left * across + right, top * down + below, width * across, height * down)

    def within(self, outer: _Edges, inner: _Edges) -> _Frame:
        """The frame of a group that stands at ``outer`` and whose contents are measured by ``inner``."""
        left, top, width, height = self.placed(outer)
        across = width / inner[2] if inner[2] else 1.0
        down = height / inner[3] if inner[3] else 1.0
        return _Frame((across, down), (left - inner[0] * across, top - inner[1] * down))


class Layouts:
    """What slides take over from their layouts: their size, and the places of placeholders."""

    def __init__(self, width: int, height: int) -> None:
        self.size = (width, height)
        self._places: dict[str, dict[str, _Edges]] = {}

    def place(self, slide: Any, index: str) -> _Edges | None:
        """Where the layout of a slide puts the placeholder with an index."""
        layout = slide.slide_layout
        places = self._places.get(layout.part.partname)
        if places is None:
            places = {}
            for each in layout.placeholders:
                edges = (each.left, each.top, each.width, each.height)
                if None not in edges:
                    places.setdefault(str(each.element.ph_idx), edges)
            self._places[layout.part.partname] = places
        return places.get(index)


def shapes(slide: Any, layouts: Layouts) -> list[Shape]:
    """The shapes of a ``pptx`` slide from the top left to the bottom right; those of a group stay together."""
    return _Order(slide, layouts).read(slide.shapes._spTree, _Frame())


class _Order:
    def __init__(self, slide: Any, layouts: Layouts) -> None:
        self._slide = slide
        self._layouts = layouts
        self._size = layouts.size

    def read(self, tree: Any, frame: _Frame) -> list[Shape]:
        units: list[tuple[float, float, list[Shape]]] = []
        left = top = 0.0
        for element in filled(tree):
            edges = self._edges(element)
            placed = frame.placed(edges) if edges else None
            if placed:
                left, top = placed[:2]
            if element.tag == GROUP:
                inner = _measured(element.find(f"{P}grpSpPr/{DRAWING}xfrm"), "chOff", "chExt")
                within = frame.within(edges, inner) if edges and inner else frame
                units.append((top, left, self.read(element, within)))
            elif element.tag in _SHAPES:
                units.append((top, left, [Shape(element, placed, self._size)]))
        return [shape for _, _, unit in _by_rows(units, _ROW * self._size[1]) for shape in unit]

    def _edges(self, element: Any) -> _Edges | None:
        transform = next((found for path in _TRANSFORMS if (found := element.find(path)) is not None), None)
        return _measured(transform, "off", "ext") or self._inherited(element)

    def _inherited(self, element: Any) -> _Edges | None:
        """The place that the layout gives to a placeholder."""
        named = element.find(f"./*/{P}nvPr/{P}ph")
        return None if named is None else self._layouts.place(self._slide, named.get("idx", "0"))


_TRANSFORMS = (f"{P}spPr/{DRAWING}xfrm", f"{P}grpSpPr/{DRAWING}xfrm", f"{P}xfrm")


def _measured(transform: Any, start: str, extent: str) -> _Edges | None:
    if transform is None:
        return None
    first, size = transform.find(DRAWING + start), transform.find(DRAWING + extent)
    if first is None or size is None:
        return None
    return (float(first.get("x")), float(first.get("y")), float(size.get("cx")), float(size.get("cy")))


def _by_rows(
    units: list[tuple[float, float, list[Shape]]], tolerance: float
) -> Iterator[tuple[float, float, list[Shape]]]:
    """Rows from the top down, and what stands side by side from the left to the right."""
    row: list[tuple[float, float, list[Shape]]] = []
    for unit in sorted(units, key=lambda unit: unit[0]):
        if row and unit[0] - row[0][0] > tolerance:
            yield from sorted(row, key=lambda unit: unit[1])
            row = []
        row.append(unit)
    yield from sorted(row, key=lambda unit: unit[1])


def filled(parent: Any) -> Iterator[Any]:
    """The children of an element; of several versions of the same, the first that holds anything to read."""
    for child in parent:
        if child.tag == ALTERNATE:
            branches = (b for b in child if next(b.iter(*_CONTENT), None) is not None)
            yield from filled(next(branches, ()))
        else:
            yield child
