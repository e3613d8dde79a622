"""The blocks of OpenDocument text in reading order: headings, paragraphs, lists, tables, pictures; notes at the end."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from llama_index_gemini_mm.readers._pictures import usable_mime
from llama_index_gemini_mm.readers._sections import Block, Heading, Paragraph, Picture
from llama_index_gemini_mm.readers._text import table
from llama_index_gemini_mm.readers.opendocument.objects import embedded
from llama_index_gemini_mm.readers.opendocument.package import DRAW, OFFICE, OdfFile

TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
STYLE = "{urn:oasis:names:tc:opendocument:xmlns:style:1.0}"
PRESENTATION = "{urn:oasis:names:tc:opendocument:xmlns:presentation:1.0}"
SVG = "{urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0}"
LINK = "{http://www.w3.org/1999/xlink}href"
_DUBLIN = "{http://purl.org/dc/elements/1.1/}"

MAX_REPEATED = 100
"""How often a cell or row is written that stands there many times over."""
_PARAGRAPHS = (f"{TEXT}p", f"{TEXT}h")
_PASSED_OVER = frozenset(
    (
        *(f"{TEXT}tracked-changes", f"{TEXT}table-of-content", f"{TEXT}illustration-index", f"{TEXT}table-index"),
        *(f"{TEXT}object-index", f"{TEXT}user-index", f"{TEXT}alphabetical-index", f"{PRESENTATION}notes"),
        *(f"{OFFICE}forms", f"{SVG}title", f"{SVG}desc"),
    )
)
"""What repeats other text, has been deleted, or is told elsewhere."""
_NOT_IN_LINE = frozenset((f"{OFFICE}annotation", f"{OFFICE}annotation-end", f"{TEXT}note-body", f"{TEXT}ruby-text"))
_LENGTH = re.compile(r"([\d.]+)(cm|mm|in|pt|pc|px)")
_PIXELS = {"cm": 96 / 2.54, "mm": 96 / 25.4, "in": 96.0, "pt": 96 / 72, "pc": 16.0, "px": 1.0}
_CAPTIONS = frozenset(("caption", "illustration", "figure", "table", "drawing"))
_MAX_BLANKS = 100
_MAX_STYLES = 20


@dataclass
class OdfText:
    """Walks through the body of a document.

    ``styles`` tells for each paragraph style the one it is based on; ``files`` collects what is embedded.
    """

    file: OdfFile
    styles: Mapping[str, str]
    files: list[tuple[str, bytes]] = field(default_factory=list)

    def body(self, root: Any) -> Iterator[Block]:
        """Yield the blocks below ``root``, then its footnotes and endnotes."""
        yield from self.blocks(root)
        for note in root.iter(f"{TEXT}note"):
            mark = inline(note.find(f"{TEXT}note-citation"))
            if text := joined(note.find(f"{TEXT}note-body"), " "):
                yield Paragraph(f"[{mark}] {text}")

    def blocks(self, parent: Iterable[Any]) -> Iterator[Block]:
        """Yield the blocks of the children."""
        for element in parent:
            if element.tag in _PARAGRAPHS:
                yield from self._paragraph(element)
            elif element.tag == f"{TEXT}list":
                yield from self._list(element, 0)
            elif element.tag == f"{TABLE}table":
                yield from self._table(element)
            elif element.tag == f"{DRAW}frame":
                yield from self._frame(element)
            elif isinstance(element.tag, str) and element.tag not in _PASSED_OVER:
                yield from self.blocks(element)

    def _paragraph(self, element: Any) -> Iterator[Block]:
        text = inline(element).strip()
        style = self._style(element)
        yield from self._drawn(element)
        if text and (element.tag == f"{TEXT}h" or style == "title"):
            level = count(element, f"{TEXT}outline-level") if element.tag == f"{TEXT}h" else 0
            yield Heading(level, " ".join(text.split()))
        elif text:
            is_caption = style in _CAPTIONS or element.find(f".//{TEXT}sequence") is not None
            yield Paragraph(text, is_caption=is_caption)
        yield from _comments(note for note in element.iter(f"{OFFICE}annotation") if _owner(note) is element)

    def _style(self, element: Any) -> str:
        """The lower-case name of a paragraph's style, or of the named style that it is based on."""
        name: str = element.get(f"{TEXT}style-name", "")
        for _ in range(_MAX_STYLES):
            if name.lower() in _CAPTIONS or name.lower() == "title" or name not in self.styles:
                break
            name = self.styles[name]
        return name.lower()

    def _drawn(self, element: Any) -> Iterator[Block]:
        """What is drawn in a paragraph, at any depth within its text."""
        for child in element:
            if not isinstance(child.tag, str) or child.tag in _NOT_IN_LINE:
                continue
            if child.tag == f"{DRAW}frame":
                yield from self._frame(child)
            elif child.tag.startswith(DRAW) and child.tag != f"{DRAW}a":
                yield from self.blocks(child)
            else:
                yield from self._drawn(child)

    def _list(self, element: Any, depth: int) -> Iterator[Block]:
        for item in element:
            mark = "- "
            for child in item:
                if child.tag == f"{TEXT}list":
                    yield from self._list(child, depth + 1)
                    continue
                for block in self.blocks([child]):
                    if isinstance(block, Paragraph) and child.tag == f"{TEXT}p" and not block.is_caption:
                        yield replace(block, text="  " * depth + mark + block.text, is_item=True)
                        mark = "  "
                    else:
                        yield block

    def _table(self, element: Any) -> Iterator[Block]:
        rows = [row for row in element.iter(f"{TABLE}table-row") if _table_of(row) is element]
        cells = [[cell for cell in row if cell.tag in _CELLS] for row in rows]
        if sum(map(len, cells)) == 1:
            yield from self.blocks(cells[0][0])
            return
        texts = [_row_texts(row) for row in cells]
        if text := table(texts):
            yield Paragraph(text)
        yield from _comments(element.iter(f"{OFFICE}annotation"))
        for row, words in zip(cells, texts, strict=True):
            beside = " | ".join(filter(None, words))
            for cell in row:
                for block in self.blocks(cell) if cell.find(f".//{DRAW}frame") is not None else ():
                    if isinstance(block, Picture):
                        yield replace(block, beside=block.beside or beside)

    def _frame(self, frame: Any) -> Iterator[Block]:
        """A text box or table as its blocks, an embedded object as what it says, a picture with its words."""
        pictures = []
        for child in frame:
            if child.tag in (f"{DRAW}text-box", f"{TABLE}table"):
                yield from self.blocks([child])
            elif child.tag in (f"{DRAW}object", f"{DRAW}object-ole", f"{DRAW}plugin"):
                found = embedded(self.file, child.get(LINK, ""), child)
                self.files += found.files
                if found.text:
                    yield Paragraph(found.text)
                if found.text or found.files:
                    return
            elif child.tag == f"{DRAW}image":
                pictures.append(_image(self.file, child))
        shown = _shown(frame)
        words = "\n".join(dict.fromkeys(filter(None, (frame.findtext(SVG + n, "").strip() for n in ("title", "desc")))))
        for data in sorted(pictures, key=lambda d: usable_mime(d, 1) is None)[:1]:
            yield Picture(data, words, shown)


_CELLS = (f"{TABLE}table-cell", f"{TABLE}covered-table-cell")


def base_styles(*roots: Any) -> dict[str, str]:
    """For each paragraph style the one it is based on."""
    styles = (s for root in roots if root is not None for s in root.iter(f"{STYLE}style"))
    return {s.get(f"{STYLE}name", ""): s.get(f"{STYLE}parent-style-name", "") for s in styles}


def inline(element: Any) -> str:
    """The text of a paragraph, without what is drawn in it and said about it."""
    return "" if element is None else "".join(_inline(element))


def _inline(element: Any) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        if child.tag == f"{TEXT}s":
            yield " " * min(count(child, f"{TEXT}c"), _MAX_BLANKS)
        elif child.tag == f"{TEXT}tab":
            yield "\t"
        elif child.tag == f"{TEXT}line-break":
            yield "\n"
        elif child.tag == f"{TEXT}note":
            yield f"[{inline(child.find(f'{TEXT}note-citation'))}]"
        elif child.tag == f"{DRAW}a" or (isinstance(child.tag, str) and not child.tag.startswith(DRAW)):
            yield from _inline(child) if child.tag not in _NOT_IN_LINE else ()
        yield child.tail or ""


def joined(parent: Any, separator: str = "\n") -> str:
    """The paragraphs anywhere below ``parent``, but not those of annotations and notes."""
    if parent is None:
        return ""
    found = (p for p in parent.iter(*_PARAGRAPHS) if next(p.iterancestors(*_NOT_IN_LINE, parent.tag)).tag == parent.tag)
    return separator.join(filter(None, (inline(p).strip() for p in found)))


def annotation(note: Any) -> str:
    """`` by Anna: what she says``, or nothing."""
    author = (note.findtext(f"{_DUBLIN}creator") or "").strip()
    text = "\n".join(filter(None, (inline(p).strip() for p in note.iter(f"{TEXT}p"))))
    return f"{f' by {author}' if author else ''}: {text}" if text else ""


def _comments(notes: Iterable[Any]) -> Iterator[Paragraph]:
    return (Paragraph(f"Comment{said}") for note in notes if (said := annotation(note)))


def _owner(element: Any) -> Any:
    """The innermost paragraph around an element."""
    return next(element.iterancestors(*_PARAGRAPHS), None)


def _table_of(element: Any) -> Any:
    return next(element.iterancestors(f"{TABLE}table"), None)


def _row_texts(row: list[Any]) -> list[str]:
    texts = []
    for cell in row:
        texts += [joined(cell)] * min(count(cell, f"{TABLE}number-columns-repeated"), MAX_REPEATED)
    return texts


def count(element: Any, name: str) -> int:
    """A number in an attribute; 1 when it is not given."""
    value = element.get(name, "1")
    return int(value) if value.isdecimal() and len(value) < 10 else 1


def _image(file: OdfFile, element: Any) -> bytes:
    """The bytes of a picture in the package or, in a flat file, in the element itself."""
    import base64

    inner = element.findtext(f"{OFFICE}binary-data")
    return base64.b64decode(inner) if inner else file.part(element.get(LINK, ""))[1]


def _shown(frame: Any) -> float:
    """The shorter side of a frame in pixels of 1/96 inch; 0 when it is not given."""
    sides = [_LENGTH.fullmatch(frame.get(SVG + name, "")) for name in ("width", "height")]
    return min(float(s[1]) * _PIXELS[s[2]] if s else 0.0 for s in sides)
