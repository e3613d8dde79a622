"""Sound: segments that end at pauses."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar

from llama_index_gemini_mm.codecs import audio
from llama_index_gemini_mm.limits import TOKENS_PER_AUDIO_SECOND, Limits, Modality
from llama_index_gemini_mm.media import Fragment, MediaRef
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.modalities._base import MediaHandler, Place, SplitOptions, media_stream
from llama_index_gemini_mm.modalities._timeline import MARGIN, REMAINDER, Span, quietest, spans, stretch, whole

_STEP = 0.05


class AudioHandler(MediaHandler):
    """Speech, music, noises, and the sound of films."""

    name: ClassVar[Modality] = "audio"
    unit: ClassVar[str] = "seconds"

    def fragments(
        self, ref: MediaRef, options: SplitOptions, store: MediaStore, limits: Limits
    ) -> Iterator[tuple[Fragment, Place]]:
        """Yield the recording, or segments of it that overlap."""
        duration = self.extent(ref, store)
        limit = (self.limit(limits) or math.inf) - MARGIN
        if duration <= min(options.audio_segment_seconds + REMAINDER, limit):
            yield whole(ref.fragment, duration)
            return
        for span in self._spans(ref, options, store, limit):
            yield stretch(ref.fragment, span)

    def _spans(self, ref: MediaRef, options: SplitOptions, store: MediaStore, limit: float) -> Iterator[Span]:
        with media_stream(ref, store) as (stream, mime_type):
            levels = audio.loudness(stream, mime_type, _STEP)
        target = options.audio_segment_seconds
        overlap = min(options.audio_overlap_seconds, target / 2)
        finish = len(levels) * _STEP
        yield from spans(
            (ref.fragment.start or 0.0, min(finish, ref.fragment.end or finish)),
            target,
            limit,
            lambda start, latest: quietest(levels, _STEP, start + 0.75 * (latest - start), latest),
            lambda _, end: end - overlap,
        )

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
