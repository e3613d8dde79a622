"""PDF, Word and PowerPoint."""

from __future__ import annotations

import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pymupdf
import pytest
from reader_samples import Read, docx_file, pdf, picture, pptx_file, recording, wav

from llama_index_gemini_mm import MediaReader, MediaStore
from llama_index_gemini_mm.errors import CorruptFile, EncryptedFile, FileTooLarge
from llama_index_gemini_mm.media import MediaRef, boxes_of

OLE_LOCKED = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le") + bytes(600)


def test_pdf_pages_figures_and_visual_pages(read: Read, store: MediaStore) -> None:
    """Text, a figure with its caption, a scan and a drawing, each with its place; ornaments are left out."""
    documents = read("manual.pdf", pdf())
    found = [(d.metadata["modality"], d.metadata["page_label"], d.metadata["page_start"]) for d in documents]
    assert found == [
        ("text", "i", 1),
        ("image", "i", 1),
        ("document", "ii", 2),
        ("text", "iii", 3),
        ("document", "iii", 3),
    ]

    text, figure, scan, drawn, drawing = documents
    assert "grinds when the bearing is worn" in text.text
    assert text.metadata["title"] == text.metadata["heading_path"] == "Spindle"
    assert boxes_of(text.metadata)[0][0] == pytest.approx(72 / 595, abs=0.02)
    assert figure.text == "Figure 1: The worn bearing"
    assert store.read(MediaRef.parse(figure.metadata["media_ref"])) == picture("green", (240, 180), "JPEG", quality=90)
    (box,) = boxes_of(figure.metadata)
    assert box == pytest.approx([100 / 595, 320 / 842, 340 / 595, 500 / 842], abs=0.01)
    assert scan.metadata["media_ref"].endswith(f"{scan.metadata['source_sha256']}#page=2")
    assert scan.text == ""
    assert scan.metadata["title"] == "Spindle > Noise"
    assert drawn.text == drawing.text == "Exploded view"
    page, mime_type = store.cut(MediaRef.parse(drawing.metadata["media_ref"]))
    assert mime_type == "application/pdf"
    assert "Exploded view" in pymupdf.open(stream=page, filetype="pdf")[0].get_text()


def test_pdf_options(read: Read) -> None:
    """Figures and visual pages can be left out; the size below which a picture is an ornament can be set."""
    plain = read("a.pdf", pdf(), figures=False, visual_pages=False)
    assert [d.metadata["modality"] for d in plain] == ["text", "text"]
    large = read("b.pdf", pdf(), min_figure_pixels=2000)
    assert "image" not in [d.metadata["modality"] for d in large]


def test_pdf_rendered_figure_and_repetition(read: Read, store: MediaStore) -> None:
    """A turned picture is rendered as the page shows it; one that recurs is given once."""
    with pymupdf.open() as document:
        for _ in range(3):
            page = document.new_page()
            page.insert_image((100, 100, 300, 300), stream=picture("red", (200, 100)), rotate=90)
        data = document.tobytes()
    (figure,) = read("turned.pdf", data)
    from PIL import Image

    image = Image.open(io.BytesIO(store.read(MediaRef.parse(figure.metadata["media_ref"]))))
    assert image.height > image.width
    assert image.convert("RGB").getpixel((image.width // 2, image.height // 2)) == (255, 0, 0)


def test_locked_pdf(read: Read, store: MediaStore) -> None:
    """Without its password a PDF is named; with it, pages can be cut though the original stays locked."""
    data = pdf(password="secret")
    with pytest.raises(EncryptedFile, match="needs a password; give it in ReaderOptions"):
        read("locked.pdf", data)
    with pytest.raises(EncryptedFile, match="none of the passwords fits"):
        read("locked.pdf", data, passwords=("wrong",))
    documents = read("locked.pdf", data, passwords=("wrong", "secret"))
    scan = next(d for d in documents if d.metadata["modality"] == "document")
    page, _ = store.cut(MediaRef.parse(scan.metadata["media_ref"]))
    assert pymupdf.open(stream=page, filetype="pdf").page_count == 1
    assert scan.metadata["source_sha256"] not in scan.metadata["media_ref"]


def test_pdf_locked_by_its_owner_only(read: Read) -> None:
    """Permissions alone do not keep a file from being read."""
    with pymupdf.open() as document:
        document.new_page().insert_text((72, 72), "Open to read")
        data = document.tobytes(encryption=pymupdf.PDF_ENCRYPT_AES_256, owner_pw="x", permissions=0)
    assert read("owner.pdf", data)[0].text == "Open to read"


@pytest.mark.parametrize("data", [b"%PDF-1.7\n", b"%PDF-1.4\n" + b"garbage " * 50])
def test_broken_pdf(read: Read, data: bytes) -> None:
    """What only begins like a PDF is corrupt."""
    with pytest.raises(CorruptFile, match="PDF"):
        read("broken.pdf", data)


@pytest.mark.parametrize("make", [pdf, docx_file, pptx_file])
def test_ids_are_stable(read: Read, make: object) -> None:
    """Reading again gives the same ids, and so does a file with other words in the same places."""
    first, again = read("a.bin", make()), read("a.bin", make())
    assert [d.node_id for d in first] == [d.node_id for d in again]
    assert len({d.node_id for d in first}) == len(first)


def test_ids_do_not_depend_on_content(read: Read) -> None:
    """A changed file keeps its ids and changes its hashes, which is what upserts go by."""
    for name, old, new in (
        ("a.pdf", pdf(), pdf(text="Quite other words. " * 3)),
        ("a.docx", docx_file(), docx_file(tail="Other words.")),
        ("a.wav", wav(1.0), wav(1.5)),
    ):
        before, after = read(name, old), read(name, new)
        assert [d.node_id for d in before] == [d.node_id for d in after]
        assert [d.hash for d in before] != [d.hash for d in after]


def test_docx_sections_tables_and_pictures(read: Read, store: MediaStore) -> None:
    """Sections by headings, Markdown tables, pictures with alternative text or caption, in order."""
    documents = read("report.docx", docx_file())
    found = [(d.metadata["modality"], d.metadata["heading_path"], d.text) for d in documents]
    assert found == [
        ("text", "Machine", "The machine was inspected."),
        ("text", "Machine > Spindle", "The photo shows the spindle.\n\nFigure 2: Blue bearing"),
        ("image", "Machine > Spindle", "Red spindle, front view\nThe photo shows the spindle."),
        ("image", "Machine > Spindle", "Figure 2: Blue bearing"),
        ("text", "Parts", "| Part | Count |\n| --- | --- |\n| Bearing | 4 |\n\nEnd of the report."),
    ]
    assert store.read(MediaRef.parse(documents[2].metadata["media_ref"])) == picture("red")
    assert documents[2].metadata["title"] == "Machine > Spindle"


def repacked(data: bytes, **changes: bytes | None) -> bytes:
    """A package with parts replaced, or left out for ``None``; keys are part names with ``__`` for a slash."""
    target = io.BytesIO()
    parts = {name.replace("__", "/"): content for name, content in changes.items()}
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in [*old.namelist(), *(n for n in parts if n not in old.namelist())]:
            content = parts.get(name, old.read(name) if name in old.namelist() else None)
            if content is not None:
                new.writestr(name, content)
    return target.getvalue()


def retyped(data: bytes, old: str, new: str) -> bytes:
    """A package whose main part has another content type."""
    types = zipfile.ZipFile(io.BytesIO(data)).read("[Content_Types].xml").decode()
    assert old in types
    return repacked(data, **{"[Content_Types].xml": types.replace(old, new).encode()})


@pytest.mark.parametrize(
    ("name", "new"),
    [
        ("a.docm", "application/vnd.ms-word.document.macroEnabled.main+xml"),
        ("a.dotx", "application/vnd.openxmlformats-officedocument.wordprocessingml.template.main+xml"),
        ("a.dotm", "application/vnd.ms-word.template.macroEnabledTemplate.main+xml"),
    ],
)
def test_word_templates_and_macros(read: Read, name: str, new: str) -> None:
    """They read like plain documents."""
    old = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    documents = read(name, retyped(docx_file(), old, new))
    assert [d.text for d in documents] == [d.text for d in read("plain.docx", docx_file())]


@pytest.mark.parametrize(
    ("name", "new"),
    [
        ("a.ppsx", "application/vnd.openxmlformats-officedocument.presentationml.slideshow.main+xml"),
        ("a.potx", "application/vnd.openxmlformats-officedocument.presentationml.template.main+xml"),
        ("a.pptm", "application/vnd.ms-powerpoint.presentation.macroEnabled.main+xml"),
    ],
)
def test_powerpoint_shows_templates_and_macros(read: Read, name: str, new: str) -> None:
    """They read like plain decks."""
    old = "application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml"
    assert len(read(name, retyped(pptx_file(), old, new))) == len(read("plain.pptx", pptx_file()))


@pytest.mark.parametrize(("make", "name"), [(docx_file, "a.docx"), (pptx_file, "a.pptx")])
def test_broken_packages(read: Read, make: object, name: str) -> None:
    """Cut off, or without a part that is needed, a package is corrupt; wrapped in OLE, it is locked."""
    data = make()
    main = "word__document.xml" if name == "a.docx" else "ppt__presentation.xml"
    broken = [
        data[: len(data) // 2],
        repacked(data, **{main: b"<not closed"}),
        repacked(data, **{main: b"<a/>"}),
        repacked(data, **{main: None}),
        repacked(data, **{"[Content_Types].xml": b"<?xml version='1.0'?><Types/>"}),
    ]
    for each in broken:
        with pytest.raises(CorruptFile):
            read(name, each)
    with pytest.raises(EncryptedFile, match="needs a password"):
        read(name, OLE_LOCKED)


def test_packages_that_unpack_to_too_much(read: Read) -> None:
    """A bomb is refused before it is unpacked."""
    with pytest.raises(FileTooLarge, match="unpacks to 65 MiB, at most 64"):
        read("bomb.docx", repacked(docx_file(), **{"word__big.xml": b" " * (65 * 2**20)}))


def test_word_external_entities_stay_outside(read: Read, tmp_path: object) -> None:
    """An entity that names a local file is not expanded."""
    secret = tmp_path / "secret.txt"
    secret.write_text("TOP SECRET")
    document = (
        f'<!DOCTYPE x [<!ENTITY e SYSTEM "file://{secret}">]>'
        '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r>'
        "<w:t>words &e;</w:t></w:r></w:p></w:body></w:document>"
    )
    documents = read(
        "xxe.docx", repacked(docx_file(), word__document=None, **{"word__document.xml": document.encode()})
    )
    assert "TOP SECRET" not in json.dumps([d.text for d in documents])


def test_pptx_slides(read: Read, store: MediaStore) -> None:
    """Slides as text with tables and notes, pictures in groups too, and the media that are played on them."""
    documents = read("deck.pptx", pptx_file())
    first, second, red, blue, video, audio, sound = documents
    assert first.text == (
        "Grinding noise\n\nComes from the spindle\n\n"
        "| Speed | Noise |\n| --- | --- |\n| 500 | loud |\n\nNotes:\nPlay the recording"
    )
    assert (first.metadata["slide"], first.metadata["title"]) == (1, "Grinding noise")
    assert second.text == "Pictures and sound"
    assert red.text == "A red disc"
    assert store.read(MediaRef.parse(red.metadata["media_ref"])) == picture("red")
    assert boxes_of(red.metadata)[0] == pytest.approx([0.1, 2 / 7.5, 0.3, 3.5 / 7.5], abs=0.01)
    assert store.read(MediaRef.parse(blue.metadata["media_ref"])) == picture("blue")
    assert [d.metadata["modality"] for d in (video, audio, sound)] == ["video", "audio", "audio"]
    assert {d.metadata["slide"] for d in (red, blue, video, audio, sound)} == {2}
    assert video.metadata["container_path"].startswith("deck.pptx!/ppt/media/")
    assert video.metadata["mime_type"] == "video/mp4"
    assert audio.metadata["media_ref"] == video.metadata["media_ref"] + "#track=audio"
    assert store.read(MediaRef.parse(sound.metadata["media_ref"])) == wav()
    assert sound.metadata["mime_type"] == "audio/wav"
    assert sound.metadata["end_seconds"] == 1.0
    assert video.metadata["title"] == "Pictures and sound"


def test_pptx_film_bytes(read: Read, store: MediaStore) -> None:
    """The film in the store is the film in the deck, byte for byte."""
    video = next(d for d in read("deck.pptx", pptx_file()) if d.metadata["modality"] == "video")
    assert store.read(MediaRef.parse(video.metadata["media_ref"])) == recording("mp4", "aac", film="mpeg4")


def test_chart_values_are_text(read: Read) -> None:
    """A chart says what it shows as a table."""
    import pptx
    from pptx.chart.data import CategoryChartData
    from pptx.enum.chart import XL_CHART_TYPE

    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[6])
    values = CategoryChartData()
    values.categories = ["2024", "2025"]
    values.add_series("Noise", (1.5, 2.5))
    values.add_series("Heat", (3, 4))
    slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, 0, 0, 4000000, 3000000, values)
    target = io.BytesIO()
    deck.save(target)
    (document,) = read("chart.pptx", target.getvalue())
    assert document.text == "|  | Noise | Heat |\n| --- | --- | --- |\n| 2024 | 1.5 | 3 |\n| 2025 | 2.5 | 4 |"


def test_included_pages(read: Read) -> None:
    """A page that a Word document includes whole is read in its place."""
    mhtml = (
        b"MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=x\r\n\r\n--x\r\n"
        b"Content-Type: text/html; charset=utf-8\r\n\r\n<html><body><h1>Included</h1><p>W\xc3\xb6rter</p></body></html>"
        b"\r\n--x--\r\n"
    )
    import docx
    from docx.opc.packuri import PackURI
    from docx.opc.part import Part
    from docx.oxml import parse_xml

    document = docx.Document()
    document.add_paragraph("Before")
    part = Part(PackURI("/word/chunk.mht"), "message/rfc822", mhtml, document.part.package)
    relation = document.part.relate_to(
        part, "http://schemas.openxmlformats.org/officeDocument/2006/relationships/aFChunk"
    )
    document.element.body.insert(
        1,
        parse_xml(
            '<w:altChunk xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
            f'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" r:id="{relation}"/>'
        ),
    )
    target = io.BytesIO()
    document.save(target)
    documents = read("chunk.docx", target.getvalue())
    assert [(d.metadata.get("heading_path"), d.text) for d in documents] == [(None, "Before"), ("Included", "Wörter")]


def test_reading_in_threads(tmp_path: Path, store: MediaStore) -> None:
    """PDFs read at the same time do not disturb each other."""
    (tmp_path / "a.pdf").write_bytes(pdf())
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: MediaReader(store).load_data(tmp_path / "a.pdf"), range(24)))
    assert all([d.hash for d in each] == [d.hash for d in results[0]] for each in results)


def test_tables_are_not_drawings(read: Read) -> None:
    """The rules of a table do not make a page visual; words broken at the end of a line are mended."""
    with pymupdf.open() as document:
        page = document.new_page()
        for n in range(60):
            page.draw_line((72, 72 + 10 * n), (500, 72 + 10 * n))
        page.insert_textbox((72, 690, 300, 760), "The bear-\ning is worn")
        data = document.tobytes()
    (text,) = read("table.pdf", data)
    assert text.metadata["modality"] == "text"
    assert text.text == "The bearing is worn"
