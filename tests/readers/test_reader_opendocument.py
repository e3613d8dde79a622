"""OpenDocument text, presentations and spreadsheets."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from reader_samples import Read, picture, wav

from llama_index_gemini_mm import MediaStore
from llama_index_gemini_mm.errors import CorruptFile, EncryptedFile, FileTooLarge, UnsupportedFormat
from llama_index_gemini_mm.media import MediaRef

CORPUS = Path(__file__).parent.parent / "corpus" / "readers"
_OASIS = "urn:oasis:names:tc:opendocument:xmlns"
_NAMES = ("office", "text", "table", "style", "presentation", "meta", "chart")
NAMESPACES = " ".join(
    (
        *(f'xmlns:{name}="{_OASIS}:{name}:1.0"' for name in _NAMES),
        f'xmlns:draw="{_OASIS}:drawing:1.0" xmlns:svg="{_OASIS}:svg-compatible:1.0"',
        'xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:dc="http://purl.org/dc/elements/1.1/"',
    )
)
PICTURE = (
    '<draw:frame svg:width="5cm" svg:height="4cm"><draw:image xlink:href="Pictures/a.png"/>'
    "<svg:title>Spindle</svg:title><svg:desc>A red disc</svg:desc></draw:frame>"
)


def odf(kind: str, body: str, *, styles: str = "", template: str = "", **parts: bytes) -> bytes:
    """A file of this kind; further parts by name, with ``__`` for a slash and ``_`` for a dot."""
    content = (
        f"<office:document-content {NAMESPACES}><office:automatic-styles>{styles}</office:automatic-styles>"
        f"<office:body><office:{kind}>{body}</office:{kind}></office:body></office:document-content>"
    )
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("mimetype", f"application/vnd.oasis.opendocument.{kind}{template}", zipfile.ZIP_STORED)
        package.writestr("content.xml", content)
        for name, data in parts.items():
            package.writestr(name.replace("__", "/").replace("_", "."), data)
    return target.getvalue()


def row(*cells: str, attributes: str = "") -> str:
    """A row of a table with these texts."""
    written = "".join(f"<table:table-cell><text:p>{cell}</text:p></table:table-cell>" for cell in cells)
    return f"<table:table-row {attributes}>{written}</table:table-row>"


def test_text_by_section_with_lists_tables_notes_and_comments(read: Read) -> None:
    """Each section under its heading path; what was deleted and tables of contents are left out."""
    body = (
        "<text:tracked-changes><text:p>deleted</text:p></text:tracked-changes>"
        "<text:table-of-content><text:index-body><text:p>Noise 1</text:p></text:index-body></text:table-of-content>"
        '<text:h text:outline-level="1">Noise</text:h><text:p>It<text:s text:c="2"/>grinds<text:tab/>loudly'
        "<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>At speed.</text:p>"
        "</text:note-body></text:note>.<office:annotation><dc:creator>Ann</dc:creator><text:p>Really?</text:p>"
        "</office:annotation></text:p>"
        "<text:list><text:list-item><text:p>Oil</text:p><text:list><text:list-item><text:p>thin</text:p>"
        "</text:list-item></text:list></text:list-item><text:list-item><text:p>Grease</text:p></text:list-item>"
        '</text:list><text:h text:outline-level="2">Parts</text:h>'
        f"<table:table>{row('Part', 'Count')}{row('Bearing', '4')}</table:table>"
    )
    noise, parts = read("manual.odt", odf("text", body))
    assert noise.text == ("It  grinds\tloudly[1].\n\nComment by Ann: Really?\n\n- Oil\n  - thin\n- Grease")
    assert noise.metadata["heading_path"] == "Noise"
    assert parts.metadata["heading_path"] == "Noise > Parts"
    assert parts.text == "| Part | Count |\n| --- | --- |\n| Bearing | 4 |\n\n[1] At speed."
    assert parts.metadata["file_type"] == "application/vnd.oasis.opendocument.text"


def test_pictures_have_their_words_and_caption(read: Read, store: MediaStore) -> None:
    """Title, description and the caption that LibreOffice puts around the picture."""
    caption = f"<text:p>{PICTURE}Figure <text:sequence>1</text:sequence>: The worn spindle</text:p>"
    body = f"<text:p><draw:frame><draw:text-box>{caption}</draw:text-box></draw:frame></text:p>"
    documents = read("a.odt", odf("text", body, Pictures__a_png=picture("red")))
    image = next(d for d in documents if d.metadata["modality"] == "image")
    assert image.text == "Spindle\nA red disc\nFigure 1: The worn spindle"
    assert store.read(MediaRef.parse(image.metadata["media_ref"])) == picture("red")


def test_a_picture_in_a_table_goes_with_its_row(read: Read) -> None:
    """The row says what it shows."""
    cell = f"<table:table-cell><text:p>{PICTURE}</text:p></table:table-cell>"
    rows = row("Part", "Look") + row("Bolt").replace("</table:table-row>", f"{cell}</table:table-row>")
    documents = read("a.odt", odf("text", f"<table:table>{rows}</table:table>", Pictures__a_png=picture()))
    assert documents[1].text == "Spindle\nA red disc\nBolt"


def test_a_real_document_with_all_sorts_of_things(read: Read) -> None:
    """Title style, comment, footnote, rectangle with text, formula, embedded spreadsheet, properties."""
    text, inner = read("test.odt", (CORPUS / "testODFwithOOo3.odt").read_bytes())
    assert text.metadata["heading_path"] == "Apache Tika Test Document"
    assert text.metadata["author"] == "Bart Hanssens"
    assert text.metadata["created"].startswith("2009-10-05")
    for words in ("Comment by Bart Hanssens: Tika is part", "A rectangle", "A classic example: a² + b^2 = c^2", "[1] "):
        assert words in text.text
    assert "| 2 | two embedded |" in inner.text
    assert inner.metadata["container_path"] == "test.odt!/Object 1"


def test_slides_with_notes_hidden_ones_and_sound(read: Read) -> None:
    """One document a slide; a recurring picture once; sound as a file inside."""
    hidden = (
        '<style:style style:name="dp2"><style:drawing-page-properties presentation:visibility="hidden"/></style:style>'
    )
    title = '<draw:frame presentation:class="title"><draw:text-box><text:p>Noise</text:p></draw:text-box></draw:frame>'
    words = "<draw:custom-shape><text:p>From the spindle</text:p></draw:custom-shape>"
    notes = (
        "<presentation:notes><draw:frame><draw:text-box><text:p>Play it</text:p></draw:text-box></draw:frame>"
        "</presentation:notes>"
    )
    sound = '<draw:frame><draw:plugin xlink:href="Media/noise.wav"/><draw:image xlink:href="none.png"/></draw:frame>'
    body = (
        f'<draw:page draw:style-name="dp1">{words}{title}{PICTURE}{notes}</draw:page>'
        f'<draw:page draw:style-name="dp2"><draw:g>{words}</draw:g>{PICTURE}{sound}</draw:page>'
    )
    data = odf("presentation", body, styles=hidden, Pictures__a_png=picture(), Media__noise_wav=wav())
    first, image, second, recording = read("deck.odp", data)
    assert first.text == "Noise\n\nFrom the spindle\n\nNotes:\nPlay it"
    assert (first.metadata["slide"], first.metadata["title"]) == (1, "Noise")
    assert (image.text, image.metadata["slide"]) == ("Spindle\nA red disc", 1)
    assert (second.metadata["slide"], second.metadata["hidden"]) == (2, True)
    assert "hidden" not in first.metadata
    assert recording.metadata["container_path"] == "deck.odp!/Media/noise.wav"
    assert recording.metadata["modality"] == "audio"


def test_sheets_with_formats_notes_and_hidden_parts(read: Read) -> None:
    """Cells as they are shown, merged labels repeated, hidden rows and sheets marked."""
    hidden = '<style:style style:name="ta2"><style:table-properties table:display="false"/></style:style>'
    note = "<office:annotation><dc:creator>Ann</dc:creator><text:p>Check</text:p></office:annotation>"
    merged = '<table:table-cell table:number-rows-spanned="2"><text:p>North</text:p></table:table-cell>'
    body = (
        '<table:table table:name="Budget">'
        + row("Region", "Euro")
        + f"<table:table-row>{merged}<table:table-cell>{note}<text:p>1,250.50 €</text:p></table:table-cell>"
        + "</table:table-row>"
        + "<table:table-row><table:covered-table-cell/><table:table-cell><text:p>7 %</text:p></table:table-cell>"
        + "</table:table-row>"
        + row("South", "9", attributes='table:visibility="collapse"')
        + '</table:table><table:table table:name="Plan" table:style-name="ta2">'
        + row("Secret")
        + "</table:table>"
    )
    budget, collapsed, plan = read("a.ods", odf("spreadsheet", body, styles=hidden))
    assert budget.text == (
        "| Region | Euro |\n| --- | --- |\n| North | 1,250.50 € |\n| North | 7 % |\n\nNote on B2 by Ann: Check"
    )
    assert budget.metadata["title"] == "a > Budget A1:B3"
    assert "South | 9" in collapsed.text
    assert collapsed.metadata["hidden"] is True
    assert (plan.text, plan.metadata["sheet"], plan.metadata["hidden"]) == ("Secret", "Plan", True)


def test_repeated_rows_and_cells_do_not_explode(read: Read) -> None:
    """A million rows and sixteen thousand columns, blank or not."""
    wide = (
        '<table:table-cell table:number-columns-repeated="16384"><text:p>x</text:p></table:table-cell>'
        '<table:table-cell table:number-columns-repeated="99999999999"/>'
    )
    body = (
        '<table:table table:name="S">'
        + row("first")
        + '<table:table-row table:number-rows-repeated="1048574"><table:table-cell/></table:table-row>'
        + f'<table:table-row table:number-rows-repeated="1048576">{wide}</table:table-row></table:table>'
    )
    documents = read("huge.ods", odf("spreadsheet", body))
    assert documents[0].text.startswith("first")
    assert documents[0].metadata["title"] == "huge > S A1:CV1048584"
    assert sum(len(d.text) for d in documents) < 200_000


def test_charts_say_their_values(read: Read) -> None:
    """The title and the table that the chart keeps."""
    chart = (
        f"<office:document-content {NAMESPACES}><office:body><office:chart><chart:chart>"
        f"<chart:title><text:p>Stock</text:p></chart:title><table:table>{row('', 'Count')}{row('Bolt', '9')}"
        "</table:table></chart:chart></office:chart></office:body></office:document-content>"
    ).encode()
    frame = '<draw:frame><draw:object xlink:href="./Object1"/></draw:frame>'
    body = f'<table:table table:name="S"><table:shapes>{frame}</table:shapes>{row("x")}</table:table>'
    table, drawn = read("a.ods", odf("spreadsheet", body, Object1__content_xml=chart))
    assert table.text == "x"
    assert drawn.text == "Stock\n\n|  | Count |\n| --- | --- |\n| Bolt | 9 |"
    assert drawn.metadata["sheet"] == "S"


def test_flat_files_are_read(read: Read) -> None:
    """One XML file in place of a package."""
    data = (
        f'<?xml version="1.0"?><office:document {NAMESPACES} '
        'office:mimetype="application/vnd.oasis.opendocument.text"><office:meta><dc:title>Flat</dc:title></office:meta>'
        "<office:body><office:text><text:p>Words.</text:p></office:text></office:body></office:document>"
    ).encode()
    (document,) = read("a.fodt", data)
    assert (document.text, document.metadata["title"]) == ("Words.", "Flat")


def test_templates_are_read_and_other_kinds_named(read: Read) -> None:
    """A template is a text; a formula is nothing to read."""
    (document,) = read("a.ott", odf("text", "<text:p>Dear</text:p>", template="-template"))
    assert document.text == "Dear"
    with pytest.raises(UnsupportedFormat, match="an OpenDocument formula"):
        read("a.odf", odf("formula", ""))


def test_a_locked_file_is_named(read: Read) -> None:
    """It cannot be opened, with a password or without."""
    with pytest.raises(EncryptedFile, match="needs a password"):
        read("locked.odt", (CORPUS / "testODTEncrypted.odt").read_bytes())


@pytest.mark.parametrize("name", ["a.odt", "a.ods", "a.odp"])
def test_broken_files_are_named(read: Read, name: str) -> None:
    """Cut off, or no XML, or nested without end."""
    kind = {"a.odt": "text", "a.ods": "spreadsheet", "a.odp": "presentation"}[name]
    nested = "<table:table><table:table-row>" * 300
    for data in (odf(kind, "<text:p>x</text:p>")[:-40], odf(kind, "<text:p>"), odf(kind, nested)):
        with pytest.raises(CorruptFile, match="not a readable OpenDocument file"):
            read(name, data)


@pytest.mark.parametrize("kind", ["text", "spreadsheet"])
def test_entities_are_not_expanded(read: Read, tmp_path: Path, kind: str) -> None:
    """An entity that names a local file stays what it is."""
    secret = tmp_path / "secret.txt"
    secret.write_text("TOP SECRET")
    body = f'<table:table table:name="S">{row("before &amp; &e; after")}</table:table>'
    data = odf(kind, body.replace("&amp;", "and"))
    declared = f'<!DOCTYPE x [<!ENTITY e SYSTEM "{secret.as_uri()}">]><office:document-content'
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(target, "w") as new:
        for part in old.infolist():
            content = old.read(part).replace(b"<office:document-content", declared.encode(), 1)
            new.writestr(part.filename, content)
    assert "SECRET" not in "".join(d.text for d in read("a.bin", target.getvalue()))


def test_parts_that_unpack_to_too_much_are_refused(read: Read) -> None:
    """Text is parsed as a whole, sheets row by row; both have their bound."""
    with pytest.raises(FileTooLarge, match="unpacks to 65 MiB, at most 64"):
        read("bomb.odt", odf("text", "<text:p>" + " " * (65 * 2**20) + "</text:p>"))
