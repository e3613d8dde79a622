"""Documents that all say the same of the file they come from: its author, its language, who sent it."""

from __future__ import annotations

from llama_index.core.schema import Document

from llama_index_gemini_mm.limits import Modality
from llama_index_gemini_mm.media import Fragment, Locator
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers._base import DocumentBuilder, Extra
from llama_index_gemini_mm.source import Source


class DescribedBuilder(DocumentBuilder):
    """A builder whose texts and pictures carry ``common``, further metadata under keys of ``media.py``."""

    def __init__(self, source: Source, store: MediaStore, mime_type: str, common: Extra) -> None:
        super().__init__(source, store, mime_type)
        self.common: Extra = {key: value for key, value in common.items() if value != ""}

    def text(self, text: str, *, title: str = "", at: Locator | None = None, extra: Extra | None = None) -> Document:
        """A document of words."""
        return super().text(text, title=title, at=at, extra={**self.common, **(extra or {})})

    def extracted(
        self,
        modality: Modality,
        data: bytes,
        mime_type: str,
        *,
        text: str = "",
        title: str = "",
        at: Locator | None = None,
        fragment: Fragment | None = None,
        extra: Extra | None = None,
    ) -> Document:
        """A document of media that was found inside the file."""
        every = {**self.common, **(extra or {})}
        return super().extracted(
            modality, data, mime_type, text=text, title=title, at=at, fragment=fragment, extra=every
        )
