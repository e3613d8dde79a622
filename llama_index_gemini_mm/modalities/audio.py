"""Sound: segments that end at pauses, and none of silence."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar

from llama_index_gemini_mm.codecs import audio
from llama_index_gemini_mm.limits import TOKENS_PER_AUDIO_SECOND, Limits, Modality
from llama_index_gemini_mm.media import Fragment, MediaRef
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.modalities._base import MediaHandler, Place, SplitOptions, media_stream
from llama_index_gemini_mm.modalities._film_timeline import sound_fragments
from llama_index_gemini_mm.modalities._timeline import (
    MARGIN,
    REMAINDER,
    quietest,
    sounding,
    spans,
    stretch,
    whole,
)

_STEP = audio.STEP_SECONDS
_LONGEST_PAUSE = 10.0
"""Seconds of silence inside a segment; a longer pause is left out. Never more than half a segment, so that no segment
can be silence alone."""


class AudioHandler(MediaHandler):
    """Speech, music, noises, and the sound of films."""

    name: ClassVar[Modality] = "audio"
    unit: ClassVar[str] = "seconds"

    def fragments(
        self, ref: MediaRef, options: SplitOptions, store: MediaStore, limits: Limits
    ) -> Iterator[tuple[Fragment, Place]]:
        """Yield the recording, or segments of it that overlap; the sound of a film over the seconds of its pictures.

        Silence is left out, at both ends and inside.
        """
        if ref.fragment.track == "audio":
            yield from sound_fragments(ref, options, store, limits)
            return
        limit = (self.limit(limits) or math.inf) - MARGIN
        start = ref.fragment.start or 0.0
        levels, duration = self._loudness(ref, store)
        pause = min(_LONGEST_PAUSE, options.audio_segment_seconds / 2)
        heard = sounding(levels > audio.silence_below(levels), _STEP, duration, pause)
        if heard == [(0.0, duration)] and duration <= min(options.audio_segment_seconds + REMAINDER, limit):
            yield whole(ref.fragment, duration)
            return
        overlap = min(options.audio_overlap_seconds, options.audio_segment_seconds / 2)
        for bounds in heard:
            for first, last in spans(
                bounds,
                options.audio_segment_seconds,
                limit,
                lambda begin, latest: quietest(levels, _STEP, begin + 0.75 * (latest - begin), latest),
                lambda _, end: end - overlap,
            ):
                yield stretch(ref.fragment, (start + first, start + last))

    def _loudness(self, ref: MediaRef, store: MediaStore) -> audio.Loudness:
        start, end = ref.fragment.start or 0.0, ref.fragment.end
        with media_stream(ref, store) as (stream, mime_type):
            return audio.listen(stream, mime_type, _STEP, start, math.inf if end is None else end)

    def extent(self, ref: MediaRef, store: MediaStore) -> float:
        """Seconds."""
        if ref.fragment.start is not None and ref.fragment.end is not None:
            return ref.fragment.end - ref.fragment.start
        with media_stream(ref, store) as (stream, mime_type):
            return audio.probe(stream, mime_type).duration

    def limit(self, limits: Limits) -> float | None:
        """How many seconds one Content may hold."""
        return limits.media[self.name].max_seconds

    def price(self, extent: float) -> int:
        """The price by the second."""
        return math.ceil(extent * TOKENS_PER_AUDIO_SECOND)


HANDLER = AudioHandler()
