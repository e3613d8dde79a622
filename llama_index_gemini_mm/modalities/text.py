"""Text: chunks at sentence ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from llama_index.core.schema import Document, Node

from llama_index_gemini_mm.engine.items import Part
from llama_index_gemini_mm.limits import Limits, Modality
from llama_index_gemini_mm.media import LINE_END, LINE_START, MediaRef
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.modalities._base import ModalityHandler, SplitOptions, text_nodes, title_of
from llama_index_gemini_mm.modalities._chunks import chunks_of, lines_of


class TextHandler(ModalityHandler):
    """Words without media."""

    name: ClassVar[Modality] = "text"

    def split(self, document: Document, options: SplitOptions, store: MediaStore, limits: Limits) -> Iterator[Node]:
        """Yield a node for each chunk; none for a document without words."""
        chunks = chunks_of(document.text, options.chunk_size, options.chunk_overlap, title=title_of(document))
        first, last = document.metadata.get(LINE_START), document.metadata.get(LINE_END)
        nodes = text_nodes(document, chunks)
        if not (isinstance(first, int) and isinstance(last, int) and _is_verbatim(document.text, last - first + 1)):
            yield from nodes
            return
        for node, place in zip(nodes, lines_of(document.text, chunks, first), strict=True):
            node.metadata.update(zip((LINE_START, LINE_END), place, strict=True))
            yield node

    def tokens(self, ref: MediaRef, store: MediaStore) -> int:
        """Nothing: words carry no media."""
        return 0

    def parts(self, ref: MediaRef, caption: str, store: MediaStore, limits: Limits) -> list[Part]:
        """The words alone."""
        return [Part(text=caption)]


def _is_verbatim(text: str, lines: int) -> bool:
    """Whether a text stands on as many lines of its file as it has: a table made of them has others."""
    return text.count("\n") + (not text.endswith("\n")) == lines


HANDLER = TextHandler()
