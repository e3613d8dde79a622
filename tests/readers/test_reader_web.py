"""HTML pages and saved pages beyond the plain ones."""

from __future__ import annotations

import base64
from email.message import EmailMessage
from pathlib import Path

import pytest
from llama_index.core.schema import Document
from reader_samples import Read, picture, wav, write

from llama_index_gemini_mm import MediaReader, MediaStore, ReaderOptions
from llama_index_gemini_mm.media import MediaRef
from llama_index_gemini_mm.source import Source


def page(tmp_path: Path, store: MediaStore, markup: str | bytes, **files: bytes) -> list[Document]:
    """The documents of a page named a.html with files beside it; ``_`` in their names is a dot."""
    data = markup.encode() if isinstance(markup, str) else markup
    folder = write(
        tmp_path / "page", {"a.html": data, **{n.replace("__", "/").replace("_", "."): d for n, d in files.items()}}
    )
    return MediaReader(store).load_data(folder / "a.html")


def uri(data: bytes, mime_type: str = "image/png") -> str:
    return f"data:{mime_type};base64,{base64.b64encode(data).decode()}"


def test_head_says_who_wrote_it_in_which_language(read: Read) -> None:
    (document,) = read(
        "a.html",
        b"<html lang=de><head><title>T</title><meta name=author content='A. Smith'><meta name=keywords content='x, y'>"
        b"<meta name=description content='What it is about.'>"
        b"<meta property='article:published_time' content='2024-05-01'>"
        b"</head><body><p>Words",
    )
    said = {k: document.metadata[k] for k in ("title", "author", "keywords", "language", "created")}
    assert said == {"title": "T", "author": "A. Smith", "keywords": "x, y", "language": "de", "created": "2024-05-01"}
    assert document.text == "What it is about.\n\nWords"


def test_xhtml_closes_what_html_leaves_open(read: Read) -> None:
    (document,) = read(
        "a.xhtml",
        b'<?xml version="1.0" encoding="iso-8859-1"?><html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en">'
        b"<head><title/><script src='x'/></head><body><div id='a'/>"
        b"<p>Caf\xe9&nbsp;&mdash;&nbsp;open &amp; shut</p></body></html>",
    )
    assert document.text == "Café \u2014 open & shut"
    assert document.metadata["language"] == "en"


def test_lists_keep_their_order_and_depth(read: Read) -> None:
    (document,) = read(
        "a.html",
        b"<body><ul><li>one<ul><li>deeper<li>too</ul><ul hidden><li>no</ul><li>two</ul>"
        b"<ol start=3><li>three<li><p>four</p></ol><p>end",
    )
    assert document.text == "- one\n  - deeper\n  - too\n- two\n3. three\n4. four\n\nend"


def test_cells_that_span_keep_their_column(read: Read) -> None:
    (document,) = read(
        "a.html",
        b"<table><tr><th rowspan=2>Speed<th colspan=2>Noise<tr><td>left<td>right<tr><td>500<td>a<td>b</table>"
        b"<table><tr><td colspan=999999999>x<td>y<tr><td>1<td>2</table>",
    )
    assert document.text.startswith("| Speed | Noise |  |\n| --- | --- | --- |\n|  | left | right |\n| 500 | a | b |")


def test_first_form_of_a_picture_that_can_be_had(tmp_path: Path, store: MediaStore) -> None:
    documents = page(
        tmp_path,
        store,
        '<body><picture><source srcset="no.avif 1x, b.png 2x"><img src="http://127.0.0.1:9/x.png" alt="B"></picture>'
        f'<img src="{uri(picture("gray", (24, 24)))}" data-src="a.png" alt="A">'
        '<img srcset="a,b.png 100w, c.png 200w" alt="C"><img src="missing.png" alt="E = mc2">',
        a_png=picture("red"),
        b_png=picture("blue"),
        c_png=picture("green"),
    )
    shown = {
        d.text: store.read(MediaRef.parse(d.metadata["media_ref"])) for d in documents if "media_ref" in d.metadata
    }
    assert shown == {"B": picture("blue"), "A": picture("red"), "C": picture("green")}
    assert [d.text for d in documents if d.metadata["modality"] == "text"] == ["E = mc2"]


def test_base_does_not_lead_out(tmp_path: Path, store: MediaStore) -> None:
    write(tmp_path, {"secret.png": picture("black")})
    inside = page(tmp_path, store, '<head><base href="img/"></head><img src="a.png" alt="in">', img__a_png=picture())
    assert [d.text for d in inside] == ["in"]
    for base in ("../", str(tmp_path) + "/", f"file://{tmp_path}/", "http://127.0.0.1:9/"):
        documents = page(tmp_path, store, f'<head><base href="{base}"></head><p>x<img src="secret.png">')
        assert [d.metadata["modality"] for d in documents] == ["text"]


def test_hidden_parts_are_left_out_and_forms_are_not(read: Read) -> None:
    (document,) = read(
        "a.html",
        b"<body><form><header>Top</header><p style='display: none'>no</p><p style='visibility:hidden'>no</p>"
        b"<label>Name</label><input value=no><select><option>no</select></form>"
        b"<footer>Foot</footer><template>no</template>",
    )
    assert document.text == "Top\n\nName\n\nFoot"


def test_drawings_and_formulas_are_read_by_their_words(read: Read) -> None:
    image = uri(picture("red"))
    documents = read(
        "a.html",
        f"<body><svg><title>Cover</title><metadata>no</metadata><image xlink:href='{image}'/></svg>"
        "<svg><text>Valve</text><text>Pump</text></svg><p>As <math alttext='a+b'><mi>a</mi></math>".encode(),
    )
    assert [(d.metadata["modality"], d.text) for d in documents] == [
        ("text", "Valve Pump\n\nAs a+b a"),
        ("image", "Cover"),
    ]


def test_sounds_beside_a_page_that_is_read_alone(tmp_path: Path, store: MediaStore) -> None:
    markup = (
        f'<p>Words<audio src="no.mp3"><source src="a.wav"></audio><audio src="{uri(wav(0.5), "audio/wav")}">x</audio>'
    )
    documents = page(tmp_path, store, markup, a_wav=wav())
    assert [d.metadata.get("container_path") for d in documents] == [None, "a.html!/a.wav", "a.html!/media 2"]
    whole = MediaReader(store).load_data(tmp_path / "page")
    assert [(d.metadata["file_name"], d.metadata.get("container_path")) for d in whole] == [
        ("a.html", None),
        ("a.html", "a.html!/media 1"),
        ("a.wav", None),
    ]


def test_drawings_that_are_linked_are_files_of_their_own(tmp_path: Path, store: MediaStore) -> None:
    """Which is how they are drawn; the words of the page stay."""
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg" width="90" height="60"><rect width="60" height="60"/></svg>'
    documents = page(tmp_path, store, "<p>See <img src='a.svg' alt='the valve'>", a_svg=drawing)
    assert [(d.metadata["modality"], d.metadata.get("container_path")) for d in documents] == [
        ("text", None),
        ("image", "a.html!/a.svg"),
    ]
    assert documents[0].text == "See the valve"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "cp1251", "shift_jis"])
def test_page_in_any_encoding(read: Read, encoding: str) -> None:
    words = "日本語のページ、騒音の原因" if encoding == "shift_jis" else "Шум шпинделя"
    (document,) = read("a.html", f"<html><meta charset={encoding}><title>t</title><p>{words}".encode(encoding))
    assert document.text == words


def test_bytes_that_are_none_cost_themselves_alone(read: Read) -> None:
    (document,) = read("a.html", b"<HTML><META name=x\x07\x00\x02\x00><p>Good morning.")
    assert "Good morning." in document.text


def test_bait_for_slow_patterns_is_read_at_once(read: Read) -> None:
    blanks = " " * 200_000
    read("a.html", f"<html><p>x<img srcset='{blanks}' src='{blanks}'><meta name=x content='{blanks}'>".encode())
    read("b.html", b"<html>" + b"<ul><li>" * 500 + b"x" + b"<table><tr><td>" * 200)


def saved(root: str, *parts: tuple[str, str, bytes, dict[str, str]]) -> bytes:
    """A page as a browser saves it."""
    message = EmailMessage()
    message["From"] = "<Saved by Blink>"
    message["Snapshot-Content-Location"] = "https://example.org/dir/page"
    message["Subject"] = "Saved"
    message["Date"] = "Fri, 2 May 2025 10:11:12 +0000"
    message.set_content(root, subtype="html")
    message["Content-Location"] = "https://example.org/dir/page"
    message.make_related()
    for maintype, subtype, data, headers in parts:
        message.add_related(data, maintype, subtype)
        for name, value in headers.items():
            message.get_payload()[-1][name] = value
    message.replace_header("Content-Type", message["Content-Type"] + '; type="text/html"')
    return bytes(message)


def test_saved_page_shows_what_lies_in_it(read_bytes: Read, store: MediaStore) -> None:
    data = saved(
        "<title>The page</title><h1>Noise</h1><p>Red:<img src='img/red.png' alt=r><p>Blue:<img src='cid:blue@x' alt=b>"
        "<img src='https://example.org/green.png' alt=g>",
        ("image", "png", picture("red"), {"Content-Location": "https://example.org/dir/img/red.png"}),
        ("image", "png", picture("blue"), {"Content-ID": "<blue@x>"}),
        ("image", "png", picture("green"), {"Content-Location": "https://example.org/green.png"}),
        ("text", "css", b"p {color: red}", {"Content-Location": "https://example.org/a.css"}),
        ("audio", "wav", wav(), {"Content-Location": "https://example.org/dir/noise.wav"}),
    )
    for name in ("a.mhtml", "a.unknown"):
        text, *images, sound = read_bytes(name, data)
        assert (text.text, text.metadata["heading_path"]) == ("Red:\n\nBlue:", "Noise")
        assert text.metadata["created"] == "2025-05-02T10:11:12+00:00"
        assert [d.text for d in images] == ["r\nRed:", "b\nBlue:", "g\nBlue:"]
        assert [store.read(MediaRef.parse(d.metadata["media_ref"])) for d in images] == [
            picture(color) for color in ("red", "blue", "green")
        ]
        assert sound.metadata["container_path"] == f"{name}!/noise.wav"


def test_figures_can_be_left_out_of_pages(store: MediaStore) -> None:
    options = ReaderOptions(figures=False)
    markup = f"<html><p>Words<img alt=A src='{uri(picture())}'>".encode()
    (document,) = MediaReader(store, options).load_data(Source.of_bytes(markup, "a.html"))
    assert document.text == "WordsA"
