"""Documents that other readers made, brought into this package's contract."""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Iterator
from pathlib import Path

from llama_index.core.schema import BaseNode, Document, ImageNode, MediaResource

from llama_index_gemini_mm import media
from llama_index_gemini_mm.limits import MODALITIES, Modality
from llama_index_gemini_mm.media import MediaItem, MediaRef
from llama_index_gemini_mm.media_store import MediaStore

_FIELDS: tuple[tuple[Modality, str, str], ...] = (
    ("image", "image_resource", "image/png"),
    ("audio", "audio_resource", "audio/mpeg"),
    ("video", "video_resource", "video/mp4"),
)
"""Modality, the field that holds it in LlamaIndex, and what its bytes are taken for when nothing says otherwise."""
_REGISTERED = {
    "audio/x-wav": "audio/wav",
    "audio/mp3": "audio/mpeg",
    "audio/x-flac": "audio/flac",
    "audio/x-aiff": "audio/aiff",
    "audio/mp4a-latm": "audio/mp4",
    "video/mov": "video/quicktime",
    "image/jpg": "image/jpeg",
}


def adopted(document: Document, store: MediaStore) -> Document:
    """``document`` itself when this package made it, else one like it that keeps id, text and metadata.

    Media that it carries as bytes or as a path go into the store; a ``media_ref`` is believed of our own only.
    """
    if document.metadata.get(media.MODALITY) in MODALITIES:
        return document
    metadata = {k: v for k, v in document.metadata.items() if k not in (*media.MEDIA_KEYS, media.TITLE)}
    title = str(document.metadata.get(media.TITLE) or "")
    modality, item = media_in(document, store)
    return media.build(Document, document.node_id, modality, document.text, metadata, title=title, media=item)


def media_in(node: BaseNode, store: MediaStore) -> tuple[Modality, MediaItem | None]:
    """What a node of any maker carries as bytes or as a path, taken into ``store``; ``("text", None)`` for words alone.

    URLs are not followed: a document must not make this machine open an address.
    """
    for modality, resource, default in _resources(node):
        if resource.data or resource.path:
            return modality, _stored(resource, default, store)
    return "text", None


def _resources(node: BaseNode) -> Iterator[tuple[Modality, MediaResource, str]]:
    if isinstance(node, ImageNode) and (node.image or node.image_path):
        data = node.image.encode() if node.image else None
        path = Path(node.image_path) if node.image_path else None
        yield "image", MediaResource(data=data, path=path, mimetype=node.image_mimetype), "image/png"
    for modality, name, default in _FIELDS:
        resource: MediaResource | None = getattr(node, name, None)
        if resource is not None:
            yield modality, resource, default


def _stored(resource: MediaResource, default: str, store: MediaStore) -> MediaItem:
    guessed = mimetypes.guess_type(resource.path.name)[0] if resource.path else None
    mime_type = resource.mimetype or guessed or default
    mime_type = _REGISTERED.get(mime_type, mime_type)
    if resource.data:
        sha256 = store.add_bytes(base64.b64decode(resource.data), mime_type)
    else:
        sha256 = store.add_file(Path(str(resource.path)), mime_type)
    return MediaItem(MediaRef(sha256), mime_type, store.local_path(sha256))
