"""Tables and data as text: CSV, JSON and JSON Lines, and XML that holds data."""

from __future__ import annotations

import json

import pytest
from reader_samples import Read

from llama_index_gemini_mm.errors import CorruptFile, FileTooLarge, NothingToRead
from llama_index_gemini_mm.readers._tables import table_pieces


def test_pieces_repeat_the_header() -> None:
    """Rows count from 1 without the header; blank ones are counted and left out."""
    rows = [["1", "bolt"], ["", ""], ["2", "nut"], ["3"]]
    assert list(table_pieces(rows, header=["id", "name"], max_rows=2)) == [
        (1, 3, "| id | name |\n| --- | --- |\n| 1 | bolt |\n| 2 | nut |"),
        (4, 4, "| id | name |\n| --- | --- |\n| 3 |  |"),
    ]


def test_cells_cannot_break_out_of_their_table() -> None:
    """Bars and line breaks are made harmless, and a cell beyond all measure is cut."""
    ((_, _, text),) = table_pieces([["a|b", "two\nlines", "x" * 40_000]], header=None)
    assert text.split("\n")[2].startswith("| a\\|b | two lines | xxx")
    assert len(text) < 33_000


def test_pieces_are_bounded_by_characters() -> None:
    """Long rows make short pieces, and wide tables leave out what is blank."""
    pieces = list(table_pieces([["word " * 100]] * 20, header=["text"], max_chars=2000))
    assert len(pieces) > 6
    assert all(len(text) < 2100 for _, _, text in pieces)
    sparse = [["", *[""] * n, "x"] for n in range(100)]
    assert max(len(text) for *_, text in table_pieces(sparse, header=[f"c{n}" for n in range(200)])) < 30_000


def test_csv_rows_with_their_lines(read: Read) -> None:
    """Quoted line breaks, doubled quotes and short rows; the header stands above every stretch of rows."""
    rows = "".join(f'{n},"part ""{n}""\nfor the lathe",{n * 1.5}\n' for n in range(1, 101))
    documents = read("parts.csv", f"id,name,weight\n{rows}101\n".encode())

    assert len(documents) > 1
    assert all(d.text.startswith("| id | name | weight |\n| --- | --- | --- |\n") for d in documents)
    assert documents[0].text.split("\n")[2] == '| 1 | part "1" for the lathe | 1.5 |'
    assert documents[-1].text.split("\n")[-1] == "| 101 |  |  |"
    assert documents[0].metadata["title"].startswith("parts, rows 1 to ")
    assert documents[0].metadata["line_start"] == 2
    assert documents[-1].metadata["line_end"] == 202
    assert documents[1].metadata["line_start"] == documents[0].metadata["line_end"] + 1
    assert {d.metadata["file_type"] for d in documents} == {"text/csv"}


@pytest.mark.parametrize(
    ("name", "data", "table"),
    [
        (
            "semicolons.csv",
            "Name;Preis\nÄpfel;1,50\nBirnen;2,75\n".encode("cp1252"),
            "| Name | Preis |/| Äpfel | 1,50 |",
        ),
        ("tabs.tsv", b"name\tnote\nbolt\ta,b;c\n", "| name | note |/| bolt | a,b;c |"),
        ("tags.csv", b"name,tags\nx,a;b\ny,c;d\nz,e;f\n", "| name | tags |/| x | a;b |"),
        ("bars.psv", b"name|size\nbolt|4\n", "| name | size |/| bolt | 4 |"),
        ("told.csv", b"sep=;\nname;size\nbolt;4\n", "| name | size |/| bolt | 4 |"),
        ("windows.csv", "name,size\r\nbolt,4\r\n".encode("utf-16"), "| name | size |/| bolt | 4 |"),
        ("mac.csv", b"name,size\rbolt,4\r", "| name | size |/| bolt | 4 |"),
        ("years.csv", b"country,2019,2020\nFR,1.5,2.5\n", "| country | 2019 | 2020 |/| FR | 1.5 | 2.5 |"),
        ("bare.csv", b"Alice,30,Berlin\nBob,31,Bonn\n", "|  |  |  |/| Alice | 30 | Berlin |"),
        ("one.csv", b"word\nbolt\n", "| word |/| bolt |"),
        ("open.csv", b'name,size\n"bolt,4\nnut,5\n', '| name | size |/| "bolt | 4 |'),
    ],
)
def test_csv_dialects(read: Read, name: str, data: bytes, table: str) -> None:
    """Delimiter, quotes, encoding and header are told from the content."""
    (document,) = read(name, data)
    lines = document.text.split("\n")
    assert f"{lines[0]}/{lines[2]}" == table


def test_csv_with_an_explanation_above(read: Read) -> None:
    """Lines above the table are text of their own."""
    above, table = read("report.csv", b"Report of 2024\n\nname,size\nbolt,4\nnut,5\n")
    assert above.text == "Report of 2024"
    assert table.text.startswith("| name | size |")
    assert (table.metadata["line_start"], table.metadata["line_end"]) == (4, 5)


def test_csv_of_a_header_alone(read: Read) -> None:
    """It is its own content, unless it is blank."""
    (document,) = read("head.csv", b"name,size\n")
    assert document.text.endswith("| name | size |")
    with pytest.raises(NothingToRead):
        read("blank.csv", b" , \n")


def test_csv_cell_without_end(read: Read) -> None:
    """More than the reader takes for one cell is named with its line."""
    with pytest.raises(CorruptFile, match="line 2 holds a cell of more than"):
        read("huge.csv", b"a,b\n" + b"x" * 200_000 + b",1\n")


def test_json_as_lines(read: Read) -> None:
    """Paths before values; numbers as they are written, lists of scalars in one line, base64 left out."""
    data = {
        "name": "Lathe",
        "tags": ["a", "b"],
        "parts": [{"id": 1, "size": {"w": 2}}, {"id": None}],
        "blob": "iVBO" * 99,
    }
    (document,) = read("m.json", json.dumps(data).replace('"w": 2', '"w": 2.50').encode())
    assert document.text == (
        "name: Lathe\ntags: a, b\nparts[0].id: 1\nparts[0].size.w: 2.50\nparts[1].id: null\n"
        "blob: (396 characters of data)"
    )
    assert document.metadata["title"] == "m"


def test_json_is_cut_between_records(read: Read) -> None:
    """What records share is the heading, and none is cut in two."""
    items = [{"id": n, "text": "words " * 40} for n in range(60)]
    documents = read("dump.json", json.dumps({"data": {"items": items}}).encode())
    assert len(documents) > 3
    assert {d.metadata["heading_path"] for d in documents} == {"data > items"}
    assert all(".id: " in d.text.split("\n")[0] for d in documents)
    assert all(len(d.text) <= 4000 for d in documents)


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        (
            "comments.json",
            b'{"a": 1, // note\n "url": "http://x/y", /* c */ "l": [1, 2,],}',
            "a: 1\nurl: http://x/y\nl: 1, 2",
        ),
        ("lines.json", b'{"a": 1}\n{"a": 2}\n', "[0].a: 1\n\n[1].a: 2"),
        ("nan.json", b'{"a": NaN, "b": -Infinity}', "a: NaN\nb: -Infinity"),
        ("marked.json", '{"a": "Größe"}'.encode("utf-8-sig"), "a: Größe"),
        ("long.json", b'{"a": ' + b"7" * 5000 + b"}", "a: " + "7" * 5000),
    ],
)
def test_json_as_people_write_it(read: Read, name: str, data: bytes, text: str) -> None:
    """Comments, several values, numbers of any length."""
    (document,) = read(name, data)
    assert document.text == text


@pytest.mark.parametrize(
    ("name", "data", "error", "reason"),
    [
        ("cut.json", b'{"a": [1, 2', CorruptFile, "not JSON, or cut off at line 1"),
        ("deep.json", b"[" * 100_000, FileTooLarge, "nested deeper than 256"),
        ("deep.json", b"[" * 400 + b"]" * 400, FileTooLarge, "nested deeper than 256"),
        ("words.json", b"just words", CorruptFile, "not JSON"),
        ("cut.jsonl", b'{"a": 1}\n{"b":\n', CorruptFile, "at line 2"),
        ("quotes.json", b'"\\' * 50_000, CorruptFile, "not JSON"),
    ],
)
def test_json_that_cannot_be_read(read: Read, name: str, data: bytes, error: type[Exception], reason: str) -> None:
    """Broken and hostile files are named at once."""
    with pytest.raises(error, match=reason):
        read(name, data)


def test_json_lines_with_their_lines(read: Read) -> None:
    """Records are kept whole, and each document says on which lines they stand."""
    records = "".join(json.dumps({"id": n, "text": "words " * 20}) + "\n" for n in range(100))
    documents = read("log.jsonl", records.encode())
    assert len(documents) > 2
    assert all(d.text.startswith("id: ") for d in documents)
    assert sum(d.text.count("id: ") for d in documents) == 100
    assert documents[0].metadata["line_start"] == 1
    assert documents[1].metadata["line_start"] == documents[0].metadata["line_end"] + 1
    assert documents[-1].metadata["line_end"] == 100


def test_data_in_xml(read: Read) -> None:
    """Attributes and texts with their paths, elements of one name counted."""
    parts = '<part id="a1"><name>Bolt</name></part><part id="a2"><name>Nut &amp; bolt</name></part>'
    data = f'<?xml version="1.0"?><shop>{parts}</shop>'
    (document,) = read("shop.xml", data.encode())
    assert document.text == "[0].@id: a1\n[0].name: Bolt\n\n[1].@id: a2\n[1].name: Nut & bolt"
    assert document.metadata["heading_path"] == "shop > part"


def test_empty_data(read: Read) -> None:
    """XML without words is no broken file."""
    with pytest.raises(NothingToRead):
        read("empty.xml", b"<?xml version='1.0'?><a/>")
