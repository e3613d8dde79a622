"""What a caller may hand over to be embedded: words, files, bytes, pictures, parts."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from llama_index.core.schema import BaseNode
from PIL import Image

from llama_index_gemini_mm import media
from llama_index_gemini_mm.engine.items import Part
from llama_index_gemini_mm.errors import ConfigurationError
from llama_index_gemini_mm.limits import Limits
from llama_index_gemini_mm.media import EmbedText, MediaRef
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.modalities import media_in, parts_of
from llama_index_gemini_mm.readers import media_type
from llama_index_gemini_mm.source import Source

PartLike = str | Path | bytes | Image.Image | Part
"""Words as ``str``, a file as ``Path``, its content as ``bytes``, a PIL image, or a ready ``Part``."""


def as_parts(values: Sequence[PartLike], limits: Limits) -> list[Part]:
    """The parts that ``values`` mean, in their order, media in a form that the endpoint accepts.

    Raises:
        SourceError: a file that cannot be read, or is no picture, sound, film or PDF.
        LimitExceeded: media longer than one content may hold.
    """
    with TemporaryDirectory(prefix="gemini-mm-") as folder:
        store = MediaStore(folder)
        return [part for value in values for part in _as_parts(value, store, limits)]


def _as_parts(value: PartLike, store: MediaStore, limits: Limits) -> list[Part]:
    if isinstance(value, Part):
        return [value]
    if isinstance(value, str):
        return [Part(text=value)] if value.strip() else []
    return parts_of(EmbedText("", ref=ref_of(value, store)), store, limits)


def ref_of(value: Path | bytes | Image.Image, store: MediaStore) -> MediaRef:
    """A file, its content or a picture, taken into ``store``; raises ``SourceError`` for what is no medium."""
    source = _source(value)
    return MediaRef(store.add_source(source, media_type(source)))


def _source(value: Path | bytes | Image.Image) -> Source:
    if isinstance(value, Path):
        return Source.of_path(value)
    if isinstance(value, bytes):
        return Source.of_bytes(value, "bytes")
    if isinstance(value, Image.Image):
        data = io.BytesIO()
        value.save(data, "PNG")
        return Source.of_bytes(data.getvalue(), "picture.png")
    raise ConfigurationError(f"cannot embed a {type(value).__name__}; give a str, Path, bytes, PIL image or Part")


def with_media_ref(node: BaseNode, text: str, store: MediaStore) -> str:
    """``text`` of a node, headed by a reference to the media it carries, which go into ``store``; else unchanged."""
    _, item = media_in(node, store)
    return f"{media.MEDIA_REF}: {item.ref}\n\n{text}" if item else text
