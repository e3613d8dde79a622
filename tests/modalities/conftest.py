"""Documents as readers make them, over a store of their own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from llama_index.core.schema import Document

from llama_index_gemini_mm import media
from llama_index_gemini_mm.limits import Modality
from llama_index_gemini_mm.media import Fragment, MediaItem, MediaRef
from llama_index_gemini_mm.media_store import MediaStore

MakeDocument = Callable[..., Document]


@pytest.fixture
def document(store: MediaStore) -> MakeDocument:
    """Makes a document of some media."""

    def make(
        modality: Modality, data: bytes, mime_type: str, text: str = "A caption", fragment: Fragment | None = None
    ) -> Document:
        sha256 = store.add_bytes(data, mime_type)
        item = MediaItem(MediaRef(sha256, fragment or Fragment()), mime_type, store.local_path(sha256))
        metadata = {media.FILE_PATH: "/files/a", media.FILE_NAME: "a", media.SOURCE_SHA256: sha256}
        return media.build(Document, f"doc-{modality}", modality, text, metadata, title="A title", media=item)

    return make
