"""What SmartArt says: its words as a list, indented as they depend on each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llama_index_gemini_mm.readers._ooxml import DIAGRAM, DRAWING, parsed

_MAX_INDENT = 8
_CONTENT = ("node", "asst")
"""Points that people write in; the others are lines and layout."""


def diagram_text(blob: bytes, name: str = "diagram") -> str:
    """The words of a diagram's data part (``ppt/diagrams/data1.xml``), one point a line.

    Empty for a part that is broken, which is logged, or is no such part.
    """
    root = parsed(blob, name)
    if root is None or root.tag != f"{DIAGRAM}dataModel":
        return ""
    points = {p.get("modelId"): p for p in root.iter(f"{DIAGRAM}pt")}
    texts = {key: _words(p) for key, p in points.items() if p.get("type", "node") in _CONTENT}
    children = _children(root)
    starts = [key for key, p in points.items() if p.get("type") == "doc"]
    reached = dict(_below(starts, children))
    order = {**reached, **dict.fromkeys((key for key in texts if key not in reached), 0)}
    lines = [f"{'  ' * min(depth, _MAX_INDENT)}- {texts[key]}" for key, depth in order.items() if texts.get(key)]
    return "\n".join(lines)


def _words(point: Any) -> str:
    return " ".join("".join(t.text or "" for t in point.iter(f"{DRAWING}t")).split())


def _children(root: Any) -> dict[str, list[str]]:
    """The points below each point, in order."""
    links = [c for c in root.iter(f"{DIAGRAM}cxn") if c.get("type", "parOf") == "parOf"]
    found: dict[str, list[str]] = {}
    for link in sorted(links, key=lambda c: _order(c.get("srcOrd", ""))):
        found.setdefault(link.get("srcId"), []).append(link.get("destId"))
    return found


def _order(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def _below(starts: list[str], children: dict[str, list[str]]) -> Iterator[tuple[str, int]]:
    """Each point that can be reached, with its depth; a ring is entered once."""
    seen = set(starts)
    waiting = [(child, 0) for start in starts for child in children.get(start, ())][::-1]
    while waiting:
        key, depth = waiting.pop()
        if key not in seen:
            seen.add(key)
            yield key, depth
            waiting += [(child, depth + 1) for child in reversed(children.get(key, ()))]
