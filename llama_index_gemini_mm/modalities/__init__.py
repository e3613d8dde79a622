"""Modalities: one file each, and the folder is the registry.

A new one is a new file with a ``ModalityHandler`` and its instance ``HANDLER``.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from llama_index_gemini_mm.engine.items import Part
from llama_index_gemini_mm.limits import Limits, Modality
from llama_index_gemini_mm.media import EmbedText, MediaRef
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.modalities._base import ModalityHandler, SplitOptions
from llama_index_gemini_mm.modalities._foreign import adopted, media_in

__all__ = [
    "PREPROCESSING_VERSION",
    "ModalityHandler",
    "SplitOptions",
    "adopted",
    "handler_of",
    "media_in",
    "modality_of",
    "parts_of",
]


PREPROCESSING_VERSION = 2
"""Raised whenever the same media would be uploaded in another form, so that vectors of the old form are not taken for
those of the new one."""


@cache
def _handlers() -> dict[str, ModalityHandler]:
    names = (info.name for info in pkgutil.iter_modules(__path__) if not info.name.startswith("_"))
    handlers = [import_module(f"{__name__}.{name}").HANDLER for name in names]
    return {handler.name: handler for handler in handlers}


def handler_of(modality: Modality) -> ModalityHandler:
    """The handler of a modality; raises ``KeyError`` for a name that is none."""
    return _handlers()[modality]


def modality_of(ref: MediaRef, store: MediaStore) -> Modality:
    """What ``ref`` names, by the MIME type in the store; the sound of a film is audio. Raises ``MediaMissing``."""
    kind: str = store.entry(ref).mime_type.partition("/")[0]
    if kind == "video" and ref.fragment.track == "audio":
        return "audio"
    return "document" if kind == "application" else kind  # type: ignore[return-value]


def parts_of(embed_text: EmbedText, store: MediaStore, limits: Limits) -> list[Part]:
    """What the embedding model is to see: the words alone, or a caption and the media it belongs to.

    Raises ``MediaMissing``, ``CorruptFile``, and ``LimitExceeded`` for media that are longer than one Content may be.
    """
    if embed_text.ref is None:
        return [Part(text=embed_text.body)]
    handler = handler_of(modality_of(embed_text.ref, store))
    return handler.parts(embed_text.ref, embed_text.caption, store, limits)
