"""Features of PDF pages: the words of their text, and the pages as pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pymupdf
from PIL import Image

from llama_index_gemini_mm.emulator.features.image import Pixels, pixel_features, shrink
from llama_index_gemini_mm.emulator.features.space import Features, blend
from llama_index_gemini_mm.emulator.features.text import text_features
from llama_index_gemini_mm.emulator.replies import invalid
from llama_index_gemini_mm.limits import MUPDF_LOCK, TOKENS_PER_PAGE, Modality

_PIXELS = 192
"""The longer side of a rendered page; its size in the file may be anything."""


@dataclass(frozen=True)
class Pages:
    """A PDF part: text and picture of each page."""

    texts: tuple[str, ...]
    pictures: tuple[Pixels, ...]
    modality: ClassVar[Modality] = "document"

    @property
    def tokens(self) -> int:
        """Its cost, by the page."""
        return len(self.pictures) * TOKENS_PER_PAGE

    def features(self) -> Features:
        """What the stand-in model reads and sees in it."""
        total: Features = {}
        for picture in self.pictures:
            for name, value in pixel_features(picture).items():
                total[name] = total.get(name, 0.0) + value
        return blend((text_features("\n".join(self.texts)), 1.0), (total, 0.6))


def read_pages(data: bytes, max_pages: int | None) -> Pages:
    """Decode a PDF.

    Raises:
        Refusal: 400 when it has too many pages or none, needs a password, or cannot be decoded.
    """
    if b"%PDF-" not in data[:1024]:
        raise invalid("Unable to process input document: the data is not of the declared type.")
    try:
        with MUPDF_LOCK, pymupdf.open(stream=data, filetype="pdf") as document:
            _check(document, max_pages)
            pages = [(page.get_text(), _render(page)) for page in document]
    except (RuntimeError, ValueError, pymupdf.mupdf.FzErrorBase) as error:
        raise invalid("The document has no pages, or cannot be read.") from error
    return Pages(tuple(text for text, _ in pages), tuple(picture for _, picture in pages))


def _check(document: pymupdf.Document, max_pages: int | None) -> None:
    if document.needs_pass:
        raise invalid("The document is encrypted.")
    if not document.page_count:
        raise invalid("The document has no pages.")
    if max_pages is not None and document.page_count > max_pages:
        raise invalid(f"The document has {document.page_count} pages, at most {max_pages} are supported.")


def _render(page: pymupdf.Page) -> Pixels:
    scale = _PIXELS / max(page.rect.width, page.rect.height, 1.0)
    pixmap = page.get_pixmap(matrix=pymupdf.Matrix(scale, scale), alpha=False, colorspace=pymupdf.csRGB)
    return shrink(Image.frombytes("RGB", (pixmap.width, pixmap.height), pixmap.samples))
