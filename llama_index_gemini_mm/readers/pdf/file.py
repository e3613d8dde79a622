"""Opening PDFs, locked, damaged and cut off ones too, and going through their pages."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llama_index_gemini_mm.errors import PASSWORD_HINT, CorruptFile, EncryptedFile
from llama_index_gemini_mm.limits import MUPDF_LOCK
from llama_index_gemini_mm.readers._base import ReaderOptions, corrupt
from llama_index_gemini_mm.readers.pdf.bounds import Guard
from llama_index_gemini_mm.readers.pdf.info import page_labels
from llama_index_gemini_mm.readers.pdf.page import RawPage, read_page
from llama_index_gemini_mm.source import Source

_log = logging.getLogger(__name__)
_END = 2048
"""Bytes at the end of a file in which its end mark stands."""
_SHRINK_EVERY = 100
"""Pages after which MuPDF gives back half of the fonts and pictures it keeps; all would be to load them anew."""


def failures() -> tuple[type[Exception], ...]:
    """What PyMuPDF raises on broken content; much of it is written in Python and trusts what it parses."""
    import pymupdf

    return (RuntimeError, ValueError, LookupError, pymupdf.mupdf.FzErrorBase)


@contextmanager
def tolerant(source: Source, what: str) -> Iterator[None]:
    """Let something broken on the rim of a page cost itself alone."""
    try:
        yield
    except failures() as error:
        _log.warning("%s: %s broken and left out (%s)", source.name, what, type(error).__name__)


@contextmanager
def opened(source: Source, options: ReaderOptions) -> Iterator[tuple[Any, bool]]:
    """The open and unlocked ``pymupdf.Document``, and whether it was locked.

    Raises:
        CorruptFile: it is no PDF, or pages are missing because the file ends too early.
        EncryptedFile: it needs a password, and none of the given ones fits.
    """
    pdf = _open(source)
    try:
        with MUPDF_LOCK, corrupt(source, "PDF", *failures()):
            was_locked = _unlock(source, pdf, options)
            _check_end(source, pdf)
        yield pdf, was_locked
    finally:
        with MUPDF_LOCK:
            if not pdf.is_closed:
                pdf.close()


def decrypted(source: Source, options: ReaderOptions) -> bytes:
    """A copy without encryption: pages cut from the locked original could not be opened by the model."""
    import pymupdf

    pdf = _open(source)
    with MUPDF_LOCK, corrupt(source, "PDF", *failures()):
        _unlock(source, pdf, options)
        data = bytes(pdf.tobytes(encryption=pymupdf.PDF_ENCRYPT_NONE, no_new_id=True))
        pdf.close()
    return data


def raw_pages(source: Source, pdf: Any, guard: Guard, *, weights: bool) -> Iterator[RawPage]:
    """The pages one by one; a broken one is left out unless all are. ``weights``: whether bold type is to be told."""
    import pymupdf

    broken: Exception | None = None
    good = 0
    with MUPDF_LOCK:
        labels = page_labels(pdf)
    for index in range(pdf.page_count):
        try:
            with MUPDF_LOCK:
                page = pdf[index]
                guard.check(page)
                raw = read_page(page, labels[index], weights=weights)
                if index % _SHRINK_EVERY == _SHRINK_EVERY - 1:
                    pymupdf.TOOLS.store_shrink(50)
        except failures() as error:
            broken = error
            _log.warning("%s: page %d is broken and left out (%s)", source.name, index + 1, type(error).__name__)
            continue
        good += 1
        yield raw
    if broken and not good:
        raise CorruptFile(source.location, f"not a readable PDF ({type(broken).__name__})") from broken


def _open(source: Source) -> Any:
    import pymupdf

    with MUPDF_LOCK:
        pymupdf.TOOLS.mupdf_display_errors(False)
        pymupdf.TOOLS.mupdf_display_warnings(False)
        try:
            if source.local_path:
                return pymupdf.open(source.local_path, filetype="pdf")
            return pymupdf.open(stream=source.read(), filetype="pdf")
        except failures() as error:
            if _has_end(source):
                raise CorruptFile(source.location, f"not a readable PDF ({type(error).__name__})") from error
            raise CorruptFile(source.location, "the PDF is cut off, or never was one: its end is missing") from error


def _unlock(source: Source, pdf: Any, options: ReaderOptions) -> bool:
    """Whether a password was needed. Asking MuPDF once more would lock the file again."""
    if not pdf.needs_pass:
        return False
    if not any(pdf.authenticate(password) for password in options.passwords):
        tried = "none of the passwords fits" if options.passwords else PASSWORD_HINT
        raise EncryptedFile(source.location, f"the PDF needs a password; {tried}")
    return True


def _check_end(source: Source, pdf: Any) -> None:
    """MuPDF mends a file whose end is missing; pages that lay in the missing part would be lost without a word."""
    count = pdf.page_count
    if not pdf.is_repaired or _has_end(source):
        if not count:
            raise CorruptFile(source.location, "the PDF has no pages")
        return
    missing = sum(_is_missing(pdf, index) for index in range(count))
    if missing or not count:
        lost = f"{missing} of {count} pages" if count else "all pages"
        raise CorruptFile(source.location, f"the PDF is cut off: its end is missing, and {lost} with it")


def _has_end(source: Source) -> bool:
    with source.open() as stream:
        stream.seek(max(0, source.size - _END))
        return b"%%EOF" in stream.read(_END)


def _is_missing(pdf: Any, index: int) -> bool:
    try:
        page = pdf[index]
        needed = [page.xref, *page.get_contents()]
    except failures():
        return True
    return any(xref >= pdf.xref_length() or pdf.xref_object(xref) == "null" for xref in needed)
