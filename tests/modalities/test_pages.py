"""PDF pages on their way to the model."""

from __future__ import annotations

import pymupdf
import pytest

from llama_index_gemini_mm import media
from llama_index_gemini_mm.limits import DEVELOPER_API, VERTEX, Limits
from llama_index_gemini_mm.media import EmbedText, Fragment, MediaRef
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.modalities import SplitOptions, handler_of, parts_of
from media_samples import pdf
from modalities.conftest import MakeDocument


@pytest.mark.parametrize("limits", [DEVELOPER_API, VERTEX])
def test_every_cut_holds_the_limits(limits: Limits, store: MediaStore, document: MakeDocument) -> None:
    """Pages, bytes and type are what the endpoint accepts, and no page is lost."""
    item = document(
        "document", pdf(tuple(f"page {n}" for n in range(1, 15))), "application/pdf", fragment=Fragment(1, 14)
    )
    words = []
    for node in handler_of("document").split(item, SplitOptions(), store, limits):
        ref = MediaRef.parse(node.metadata[media.MEDIA_REF])
        (part,) = parts_of(EmbedText("", ref=ref), store, limits)
        assert part.mime_type in limits.media["document"].mime_types
        assert len(part.data or b"") <= limits.inline_pdf_bytes
        with pymupdf.open(stream=part.data) as pages:
            assert pages.page_count <= (limits.media["document"].max_pages or 0)
            words += [page.get_text().strip() for page in pages]
    assert words == [f"page {n}" for n in range(1, 15)]


def test_odd_pages_can_be_sent(store: MediaStore, document: MakeDocument) -> None:
    """Pages of a mile or of a point come in a size that viewers open."""
    with pymupdf.open() as odd:
        odd.new_page(width=200_000, height=100_000)
        odd.new_page(width=1, height=1)
        data = odd.tobytes()
    item = document("document", data, "application/pdf", fragment=Fragment(1, 2))
    (node,) = handler_of("document").split(item, SplitOptions(), store, DEVELOPER_API)
    part = parts_of(EmbedText("", ref=MediaRef.parse(node.metadata[media.MEDIA_REF])), store, DEVELOPER_API)[-1]
    with pymupdf.open(stream=part.data) as pages:
        assert all(3 <= side <= 14_400 for page in pages for side in tuple(page.rect)[2:])
