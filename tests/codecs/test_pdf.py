"""PDF pages."""

from __future__ import annotations

import io

import pymupdf
import pytest

from llama_index_gemini_mm.codecs import Undecodable, pdf
from media_samples import pdf as sample


def texts(data: bytes) -> list[str]:
    with pymupdf.open(stream=data, filetype="pdf") as opened:
        return [page.get_text().strip() for page in opened]


def test_page_count() -> None:
    """Pages are counted."""
    assert pdf.page_count(io.BytesIO(sample())) == 3


def test_whole_passes_through() -> None:
    """Without a page range the file itself is given."""
    assert pdf.cut(io.BytesIO(sample()), None, None) == sample()


@pytest.mark.parametrize(("first", "last", "expected"), [(2, 2, ["two"]), (2, 3, ["two", "three"]), (1, None, ["one"])])
def test_pages_are_cut(first: int, last: int | None, expected: list[str]) -> None:
    """Pages count from 1, the last one is included."""
    assert texts(pdf.cut(io.BytesIO(sample()), first, last)) == expected


def test_cut_is_deterministic() -> None:
    """The same pages give the same bytes, as the vector cache wants it."""
    first, second = (pdf.cut(io.BytesIO(sample()), 2, 2) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(("first", "last"), [(0, 1), (3, 4), (3, 2), (9, 9)])
def test_pages_that_are_not_there(first: int, last: int) -> None:
    """A range outside the file is refused."""
    with pytest.raises(Undecodable, match="it has 3 pages"):
        pdf.cut(io.BytesIO(sample()), first, last)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not readable as PDF"),
        (b"%PDF-1.4 nonsense", "not readable as PDF"),
        (sample(password="secret"), "needs a password"),
    ],
)
def test_broken_and_locked_files_are_undecodable(data: bytes, reason: str) -> None:
    """The reason is named."""
    with pytest.raises(Undecodable, match=reason):
        pdf.page_count(io.BytesIO(data))
