"""Word documents in depth: what stands in lists, tables, notes, boxes, fields, equations and attached objects."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterable
from pathlib import Path

import docx
import pytest
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.oxml import parse_xml
from llama_index.core.schema import Document
from reader_samples import Read, docx_file, picture, wav

from llama_index_gemini_mm import MediaStore
from llama_index_gemini_mm.errors import CorruptFile, FileTooLarge
from llama_index_gemini_mm.readers._ole_objects import embedded_files
from llama_index_gemini_mm.readers._registry import read_source
from llama_index_gemini_mm.source import Source

SPACES = " ".join(
    f'xmlns:{prefix}="http://schemas.openxmlformats.org/{path}"'
    for prefix, path in (
        ("w", "wordprocessingml/2006/main"),
        ("r", "officeDocument/2006/relationships"),
        ("m", "officeDocument/2006/math"),
        ("mc", "markup-compatibility/2006"),
        ("a", "drawingml/2006/main"),
    )
)
SPACES += ' xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office"'
TRANSITIONAL, STRICT = b"http://schemas.openxmlformats.org/", b"http://purl.oclc.org/ooxml/"


def saved(document: docx.document.Document) -> bytes:
    """The file of a document."""
    target = io.BytesIO()
    document.save(target)
    return target.getvalue()


def of_body(*elements: str, parts: Iterable[tuple[str, str, bytes]] = ()) -> bytes:
    """A document of these elements; ``parts`` are relation types, names and contents, related as ``part1`` onwards."""
    document = docx.Document()
    for kind, name, content in parts:
        part = Part(PackURI(name), "application/xml", content, document.part.package)
        document.part.rels.add_relationship(f"{RELATIONSHIP_TYPE.STYLES.rpartition('/')[0]}/{kind}", part, name[1:-4])
    body = document.element.body
    for element in elements:
        body.insert(len(body) - 1, parse_xml(element.replace(">", f" {SPACES}>", 1)))
    return saved(document)


def paragraph(*runs: str, properties: str = "") -> str:
    """A paragraph of runs; plain words become a run."""
    inner = "".join(run if run.startswith("<") else f"<w:r><w:t>{run}</w:t></w:r>" for run in runs)
    return f"<w:p><w:pPr>{properties}</w:pPr>{inner}</w:p>"


def texts(documents: Iterable[Document]) -> list[str]:
    """The texts of the text documents."""
    return [d.text for d in documents if d.metadata["modality"] == "text"]


def test_lists_keep_their_levels_and_numbers(read: Read) -> None:
    """Items are indented, and numbered as Word numbers them."""
    document = docx.Document()
    for style, text in (
        ("List Bullet", "Tools"),
        ("List Bullet 2", "Wrench"),
        ("List Number", "Open the lid"),
        ("List Number", "Oil the spindle"),
    ):
        document.add_paragraph(text, style)
    assert texts(read("a.docx", saved(document))) == ["- Tools\n  - Wrench\n1. Open the lid\n2. Oil the spindle"]


def test_numbered_headings_carry_their_numbers(read: Read) -> None:
    """A heading that is counted is found by the number people cite."""
    numbering = (
        f'<w:numbering {SPACES}><w:abstractNum w:abstractNumId="7"><w:lvl w:ilvl="0"><w:start w:val="1"/>'
        '<w:numFmt w:val="decimal"/><w:lvlText w:val="%1"/></w:lvl><w:lvl w:ilvl="1"><w:start w:val="1"/>'
        '<w:numFmt w:val="lowerLetter"/><w:lvlText w:val="%1.%2"/></w:lvl></w:abstractNum>'
        '<w:num w:numId="3"><w:abstractNumId w:val="7"/></w:num></w:numbering>'
    )
    document = docx.Document()
    for level, text in ((1, "Machine"), (2, "Spindle"), (2, "Bearing"), (1, "Parts")):
        heading = document.add_heading(text, level)
        numbered = f'<w:numPr {SPACES}><w:ilvl w:val="{level - 1}"/><w:numId w:val="3"/></w:numPr>'
        heading._p.get_or_add_pPr().append(parse_xml(numbered))
        document.add_paragraph("Words.")
    data = replaced(saved(document), {"word/numbering.xml": numbering.encode()})
    found = [d.metadata["heading_path"] for d in read("a.docx", data)]
    assert found == ["1 Machine", "1 Machine > 1.a Spindle", "1 Machine > 1.b Bearing", "2 Parts"]


def replaced(data: bytes, changes: dict[str, bytes | None]) -> bytes:
    """A package with parts replaced or added, or, for ``None``, left out."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name, content in {**{name: old.read(name) for name in old.namelist()}, **changes}.items():
            if content is not None:
                new.writestr(name, content)
    return target.getvalue()


def test_merged_cells_and_tables_in_cells(read: Read) -> None:
    """A cell over rows is repeated, one over columns stands first, and a table in a cell is a line of it."""
    document = docx.Document()
    table = document.add_table(3, 3)
    for cell, text in zip(table._cells, ("Part", "Size", "Note", "Bearing", "10", "a", "", "20", "b"), strict=True):
        cell.text = text
    table.cell(1, 0).merge(table.cell(2, 0))
    table.cell(0, 1).merge(table.cell(0, 2))
    inner = table.cell(1, 2).add_table(1, 2)
    inner.cell(0, 0).text, inner.cell(0, 1).text = "left", "right"
    (text,) = texts(read("a.docx", saved(document)))
    assert text == (
        "| Part | Size Note |  |\n| --- | --- | --- |\n| Bearing | 10 | a left, right; |\n| Bearing | 20 | b |"
    )


def test_a_table_that_only_places_text_is_read_as_text(read: Read) -> None:
    """One column, or headings in cells, make no table."""
    document = docx.Document()
    cell = document.add_table(1, 1).cell(0, 0)
    cell.text = "Boxed words"
    cell.add_paragraph("More of them")
    assert texts(read("a.docx", saved(document))) == ["Boxed words\n\nMore of them"]


def test_pictures_in_a_table_go_with_their_cells(read: Read) -> None:
    """A picture in a table is captioned by its cell, its row, or the cell below, and by nothing else."""
    document = docx.Document()
    document.add_paragraph("An unrelated paragraph.")
    table = document.add_table(2, 2)
    for column, color in enumerate(("red", "blue")):
        table.cell(0, column).paragraphs[0].add_run().add_picture(io.BytesIO(picture(color)))
        table.cell(1, column).text = f"The {color} disc"
    found = [d.text for d in read("a.docx", saved(document)) if d.metadata["modality"] == "image"]
    assert found == ["The red disc", "The blue disc"]


def test_notes_stand_at_the_end_of_their_section(read: Read) -> None:
    """Footnotes and endnotes are numbered where they are referred to, and follow the section's text."""
    notes = (
        '<w:{0}s {1}><w:{0} w:id="1" w:type="separator"/>'
        '<w:{0} w:id="5"><w:p><w:r><w:t>{2}</w:t></w:r></w:p></w:{0}></w:{0}s>'
    )
    data = of_body(
        paragraph("First", properties='<w:pStyle w:val="Heading1"/>'),
        paragraph("It grinds", '<w:r><w:footnoteReference w:id="5"/></w:r>', " loudly."),
        paragraph("More words", '<w:r><w:endnoteReference w:id="5"/></w:r>'),
        paragraph("Second", properties='<w:pStyle w:val="Heading1"/>'),
        paragraph("Other words."),
        parts=[
            ("footnotes", "/word/footnotes.xml", notes.format("footnote", SPACES, "Since May.").encode()),
            ("endnotes", "/word/endnotes.xml", notes.format("endnote", SPACES, "See the manual.").encode()),
        ],
    )
    assert texts(read("a.docx", data)) == [
        "It grinds[1] loudly.\n\nMore words[i]\n\n[1] Since May.\n\n[i] See the manual.",
        "Other words.",
    ]


def test_comments_name_their_author_and_the_words_they_are_on(read: Read) -> None:
    """A comment is text."""
    document = docx.Document()
    written = document.add_paragraph("Check ")
    run = written.add_run("the bearing")
    written.add_run(" today.")
    document.add_comment(run, "It was replaced.", author="Ada Lovelace")
    (text,) = texts(read("a.docx", saved(document)))
    assert text == "Check the bearing today.\n\nComment by Ada Lovelace on “the bearing”: It was replaced."


def test_running_heads_come_once_and_without_page_numbers(read: Read) -> None:
    """The head and foot of two sections are one document after the text."""
    document = docx.Document()
    document.add_paragraph("Body.")
    document.sections[0].header.paragraphs[0].text = "Lathe manual"
    foot = document.sections[0].footer.paragraphs[0]
    foot.add_run("Page ")
    foot._p.append(parse_xml(f'<w:fldSimple {SPACES} w:instr=" PAGE "><w:r><w:t>7</w:t></w:r></w:fldSimple>'))
    second = document.add_section()
    second.header.is_linked_to_previous = False
    second.header.paragraphs[0].text = "Lathe manual"
    assert texts(read("a.docx", saved(document))) == ["Body.", "Lathe manual"]


def test_tracked_changes_are_taken_as_accepted(read: Read) -> None:
    """What was inserted is text, and what was deleted or moved away is not."""
    data = of_body(
        paragraph(
            "The ",
            "<w:ins><w:r><w:t>new</w:t></w:r></w:ins>",
            "<w:del><w:r><w:delText>old</w:delText></w:r></w:del>",
            "<w:moveFrom><w:r><w:t>gone</w:t></w:r></w:moveFrom>",
            " bearing",
        )
    )
    assert texts(read("a.docx", data)) == ["The new bearing"]


def test_fields_controls_equations_and_emoji(read: Read) -> None:
    """What is shown counts: results of fields, filled controls, equations on one line, the version that has words."""
    field = '<w:r><w:fldChar w:fldCharType="{}"/></w:r>'
    data = of_body(
        paragraph(
            field.format("begin"),
            "<w:r><w:instrText>HYPERLINK http://a.example</w:instrText></w:r>",
            field.format("separate"),
            "a link",
            field.format("end"),
        ),
        "<w:sdt><w:sdtPr><w:showingPlcHdr/></w:sdtPr><w:sdtContent>"
        + paragraph("Click here")
        + "</w:sdtContent></w:sdt>",
        paragraph("<w:sdt><w:sdtContent><w:r><w:t>filled in</w:t></w:r></w:sdtContent></w:sdt>"),
        paragraph(
            "E = ",
            "<m:oMath><m:f><m:num><m:r><m:t>m</m:t></m:r><m:sSup><m:e><m:r><m:t>v</m:t></m:r></m:e><m:sup><m:r><m:t>2"
            "</m:t></m:r></m:sup></m:sSup></m:num><m:den><m:r><m:t>2</m:t></m:r></m:den></m:f></m:oMath>",
        ),
        paragraph(
            '<w:r><mc:AlternateContent><mc:Choice Requires="w16se"/><mc:Fallback><w:t>☂</w:t></mc:Fallback>'
            "</mc:AlternateContent></w:r>"
        ),
    )
    assert texts(read("a.docx", data)) == ["a link\n\nfilled in\n\nE = (mv^2)/2\n\n☂"]


def test_a_counted_paragraph_is_a_caption(read: Read) -> None:
    """A paragraph that Word counts as a figure captions the picture above it, whatever its style."""
    document = docx.Document()
    document.add_paragraph("Before.")
    document.add_picture(io.BytesIO(picture("red")))
    caption = document.add_paragraph("Figure ")
    caption._p.append(parse_xml(f'<w:fldSimple {SPACES} w:instr=" SEQ Figure "><w:r><w:t>1</w:t></w:r></w:fldSimple>'))
    caption.add_run(": The disc")
    (image,) = (d for d in read("a.docx", saved(document)) if d.metadata["modality"] == "image")
    assert image.text == "Figure 1: The disc"


def test_the_table_of_contents_is_left_out(read: Read) -> None:
    """It repeats the headings."""
    document = docx.Document()
    document.styles.add_style("TOC 1", 1)
    document.add_paragraph("Machine\t3", "TOC 1")
    document.add_paragraph("Words.")
    assert texts(read("a.docx", saved(document))) == ["Words."]


def test_properties_become_metadata(read: Read) -> None:
    """Author, date and keywords are those of the document, not those of the library's template."""
    document = docx.Document()
    document.add_paragraph("Words.")
    (plain,) = read("a.docx", saved(document))
    assert not {"author", "created", "keywords"} & plain.metadata.keys()
    document.core_properties.author = "Ada Lovelace"
    document.core_properties.keywords = "lathe, noise"
    document.core_properties.created = document.core_properties.created.replace(year=2024)
    (described,) = read("b.docx", saved(document))
    assert (described.metadata["author"], described.metadata["keywords"]) == ("Ada Lovelace", "lathe, noise")
    assert described.metadata["created"] == "2024-12-23T23:15:00+00:00"


def ole(*streams: tuple[str, bytes]) -> bytes:
    """An OLE file of one sector of directory and streams of at least 4,096 bytes each."""
    sectors, entries, chain = b"", [], [0xFFFFFFFD, 0xFFFFFFFE]
    for name, data in streams:
        length = -(-len(data) // 512)
        entries.append((name, 2, len(chain), len(data)))
        chain += [*range(len(chain) + 1, len(chain) + length), 0xFFFFFFFE]
        sectors += data.ljust(512 * length, b"\0")
    directory = b""
    for index, (name, kind, start, size) in enumerate([("Root Entry", 5, 0xFFFFFFFE, 0), *entries]):
        child, right = (
            (1, 0xFFFFFFFF) if index == 0 else (0xFFFFFFFF, index + 1 if index < len(entries) else 0xFFFFFFFF)
        )
        encoded = (name + "\0").encode("utf-16-le")
        directory += struct.pack(
            "<64sHBBIII16sIQQIQ", encoded, len(encoded), kind, 1, 0xFFFFFFFF, right, child, b"", 0, 0, 0, start, size
        )
    head = struct.pack(
        "<8s16sHHHHHHIIIIIIIIII", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"", 0x3E, 3, 0xFFFE, 9, 6, 0, 0, 0, 1, 1, 0,
        4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0,
    )  # fmt: skip
    head += struct.pack("<109I", 0, *[0xFFFFFFFF] * 108)
    fat = struct.pack(f"<{len(chain)}I", *chain).ljust(512, b"\xff")
    return head + fat + directory.ljust(512, b"\0") + sectors


def packaged(name: str, content: bytes) -> bytes:
    """The stream in which Windows wraps a file that was dragged into a document."""
    ansi = name.encode("cp1252", "replace") + b"\0"
    wide = struct.pack("<I", len(name)) + name.encode("utf-16-le")
    body = struct.pack("<H", 2) + ansi + b"C:\\" + ansi + struct.pack("<HHI", 0, 3, len(ansi)) + ansi
    body += struct.pack("<I", len(content)) + content + wide + wide
    return struct.pack("<I", len(body)) + body


READINGS = "speed,noise\n500,loud\n" * 300
"""Longer than what OLE keeps among its small streams."""


def test_a_packaged_file_is_unwrapped_with_its_name() -> None:
    """The name is that of the user, without the folders of a stranger's machine."""
    blob = ole(("\x01Ole10Native", packaged("größe ≥ 3.csv", READINGS.encode())))
    assert list(embedded_files(blob, "word/embeddings/oleObject1.bin")) == [
        ("word/embeddings/oleObject1/größe ≥ 3.csv", READINGS.encode())
    ]
    (found,) = embedded_files(ole(("\x01Ole10Native", packaged("C:\\x\\..\\a.csv", READINGS.encode()))), "o.bin")
    assert found[0] == "o/a.csv"


def test_other_objects() -> None:
    """A stream that is a file, an old Office file whole, no file in an equation, and broken ones as they are."""
    pdf = b"%PDF-1.7 " + bytes(5000)
    assert list(embedded_files(ole(("CONTENTS", pdf)), "a/o.bin")) == [("a/o.pdf", pdf)]
    old = ole(("WordDocument", bytes(5000)))
    assert list(embedded_files(old, "a/o.bin")) == [("a/o.doc", old)]
    assert list(embedded_files(ole(("Equation Native", bytes(5000))), "a/o.bin")) == []
    broken = old[:700]
    assert list(embedded_files(broken, "a/o.bin")) == [("a/o.bin", broken)]
    assert list(embedded_files(b"PK\x03\x04", "a/o.xlsx")) == [("a/o.xlsx", b"PK\x03\x04")]


def attached(blob: bytes, name: str) -> bytes:
    """A document with an object whose preview is a picture."""
    document = docx.Document()
    document.add_paragraph("See the readings.")
    preview = document.part.get_or_add_image(io.BytesIO(picture("red")))[0]
    part = Part(PackURI(f"/word/embeddings/{name}"), "application/octet-stream", blob, document.part.package)
    related = document.part.relate_to(part, RELATIONSHIP_TYPE.OLE_OBJECT)
    document.paragraphs[0]._p.append(
        parse_xml(
            f'<w:r {SPACES}><w:object><v:shape><v:imagedata r:id="{preview}"/></v:shape>'
            f'<o:OLEObject Type="Embed" r:id="{related}"/></w:object></w:r>'
        )
    )
    return saved(document)


def test_attached_files_are_read_as_files_of_their_own(read: Read) -> None:
    """A file behind an icon says where it lies; its icon is no figure."""
    blob = ole(("\x01Ole10Native", packaged("noise.wav", wav(1.0))))
    text, sound = read("a.docx", attached(blob, "oleObject1.bin"))
    assert text.text == "See the readings."
    assert sound.metadata["modality"] == "audio"
    assert sound.metadata["container_path"] == "a.docx!/word/embeddings/oleObject1/noise.wav"
    inner = [d for d in read("b.docx", attached(docx_file(), "inner.docx")) if "container_path" in d.metadata]
    assert "The machine was inspected." in texts(inner)


def test_an_attached_file_that_cannot_be_read_costs_only_itself(store: MediaStore) -> None:
    """It is noted under its place, and the document is read; the preview of an object without a file is a figure."""
    noted: list[str] = []
    data = attached(b"\x7fELF" + bytes(50), "tool.bin")
    documents = list(read_source(Source.of_bytes(data, "a.docx"), store, note=lambda e: noted.append(str(e))))
    assert texts(documents) == ["See the readings."]
    assert len(noted) == 1
    assert noted[0].startswith("a.docx!/word/embeddings/tool.bin: a program")
    equation = ole(("Equation Native", bytes(5000)))
    documents = list(read_source(Source.of_bytes(attached(equation, "oleObject1.bin"), "b.docx"), store))
    assert [d.metadata["modality"] for d in documents] == ["text", "image"]


def test_an_older_version_stands_in_for_a_metafile(read: Read, store: MediaStore) -> None:
    """A drawing that only Windows can show is replaced by the picture kept beside it."""
    document = docx.Document()
    usable = document.part.get_or_add_image(io.BytesIO(picture("red")))[0]
    metafile = Part(PackURI("/word/media/image9.emf"), "image/x-emf", b"\x01\0\0\0" + bytes(80), document.part.package)
    unusable = document.part.relate_to(metafile, RELATIONSHIP_TYPE.IMAGE)
    document.add_paragraph("Words.")._p.append(
        parse_xml(
            f'<w:r {SPACES}><mc:AlternateContent><mc:Choice><w:drawing><a:blip r:embed="{unusable}"/></w:drawing>'
            f'</mc:Choice><mc:Fallback><w:pict><v:shape alt="A disc"><v:imagedata r:id="{usable}"/></v:shape></w:pict>'
            "</mc:Fallback></mc:AlternateContent></w:r>"
        )
    )
    images = [d for d in read("a.docx", saved(document)) if d.metadata["modality"] == "image"]
    assert [d.text for d in images] == ["Words."]


def test_a_relation_to_a_missing_part_is_passed_over(read: Read) -> None:
    """The text and the other pictures are read."""
    with zipfile.ZipFile(io.BytesIO(docx_file())) as package:
        name = next(n for n in package.namelist() if "media" in n)
    documents = read("a.docx", replaced(docx_file(), {name: None}))
    assert "The machine was inspected." in texts(documents)
    assert sum(d.metadata["modality"] == "image" for d in documents) == 1


def test_names_of_parts_are_compared_without_case(read: Read) -> None:
    """As the standard says."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(docx_file())) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name.replace("media/image", "media/IMAGE"), old.read(name))
    documents = read("a.docx", target.getvalue())
    assert sum(d.metadata["modality"] == "image" for d in documents) == 2


def test_the_strict_form_of_the_standard(read: Read) -> None:
    """It differs in the names of its namespaces alone."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(docx_file())) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith((".xml", ".rels")):
                for kind in (b"officeDocument", b"wordprocessingml", b"drawingml"):
                    content = content.replace(TRANSITIONAL + kind + b"/2006", STRICT + kind)
            new.writestr(name, content)
    assert b"purl.oclc.org" in zipfile.ZipFile(target).read("_rels/.rels")
    assert texts(read("a.docx", target.getvalue())) == texts(read("b.docx", docx_file()))


def test_bombs_are_refused_before_they_are_unpacked(read: Read) -> None:
    """XML under another suffix, too much XML in all, too many paragraphs, and elements too deep."""
    types = zipfile.ZipFile(io.BytesIO(docx_file())).read("[Content_Types].xml")
    disguised = types.replace(b"</Types>", b'<Override PartName="/word/x.dat" ContentType="application/xml"/></Types>')
    data = replaced(docx_file(), {"[Content_Types].xml": disguised, "word/x.dat": bytes(65 * 2**20)})
    with pytest.raises(FileTooLarge, match="65 MiB, at most 64"):
        read("a.docx", data)
    data = replaced(docx_file(), {f"word/more{n}.xml": bytes(45 * 2**20) for n in range(3)})
    with pytest.raises(FileTooLarge, match="at most 128"):
        read("b.docx", data)
    with pytest.raises(FileTooLarge, match="200,000 paragraphs"):
        read("c.docx", body_only("<w:p/>" * 200_001))
    with pytest.raises(CorruptFile):
        read("d.docx", body_only("<w:sdt><w:sdtContent>" * 9000 + "</w:sdtContent></w:sdt>" * 9000))


def body_only(inner: str) -> bytes:
    """A document with this body."""
    document = f"<w:document {SPACES}><w:body>{inner}</w:body></w:document>"
    return replaced(saved(docx.Document()), {"word/document.xml": document.encode()})


def test_tables_that_claim_to_be_vast_are_read_as_they_are(read: Read) -> None:
    """A cell over a thousand million columns, and one row far wider than all others, cost little."""
    span = '<w:tc><w:tcPr><w:gridSpan w:val="999999999"/></w:tcPr>' + paragraph("x") + "</w:tc>"
    wide = "<w:tr>" + "<w:tc><w:p/></w:tc>" * 5000 + "</w:tr>"
    rows = ("<w:tr>" + span + "<w:tc><w:p/></w:tc></w:tr>") * 1000
    documents = read("a.docx", body_only(f"<w:tbl>{wide}{rows}</w:tbl>"))
    assert sum(text.count("| x |") for text in texts(documents)) == 1000


def test_found_document_with_attachments(read: Read) -> None:
    """A document of Word itself, with an archive inside, and archives inside that."""
    path = Path(__file__).parent.parent / "corpus" / "readers" / "testWORD_recursive.docx"
    found = {
        d.metadata.get("container_path", "").rpartition("!/")[2]: d.text for d in read("a.docx", path.read_bytes())
    }
    assert found[""] == "embed_0"
    assert found["embed1/embed1a.txt"] == "embed_1a"
    assert found["embed4.txt"] == "embed_4"
