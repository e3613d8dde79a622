"""PDF: how many pages there are, and the pages that are uploaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pymupdf

from llama_index_gemini_mm.codecs import Undecodable
from llama_index_gemini_mm.limits import MUPDF_LOCK

_open: Callable[..., Any] = pymupdf.open


def page_count(stream: BinaryIO) -> int:
    """Number of pages. Raises ``Undecodable`` for content that is broken, empty or locked."""
    with _opened(stream) as pdf:
        return int(pdf.page_count)


def cut(stream: BinaryIO, first_page: int | None, last_page: int | None) -> bytes:
    """The pages from ``first_page`` to ``last_page``, counted from 1 and inclusive, as a PDF; ``None`` is the whole."""
    with _opened(stream) as pdf:
        if first_page is None:
            stream.seek(0)
            return stream.read()
        last = last_page or first_page
        if not 1 <= first_page <= last <= pdf.page_count:
            raise Undecodable(f"it has {pdf.page_count} pages, not {first_page} to {last}")
        with _open() as pages:
            pages.insert_pdf(pdf, from_page=first_page - 1, to_page=last - 1)
            return bytes(pages.tobytes(garbage=3, deflate=True, no_new_id=True))


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
