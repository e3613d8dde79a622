"""What a modality is: how a document is split into nodes, and how a node's media becomes parts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

from llama_index.core.bridge.pydantic import BaseModel, ConfigDict, Field
from llama_index.core.schema import Document, Node

from llama_index_gemini_mm import media
from llama_index_gemini_mm.engine.items import Part
from llama_index_gemini_mm.limits import Limits, Modality
from llama_index_gemini_mm.media import Fragment, MediaItem, MediaRef
from llama_index_gemini_mm.media_store import MediaStore


class SplitOptions(BaseModel):
    """How finely media go into the index. The same options always give the same nodes.

    Lengths are seconds, chunk sizes tokens. Shorter segments find the place more exactly and cost more vectors; the
    price of the content itself stays the same but for the overlap.
    """

    model_config = ConfigDict(frozen=True)

    chunk_size: int = Field(default=1024, gt=0, le=8192)
    chunk_overlap: int = Field(default=128, ge=0)
    audio_segment_seconds: float = Field(default=60.0, gt=0, le=180)
    audio_overlap_seconds: float = Field(default=5.0, ge=0)
    video_segment_seconds: float = Field(default=30.0, gt=0, le=120)
    video_overlap_seconds: float = Field(default=5.0, ge=0)


class ModalityHandler(ABC):
    """One modality. Subclasses live one to a file in this folder."""

    name: ClassVar[Modality]

    @abstractmethod
    def split(self, document: Document, options: SplitOptions, store: MediaStore, limits: Limits) -> Iterator[Node]:
        """Yield nodes that fit the model's limits, in order. SOURCE, PREVIOUS and NEXT are set by the node parser."""

    @abstractmethod
    def tokens(self, ref: MediaRef, store: MediaStore) -> int:
        """What the media that ``ref`` names costs of the window, by the table of ``limits.py``."""

    def parts(self, ref: MediaRef, caption: str, store: MediaStore, limits: Limits) -> list[Part]:
        """The caption, if there is one, and then the media in a form the endpoint accepts."""
        data, mime_type = store.cut(ref)
        piece = Part(data=data, mime_type=limits.wire_mime(mime_type), tokens=self.tokens(ref, store))
        return [Part(text=caption), piece] if caption else [piece]


def segment(document: Document, item: MediaItem, fragment: Fragment, place: dict[str, float | int | str]) -> Node:
    """A node over one part of the document's media; inherits its metadata, title and caption."""
    part = replace(item, ref=MediaRef(item.ref.sha256, fragment))
    node_id = media.stable_id(document.node_id, str(part.ref))
    metadata = {k: v for k, v in document.metadata.items() if k not in (*media.MEDIA_KEYS, media.TITLE)} | place
    title = str(document.metadata.get(media.TITLE, ""))
    modality: Modality = document.metadata[media.MODALITY]
    return media.build(Node, node_id, modality, document.text, metadata, title=title, media=part)
