"""Where recordings are cut: plain functions over seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from llama_index_gemini_mm import media
from llama_index_gemini_mm.media import Fragment
from llama_index_gemini_mm.modalities._base import Place

Span = tuple[float, float]

MARGIN = 0.5
"""Seconds kept free below a limit: packets end where frames do, a little later than asked for."""
REMAINDER = 2.0
"""A rest of this many seconds is not worth a vector of its own and joins the last segment."""
_AROUND_SECONDS = 0.5
"""Silence that is kept before and after what sounds: a breath, the fading of a room."""
_SMOOTH_SECONDS = 0.25
_QUIET_DB = 3.0
"""Pauses within this of the quietest one are as good; the latest of them gives the fewest segments."""


def spans(
    bounds: Span,
    target: float,
    limit: float,
    end_of: Callable[[float, float], float],
    start_of: Callable[[float, float], float],
) -> Iterator[Span]:
    """Cover ``bounds`` with overlapping spans of about ``target`` seconds and never more than ``limit``.

    ``end_of(start, latest)`` chooses where a span ends, ``start_of(start, end)`` where the next one begins: after
    ``start`` and at or before ``end``.
    """
    start, finish = bounds
    while finish - start > min(target + REMAINDER, limit):
        end = end_of(start, start + min(target, limit))
        yield start, end
        start = start_of(start, end)
    yield start, finish


def quietest(levels: np.ndarray[Any, np.dtype[np.float32]], step: float, earliest: float, latest: float) -> float:
    """The middle of the last of the quietest moments between two times; ``levels`` are dBFS every ``step`` seconds."""
    width = max(1, round(_SMOOTH_SECONDS / step))
    first, last = round(earliest / step), round(latest / step)
    window = levels[first:last]
    if len(window) < width:
        return latest
    smooth = np.convolve(window, np.ones(width) / width, mode="valid")
    best = int(np.flatnonzero(smooth <= smooth.min() + _QUIET_DB)[-1])
    return (first + best + width / 2) * step


def sounding(heard: np.ndarray[Any, np.dtype[np.bool_]], step: float, duration: float, pause: float) -> list[Span]:
    """The times within ``duration`` at which something sounds, with half a second around.

    ``heard`` says for every ``step`` seconds whether something does. Silence of more than ``pause`` seconds parts two
    spans, a shorter one does not; at the ends so little of it that it would not be worth a cut stays.
    """
    at = np.flatnonzero(heard)
    if not len(at):
        return []
    parted = np.flatnonzero(np.diff(at) * step > max(pause, 2 * _AROUND_SECONDS))
    firsts, lasts = at[np.append(0, parted + 1)] * step, (at[np.append(parted, len(at) - 1)] + 1) * step
    found = [
        (max(0.0, float(first) - _AROUND_SECONDS), min(duration, float(last) + _AROUND_SECONDS))
        for first, last in zip(firsts, lasts, strict=True)
        if first < duration
    ]
    if found and found[0][0] < _AROUND_SECONDS:
        found[0] = 0.0, found[0][1]
    if found and duration - found[-1][1] < _AROUND_SECONDS:
        found[-1] = found[-1][0], duration
    return found


def strongest(changes: Sequence[tuple[float, float]], earliest: float, latest: float) -> float:
    """The time of the strongest scene change between two times, or ``latest`` when there is none."""
    inside = [(strength, at) for at, strength in changes if earliest <= at <= latest]
    return max(inside)[1] if inside else latest


def key_frame_before(changes: Sequence[tuple[float, float]], earliest: float, latest: float) -> float:
    """The last key frame between two times, or ``latest`` when there is none."""
    return max((at for at, _ in changes if earliest <= at <= latest), default=latest)


def whole(fragment: Fragment, duration: float) -> tuple[Fragment, Place]:
    """A recording in one piece."""
    start = fragment.start or 0.0
    return fragment, {media.START_SECONDS: round(start, 3), media.END_SECONDS: round(start + duration, 3)}


def stretch(fragment: Fragment, span: Span) -> tuple[Fragment, Place]:
    """One segment of a recording."""
    start, end = round(span[0], 3), round(span[1], 3)
    return replace(fragment, start=start, end=end), {media.START_SECONDS: start, media.END_SECONDS: end}
