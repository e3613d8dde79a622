"""Pictures: one node each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from llama_index_gemini_mm.limits import TOKENS_PER_IMAGE, Limits, Modality
from llama_index_gemini_mm.media import Fragment, MediaRef
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.modalities._base import MediaHandler, Place, SplitOptions


class ImageHandler(MediaHandler):
    """Photos, drawings, screenshots."""

    name: ClassVar[Modality] = "image"
    unit: ClassVar[str] = "pictures"

    def fragments(
        self, ref: MediaRef, options: SplitOptions, store: MediaStore, limits: Limits
    ) -> Iterator[tuple[Fragment, Place]]:
        """Yield the picture as it is named."""
        yield ref.fragment, {}

    def extent(self, ref: MediaRef, store: MediaStore) -> float:
        """One."""
        return 1

    def limit(self, limits: Limits) -> float | None:
        """How many pictures one Content may hold."""
        return limits.media[self.name].max_count

    def price(self, extent: float) -> int:
        """The flat price of a picture."""
        return round(extent * TOKENS_PER_IMAGE)


HANDLER = ImageHandler()
