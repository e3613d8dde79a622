"""Decks in depth: reading order, groups, notes, comments, hidden slides, charts, equations and attached files."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pptx
import pytest
from llama_index.core.schema import Document
from pptx.chart.data import CategoryChartData, XyChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.enum.shapes import PROG_ID
from pptx.opc.package import Part
from pptx.opc.packuri import PackURI
from pptx.oxml import parse_xml
from pptx.util import Inches
from reader_samples import Read, docx_file, picture, wav

from llama_index_gemini_mm import MediaStore
from llama_index_gemini_mm.errors import CorruptFile, FileTooLarge
from llama_index_gemini_mm.media import boxes_of
from llama_index_gemini_mm.readers._ooxml_charts import chart_text
from llama_index_gemini_mm.readers._ooxml_diagrams import diagram_text
from llama_index_gemini_mm.readers._registry import read_source
from llama_index_gemini_mm.source import Source

CORPUS = Path(__file__).parent.parent / "corpus" / "readers"
BLANK, TITLED = 6, 5
A = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
MODERN = "http://schemas.microsoft.com/office/2018/10/relationships"


class Deck:
    """A deck in the making."""

    def __init__(self) -> None:
        self.deck = pptx.Presentation()

    def slide(self, title: str = "") -> pptx.slide.Slide:
        """A new slide."""
        slide = self.deck.slides.add_slide(self.deck.slide_layouts[TITLED if title else BLANK])
        if title:
            slide.shapes.title.text = title
        return slide

    def saved(self) -> bytes:
        """The file."""
        target = io.BytesIO()
        self.deck.save(target)
        return target.getvalue()


@pytest.fixture
def deck() -> Deck:
    """An empty deck, ten inches by seven and a half."""
    return Deck()


def box(shapes: object, text: str, left: float, top: float) -> None:
    """A text box at a place in inches."""
    shapes.add_textbox(Inches(left), Inches(top), Inches(2), Inches(0.5)).text_frame.text = text


def images(documents: Iterable[Document]) -> list[Document]:
    """The image documents."""
    return [d for d in documents if d.metadata["modality"] == "image"]


def test_text_is_read_from_the_top_left_to_the_bottom_right(read: Read, deck: Deck) -> None:
    """Whatever the order in which shapes were drawn; what stands in a group stays together."""
    slide = deck.slide("Title")
    box(slide.shapes, "last", 1, 6)
    box(slide.shapes, "right", 6, 2.1)
    group = slide.shapes.add_group_shape()
    box(group.shapes, "lower in the group", 3, 4)
    box(group.shapes, "upper in the group", 3, 3)
    box(slide.shapes, "left", 1, 2.2)
    (document,) = read("a.pptx", deck.saved())
    assert document.text.split("\n\n") == [
        "Title",
        "left",
        "right",
        "upper in the group",
        "lower in the group",
        "last",
    ]


def test_levels_of_a_list(read: Read, deck: Deck) -> None:
    """Paragraphs further in are items under those before."""
    slide = deck.deck.slides.add_slide(deck.deck.slide_layouts[1])
    frame = slide.placeholders[1].text_frame
    frame.text = "Tools"
    for level, text in ((1, "Wrench"), (2, "Large")):
        paragraph = frame.add_paragraph()
        paragraph.text, paragraph.level = text, level
    (document,) = read("a.pptx", deck.saved())
    assert document.text == "Tools\n  - Wrench\n    - Large"


def test_a_picture_in_a_scaled_group_has_its_box_on_the_slide(read: Read, deck: Deck) -> None:
    """Groups have coordinates of their own."""
    slide = deck.slide("Parts")
    group = slide.shapes.add_group_shape()
    group.shapes.add_picture(io.BytesIO(picture("red")), Inches(1), Inches(1), Inches(2), Inches(1.5))
    group.left, group.top, group.width, group.height = Inches(5), Inches(3), Inches(4), Inches(3)
    (image,) = images(read("a.pptx", deck.saved()))
    assert boxes_of(image.metadata)[0] == pytest.approx([0.5, 0.4, 0.9, 0.8], abs=0.001)


def test_what_captions_a_picture(read: Read, deck: Deck) -> None:
    """Its alternative text, else the words right below, else the title; a file name is no alternative text."""
    slide = deck.slide("Bearings")
    for number, (color, left) in enumerate((("red", 1), ("blue", 4), ("green", 7))):
        shape = slide.shapes.add_picture(io.BytesIO(picture(color)), Inches(left), Inches(2), Inches(2), Inches(1.5))
        shape._element._nvXxPr.cNvPr.set("descr", "A red disc" if number == 0 else "image1.png")
    box(slide.shapes, "Figure 2: worn", 4, 3.6)
    assert [d.text for d in images(read("a.pptx", deck.saved()))] == ["A red disc", "Figure 2: worn", "Bearings"]


def test_a_picture_on_many_slides_comes_once(read: Read, deck: Deck) -> None:
    """A logo is yielded where it stands first, and one on the layout not at all."""
    deck.deck.slide_layouts[BLANK].shapes._spTree.append(
        deck.slide("x").shapes.add_picture(io.BytesIO(picture("green")), 0, 0)._element
    )
    for _ in range(3):
        deck.slide().shapes.add_picture(io.BytesIO(picture("red")), 0, 0)
    assert [d.metadata["slide"] for d in images(read("a.pptx", deck.saved()))] == [2]


def test_hidden_slides_are_marked(read: Read, deck: Deck) -> None:
    """Their text and their pictures."""
    deck.slide("Shown")
    hidden = deck.slide("Hidden")
    hidden.shapes.add_picture(io.BytesIO(picture("red")), 0, Inches(2))
    hidden._element.set("show", "0")
    assert [d.metadata.get("hidden") for d in read("a.pptx", deck.saved())] == [None, True, True]


def test_comments_of_both_kinds(read: Read, deck: Deck) -> None:
    """With their authors, and answers as such."""
    (found,) = read("a.pptx", (CORPUS / "testPPT_comment.pptx").read_bytes())
    assert "Comment by Allison, Timothy B.: I'm afraid I'm going to have to ask you" in found.text
    space = 'xmlns:p188="http://schemas.microsoft.com/office/powerpoint/2018/8/main"'
    body = f"<p188:txBody {A}><a:p><a:r><a:t>{{}}</a:t></a:r></a:p></p188:txBody>"
    comment = (
        f'<p188:cmLst {space}><p188:cm id="1" authorId="{{7}}"><p188:replyLst><p188:reply id="2" authorId="{{8}}">'
        f"{body.format('Done.')}</p188:reply></p188:replyLst>{body.format('Check this.')}</p188:cm></p188:cmLst>"
    )
    named = '<p188:author id="{7}" name="Ada"/><p188:author id="{8}" name="Bo"/>'
    people = f"<p188:authorLst {space}>{named}</p188:authorLst>"
    slide = deck.slide("Bearings")
    package = deck.deck.part.package
    part = Part(PackURI("/ppt/comments/modernComment_1.xml"), "application/xml", package, comment.encode())
    slide.part.relate_to(part, f"{MODERN}/comments")
    part = Part(PackURI("/ppt/authors.xml"), "application/xml", package, people.encode())
    deck.deck.part.relate_to(part, f"{MODERN}/authors")
    (document,) = read("b.pptx", deck.saved())
    assert document.text == "Bearings\n\nComment by Ada: Check this.\n\nReply by Bo: Done."


def test_notes_without_what_repeats(read: Read, deck: Deck) -> None:
    """Text boxes on the page of notes count; slide numbers do not."""
    slide = deck.slide("Bearings")
    slide.notes_slide.notes_text_frame.text = "Tell the story"
    box(slide.shapes, "and the other one", 1, 1)
    slide.notes_slide.shapes._spTree.append(slide.shapes[-1]._element)
    (document,) = read("a.pptx", deck.saved())
    assert document.text == "Bearings\n\nNotes:\nTell the story\n\nand the other one"


def test_merged_cells(read: Read, deck: Deck) -> None:
    """A cell over two rows is repeated, one over two columns stands first."""
    table = deck.slide().shapes.add_table(3, 3, 0, 0, Inches(4), Inches(2)).table
    for cell, text in zip(table.iter_cells(), ("Part", "Size", "", "Bearing", "1", "2", "", "3", "4"), strict=True):
        cell.text = text
    table.cell(0, 1).merge(table.cell(0, 2))
    table.cell(1, 0).merge(table.cell(2, 0))
    (document,) = read("a.pptx", deck.saved())
    assert document.text == ("| Part | Size |  |\n| --- | --- | --- |\n| Bearing | 1 | 2 |\n| Bearing | 3 | 4 |")


def test_equations(read: Read, deck: Deck) -> None:
    """The version for programs that know equations is read, on one line."""
    slide = deck.slide()
    box(slide.shapes, "x = ", 1, 1)
    slide.shapes[0].text_frame.paragraphs[0]._p.append(
        parse_xml(
            f'<mc:AlternateContent {A} xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
            'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"><mc:Choice><m:oMath><m:rad><m:deg/>'
            "<m:e><m:r><m:t>ab</m:t></m:r><m:r><m:t>+c</m:t></m:r></m:e></m:rad></m:oMath></mc:Choice>"
            "<mc:Fallback><a:r><a:t>?</a:t></a:r></mc:Fallback></mc:AlternateContent>"
        )
    )
    (document,) = read("a.pptx", deck.saved())
    assert document.text == "x = √(ab+c)"


def test_charts_with_titles_and_values_of_their_own(read: Read, deck: Deck) -> None:
    """Titles of chart and axes, dates as dates, and a table for each set of x values."""
    import datetime

    slide = deck.slide()
    values = CategoryChartData()
    values.categories = [datetime.date(2024, 5, 1), datetime.date(2024, 6, 1)]
    values.add_series("Noise", (0.1 + 0.2, 4.4000000000000004))
    chart = slide.shapes.add_chart(XL_CHART_TYPE.LINE, 0, 0, Inches(4), Inches(3), values).chart
    chart.has_title = True
    chart.chart_title.text_frame.text = "Noise by month"
    chart.value_axis.has_title = True
    chart.value_axis.axis_title.text_frame.text = "dB"
    points = XyChartData()
    for name, pairs in (("Old", ((1, 2), (3, 4))), ("New", ((5, 6),))):
        series = points.add_series(name)
        for x, y in pairs:
            series.add_data_point(x, y)
    slide.shapes.add_chart(XL_CHART_TYPE.XY_SCATTER, 0, Inches(4), Inches(4), Inches(3), points)
    (document,) = read("a.pptx", deck.saved())
    assert document.text.split("\n\n") == [
        "Noise by month\nAxes: dB",
        "|  | Noise |\n| --- | --- |\n| 2024-05-01 | 0.3 |\n| 2024-06-01 | 4.4 |",
        "|  | Old |\n| --- | --- |\n| 1 | 2 |\n| 3 | 4 |",
        "|  | New |\n| --- | --- |\n| 5 | 6 |",
    ]


def test_charts_of_newer_kinds_and_broken_ones() -> None:
    """Tree maps say what they show; what is no chart says nothing."""
    blob = (
        '<cx:chartSpace xmlns:cx="http://schemas.microsoft.com/office/drawing/2014/chartex"><cx:chartData>'
        '<cx:data id="0"><cx:strDim type="cat"><cx:lvl><cx:pt idx="0">leaf</cx:pt><cx:pt idx="1">stem</cx:pt></cx:lvl>'
        '<cx:lvl><cx:pt idx="0">plant</cx:pt></cx:lvl></cx:strDim>'
        '<cx:numDim type="size"><cx:lvl><cx:pt idx="0">3</cx:pt><cx:pt idx="1">4</cx:pt></cx:lvl>'
        "</cx:numDim></cx:data></cx:chartData><cx:chart><cx:plotArea>"
        "<cx:plotAreaRegion><cx:series><cx:tx><cx:txData><cx:v>Weight</cx:v></cx:txData></cx:tx>"
        '<cx:dataId val="0"/></cx:series></cx:plotAreaRegion></cx:plotArea></cx:chart></cx:chartSpace>'
    )
    assert chart_text(blob.encode()) == "|  | Weight |\n| --- | --- |\n| plant leaf | 3 |\n| plant stem | 4 |"
    assert chart_text(b"<not closed") == chart_text(b"<a/>") == ""


def test_diagrams_keep_their_order_and_depth(read: Read) -> None:
    """SmartArt is a list; one that runs in a ring ends."""
    (document,) = read("a.pptx", (CORPUS / "testPPT_diagramData.pptx").read_bytes())
    assert document.text == "- President\n  - VP – HR\n    - Manager 1\n  - VP - Marketing\n    - Manager 1"
    space = 'xmlns:dgm="http://schemas.openxmlformats.org/drawingml/2006/diagram"'
    points = "".join(f'<dgm:pt modelId="{n}"><dgm:t><a:t {A}>p{n}</a:t></dgm:t></dgm:pt>' for n in (1, 2))
    links = '<dgm:cxn srcId="1" destId="2"/><dgm:cxn srcId="2" destId="1"/><dgm:cxn srcId="0" destId="1"/>'
    ring = f'<dgm:dataModel {space}><dgm:pt modelId="0" type="doc"/>{points}{links}</dgm:dataModel>'
    assert diagram_text(ring.encode()) == "- p1\n  - p2"


def test_attached_files_follow_their_slide(read: Read, deck: Deck) -> None:
    """A document inside is read as a file of its own; its icon is no figure."""
    slide = deck.slide("Report inside")
    slide.shapes.add_ole_object(io.BytesIO(docx_file()), PROG_ID.DOCX, 0, Inches(2))
    deck.slide("After")
    documents = read("a.pptx", deck.saved())
    places = [d.metadata.get("container_path") for d in documents]
    assert places[0] is None
    assert set(places[1:-1]) == {"a.pptx!/ppt/embeddings/Microsoft_Word_Document1.docx"}
    assert documents[-1].text == "After"
    assert len(images(documents)) == 2


def test_a_sound_that_cannot_be_read_costs_only_itself(store: MediaStore, deck: Deck) -> None:
    """It is noted under its place; its poster is no figure."""
    slide = deck.slide("Noise")
    slide.shapes.add_movie(io.BytesIO(wav()[:40]), 0, Inches(2), 9, 9, mime_type="audio/wav")
    noted: list[str] = []
    source = Source.of_bytes(deck.saved(), "a.pptx")
    documents = list(read_source(source, store, note=lambda e: noted.append(str(e))))
    assert [d.text for d in documents] == ["Noise"]
    assert len(noted) == 1
    assert noted[0].startswith("a.pptx!/ppt/media/media1.")


def test_a_sound_on_a_hidden_slide(read: Read, deck: Deck) -> None:
    """It carries its slide, the slide's title, and that it is hidden."""
    slide = deck.slide("Noise")
    slide._element.set("show", "0")
    slide.shapes.add_movie(io.BytesIO(wav()), Inches(1), Inches(2), Inches(1), Inches(1), mime_type="audio/wav")
    sound = next(d for d in read("a.pptx", deck.saved()) if d.metadata["modality"] == "audio")
    assert (sound.metadata["slide"], sound.metadata["hidden"], sound.metadata["title"]) == (1, True, "Noise")
    assert sound.metadata["container_path"].startswith("a.pptx!/ppt/media/")
    assert boxes_of(sound.metadata)
    assert "slide" in sound.excluded_embed_metadata_keys


def test_properties_become_metadata(read: Read, deck: Deck) -> None:
    """On every document of the deck."""
    deck.deck.core_properties.author = "Ada Lovelace"
    deck.slide("One").shapes.add_picture(io.BytesIO(picture("red")), 0, Inches(2))
    documents = read("a.pptx", deck.saved())
    assert {d.metadata["author"] for d in documents} == {"Ada Lovelace"}
    assert not any("created" in d.metadata for d in documents)


def repacked(data: bytes, changes: dict[str, bytes]) -> bytes:
    """A package with parts replaced."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, changes.get(name, old.read(name)))
    return target.getvalue()


def test_pictures_that_programs_failed_to_save(read: Read, deck: Deck) -> None:
    """PowerPoint itself writes relations to ``NULL``; the rest of the deck is read."""
    deck.slide("One").shapes.add_picture(io.BytesIO(picture("red")), 0, Inches(2))
    name = "ppt/slides/_rels/slide1.xml.rels"
    rels = zipfile.ZipFile(io.BytesIO(deck.saved())).read(name)
    assert b"../media/image1.png" in rels
    (document,) = read("a.pptx", repacked(deck.saved(), {name: rels.replace(b"../media/image1.png", b"NULL")}))
    assert document.text == "One"


def test_bombs(read: Read, deck: Deck) -> None:
    """One slide listed ten thousand times is one slide; too many shapes and groups too deep are refused."""
    deck.slide("One")
    main, slide = "ppt/presentation.xml", "ppt/slides/slide1.xml"
    with zipfile.ZipFile(io.BytesIO(deck.saved())) as package:
        listed, shown = package.read(main), package.read(slide)
    entry = listed[listed.index(b"<p:sldId ") : listed.index(b"</p:sldIdLst>")]
    many = repacked(deck.saved(), {main: listed.replace(entry, entry * 9000)})
    assert [d.text for d in read("a.pptx", many)] == ["One"]
    with pytest.raises(FileTooLarge, match="10,000 slides"):
        read("b.pptx", repacked(deck.saved(), {main: listed.replace(entry, entry * 10_001)}))
    end = b"</p:spTree>"
    shapes = b"<p:sp><p:nvSpPr><p:nvPr/></p:nvSpPr></p:sp>" * 200_001
    with pytest.raises(FileTooLarge, match="200,000 shapes"):
        read("c.pptx", repacked(deck.saved(), {slide: shown.replace(end, shapes + end)}))
    groups = b"<p:grpSp>" * 900 + b"</p:grpSp>" * 900
    with pytest.raises(CorruptFile):
        read("d.pptx", repacked(deck.saved(), {slide: shown.replace(end, groups + end)}))
