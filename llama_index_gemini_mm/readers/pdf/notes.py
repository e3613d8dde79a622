"""What readers of a PDF have added: comments, marked passages, filled in forms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llama_index_gemini_mm.readers.pdf.page import Rect

_LINK, _POPUP, _FILE, _WIDGET = 1, 16, 17, 20
_MARKS = {8: "Highlighted", 9: "Underlined", 10: "Underlined", 11: "Struck out"}
_MOST_NOTES = 2000
"""Of one page; those after are left out."""
_UNSET = ("Off", "No", "")


@dataclass(frozen=True)
class Note:
    """A comment or a form: its words, and the places it is about in points."""

    text: str
    boxes: tuple[Rect, ...]
    author: str = ""


def notes_of(page: Any) -> Iterator[Note]:
    """Yield the comments of an open page in their order, and then its form as one. Needs the lock."""
    words: list[Any] | None = None
    for number, annot in enumerate(page.annots()):
        kind = annot.type[0]
        if number >= _MOST_NOTES:
            break
        if kind in (_LINK, _POPUP, _FILE, _WIDGET):
            continue
        text = annot.info.get("content", "").strip()
        if kind in _MARKS:
            words = page.get_text("words") if words is None else words
            marked = _marked(annot, words)
            text = "\n".join(filter(None, (f"{_MARKS[kind]}: {marked}" if marked else "", text)))
        if text:
            yield Note(text, (tuple(annot.rect),), annot.info.get("title", "").strip())
    yield from _form(page)


def _marked(annot: Any, words: list[Any]) -> str:
    """The words whose middle lies in one of the marked boxes."""
    points = annot.vertices or []
    quads = [points[n : n + 4] for n in range(0, len(points), 4)]
    boxes = [(min(p[0] for p in q), min(p[1] for p in q), max(p[0] for p in q), max(p[1] for p in q)) for q in quads]
    inside = [
        word[4]
        for word in words
        if any(b[0] <= (word[0] + word[2]) / 2 <= b[2] and b[1] <= (word[1] + word[3]) / 2 <= b[3] for b in boxes)
    ]
    return " ".join(inside)


def _form(page: Any) -> Iterator[Note]:
    """What was filled in, a field a line."""
    lines: list[str] = []
    boxes: list[Rect] = []
    for field in page.widgets():
        value = _value(field)
        if value:
            lines.append(f"{_name(field)}: {value}")
            boxes.append(tuple(field.rect))
    if lines:
        yield Note("\n".join(lines), tuple(boxes))


def _value(field: Any) -> str:
    import pymupdf

    kind, value = field.field_type, field.field_value
    if kind in (pymupdf.PDF_WIDGET_TYPE_BUTTON, pymupdf.PDF_WIDGET_TYPE_SIGNATURE):
        return ""
    if kind in (pymupdf.PDF_WIDGET_TYPE_CHECKBOX, pymupdf.PDF_WIDGET_TYPE_RADIOBUTTON):
        on = value not in _UNSET and value is not False and value == field.on_state()
        return "yes" if on and value in (True, "Yes", "On", "1") else str(value) if on else ""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return " ".join(str(value or "").split())


def _name(field: Any) -> str:
    """The name meant for people, or else the last part of the technical one."""
    label = (field.field_label or "").strip()
    if label:
        return label.rstrip(":")
    last = (field.field_name or "").rpartition(".")[2].partition("[")[0]
    return last.replace("_", " ").strip() or "Field"
