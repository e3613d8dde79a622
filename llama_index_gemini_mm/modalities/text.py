"""Text: chunks at sentence ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from llama_index.core.schema import Document, Node

from llama_index_gemini_mm.engine.items import Part
from llama_index_gemini_mm.limits import Limits, Modality
from llama_index_gemini_mm.media import MediaRef
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.modalities._base import ModalityHandler, SplitOptions, text_nodes, title_of
from llama_index_gemini_mm.modalities._chunks import chunks_of


class TextHandler(ModalityHandler):
    """Words without media."""

    name: ClassVar[Modality] = "text"

    def split(self, document: Document, options: SplitOptions, store: MediaStore, limits: Limits) -> Iterator[Node]:
        """Yield a node for each chunk; none for a document without words."""
        title = title_of(document)
        yield from text_nodes(
            document, chunks_of(document.text, options.chunk_size, options.chunk_overlap, title=title)
        )

    def tokens(self, ref: MediaRef, store: MediaStore) -> int:
        """Nothing: words carry no media."""
        return 0

    def parts(self, ref: MediaRef, caption: str, store: MediaStore, limits: Limits) -> list[Part]:
        """The words alone."""
        return [Part(text=caption)]


HANDLER = TextHandler()
