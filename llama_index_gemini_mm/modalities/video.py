"""Film: segments that end at scene changes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar

from llama_index_gemini_mm.codecs import video
from llama_index_gemini_mm.limits import MAX_FRAMES, TOKENS_PER_FRAME, Limits, Modality
from llama_index_gemini_mm.media import Fragment, MediaRef
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.modalities._base import MediaHandler, Place, SplitOptions, media_stream
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


class VideoHandler(MediaHandler):
    """Moving pictures without their sound."""

    name: ClassVar[Modality] = "video"
    unit: ClassVar[str] = "seconds"

    def fragments(
        self, ref: MediaRef, options: SplitOptions, store: MediaStore, limits: Limits
    ) -> Iterator[tuple[Fragment, Place]]:
        """Yield the film, or segments of it that overlap."""
        duration = self.extent(ref, store)
        limit = (self.limit(limits) or math.inf) - MARGIN
        if duration <= min(options.video_segment_seconds + REMAINDER, limit):
            yield whole(ref.fragment, duration)
            return
        start = ref.fragment.start or 0.0
        for span in self._spans(ref, options, store, limit, (start, start + duration)):
            yield stretch(ref.fragment, span)

    def _spans(
        self, ref: MediaRef, options: SplitOptions, store: MediaStore, limit: float, bounds: Span
    ) -> Iterator[Span]:
        with media_stream(ref, store) as (stream, mime_type):
            changes = video.scene_changes(stream, mime_type)
        target = options.video_segment_seconds
        overlap = min(options.video_overlap_seconds, target / 2)
        yield from spans(
            bounds,
            target,
            limit,
            lambda start, latest: strongest(changes, start + (latest - start) * 2 / 3, latest),
            # Not before a third of the segment, lest sparse key frames make everything overlap many times.
            lambda start, end: key_frame_before(changes, min(start + target / 3, end - overlap), end - overlap),
        )

    def extent(self, ref: MediaRef, store: MediaStore) -> float:
        """Seconds."""
        if ref.fragment.start is not None and ref.fragment.end is not None:
            return ref.fragment.end - ref.fragment.start
        with media_stream(ref, store) as (stream, mime_type):
            return video.probe(stream, mime_type).duration

    def limit(self, limits: Limits) -> float | None:
        """How many seconds one Content may hold."""
        return limits.media[self.name].max_seconds

    def price(self, extent: float) -> int:
        """The price of one frame a second, up to the most that are sampled."""
        return min(MAX_FRAMES, max(1, math.ceil(extent))) * TOKENS_PER_FRAME


HANDLER = VideoHandler()
