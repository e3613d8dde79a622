"""Pictures: one node each. An animation is one picture that is shown by several of its frames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from llama_index_gemini_mm.codecs import animation
from llama_index_gemini_mm.engine.items import Part
from llama_index_gemini_mm.limits import TOKENS_PER_IMAGE, Limits, Modality
from llama_index_gemini_mm.media import Fragment, MediaRef
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.modalities._base import MediaHandler, Place, SplitOptions, media_stream

FRAMES = 6
"""Frames of an animation that are embedded together."""
_ANIMATED = ("image/gif", "image/png", "image/webp", "image/avif")


class ImageHandler(MediaHandler):
    """Photos, drawings, screenshots, animations."""

    name: ClassVar[Modality] = "image"
    unit: ClassVar[str] = "pictures"

    def fragments(
        self, ref: MediaRef, options: SplitOptions, store: MediaStore, limits: Limits
    ) -> Iterator[tuple[Fragment, Place]]:
        """Yield the picture as it is named."""
        yield ref.fragment, {}

    def extent(self, ref: MediaRef, store: MediaStore) -> float:
        """One, or of an animation as many frames as are embedded at most."""
        if store.entry(ref).mime_type not in _ANIMATED:
            return 1
        with media_stream(ref, store) as (stream, _):
            return min(FRAMES, animation.count(stream))

    def limit(self, limits: Limits) -> float | None:
        """How many pictures one Content may hold."""
        return limits.media[self.name].max_count

    def price(self, extent: float) -> int:
        """The flat price of a picture."""
        return round(extent * TOKENS_PER_IMAGE)

    def parts(self, ref: MediaRef, caption: str, store: MediaStore, limits: Limits) -> list[Part]:
        """The caption and the picture, or those frames of an animation that differ most."""
        if self.extent(ref, store) == 1:
            return super().parts(ref, caption, store, limits)
        with media_stream(ref, store) as (stream, _):
            frames = animation.frames(stream, ref.fragment.box, min(FRAMES, int(self.limit(limits) or FRAMES)))
        words = [Part(text=caption)] if caption else []
        return words + [Part(data=d, mime_type=limits.wire_mime(m), tokens=self.price(1)) for d, m in frames]


HANDLER = ImageHandler()
