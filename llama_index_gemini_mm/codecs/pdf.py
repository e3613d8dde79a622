"""PDF: how many pages there are, and the pages that are uploaded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pymupdf

from llama_index_gemini_mm.codecs import Undecodable
from llama_index_gemini_mm.limits import DEVELOPER_API, MUPDF_LOCK, VERTEX

_open: Callable[..., Any] = pymupdf.open
MAX_BYTES = min(DEVELOPER_API.inline_pdf_bytes, VERTEX.inline_pdf_bytes)
"""What is larger is drawn anew."""
_MAX_PIXELS = 50_000_000
"""Pixels of one picture; a page with a larger one is drawn anew, for whoever opens it has to unpack all of them."""
_MAX_SIDE, _MIN_SIDE = 14_400.0, 3.0
"""Points that a page measures by the standard."""
_DPI, _MIN_DRAWN, _MAX_DRAWN, _QUALITY = 150, 600, 3072, 85
"""How a page is drawn, and the pixels its longer side then has."""
_DRAWN = re.compile(rb"/([^\s/<>\[\]()]+)\s+Do\b")


def page_count(stream: BinaryIO) -> int:
    """Number of pages. Raises ``Undecodable`` for content that is broken, empty or locked."""
    with _opened(stream) as pdf:
        return int(pdf.page_count)


def cut(stream: BinaryIO, first_page: int | None, last_page: int | None, max_bytes: int = MAX_BYTES) -> bytes:
    """The pages from ``first_page`` to ``last_page``, counted from 1 and inclusive, as a PDF; ``None`` is the whole.

    A page with a picture beyond measure, or of a size beyond measure, becomes a picture of itself, and all pages do
    when together they are larger than ``max_bytes``.
    """
    with _opened(stream) as pdf:
        first, last = (1, pdf.page_count) if first_page is None else (first_page, last_page or first_page)
        if not 1 <= first <= last <= pdf.page_count:
            raise Undecodable(f"it has {pdf.page_count} pages, not {first} to {last}")
        numbers = range(first - 1, last)
        huge = {number for number in numbers if _is_huge(pdf[number])}
        if first_page is None and not huge:
            stream.seek(0)
            data = stream.read()
        else:
            data = _pages(pdf, numbers, huge)
        return data if len(data) <= max_bytes else _pages(pdf, numbers, set(numbers))


def _pages(pdf: Any, numbers: range, drawn: set[int]) -> bytes:
    """The pages with no more than what they show; those in ``drawn`` as pictures."""
    with _open() as pages:
        for number in numbers:
            if number in drawn or not _is_copied(pages, pdf, number):
                _draw(pages, pdf[number])
        _drop_unused(pages)
        return bytes(pages.tobytes(garbage=3, deflate=True, clean=False, no_new_id=True))


def _is_copied(pages: Any, pdf: Any, number: int) -> bool:
    """Copy a page; one with broken notes is copied without them."""
    for annots in (True, False):
        count = pages.page_count
        try:
            pages.insert_pdf(pdf, from_page=number, to_page=number, links=False, annots=annots, final=False)
        except (RuntimeError, ValueError):
            if pages.page_count > count:
                pages.delete_page(count)
            continue
        return True
    return False


def _is_huge(page: Any) -> bool:
    sides = sorted((page.rect.width, page.rect.height))
    if sides[1] > _MAX_SIDE or sides[0] < _MIN_SIDE:
        return True
    return any(picture[2] * picture[3] > _MAX_PIXELS for picture in page.get_images())


def _draw(pages: Any, page: Any) -> None:
    """Add a picture of a page, at its size if that is sensible."""
    frame = page.rect
    longer = max(frame.width, frame.height)
    zoom = min(max(_DPI / 72, _MIN_DRAWN / longer), _MAX_DRAWN / longer)
    pixels = page.get_pixmap(matrix=pymupdf.Matrix(zoom, zoom), alpha=False)
    scale = min(1.0, _MAX_SIDE / longer) * max(1.0, _MIN_SIDE / min(frame.width, frame.height))
    width, height = (min(side * scale, _MAX_SIDE) for side in (frame.width, frame.height))
    sheet = pages.new_page(width=width, height=height)
    sheet.insert_image(sheet.rect, stream=pixels.tobytes("jpeg", jpg_quality=_QUALITY))


def _drop_unused(pages: Any) -> None:
    """Take out what is listed and not drawn: many programs list the pictures of all pages with each.

    Lists can be shared, so all pages are asked before anything goes.
    """
    drawn = {match[1].decode("latin-1") for page in pages for match in _DRAWN.finditer(page.read_contents() or b"")}
    for page in pages:
        kind, value = pages.xref_get_key(page.xref, "Resources/XObject")
        if kind == "xref":
            holder, prefix = int(value.split()[0]), ""
            names = pages.xref_get_keys(holder)
        elif kind == "dict":
            holder, prefix = page.xref, "Resources/XObject/"
            names = re.findall(r"/([^\s/<>\[\]()]+)\s+\d+ 0 R", value)
        else:
            continue
        for name in set(names) - drawn:
            pages.xref_set_key(holder, prefix + name, "null")


def _source(stream: BinaryIO) -> dict[str, Any]:
    """A file on this disk by its name, so that one page of a large scan does not cost reading all of it."""
    name = getattr(stream, "name", None)
    if isinstance(name, str) and Path(name).is_file():
        return {"filename": name}
    stream.seek(0)
    return {"stream": stream.read()}


@contextmanager
def _opened(stream: BinaryIO) -> Iterator[Any]:
    try:
        with MUPDF_LOCK, _open(**_source(stream), filetype="pdf") as pdf:
            if pdf.needs_pass:
                raise Undecodable("it needs a password")
            if not pdf.page_count:
                raise Undecodable("it has no pages")
            yield pdf
    except Undecodable:
        raise
    except (RuntimeError, ValueError, pymupdf.mupdf.FzErrorBase) as error:
        raise Undecodable("not readable as PDF") from error
