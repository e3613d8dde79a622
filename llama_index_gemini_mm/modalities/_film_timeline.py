"""The stretches of a film, which its pictures and its sound share, so that both nodes of one place name it alike."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from llama_index_gemini_mm import media
from llama_index_gemini_mm.codecs import audio, video
from llama_index_gemini_mm.limits import Limits
from llama_index_gemini_mm.media import Fragment, MediaRef
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.modalities._base import Place, SplitOptions, media_stream
from llama_index_gemini_mm.modalities._timeline import (
    MARGIN,
    REMAINDER,
    Span,
    key_frame_before,
    spans,
    stretch,
    strongest,
    whole,
)

_CHAPTER_BEGINS = 2.0
"""How strong a change of scene the beginning of a chapter is: stronger than any that can be seen, which end at 1."""
_TAIL = 0.5
"""Seconds by which sound may outlast the picture without being a place of its own: the padding of its last packet."""
_STEP = audio.STEP_SECONDS


class FilmStretch(NamedTuple):
    """From ``start`` to ``end`` seconds, mostly within the chapter of that title; empty where there is none."""

    start: float
    end: float
    chapter: str

    @property
    def place(self) -> Place:
        """The chapter under its metadata key."""
        return {media.CHAPTER: self.chapter} if self.chapter else {}


def picture_fragments(
    ref: MediaRef, options: SplitOptions, store: MediaStore, limits: Limits
) -> Iterator[tuple[Fragment, Place]]:
    """Yield the stretches of the film that ``ref`` names."""
    found = film_stretches(ref, options, store, limits)
    yield from _fragments(ref, found, alone=len(found) == 1)


def sound_fragments(
    ref: MediaRef, options: SplitOptions, store: MediaStore, limits: Limits
) -> Iterator[tuple[Fragment, Place]]:
    """Yield the same stretches for the sound of the film, on to its end where it outlasts them; silent ones not."""
    with media_stream(ref, store) as (stream, mime_type):
        start = ref.fragment.start or 0.0
        levels, length = audio.listen(stream, mime_type, _STEP, start, ref.fragment.end or math.inf)
    heard = levels > audio.silence_below(levels)
    found = _drawn_out(film_stretches(ref, options, store, limits), start + length, options, limits)
    sounding = [s for s in found if heard[round((s.start - start) / _STEP) : round((s.end - start) / _STEP)].any()]
    yield from _fragments(ref, sounding, alone=len(found) == 1)


def _drawn_out(
    found: Sequence[FilmStretch], finish: float, options: SplitOptions, limits: Limits
) -> Sequence[FilmStretch]:
    """The stretches, followed by further ones up to ``finish`` where that lies behind them."""
    last = found[-1]
    if finish <= last.end + _TAIL:
        return found
    target = options.video_segment_seconds
    overlap = min(options.video_overlap_seconds, target / 2)
    rest = spans(
        (last.start, finish),
        max(target, last.end - last.start),
        _limit(limits),
        lambda start, latest: last.end if start == last.start else min(start + target, latest),
        lambda _, end: end - overlap,
    )
    return [*found[:-1], *(last._replace(start=start, end=end) for start, end in rest)]


def film_stretches(ref: MediaRef, options: SplitOptions, store: MediaStore, limits: Limits) -> Sequence[FilmStretch]:
    """The stretches into which a film is cut, at scene changes and where chapters begin; one for a short film."""
    return _stretches(store, replace(ref, fragment=replace(ref.fragment, track=None)), options, _limit(limits))


def _limit(limits: Limits) -> float:
    """Seconds that fit into one Content of film and into one of sound."""
    bounds = (limits.media[modality].max_seconds for modality in ("video", "audio"))
    return min((bound for bound in bounds if bound is not None), default=float("inf")) - MARGIN


@lru_cache(maxsize=4)
def _stretches(store: MediaStore, ref: MediaRef, options: SplitOptions, limit: float) -> tuple[FilmStretch, ...]:
    """A function of the content alone, and kept because the sound of a film is split right after its pictures."""
    with media_stream(ref, store) as (stream, mime_type):
        start, end = ref.fragment.start or 0.0, ref.fragment.end
        if end is None:
            end = start + video.probe(stream, mime_type).duration
        chapters = video.chapters(stream, mime_type)
        cuts = [(start, end)]
        if end - start > min(options.video_segment_seconds + REMAINDER, limit):
            keys = video.scene_changes(stream, mime_type)
            cuts = _cuts((start, end), keys, [(c.start, _CHAPTER_BEGINS) for c in chapters], options, limit)
    return tuple(FilmStretch(*cut, _chapter(chapters, cut)) for cut in cuts)


def _cuts(
    bounds: Span,
    keys: list[tuple[float, float]],
    borders: list[tuple[float, float]],
    options: SplitOptions,
    limit: float,
) -> list[Span]:
    target = options.video_segment_seconds
    overlap = min(options.video_overlap_seconds, target / 2)
    return list(
        spans(
            bounds,
            target,
            limit,
            lambda start, latest: strongest([*keys, *borders], start + (latest - start) * 2 / 3, latest),
            # Not before a third of the segment, lest sparse key frames make everything overlap many times.
            lambda start, end: key_frame_before(keys, min(start + target / 3, end - overlap), end - overlap),
        )
    )


def _chapter(chapters: Sequence[video.Chapter], span: Span) -> str:
    """The title of the chapter that has most of a stretch."""
    shares = ((min(c.end, span[1]) - max(c.start, span[0]), -c.start, c.title) for c in chapters)
    share, _, title = max(shares, default=(0.0, 0.0, ""))
    return title if share > 0 else ""


def _fragments(ref: MediaRef, found: Sequence[FilmStretch], *, alone: bool) -> Iterator[tuple[Fragment, Place]]:
    """What the stretches are called in references and metadata; one that is ``alone`` is all that ``ref`` names."""
    for part in found:
        fragment, place = whole(ref.fragment, part.end - part.start) if alone else stretch(ref.fragment, part[:2])
        yield fragment, {**place, **part.place}
