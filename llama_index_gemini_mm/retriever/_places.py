"""Which nodes show the same place of a file: film and sound of the same seconds, a figure and the text around it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llama_index.core.schema import BaseNode

from llama_index_gemini_mm import media
from llama_index_gemini_mm.limits import Modality
from llama_index_gemini_mm.media import Box
from llama_index_gemini_mm.retriever._ranking import Match

_ENOUGH = 0.5
"""How much of the shorter of two stretches, or the smaller of two areas, must be in the other one."""


@dataclass(frozen=True)
class Place:
    """One place of one file: what was found there, best first, and on request what stands around it.

    Attributes:
        matches: the nodes found, with their scores.
        context: neighbours and text around the best node, in reading order; without those in ``matches``.
    """

    matches: tuple[Match, ...]
    context: tuple[BaseNode, ...] = field(default=(), repr=False)

    @property
    def best(self) -> Match:
        """The match with the highest score."""
        return self.matches[0]

    @property
    def score(self) -> float:
        """The score of the best match."""
        return self.best.score

    @property
    def modalities(self) -> frozenset[Modality]:
        """Those of all nodes found there."""
        return frozenset(match.modality for match in self.matches)


def places_of(matches: Iterable[Match]) -> list[Place]:
    """Matches in the order of their scores as places in the same order.

    A match belongs to the first place whose best match it shares the place with. It need not share it with the others,
    so that no chain of overlaps can join a whole recording.
    """
    places: list[list[Match]] = []
    in_file: dict[str, list[list[Match]]] = {}
    for match in matches:
        candidates = in_file.setdefault(_file_of(match.metadata), [])
        for place in candidates:
            if same_place(place[0].metadata, match.metadata):
                place.append(match)
                break
        else:
            candidates.append([match])
            places.append(candidates[-1])
    return [Place(tuple(place)) for place in places]


def same_place(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether the metadata of two nodes of one file name one place.

    - Both have a time: half of the shorter stretch is in the other one.
    - Else both stand on a page or slide, not both are text, and half of the smaller one's boxes are in the other's;
      what has no boxes takes the whole page.
    - Two texts: half of the lines of the shorter one are in the other one.
    """
    if not _same_file(one, other):
        return False
    times = _span(one, media.START_SECONDS, media.END_SECONDS), _span(other, media.START_SECONDS, media.END_SECONDS)
    if times[0] and times[1]:
        return _overlap(times[0], times[1])
    if _is_text(one) and _is_text(other):
        lines = _span(one, media.LINE_START, media.LINE_END), _span(other, media.LINE_START, media.LINE_END)
        return bool(lines[0] and lines[1] and _overlap(*(_closed(each) for each in lines if each)))
    pages = _pages(one), _pages(other)
    if not (pages[0] and pages[1] and pages[0][0] == pages[1][0]):
        return False
    return _overlap(_closed(pages[0][1]), _closed(pages[1][1])) and _share_area(one, other)


def _file_of(metadata: Mapping[str, Any]) -> str:
    """What nodes of one file have in common; a node of another maker's is a file of its own."""
    for key in (media.FILE_PATH, media.SOURCE_SHA256, "ref_doc_id"):
        if metadata.get(key):
            return str(metadata[key])
    return ""


def _same_file(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether both are of the same file, or of a file and one inside it."""
    if not _file_of(one) or _file_of(one) != _file_of(other):
        return False
    paths = one.get(media.CONTAINER_PATH), other.get(media.CONTAINER_PATH)
    if None in paths or paths[0] == paths[1]:
        return True
    inner, outer = sorted(map(str, paths), key=len, reverse=True)
    return inner.startswith(f"{outer}!/")


def _is_text(metadata: Mapping[str, Any]) -> bool:
    return bool(metadata.get(media.MODALITY, "text") == "text")


def _span(metadata: Mapping[str, Any], start: str, end: str) -> tuple[float, float] | None:
    first, last = metadata.get(start), metadata.get(end)
    return (float(first), float(last)) if first is not None and last is not None else None


def _pages(metadata: Mapping[str, Any]) -> tuple[str, tuple[float, float]] | None:
    """The pages or the slide a node stands on, and which of the two it is."""
    if pages := _span(metadata, media.PAGE_START, media.PAGE_END):
        return media.PAGE_START, pages
    slide = _span(metadata, media.SLIDE, media.SLIDE)
    return (media.SLIDE, slide) if slide else None


def _closed(span: tuple[float, float]) -> tuple[float, float]:
    """Pages or lines, of which the last one counts, as a stretch."""
    return span[0], span[1] + 1


def _overlap(one: tuple[float, float], other: tuple[float, float]) -> bool:
    shared = min(one[1], other[1]) - max(one[0], other[0])
    shorter = min(one[1] - one[0], other[1] - other[0])
    return shared >= _ENOUGH * shorter and (shared > 0 or shorter == 0)


def _share_area(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    boxes = media.boxes_of(one), media.boxes_of(other)
    if not (boxes[0] and boxes[1]):
        return True
    shared = sum(_area(_common(a, b)) for a in boxes[0] for b in boxes[1])
    smaller = min(sum(map(_area, each)) for each in boxes)
    return shared >= _ENOUGH * smaller and shared > 0


def _common(one: Sequence[float], other: Sequence[float]) -> Box:
    return max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])


def _area(box: Sequence[float]) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])
