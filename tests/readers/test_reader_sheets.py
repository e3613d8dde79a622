"""Excel workbooks, and what both kinds of spreadsheets have in common."""

from __future__ import annotations

import datetime
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from openpyxl.chart import BarChart, Reference
from openpyxl.comments import Comment
from openpyxl.drawing.image import Image
from reader_samples import Read, docx_file, picture

from llama_index_gemini_mm import MediaStore
from llama_index_gemini_mm.errors import CorruptFile, FileTooLarge
from llama_index_gemini_mm.media import MediaRef
from llama_index_gemini_mm.readers.xlsx.values import shown

CORPUS = Path(__file__).parent.parent / "corpus" / "readers"
MOMENT = datetime.datetime.fromisoformat("2024-03-05T14:07")
NAMESPACE = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def workbook(fill: Callable[[openpyxl.Workbook], None]) -> bytes:
    """A workbook with one sheet named Budget, which ``fill`` writes to."""
    book = openpyxl.Workbook()
    book.active.title = "Budget"
    fill(book)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def sheet(*rows: list[object]) -> bytes:
    """A workbook with these rows; an empty list is a blank row."""

    def fill(book: openpyxl.Workbook) -> None:
        for row in rows:
            book.active.append(row)

    return workbook(fill)


def with_part(data: bytes, name: str, content: bytes) -> bytes:
    """The package with one part replaced or added."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.infolist():
            if part.filename != name:
                new.writestr(part.filename, old.read(part))
        new.writestr(name, content)
    return target.getvalue()


def with_sheet_data(xml: str) -> bytes:
    """A workbook whose sheet has this content."""
    content = f"<worksheet {NAMESPACE}><sheetData>{xml}</sheetData></worksheet>"
    return with_part(sheet(["x"]), "xl/worksheets/sheet1.xml", content.encode())


def test_a_title_stays_with_its_table(read: Read) -> None:
    """Blank rows divide, and small parts share one document, titled by book, sheet and range."""
    (document,) = read("plan_2024.xlsx", sheet(["Costs"], [], ["Item", "Euro"], ["Rent", 700], ["Food", 250.5]))
    assert document.text == "Costs\n\n| Item | Euro |\n| --- | --- |\n| Rent | 700 |\n| Food | 250.5 |"
    assert document.metadata["title"] == "plan 2024 > Budget A1:B5"
    assert document.metadata["sheet"] == "Budget"
    assert "hidden" not in document.metadata


def test_the_header_is_repeated_in_every_piece_of_a_long_table(read: Read) -> None:
    """Pieces are bounded by rows, and by characters where cells are long."""
    documents = read("long.xlsx", sheet(["Number", "Square"], *([n, n * n] for n in range(150))))
    assert [d.metadata["title"].split()[-1] for d in documents] == ["A1:B60", "A61:B120", "A121:B151"]
    assert all(d.text.startswith("| Number | Square |\n| --- | --- |\n") for d in documents)
    assert "| 59 | 3481 |" in documents[1].text
    wide = read("wide.xlsx", sheet(["Number", "Words"], *([n, "word " * 300] for n in range(9))))
    assert max(len(d.text) for d in wide) < 5000
    assert len(wide) == 5


def test_a_table_without_header_is_named_by_its_columns(read: Read) -> None:
    """A first row of numbers is no header."""
    (document,) = read("bare.xlsx", sheet(["Rome", 1], ["Oslo", 2]))
    assert document.text == "| A | B |\n| --- | --- |\n| Rome | 1 |\n| Oslo | 2 |"


def test_tables_side_by_side_are_told_apart(read: Read) -> None:
    """A blank column divides before words; before numbers it is a space within the table."""
    rows = [["City", "Men", None, "Fruit", "Kilos"], ["Rome", 1, None, "Pear", 3], ["Oslo", 2, None, "Plum", 4]]
    (document,) = read("two.xlsx", sheet(*rows))
    first, second = document.text.split("\n\n")
    assert first == "| City | Men |\n| --- | --- |\n| Rome | 1 |\n| Oslo | 2 |"
    assert second == "| Fruit | Kilos |\n| --- | --- |\n| Pear | 3 |\n| Plum | 4 |"
    (report,) = read("report.xlsx", sheet(["Name", None, "2023", "2024"], ["Rent", None, 5, 6], ["Food", None, 7, 8]))
    assert "| Rent | 5 | 6 |" in report.text


def test_a_table_goes_on_below_a_blank_row(read: Read) -> None:
    """Rows of the same shape keep the header above the blank row."""
    (document,) = read("parts.xlsx", sheet(["City", "Men"], ["Rome", 1], [], ["Oslo", 2], ["Bern", 3]))
    assert document.text == "| City | Men |\n| --- | --- |\n| Rome | 1 |\n| Oslo | 2 |\n| Bern | 3 |"


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        (0.256, "0%", "26%"),
        (1234567.891, "#,##0.00", "1,234,567.89"),
        (-1234.5, '"$"#,##0.00_);[Red]("$"#,##0.00)', "($1,234.50)"),
        (1234.5, "#,##0.00 [$€-407]", "1,234.50 €"),
        (0, '_-* #,##0.00_-;-* #,##0.00_-;_-* "-"??_-', "-"),
        (7, "00000", "00007"),
        (0.1 + 0.2, "General", "0.3"),
        (2.5, "0", "3"),
        (1.5, "# ?/?", "1.5"),
        (5, '[>3]"big";"small"', "5"),
        (1e308, "0.00", "1e+308"),
        (True, "General", "TRUE"),
        (datetime.date(2024, 3, 5), "mm-dd-yy", "2024-03-05"),
        (MOMENT, "m/d/yy h:mm", "2024-03-05 14:07"),
        (MOMENT, "d mmmm yyyy, h:mm AM/PM", "5 March 2024, 2:07 PM"),
        (datetime.date(2024, 3, 5), "mmm-yy", "Mar-24"),
        (datetime.timedelta(hours=30, minutes=5), "[h]:mm:ss", "30:05:00"),
        (datetime.time(3, 4), "h:mm", "03:04"),
    ],
)
def test_values_are_shown_as_a_user_sees_them(value: object, code: str, text: str) -> None:
    """By the number format where that is simple, and dates in ISO 8601 unless months or days are named."""
    assert shown(value, code) == text


def test_formats_reach_the_cells(read: Read) -> None:
    """The number format of each cell is used."""

    def fill(book: openpyxl.Workbook) -> None:
        book.active.append(["Share", "Day"])
        book.active.append([0.5, datetime.date(2024, 3, 5)])
        book.active["A2"].number_format = "0.0%"

    assert "| 50.0% | 2024-03-05 |" in read("formats.xlsx", workbook(fill))[0].text


def test_hidden_parts_are_kept_and_marked(read: Read) -> None:
    """Hidden rows, columns and sheets become documents of their own."""

    def fill(book: openpyxl.Workbook) -> None:
        for row in (["Name", "Pay", "Town"], ["Ann", 10, "Rome"], ["Bob", 20, "Oslo"]):
            book.active.append(row)
        book.active.column_dimensions["B"].hidden = True
        book.active.row_dimensions[3].hidden = True
        book.create_sheet("Secret").append(["Plan", "B"])
        book["Secret"].sheet_state = "hidden"

    shown_part, hidden_part, secret = read("hidden.xlsx", workbook(fill))
    assert shown_part.text == "| Name | Town |\n| --- | --- |\n| Ann | Rome |"
    assert "hidden" not in shown_part.metadata
    assert "| Name | Pay |\n| --- | --- |\n| Ann | 10 |" in hidden_part.text
    assert "Bob | 20 | Oslo" in hidden_part.text
    assert hidden_part.metadata["hidden"] is True
    assert (secret.text, secret.metadata["hidden"]) == ("Plan | B", True)


def test_merged_labels_are_repeated_but_titles_are_not(read: Read) -> None:
    """Each row and column keeps its label."""

    def fill(book: openpyxl.Workbook) -> None:
        for row in (["Report"], ["Region", "2023", None], ["North", "a", 1], [None, "b", 2]):
            book.active.append(row)
        for cells in ("A1:C1", "B2:C2", "A3:A4"):
            book.active.merge_cells(cells)

    (document,) = read("merged.xlsx", workbook(fill))
    assert "| Report |  |  |" in document.text
    assert "| Region | 2023 | 2023 |" in document.text
    assert "| North | b | 2 |" in document.text


def test_notes_stand_below_their_table(read: Read) -> None:
    """With cell and author; one on a blank cell as well."""

    def fill(book: openpyxl.Workbook) -> None:
        book.active.append(["Item", "Euro"])
        book.active.append(["Rent", 700])
        book.active["B2"].comment = Comment("Ann:\nTo be checked", "Ann")
        book.active["D9"].comment = Comment("Free", "Bob")

    text = read("notes.xlsx", workbook(fill))[0].text
    assert text.endswith("| Rent | 700 |\n\nNote on B2 by Ann: To be checked\nNote on D9 by Bob: Free")


def test_pictures_and_charts_have_their_sheet_and_words(read: Read, store: MediaStore) -> None:
    """A picture is captioned by the row it lies in or the nearest words; a chart gives its values."""

    def fill(book: openpyxl.Workbook) -> None:
        for row in (["Part", "Count"], ["Bearing", 4], ["Bolt", 9]):
            book.active.append(row)
        book.active.add_image(Image(io.BytesIO(picture("red"))), "A6")
        chart = BarChart()
        chart.title = "Stock"
        chart.add_data(Reference(book.active, min_col=2, min_row=1, max_row=3), titles_from_data=True)
        book.active.add_chart(chart, "F2")

    documents = read("parts.xlsx", workbook(fill))
    image = next(d for d in documents if d.metadata["modality"] == "image")
    assert image.text.splitlines()[-1] == "Bolt"
    assert image.metadata["sheet"] == "Budget"
    assert image.metadata["container_path"] == "parts.xlsx!/xl/media/image1.png"
    assert store.read(MediaRef.parse(image.metadata["media_ref"])).startswith(b"\x89PNG")
    chart_text = read("charts.xlsx", (CORPUS / "testEXCEL_charts.xlsx").read_bytes())[1].text
    assert chart_text.startswith("wants a peach\n\n|  | NUMBER |")
    assert "| June | 2 |" in chart_text


def test_embedded_files_are_read_as_files(read: Read) -> None:
    """A Word document inside has its own documents, with its place."""
    data = with_part(sheet(["x"]), "xl/embeddings/report.docx", docx_file())
    inner = [d for d in read("outer.xlsx", data) if "docx" in d.metadata.get("container_path", "")]
    assert inner[0].metadata["container_path"] == "outer.xlsx!/xl/embeddings/report.docx"
    assert inner[0].text == "The machine was inspected."


def test_properties_become_metadata(read: Read) -> None:
    """Title, author and keywords, and no time that nobody gave."""

    def fill(book: openpyxl.Workbook) -> None:
        book.active["A1"] = "x"
        book.properties.title, book.properties.creator, book.properties.keywords = "Plan", "Ann", "money"

    (document,) = read("a.xlsx", workbook(fill))
    assert document.metadata["title"] == "Plan > Budget A1"
    assert (document.metadata["author"], document.metadata["keywords"]) == ("Ann", "money")


def test_strict_open_xml_is_read(read: Read) -> None:
    """The strict form has other namespaces and dates, and the same content."""
    first, second = read("strict.xlsx", (CORPUS / "testEXCEL.strict.xlsx").read_bytes())
    assert "| 2nd row | 2nd row 2nd column |" in first.text
    assert second.metadata["title"] == "Sample Spreadsheet > Sheet Number 2 A1:D7"


def test_a_far_corner_costs_nothing(read: Read) -> None:
    """Gaps are passed over, not filled."""
    cell = '<row r="{0}"><c r="{1}{0}" t="inlineStr"><is><t>{2}</t></is></c></row>'
    (document,) = read("corner.xlsx", with_sheet_data(cell.format(1, "A", "x") + cell.format(1048576, "XFD", "y")))
    assert document.text == "x\n\ny"
    assert document.metadata["title"].endswith("A1:XFD1048576")


def test_scattered_cells_do_not_become_a_table(read: Read) -> None:
    """A diagonal of cells would be a table of blanks."""
    cells = "".join(f'<row r="{n}"><c r="{chr(64 + n % 26 + 1)}{n}"><v>{n}</v></c></row>' for n in range(1, 400))
    assert sum(len(d.text) for d in read("scattered.xlsx", with_sheet_data(cells))) < 60_000
    rows = "".join(f'<row r="{n}"><c r="{_letters(n)}{n}"><v>{n}</v></c></row>' for n in range(1, 2000))
    assert sum(len(d.text) for d in read("diagonal.xlsx", with_sheet_data(rows))) < 60_000


def _letters(column: int) -> str:
    return openpyxl.utils.get_column_letter(column)


def test_many_cells_that_share_one_long_text_are_refused(read: Read) -> None:
    """The text is stored once and shown a hundred thousand times."""
    strings = f"<sst {NAMESPACE}><si><t>{'word ' * 6000}</t></si></sst>".encode()
    rows = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(1, 9000))
    data = with_part(with_sheet_data(rows), "xl/sharedStrings.xml", strings)
    types = zipfile.ZipFile(io.BytesIO(data)).read("[Content_Types].xml")
    part = (
        b'<Override PartName="/xl/sharedStrings.xml" ContentType="application/vnd.openxmlformats-officedocument.'
        b'spreadsheetml.sharedStrings+xml"/></Types>'
    )
    data = with_part(data, "[Content_Types].xml", types.replace(b"</Types>", part))
    with pytest.raises(FileTooLarge, match="more than 128 million characters"):
        read("shared.xlsx", data)


def test_parts_that_unpack_to_too_much_are_refused(read: Read) -> None:
    """Before they are unpacked."""
    data = with_part(sheet(["x"]), "xl/styles.xml", b" " * (17 * 2**20))
    with pytest.raises(FileTooLarge, match="unpacks to 17 MiB, at most 16"):
        read("bomb.xlsx", data)


def test_entities_are_not_expanded(read: Read, tmp_path: Path) -> None:
    """Neither to a local file nor to a thousand million laughs."""
    secret = tmp_path / "secret.txt"
    secret.write_text("TOP SECRET")
    body = '<sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>&e;</t></is></c></row></sheetData>'
    entities = (
        f'<!ENTITY e SYSTEM "{secret.as_uri()}">',
        '<!ENTITY a "ha">'
        + "".join(f'<!ENTITY {x} "{("&" + y + ";") * 10}">' for x, y in zip("bcdfghijke", "abcdfghijk", strict=True)),
    )
    for entity in entities:
        xml = f"<!DOCTYPE worksheet [{entity}]><worksheet {NAMESPACE}>{body}</worksheet>"
        with pytest.raises(CorruptFile):
            read("entities.xlsx", with_part(sheet(["x"]), "xl/worksheets/sheet1.xml", xml.encode()))


@pytest.mark.parametrize(
    "broken",
    [
        lambda data: data[: len(data) // 2],
        lambda data: with_part(data, "xl/workbook.xml", b"<not closed"),
        lambda data: with_part(data, "xl/worksheets/sheet1.xml", b"<worksheet><sheetData><row"),
        lambda data: with_part(data, "[Content_Types].xml", b"<Types/>"),
    ],
)
def test_broken_workbooks_are_named(read: Read, broken: Callable[[bytes], bytes]) -> None:
    """Cut off, or with a part that is no XML."""
    with pytest.raises(CorruptFile, match="not a readable Excel workbook"):
        read("broken.xlsx", broken(sheet(["x"])))


def test_ids_are_stable(read: Read) -> None:
    """Other values in the same places give the same ids and other hashes."""
    before, after = read("a.xlsx", sheet(["Item"], ["Rent"])), read("a.xlsx", sheet(["Item"], ["Food"]))
    assert [d.node_id for d in before] == [d.node_id for d in after]
    assert [d.hash for d in before] != [d.hash for d in after]
