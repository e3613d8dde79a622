"""PDF pages."""

from __future__ import annotations

import io

import numpy as np
import pymupdf
import pytest
from PIL import Image

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


def noise(number: int, size: tuple[int, int] = (400, 400)) -> bytes:
    """A picture that does not compress."""
    pixels = np.random.default_rng(number).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, "PNG")
    return target.getvalue()


def scanned(pages: int) -> bytes:
    """Pages of noise, each of which lists the pictures of all."""
    with pymupdf.open() as document:
        for number in range(pages):
            document.new_page(width=200, height=200).insert_image((0, 0, 200, 200), stream=noise(number))
        shared = document.get_new_xref()
        images = [document.get_page_images(number)[0][0] for number in range(pages)]
        document.update_object(shared, "<<" + "".join(f"/P{n} {xref} 0 R" for n, xref in enumerate(images)) + ">>")
        for number, page in enumerate(document):
            document.update_stream(page.get_contents()[0], f"q 200 0 0 200 0 0 cm /P{number} Do Q".encode())
            document.xref_set_key(page.xref, "Resources/XObject", f"{shared} 0 R")
        return bytes(document.tobytes())


def rendered(data: bytes, page: int) -> bytes:
    with pymupdf.open(stream=data, filetype="pdf") as opened:
        return opened[page].get_pixmap().samples


def test_a_cut_holds_only_what_its_pages_show() -> None:
    """Pictures that are listed with a page and drawn on others stay behind."""
    whole = scanned(5)
    part = pdf.cut(io.BytesIO(whole), 2, 3)
    assert len(part) < 0.5 * len(whole)
    for page in (0, 1):
        assert rendered(part, page) == rendered(whole, page + 1)


def test_what_is_too_large_is_drawn_anew() -> None:
    """Pages that together pass the limit become pictures of themselves, the whole file too."""
    whole = scanned(3)
    for first, last in ((1, 3), (None, None)):
        part = pdf.cut(io.BytesIO(whole), first, last, max_bytes=len(whole) // 2)
        assert len(part) <= len(whole) // 2
        with pymupdf.open(stream=part, filetype="pdf") as opened:
            assert [tuple(page.rect) for page in opened] == [(0, 0, 200, 200)] * 3


def test_pages_and_pictures_beyond_measure_are_drawn_anew() -> None:
    """A picture of 64 million pixels, and pages of a mile and of a point."""
    with pymupdf.open() as document:
        page = document.new_page(width=300, height=300)
        flat = io.BytesIO()
        Image.new("1", (8000, 8000), 1).save(flat, "PNG")
        page.insert_image(page.rect, stream=flat.getvalue())
        document.new_page(width=100_000, height=50_000)
        document.new_page(width=1, height=1)
        data = document.tobytes()
    with pymupdf.open(stream=pdf.cut(io.BytesIO(data), 1, 3), filetype="pdf") as opened:
        pictures = [page.get_images()[0] for page in opened]
        assert max(max(picture[2], picture[3]) for picture in pictures) <= 3072
        assert [tuple(page.rect)[2:] for page in opened] == [(300, 300), (14400, 7200), (3, 3)]


def test_broken_notes_do_not_keep_a_page_from_being_cut() -> None:
    """The page comes without them."""
    with pymupdf.open() as document:
        page = document.new_page(width=200, height=200)
        page.insert_text((20, 50), "words")
        document.xref_set_key(page.xref, "Annots", "[<</Subtype/Highlight/Rect[0 0 9 9]>>]")
        data = document.tobytes()
    assert texts(pdf.cut(io.BytesIO(data), 1, 1)) == ["words"]
