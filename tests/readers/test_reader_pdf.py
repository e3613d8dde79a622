"""What is taken out of a PDF, and what one may do to us."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from typing import Any

import pymupdf
import pytest
from llama_index.core.schema import Document
from PIL import Image, ImageDraw
from reader_samples import picture

from llama_index_gemini_mm.errors import CorruptFile, FileTooLarge
from llama_index_gemini_mm.media import MediaRef, boxes_of
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers import ReaderOptions
from llama_index_gemini_mm.readers.pdf import FORMAT
from llama_index_gemini_mm.source import Source

Take = Callable[..., tuple[list[Document], dict[str, bytes]]]
WORDS = "the spindle of the lathe grinds when its bearing is worn and the coolant does not reach it any more "


@pytest.fixture
def take(store: MediaStore) -> Take:
    """Read a PDF: its documents, and the files inside by their paths."""

    def _take(pdf: Any, **options: Any) -> tuple[list[Document], dict[str, bytes]]:
        data = pdf if isinstance(pdf, bytes) else pdf.tobytes()
        pieces = list(FORMAT.read(Source.of_bytes(data, "a.pdf"), store, ReaderOptions(**options)))
        files = {p.container_path: p.read() for p in pieces if isinstance(p, Source)}
        return [p for p in pieces if isinstance(p, Document)], files

    return _take


def of(documents: list[Document], modality: str) -> list[Document]:
    return [d for d in documents if d.metadata["modality"] == modality]


def image_of(document: Document, store: MediaStore) -> Image.Image:
    return Image.open(io.BytesIO(store.read(MediaRef.parse(document.metadata["media_ref"])))).convert("RGB")


def blank(pages: int = 1) -> Any:
    pdf = pymupdf.open()
    for _ in range(pages):
        pdf.new_page()
    return pdf


def test_columns_are_read_one_after_the_other(take: Take) -> None:
    """However the file was written: the right column first, and the title last."""
    pdf = blank()
    pdf[0].insert_textbox((310, 120, 540, 780), "Right begins. " + WORDS * 8 + "Right ends.", fontsize=10)
    pdf[0].insert_textbox((60, 120, 290, 780), "Left begins. " + WORDS * 8 + "Left ends.", fontsize=10)
    pdf[0].insert_text((60, 100), "The whole title", fontsize=20)
    (text,), _ = take(pdf)
    marks = ["The whole title", "Left begins.", "Left ends.", "Right begins.", "Right ends."]
    places = [text.text.index(mark) for mark in marks]
    assert places == sorted(places)
    assert len(boxes_of(text.metadata)) == 2


def test_columns_written_line_by_line(take: Take) -> None:
    """Lines that were written across both columns are put back into their own."""
    pdf = blank()
    for n in range(12):
        pdf[0].insert_text((60, 120 + 14 * n), f"left line {n} is as long as this", fontsize=10)
        pdf[0].insert_text((310, 120 + 14 * n), f"right line {n} is as long as that", fontsize=10)
    (text,), _ = take(pdf)
    assert text.text.index("left line 11") < text.text.index("right line 0")


def test_words_broken_at_the_end_of_a_line(take: Take) -> None:
    """They are mended, and a hyphen before a capital stays."""
    pdf = blank()
    pdf[0].insert_textbox((72, 200, 250, 300), "This word is hyphen-\nated, in the Rhine-\nMain area.", fontsize=11)
    (text,), _ = take(pdf)
    assert text.text == "This word is hyphenated, in the Rhine-Main area."


def test_running_heads_feet_and_page_numbers_are_left_out(take: Take) -> None:
    """What stands at the same place on several pages is no text; a page of nothing else keeps it."""
    pdf = blank(5)
    for n, page in enumerate(pdf, 1):
        page.insert_text((72, 40), f"Handbook, page {n}", fontsize=9)
        page.insert_text((290, 820), str(n), fontsize=9)
        page.insert_textbox((72, 150, 520, 400), f"Body number {n}: {WORDS}", fontsize=11)
    texts, _ = take(pdf)
    assert [t.text.partition(":")[0] for t in texts] == [f"Body number {n}" for n in range(1, 6)]
    assert "Handbook" not in "".join(t.text for t in texts)
    titles = blank(3)
    for n, page in enumerate(titles, 1):
        page.insert_text((72, 60), f"Slide {n}")
    assert [t.text for t in take(titles)[0]] == ["Slide 1", "Slide 2", "Slide 3"]


def test_sections_by_bookmarks(take: Take) -> None:
    """A page with two headings gives two documents, each with its own path and box."""
    pdf = blank()
    pdf[0].insert_text((72, 90), "1 Spindle", fontsize=11)
    pdf[0].insert_textbox((72, 110, 520, 200), WORDS, fontsize=11)
    pdf[0].insert_text((72, 300), "1.1 Bearing", fontsize=11)
    pdf[0].insert_textbox((72, 320, 520, 400), "Ball. " + WORDS, fontsize=11)
    pdf.set_toc([[1, "Spindle", 1], [2, "Bearing", 1]])
    (first, second), _ = take(pdf)
    assert [first.metadata["heading_path"], second.metadata["heading_path"]] == ["Spindle", "Spindle > Bearing"]
    assert "Ball." in second.text
    assert "Ball." not in first.text
    assert boxes_of(first.metadata)[0][3] < boxes_of(second.metadata)[0][1]


def test_headings_by_size_and_weight(take: Take) -> None:
    """Without bookmarks large and bold type tells; a line that only begins bold is none."""
    pdf = blank(2)
    pdf[0].insert_text((72, 90), "Maintenance", fontsize=18)
    pdf[0].insert_textbox((72, 110, 520, 200), WORDS, fontsize=11)
    pdf[0].insert_text((72, 220), "Bearings", fontsize=11, fontname="hebo")
    pdf[0].insert_textbox((72, 240, 520, 300), WORDS, fontsize=11)
    pdf[1].insert_text((72, 90), "Note", fontsize=11, fontname="hebo")
    pdf[1].insert_text((100, 90), "that this goes on in plain type", fontsize=11)
    texts, _ = take(pdf)
    assert [t.metadata["heading_path"] for t in texts] == ["Maintenance", *["Maintenance > Bearings"] * 2]
    assert texts[2].text == "Note that this goes on in plain type"


def test_tables_are_markdown(take: Take) -> None:
    """With rules all around, with rules across alone, and with a cell that spans columns."""
    pdf = blank(3)
    for page, upright in ((pdf[0], True), (pdf[2], True)):
        for n in range(4):
            page.draw_line((72, 130 + 20 * n), (372, 130 + 20 * n))
        for n in range(4):
            top = 150 if page.number == 2 and n in (1, 2) else 130
            page.draw_line((72 + 100 * n, top), (72 + 100 * n, 190 if upright else top))
    for row in range(3):
        for column in range(3):
            pdf[0].insert_text((76 + 100 * column, 144 + 20 * row), f"r{row} c{column}", fontsize=9)
            if row:
                pdf[2].insert_text((76 + 100 * column, 144 + 20 * row), f"r{row}c{column}", fontsize=9)
    pdf[2].insert_text((120, 144), "A head across all three columns", fontsize=9)
    for y in (300, 316, 380):
        pdf[1].draw_line((72, y), (400, y))
    for row in range(4):
        for column in range(2):
            pdf[1].insert_text((76 + 150 * column, 312 + 16 * row), f"b{row}{column}", fontsize=9)
    (ruled, open_, spanned), _ = take(pdf)
    assert ruled.text == (
        "| r0 c0 | r0 c1 | r0 c2 |\n| --- | --- | --- |\n| r1 c0 | r1 c1 | r1 c2 |\n| r2 c0 | r2 c1 | r2 c2 |"
    )
    assert open_.text == "| b00 | b01 |\n| --- | --- |\n| b10 | b11 |\n| b20 | b21 |\n| b30 | b31 |"
    assert spanned.text.splitlines()[0] == "| A head across all three columns |  |  |"


def test_captions_and_pictures_of_every_kind(take: Take, store: MediaStore) -> None:
    """Strips are joined, captions side by side are told apart, masks and CMYK come out as they are seen."""
    pdf = blank()
    page = pdf[0]
    whole = Image.open(io.BytesIO(picture("red", (400, 300))))
    for n in range(4):
        strip = io.BytesIO()
        whole.crop((0, 75 * n, 400, 75 * n + 75)).save(strip, "PNG")
        page.insert_image((100, 100 + 37.5 * n, 300, 137.5 + 37.5 * n), stream=strip.getvalue())
    page.insert_text((100, 262), "Figure 1: In strips")
    page.insert_image((72, 300, 252, 435), stream=picture("green", (240, 180), "JPEG"))
    page.insert_image((300, 300, 480, 435), stream=picture("blue", (240, 180), "JPEG"))
    page.insert_text((72, 450), "Fig. 2: Green")
    page.insert_text((300, 450), "Fig. 3: Blue")
    masked = Image.new("RGBA", (200, 200), (0, 0, 0, 0))
    ImageDraw.Draw(masked).ellipse((20, 20, 180, 180), fill=(255, 0, 0, 255))
    cmyk = Image.new("CMYK", (200, 200), (255, 0, 0, 0))
    for place, image, kind in (((72, 500, 200, 628), masked, "PNG"), ((300, 500, 428, 628), cmyk, "JPEG")):
        data = io.BytesIO()
        image.save(data, kind)
        page.insert_image(place, stream=data.getvalue())
    images = of(take(pdf)[0], "image")
    assert [i.text for i in images[:3]] == ["Figure 1: In strips", "Fig. 2: Green", "Fig. 3: Blue"]
    joined = image_of(images[0], store)
    assert joined.size == pytest.approx((400, 300), abs=2)
    assert joined.getpixel((200, 150)) == (255, 0, 0)
    assert image_of(images[3], store).getpixel((3, 3)) == (255, 255, 255)
    red, _, blue = image_of(images[4], store).getpixel((100, 100))
    assert red < 60
    assert blue > 180


def test_logos_once_and_ornaments_never(take: Take) -> None:
    """A logo of all pages is one picture, even if each page holds a copy of its own; a bullet is none."""
    pdf = blank(3)
    for n, page in enumerate(pdf):
        page.insert_image((500, 20, 560, 80), stream=picture("black", (80, 80)))
        page.insert_image((50, 100 + n, 60, 110 + n), stream=picture("red", (22, 22)))
        page.insert_textbox((72, 100, 500, 300), f"{n} {WORDS}")
    assert len(of(take(pdf)[0], "image")) == 1


def test_drawn_figures(take: Take, store: MediaStore) -> None:
    """A chart amid text is a picture with its caption and the words in it; shaded lines and rules are not."""
    pdf = blank(2)
    page = pdf[0]
    page.insert_textbox((72, 80, 520, 300), WORDS * 9, fontsize=10)
    for n, height in enumerate((30, 130, 90, 50, 150, 110)):
        page.draw_rect((120 + 40 * n, 600 - height, 145 + 40 * n, 600), fill=(0, 0, 1))
        page.insert_text((122 + 40 * n, 612), str(2010 + n), fontsize=8)
    page.draw_line((110, 600), (400, 600))
    page.insert_text((150, 640), "Figure 4: Sales by year", fontsize=10)
    for n in range(9):
        pdf[1].draw_rect((72, 100 + 14 * n, 520, 114 + 14 * n), fill=(0.9, 0.9, 0.9), width=0)
        pdf[1].insert_text((76, 110 + 14 * n), f"$ command number {n}", fontsize=9, fontname="cour")
    documents, _ = take(pdf)
    (chart,) = of(documents, "image")
    assert chart.text.splitlines()[0] == "Figure 4: Sales by year"
    assert "2013" in chart.text
    assert "2013" not in documents[0].text
    assert max(image_of(chart, store).size) <= 2000
    assert boxes_of(chart.metadata)[0] == pytest.approx([0.18, 0.53, 0.68, 0.73], abs=0.03)
    assert "$ command number 1\n$ command number 2" in documents[-1].text


def test_scans_backgrounds_and_text_layers(take: Take) -> None:
    """A scan is a page to be seen, its text layer text besides; a picture behind every page makes no page a scan."""
    scan = blank()
    scan[0].insert_image(scan[0].rect, stream=picture("gray", (850, 1100), "JPEG"))
    scan[0].insert_textbox((72, 100, 500, 700), WORDS * 20, fontsize=11, render_mode=3)
    documents, _ = take(scan)
    assert [d.metadata["modality"] for d in documents] == ["text", "document"]
    assert len(documents[1].text) <= 500
    behind = blank(3)
    for n, page in enumerate(behind):
        page.insert_image(page.rect, stream=picture("yellow", (850, 1100), "JPEG"))
        page.insert_textbox((72, 100, 500, 700), f"{n} {WORDS * 3}", fontsize=11)
    assert [d.metadata["modality"] for d in take(behind)[0]] == ["text"] * 3


def test_comments_marks_and_forms(take: Take) -> None:
    """Each is a text with its page, place and author; what is filled in is no printed text."""
    pdf = blank()
    page = pdf[0]
    page.insert_text((72, 120), "The important sentence is marked here.")
    mark = page.add_highlight_annot(page.search_for("important sentence"))
    mark.set_info(title="Ann", content="Really?")
    mark.update()
    page.add_freetext_annot((300, 200, 450, 240), "Free words")
    widget = pymupdf.Widget()
    widget.field_name, widget.field_label, widget.field_value = "x.name[0]", "Full name", "Bob"
    widget.field_type, widget.rect = pymupdf.PDF_WIDGET_TYPE_TEXT, pymupdf.Rect(72, 300, 200, 320)
    page.add_widget(widget)
    (text, marked, free, form), _ = take(pdf)
    assert text.text == "The important sentence is marked here."
    assert (marked.text, marked.metadata["author"]) == ("Highlighted: important sentence\nReally?", "Ann")
    assert (free.text, form.text) == ("Free words", "Full name: Bob")
    assert boxes_of(form.metadata)[0] == pytest.approx([72 / 595, 300 / 842, 200 / 595, 320 / 842], abs=0.01)


def test_attached_files(take: Take) -> None:
    """Those of the document and those pinned to a page, under harmless names of their own."""
    pdf = blank()
    pdf.embfile_add("1", b"a,b", filename="../../data.csv")
    pdf.embfile_add("2", b"c,d", filename="data.csv")
    pdf[0].add_file_annot((400, 100), b"hello", "C:\\x\\ev?il.txt")
    assert take(pdf)[1] == {"a.pdf!/evil.txt": b"hello", "a.pdf!/data.csv": b"a,b", "a.pdf!/data (2).csv": b"c,d"}


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Lathe manual", "Lathe manual"),
        ("Microsoft Word - Lathe manual", "Lathe manual"),
        ("Microsoft Word - doc1.docx", "a"),
        ("untitled", "a"),
        ("Presentation1", "a"),
        ("", "a"),
    ],
)
def test_titles_that_programs_fill_in_are_none(take: Take, title: str, expected: str) -> None:
    """The file's name stands in for them."""
    pdf = blank()
    pdf[0].insert_text((72, 72), "words")
    pdf.set_metadata({"title": title})
    assert take(pdf)[0][0].metadata["title"] == expected


def test_what_the_file_says_about_itself(take: Take) -> None:
    """Author, keywords, date and language go with every document, and so do the printed page numbers."""
    pdf = blank(3)
    for page in pdf:
        page.insert_text((72, 300), f"words {page.number}")
    pdf.set_metadata({"author": "Ann", "keywords": "lathe; noise", "creationDate": "D:20240131120000+01'00'"})
    pdf.xref_set_key(pdf.pdf_catalog(), "Lang", "(de-CH)")
    pdf.set_page_labels(
        [{"startpage": 0, "style": "r", "firstpagenum": 4}, {"startpage": 2, "prefix": "A-", "style": "D"}]
    )
    documents, _ = take(pdf)
    for document in documents:
        found = [document.metadata[key] for key in ("author", "keywords", "created", "language")]
        assert found == ["Ann", "lathe, noise", "2024-01-31T12:00:00+01:00", "de-CH"]
    assert [d.metadata["page_label"] for d in documents] == ["iv", "v", "A-1"]


def raw_pdf(*objects: bytes) -> bytes:
    """A PDF of these objects, numbered from 1; the first is the catalogue."""
    body = b"%PDF-1.7\n"
    for number, data in enumerate(objects, 1):
        body += b"%d 0 obj\n%s\nendobj\n" % (number, data)
    return body + b"trailer<</Root 1 0 R/Size %d>>\n%%%%EOF\n" % (len(objects) + 1)


def stream(data: bytes, entries: bytes = b"") -> bytes:
    return b"<<%s/Length %d>>stream\n%s\nendstream" % (entries, len(data), data)


HEAD = (b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>")


def test_streams_that_swell_are_refused(take: Take) -> None:
    """A page of a few kilobytes that unpacks to hundreds of megabytes, through one layer of compression or two."""
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R/Resources<<>>>>"
    once = zlib.compress(b"0 0 m " * 20_000_000, 9)
    for data, filters in ((once, b"/FlateDecode"), (zlib.compress(once, 9), b"[/FlateDecode/FlateDecode]")):
        with pytest.raises(FileTooLarge, match="page 1 draws more than 64 MiB"):
            take(raw_pdf(*HEAD, page, stream(data, b"/Filter" + filters)))


def test_forms_that_draw_each_other_are_refused(take: Take) -> None:
    """Ten levels of forms, each drawing the next ten times, would keep MuPDF busy for hours."""
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R/Resources<</XObject<</X 5 0 R>>>>>>"
    forms = [
        stream(b"/X Do " * 10, b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X %d 0 R>>>>" % number)
        for number in range(6, 15)
    ]
    last = stream(b"0 0 9 9 re f", b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]")
    with pytest.raises(FileTooLarge, match="page 1 draws more than"):
        take(raw_pdf(*HEAD, page, stream(b"/X Do"), *forms, last))


def test_a_form_that_draws_itself_is_read(take: Take) -> None:
    """MuPDF stops it, and the text around it is kept."""
    resources = b"<</Font<</F 6 0 R>>/XObject<</X 5 0 R>>>>"
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R/Resources" + resources + b">>"
    form = stream(b"/X Do", b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X 5 0 R>>>>")
    font = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
    documents, _ = take(raw_pdf(*HEAD, page, stream(b"/X Do BT /F 9 Tf 9 50 Td (words) Tj ET"), form, font))
    assert [d.text for d in documents] == ["words"]


def test_pictures_of_too_many_pixels_are_refused(take: Take) -> None:
    """Their size stands in the file, and nothing is unpacked."""
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R/Resources<</XObject<</X 5 0 R>>>>>>"
    image = b"/Type/XObject/Subtype/Image/Width 30000/Height 30000/BitsPerComponent 1/ColorSpace/DeviceGray"
    with pytest.raises(FileTooLarge, match="more pixels than"):
        take(raw_pdf(*HEAD, page, stream(b"/X Do"), stream(b"", image)))


def test_attached_files_that_swell_are_refused(take: Take) -> None:
    """What the file says of their size proves nothing."""
    squeeze = zlib.compressobj(9)
    bomb = b"".join(squeeze.compress(bytes(2**20)) for _ in range(513)) + squeeze.flush()
    catalogue = (
        b"<</Type/Catalog/Pages 2 0 R/Names<</EmbeddedFiles<</Names[(b)<</Type/Filespec/F(b)/EF<</F 4 0 R>>>>]>>>>>>"
    )
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]>>"
    with pytest.raises(FileTooLarge, match="attached file unpacks to over 512 MiB"):
        take(raw_pdf(catalogue, HEAD[1], page, stream(bomb, b"/Filter/FlateDecode/Params<</Size 9>>")))


def test_broken_forms_cost_no_text(take: Take) -> None:
    """A field that cannot be read is left out, and the page is read."""
    pdf = blank()
    pdf[0].insert_text((72, 120), "Printed words")
    widget = pymupdf.Widget()
    widget.field_name, widget.field_value = "name", "Bob"
    widget.field_type, widget.rect = pymupdf.PDF_WIDGET_TYPE_TEXT, pymupdf.Rect(72, 300, 200, 320)
    page = pdf[0]
    page.add_widget(widget)
    for xref in range(1, pdf.xref_length()):
        if pdf.xref_get_key(xref, "DA")[0] == "string":
            pdf.xref_set_key(xref, "DA", "(x y z rg /Helv q Tf)")
    assert take(pdf)[0][0].text == "Printed words"


def test_files_that_are_cut_off(take: Take) -> None:
    """Missing pages are said to be missing; a file that lacks no more than its end mark is read."""
    pdf = blank(4)
    for page in pdf:
        page.insert_image((0, 0, 595, 842), stream=picture("gray", (300 + page.number, 300), "JPEG"))
    data = pdf.tobytes()
    with pytest.raises(CorruptFile, match="cut off"):
        take(data[: len(data) // 2])
    short = blank()
    short[0].insert_text((72, 72), "words")
    whole = short.tobytes()
    assert [d.text for d in take(whole[: whole.rindex(b"startxref")])[0]] == ["words"]


def test_garbage_before_the_header(take: Take) -> None:
    """A mail program's lines before the PDF do not matter."""
    pdf = blank()
    pdf[0].insert_text((72, 72), "words")
    assert take(b"X-Header: 1\r\n\r\n" + pdf.tobytes())[0][0].text == "words"


def test_locked_files_are_copied_only_when_a_page_is_to_be_cut(take: Take, store: MediaStore) -> None:
    """The text of a locked file leaves no open copy in the store."""
    pdf = blank()
    pdf[0].insert_text((72, 72), "secret words")
    data = pdf.tobytes(encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="secret", owner_pw="x")
    documents, _ = take(data, passwords=("secret",))
    assert [d.text for d in documents] == ["secret words"]
    assert store.local_path(documents[0].metadata["source_sha256"]) is None
