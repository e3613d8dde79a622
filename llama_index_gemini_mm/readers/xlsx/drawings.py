"""What lies on the sheets of an Excel workbook beside their cells: notes, pictures, charts and text boxes."""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from llama_index_gemini_mm.readers._ooxml import CHART, DIAGRAM, DRAWING, EMU_PER_PIXEL, RELATION, parsed
from llama_index_gemini_mm.readers._ooxml_charts import CHARTEX, chart_text
from llama_index_gemini_mm.readers._ooxml_diagrams import diagram_text
from llama_index_gemini_mm.readers._sheets import Row, has_words

_SHEET = "{http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing}"
_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_THREADED = "{http://schemas.microsoft.com/office/spreadsheetml/2018/threadedcomments}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_PERSONS = re.compile(r"xl/persons/[^/]+\.xml")
_ANCHORS = (f"{_SHEET}twoCellAnchor", f"{_SHEET}oneCellAnchor", f"{_SHEET}absoluteAnchor")
_MAX_CAPTION = 500
_NEAR = 3
"""Rows and columns that a caption may be away from its picture."""
_MAX_HEIGHT = 100
"""Rows of a picture beside which its caption is looked for."""


@dataclass(frozen=True)
class Drawn:
    """A picture (``data``) or a text on a sheet: its part, what is written to it, the cells it lies on (from 1)."""

    part: str
    words: str
    top: int = 1
    left: int = 1
    bottom: int = 1
    right: int = 1
    data: bytes = field(default=b"", repr=False)
    shown: float = 0.0

    def away(self, row: int, column: int) -> int:
        """How many rows and columns lie between this and a cell."""
        down = max(self.top - row, row - self.bottom, 0)
        return down + max(self.left - column, column - self.right, 0)


def root_of(archive: zipfile.ZipFile, name: str) -> Any:
    """The root element of a part; an empty one for a broken part, which is logged."""
    root = parsed(archive.read(name), name)
    return parsed(b"<broken/>", name) if root is None else root


def relations(archive: zipfile.ZipFile, of: str) -> dict[str, tuple[str, str]]:
    """The parts that a part refers to: by the name of the relation, its kind (``drawing``) and the part's name."""
    folder, name = posixpath.split(of)
    path = f"{folder}/_rels/{name}.rels"
    if path not in archive.NameToInfo:
        return {}
    found = {}
    for each in root_of(archive, path):
        target = posixpath.normpath(posixpath.join("/" + folder, each.get("Target", ""))).lstrip("/")
        if each.get("TargetMode") != "External" and target in archive.NameToInfo:
            found[each.get("Id", "")] = (each.get("Type", "").rpartition("/")[2], target)
    return found


def sheet_notes(archive: zipfile.ZipFile, sheet: str) -> dict[int, list[str]]:
    """The notes and comments on the cells of a sheet, by row. A thread is told message by message."""
    found: dict[str, list[str]] = {}
    parts = relations(archive, sheet).values()
    for kind, name in sorted(parts, key=lambda pair: pair[0] != "threadedComment"):
        if kind == "threadedComment":
            persons = _persons(archive)
            for each in root_of(archive, name).iter(f"{_THREADED}threadedComment"):
                text = each.findtext(f"{_THREADED}text") or ""
                _add(found, each.get("ref", ""), persons.get(each.get("personId"), ""), text)
        elif kind == "comments":
            _add_comments(found, root_of(archive, name), known=set(found))
    by_row: dict[int, list[str]] = {}
    for cell, notes in found.items():
        if digits := re.sub(r"\D", "", cell):
            by_row.setdefault(int(digits), []).extend(notes)
    return by_row


def _persons(archive: zipfile.ZipFile) -> dict[str, str]:
    lists = [root_of(archive, name) for name in archive.namelist() if _PERSONS.fullmatch(name)]
    return {p.get("id"): p.get("displayName", "") for each in lists for p in each.iter(f"{_THREADED}person")}


def _add_comments(found: dict[str, list[str]], root: Any, known: set[str]) -> None:
    authors = [a.text or "" for a in root.iter(f"{_MAIN}author")]
    for each in root.iter(f"{_MAIN}comment"):
        number = int(each.get("authorId", "-1"))
        author = authors[number] if 0 <= number < len(authors) else ""
        if each.get("ref") not in known:
            _add(found, each.get("ref", ""), author, "".join(t.text or "" for t in each.iter(f"{_MAIN}t")))


def _add(found: dict[str, list[str]], cell: str, author: str, text: str) -> None:
    said = text.strip().removeprefix(f"{author}:").strip()
    if said:
        found.setdefault(cell, []).append(f"Note on {cell}{f' by {author}' if author else ''}: {said}")


def sheet_drawings(archive: zipfile.ZipFile, sheet: str) -> Iterator[Drawn]:
    """Yield the pictures, the texts, and what the charts and diagrams of a sheet say."""
    for kind, name in relations(archive, sheet).values():
        if kind == "drawing":
            known = relations(archive, name)
            for anchor in root_of(archive, name).iter(*_ANCHORS):
                if next(anchor.iterancestors(_FALLBACK), None) is None:
                    yield from _anchored(archive, anchor, known)


def _anchored(archive: zipfile.ZipFile, anchor: Any, known: dict[str, tuple[str, str]]) -> Iterator[Drawn]:
    top, left = _corner(anchor, "from")
    bottom, right = _corner(anchor, "to")
    place = (top, left, max(top, bottom), max(left, right))
    for each in anchor.iter(f"{_SHEET}pic", f"{_SHEET}sp", f"{CHART}chart", f"{CHARTEX}chart", f"{DIAGRAM}relIds"):
        if next(each.iterancestors(_FALLBACK), None) is not None:
            continue
        blip = each.find(f".//{DRAWING}blip") if each.tag == f"{_SHEET}pic" else None
        relation = each.get(f"{RELATION}id") or each.get(f"{RELATION}dm")
        name = known.get(relation if blip is None else blip.get(f"{RELATION}embed"), ("", ""))[1]
        data = archive.read(name) if name else b""
        if each.tag == f"{_SHEET}sp":
            yield Drawn("", _lines(each), *place)
        elif blip is not None:
            yield Drawn(name, _alternative(each), *place, data, _shown(each))
        else:
            yield Drawn(name, chart_text(data, name) or diagram_text(data, name), *place)


def _corner(anchor: Any, name: str) -> tuple[int, int]:
    corner = anchor.find(f"{_SHEET}{name}")
    row, column = ((corner.findtext(_SHEET + n) if corner is not None else None) or 0 for n in ("row", "col"))
    return int(row) + 1, int(column) + 1


def _lines(shape: Any) -> str:
    paragraphs = ("".join(t.text or "" for t in p.iter(f"{DRAWING}t")) for p in shape.iter(f"{DRAWING}p"))
    return "\n".join(filter(None, map(str.strip, paragraphs)))


def _alternative(picture: Any) -> str:
    properties = picture.find(f"./*/{_SHEET}cNvPr")
    found = () if properties is None else (properties.get("title"), properties.get("descr"))
    return "\n".join(dict.fromkeys(words.strip() for words in found if words and words.strip()))


def _shown(picture: Any) -> float:
    extent = picture.find(f".//{DRAWING}xfrm/{DRAWING}ext")
    sides = (0, 0) if extent is None else (int(extent.get("cx", 0)), int(extent.get("cy", 0)))
    return min(sides) / EMU_PER_PIXEL


class Captions:
    """Finds the words nearest to each picture while the rows of the sheet go by."""

    def __init__(self, pictures: list[Drawn]) -> None:
        self._rows: dict[int, dict[int, str]] = {}
        self._wanted = {row for p in pictures for row in _rows_near(p)}

    def watch(self, rows: Iterator[Row]) -> Iterator[Row]:
        """Pass on all rows."""
        for row in rows:
            if row.number in self._wanted:
                self._rows[row.number] = dict(row.cells)
            yield row

    def of(self, picture: Drawn) -> str:
        """The row that a picture lies in, or else the nearest cell with words, above before below."""
        if picture.bottom - picture.top <= 1 and (cells := self._rows.get(picture.top)):
            return " | ".join(cells.values())[:_MAX_CAPTION]
        near = [
            (picture.away(row, column), row > picture.top, text)
            for row in _rows_near(picture)
            for column, text in self._rows.get(row, {}).items()
            if has_words(text)
        ]
        return min(near, default=(0, False, ""), key=lambda found: found[:2])[2][:_MAX_CAPTION]


def _rows_near(picture: Drawn) -> range:
    return range(picture.top - _NEAR, min(picture.bottom, picture.top + _MAX_HEIGHT) + _NEAR + 1)
