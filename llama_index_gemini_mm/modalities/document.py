"""PDF pages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

from llama_index_gemini_mm import media
from llama_index_gemini_mm.codecs import pdf
from llama_index_gemini_mm.limits import TOKENS_PER_PAGE, Limits, Modality
from llama_index_gemini_mm.media import Fragment, MediaRef
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.modalities._base import MediaHandler, Place, SplitOptions, media_stream


class DocumentHandler(MediaHandler):
    """Pages that the model sees as they are printed."""

    name: ClassVar[Modality] = "document"
    unit: ClassVar[str] = "pages"

    def fragments(
        self, ref: MediaRef, options: SplitOptions, store: MediaStore, limits: Limits
    ) -> Iterator[tuple[Fragment, Place]]:
        """Yield the pages that ``ref`` names, as many at once as fit; of a whole PDF each page."""
        first, last, step = ref.fragment.first_page, ref.fragment.last_page, int(self.limit(limits) or 1)
        if first is None:
            first, last, step = 1, round(self.extent(ref, store)), 1
        for start in range(first, (last or first) + 1, step):
            end = min(start + step - 1, last or first)
            place: dict[str, float | int | str] = {media.PAGE_START: start, media.PAGE_END: end}
            if ref.fragment.first_page is None:
                place[media.PAGE_LABEL] = str(start)
            yield replace(ref.fragment, first_page=start, last_page=end), place

    def extent(self, ref: MediaRef, store: MediaStore) -> float:
        """Number of pages."""
        first, last = ref.fragment.first_page, ref.fragment.last_page
        if first is not None:
            return (last or first) - first + 1
        with media_stream(ref, store) as (stream, _):
            return pdf.page_count(stream)

    def limit(self, limits: Limits) -> float | None:
        """How many pages one Content may hold."""
        return limits.media[self.name].max_pages

    def price(self, extent: float) -> int:
        """The flat price of a page."""
        return round(extent * TOKENS_PER_PAGE)


HANDLER = DocumentHandler()
