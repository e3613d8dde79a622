"""What a modality is: how a document is split into nodes, and how a node's media becomes parts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import BinaryIO, ClassVar

from llama_index.core.bridge.pydantic import BaseModel, ConfigDict, Field
from llama_index.core.schema import Document, Node

from llama_index_gemini_mm import media
from llama_index_gemini_mm.codecs import Undecodable
from llama_index_gemini_mm.engine.items import Part
from llama_index_gemini_mm.errors import CorruptFile, LimitExceeded
from llama_index_gemini_mm.limits import Limits, Modality
from llama_index_gemini_mm.media import Fragment, MediaItem, MediaRef
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.modalities._chunks import chunks_of

Place = Mapping[str, float | int | str]
"""Metadata that says where a node stands in its file: pages or seconds."""


class SplitOptions(BaseModel):
    """How finely media go into the index. The same options always give the same nodes.

    Lengths are seconds, chunk sizes tokens. Shorter segments find the place more exactly and cost more vectors; the
    price of the content itself stays the same but for the overlap, of which at most half a chunk or segment is used.
    The sound of a film is cut where its pictures are, so that both nodes of one place name the same seconds. With
    ``key_frames`` each segment of film also gives an image node over the same seconds: a key frame, captioned alike.
    Without ``figures`` the pictures that stood inside documents get no nodes, without ``visual_pages`` the PDF pages
    that are to be seen as a whole; their words are text nodes either way.
    """

    model_config = ConfigDict(frozen=True)

    chunk_size: int = Field(default=1024, ge=16, le=8192)
    chunk_overlap: int = Field(default=128, ge=0)
    audio_segment_seconds: float = Field(default=60.0, ge=1, le=180)
    audio_overlap_seconds: float = Field(default=5.0, ge=0)
    video_segment_seconds: float = Field(default=30.0, ge=1, le=120)
    video_overlap_seconds: float = Field(default=5.0, ge=0)
    key_frames: bool = False
    figures: bool = True
    visual_pages: bool = True


class ModalityHandler(ABC):
    """One modality. Subclasses live one to a file in this folder and export an instance as ``HANDLER``."""

    name: ClassVar[Modality]

    @abstractmethod
    def split(self, document: Document, options: SplitOptions, store: MediaStore, limits: Limits) -> Iterator[Node]:
        """Yield nodes that fit the model's limits, in order. SOURCE, PREVIOUS and NEXT are set by the node parser.

        Raises ``CorruptFile`` when the media cannot be decoded, and ``MediaMissing`` when they are gone.
        """

    @abstractmethod
    def tokens(self, ref: MediaRef, store: MediaStore) -> int:
        """What the media that ``ref`` names costs of the window, by the table of ``limits.py``."""

    @abstractmethod
    def parts(self, ref: MediaRef, caption: str, store: MediaStore, limits: Limits) -> list[Part]:
        """The caption, if there is one, and then the media in a form the endpoint accepts."""


class MediaHandler(ModalityHandler):
    """A modality whose documents carry media; a subclass says where to cut them and what a cut costs."""

    unit: ClassVar[str]
    """What the limit of this modality counts."""

    @abstractmethod
    def fragments(
        self, ref: MediaRef, options: SplitOptions, store: MediaStore, limits: Limits
    ) -> Iterator[tuple[Fragment, Place]]:
        """Yield the parts of the media that become nodes, in order, and their places."""

    @abstractmethod
    def extent(self, ref: MediaRef, store: MediaStore) -> float:
        """How much ``ref`` names, in ``unit``."""

    @abstractmethod
    def limit(self, limits: Limits) -> float | None:
        """How much one Content may hold, in ``unit``."""

    @abstractmethod
    def price(self, extent: float) -> int:
        """Tokens for so much of this medium."""

    def tokens(self, ref: MediaRef, store: MediaStore) -> int:
        """The price of all that ``ref`` names."""
        return self.price(self.extent(ref, store))

    def split(self, document: Document, options: SplitOptions, store: MediaStore, limits: Limits) -> Iterator[Node]:
        """Yield a node for each part, with the caption; the rest of one longer than a chunk becomes text nodes."""
        most = self.price(self.limit(limits) or 1)
        captions = chunks_of(
            document.text, options.chunk_size, options.chunk_overlap, title=title_of(document), media_tokens=most
        )
        item = media.media_of(document)
        if item is None:
            yield from text_nodes(document, captions)
            return
        for fragment, place in self.fragments(item.ref, options, store, limits):
            yield segment(document, item, fragment, place, _in_chapter(captions[0] if captions else "", place))
        yield from text_nodes(document, captions[1:], first=1)

    def parts(self, ref: MediaRef, caption: str, store: MediaStore, limits: Limits) -> list[Part]:
        """The caption and the media. Raises ``LimitExceeded`` for more than one Content may hold."""
        extent, limit = self.extent(ref, store), self.limit(limits)
        if limit is not None and extent > limit:
            raise LimitExceeded(self.name, limit, extent, self.unit, "split the document with MediaNodeParser")
        data, mime_type = store.cut(ref)
        piece = Part(data=data, mime_type=limits.wire_mime(mime_type), tokens=self.price(extent))
        return [Part(text=caption), piece] if caption else [piece]


@contextmanager
def media_stream(ref: MediaRef, store: MediaStore) -> Iterator[tuple[BinaryIO, str]]:
    """The whole content behind ``ref`` and its MIME type; what a codec cannot decode inside becomes ``CorruptFile``."""
    entry = store.entry(ref)
    with store.open(ref) as stream:
        try:
            yield stream, entry.mime_type
        except Undecodable as error:
            raise CorruptFile(entry.location or str(ref), str(error)) from error


def _in_chapter(caption: str, place: Place) -> str:
    """The caption of a node below the title of the chapter that it stands in, if there is one."""
    return "\n".join(filter(None, (str(place.get(media.CHAPTER, "")), caption)))


def segment(document: Document, item: MediaItem, fragment: Fragment, place: Place, caption: str) -> Node:
    """A node over one part of the document's media; inherits its metadata and title."""
    part = replace(item, ref=MediaRef(item.ref.sha256, fragment))
    node_id = media.stable_id(document.node_id, str(part.ref))
    modality: Modality = document.metadata[media.MODALITY]
    metadata = inherited(document) | dict(place)
    return media.build(Node, node_id, modality, caption, metadata, title=title_of(document), media=part)


def text_nodes(document: Document, chunks: list[str], first: int = 0) -> Iterator[Node]:
    """A text node for each chunk; ``first`` is the number of the first one within the document."""
    metadata = {k: v for k, v in inherited(document).items() if k != media.MODALITY}
    for number, chunk in enumerate(chunks, first):
        node_id = media.stable_id(document.node_id, "text", str(number))
        yield media.build(Node, node_id, "text", chunk, metadata, title=title_of(document))


def inherited(document: Document) -> dict[str, float | int | str]:
    """The metadata that pass from a document to its nodes: not the reference and the title, which ``build`` writes."""
    return {k: v for k, v in document.metadata.items() if k not in (*media.MEDIA_KEYS, media.TITLE)}


def title_of(document: Document) -> str:
    """The document's title, or nothing."""
    return str(document.metadata.get(media.TITLE) or "")
