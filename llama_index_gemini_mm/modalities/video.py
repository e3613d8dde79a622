"""Film: segments that end at scene changes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar

from llama_index.core.schema import Document, Node

from llama_index_gemini_mm import media
from llama_index_gemini_mm.codecs import Undecodable, video
from llama_index_gemini_mm.limits import MAX_FRAMES, TOKENS_PER_FRAME, Limits, Modality
from llama_index_gemini_mm.media import Fragment, MediaItem, MediaRef
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.modalities._base import MediaHandler, Place, SplitOptions, media_stream, title_of
from llama_index_gemini_mm.modalities._film_timeline import picture_fragments

_STILL = "image/jpeg"


class VideoHandler(MediaHandler):
    """Moving pictures without their sound."""

    name: ClassVar[Modality] = "video"
    unit: ClassVar[str] = "seconds"

    def split(self, document: Document, options: SplitOptions, store: MediaStore, limits: Limits) -> Iterator[Node]:
        """Yield a node for each segment and, with ``options.key_frames``, one for the picture that shows it."""
        for node in super().split(document, options, store, limits):
            yield node
            if options.key_frames and media.THUMBNAIL_REF in node.metadata:
                yield _key_frame(document, node, store)

    def fragments(
        self, ref: MediaRef, options: SplitOptions, store: MediaStore, limits: Limits
    ) -> Iterator[tuple[Fragment, Place]]:
        """Yield the film, or segments of it that overlap, each with a picture to show it by."""
        found = list(picture_fragments(ref, options, store, limits))
        thumbnails = _thumbnails(ref, [place for _, place in found], store)
        for (fragment, place), thumbnail in zip(found, thumbnails, strict=True):
            yield fragment, {**place, **thumbnail}

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


def _thumbnails(ref: MediaRef, places: list[Place], store: MediaStore) -> Iterator[Place]:
    """A key frame of each segment, kept in the store, under its metadata key; nothing where none can be decoded."""
    spans = [(float(place[media.START_SECONDS]), float(place[media.END_SECONDS])) for place in places]
    with media_stream(ref, store) as (stream, mime_type):
        stills = video.stills(stream, mime_type, spans)
        for _ in places:
            try:
                data = next(stills, b"")
            except Undecodable:
                data = b""
            yield {media.THUMBNAIL_REF: str(MediaRef(store.add_bytes(data, _STILL)))} if data else {}


def _key_frame(document: Document, segment: Node, store: MediaStore) -> Node:
    """The picture of a segment as a node of its own, over the same seconds and with the same caption."""
    ref = MediaRef.parse(segment.metadata[media.THUMBNAIL_REF])
    item = MediaItem(ref, _STILL, store.local_path(ref.sha256))
    node_id = media.stable_id(segment.node_id, "key frame")
    metadata = {k: v for k, v in segment.metadata.items() if k not in (*media.MEDIA_KEYS, media.TITLE, media.MODALITY)}
    return media.build(Node, node_id, "image", segment.get_content(), metadata, title=title_of(document), media=item)


HANDLER = VideoHandler()
