"""Trees of values, as JSON and XML hold them, as lines of ``path: value`` in pieces of bounded length."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise, takewhile

from llama_index.core.schema import Document

from llama_index_gemini_mm.media import HEADING_SEPARATOR, Locator
from llama_index_gemini_mm.readers._base import DocumentBuilder
from llama_index_gemini_mm.readers._stretches import portions

_MAX_CHARS = 3500
"""Characters of one document: about what one chunk holds, so that chunks begin where records do."""
_MAX_STEPS = 12
"""Steps of a path that are written, the innermost; more would only drown what they lead to."""
_DATA = re.compile(r"(?:data:[\w.+-]+/[\w.+-]+;base64,)?(?!\d+$)[A-Za-z0-9+/=_\r\n-]{256,}")

Path = tuple[str | int, ...]
"""Names, and places in lists from 0, from the outermost inwards."""
Leaf = tuple[Path, str]


def tree_documents(leaves: Iterable[Leaf], builder: DocumentBuilder, title: str) -> Iterator[Document]:
    """Yield the leaves in stretches, cut as far out in the tree as can be; what they share is heading and title."""
    for part in portions(leaves, _length, _shared, _MAX_CHARS):
        common = _common([path for path, _ in part])
        headings = _headings(common)
        text = tree_text(part, len(common))
        yield builder.text(text, title=HEADING_SEPARATOR.join((title, *headings)), at=Locator(headings=headings))


def tree_text(leaves: Sequence[Leaf], skipped: int = 0) -> str:
    """A line for each leaf, without the first ``skipped`` steps of its path; records are parted by blank lines."""
    lines = [_line(path[skipped:], value) for path, value in leaves[:1]]
    for (before, _), (path, value) in pairwise(leaves):
        parted = len(path) > skipped + 1 and isinstance(path[skipped], int) and before[skipped] != path[skipped]
        lines.append(("\n" if parted else "") + _line(path[skipped:], value))
    return "\n".join(lines)


def readable(value: str) -> str:
    """A value, unless it is data in letters, such as base64: its words are none."""
    return f"({len(value)} characters of data)" if _DATA.fullmatch(value) else value


def _line(path: Path, value: str) -> str:
    name = _dotted(path)
    if not name:
        return value
    return f"{name}:\n{value}" if "\n" in value else f"{name}: {value}"


def _dotted(path: Path) -> str:
    if len(path) > _MAX_STEPS:
        path = ("…", *path[-_MAX_STEPS:])
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def _headings(path: Path) -> tuple[str, ...]:
    """One heading a name, with the places behind it: ``("parts[2]", "name")``."""
    headings: list[str] = []
    for step in path[-_MAX_STEPS:]:
        if isinstance(step, int) and headings:
            headings[-1] += f"[{step}]"
        else:
            headings.append(f"[{step}]" if isinstance(step, int) else step)
    return tuple(headings)


def _common(paths: Sequence[Path]) -> Path:
    """What all paths begin with; of a single one all but its last name."""
    if len(paths) == 1:
        return paths[0][:-1]
    return paths[0][: min(_same(paths[0], path) for path in paths[1:])]


def _shared(before: Leaf, leaf: Leaf) -> int:
    return _same(before[0], leaf[0])


def _same(one: Path, other: Path) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _length(leaf: Leaf) -> int:
    return len(leaf[1]) + min(sum(len(str(step)) + 1 for step in leaf[0][-3:]), 60) + 1
