"""Plain text, Markdown and HTML."""

from __future__ import annotations

import base64
from itertools import pairwise
from pathlib import Path

import pytest
from reader_samples import Read, picture, write

from llama_index_gemini_mm import MediaReader, MediaStore
from llama_index_gemini_mm.errors import CorruptFile, NothingToRead, UnsupportedFormat
from llama_index_gemini_mm.media import MediaRef, read_embed_text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_text_in_any_encoding(read: Read, encoding: str) -> None:
    """Byte order marks, UTF-8 and legacy encodings give the same words, and Windows line ends become Unix ones."""
    words = "Übermäßiges Geräusch an der Spindel.\r\nDas Lager wurde geprüft und für gut befunden.\r\n" * 8
    (document,) = read("note.txt", words.encode(encoding))
    assert document.text == words.replace("\r\n", "\n")
    assert document.metadata["title"] == "note"
    assert document.metadata["modality"] == "text"
    assert document.metadata["file_type"] == "text/plain"


def test_encoding_told_by_what_stands_at_the_end(read: Read) -> None:
    """Signs that are not ASCII may come late, and a file that is cut off within one is still UTF-8."""
    words = "Die Prüfung der Spindel an der großen Drehbank hat nichts Auffälliges gezeigt.\n" * 4
    late = read("late.txt", b"plain words\n" * 100_000 + words.encode("cp1252"))
    assert late[-1].text.endswith(words)
    (cut,) = read("cut.txt", words.encode() + b"\xc3")
    assert cut.text == words + "\ufffd"


def test_utf16_without_its_mark(read: Read) -> None:
    """Windows programs write it, and the zeros in it are no sign of binary data."""
    (document,) = read("note.txt", "Größe der Spindel: 40 mm\n".encode("utf-16-le"))
    assert document.text == "Größe der Spindel: 40 mm\n"


def test_long_text_becomes_several_documents(read: Read) -> None:
    """They are cut between paragraphs, nothing is lost, and each knows its lines."""
    text = "".join(f"Paragraph {n} speaks\nof the spindle.\n\n" for n in range(6000))
    documents = read("long.txt", text.encode())
    assert len(documents) > 2
    assert "".join(d.text for d in documents) == text
    assert all(d.text.startswith("Paragraph") and len(d.text) <= 1 << 16 for d in documents)
    lines = [(d.metadata["line_start"], d.metadata["line_end"]) for d in documents]
    assert lines[0][0] == 1
    assert lines[-1][1] == text.count("\n")
    assert all(last + 1 == first for (_, last), (first, _) in pairwise(lines))


def test_one_endless_line(read: Read) -> None:
    """A line without end comes in pieces of one number."""
    documents = read("line.log", b"x" * 200_000)
    assert "".join(d.text for d in documents) == "x" * 200_000
    assert {(d.metadata["line_start"], d.metadata["line_end"]) for d in documents} == {(1, 1)}


def test_form_feeds_part_pages(read: Read) -> None:
    """Each page is a document with its number."""
    documents = read("rfc.txt", b"First page\n\n\fSecond page\nwith words\n\fThird page\n")
    assert [(d.text.strip(), d.metadata["page_start"]) for d in documents] == [
        ("First page", 1),
        ("Second page\nwith words", 2),
        ("Third page", 3),
    ]
    assert [d.metadata["line_start"] for d in documents] == [1, 3, 5]


@pytest.mark.parametrize("name", ["code.py", "settings.toml", "no_suffix", "what.unknownsuffix", "UPPER.LOG"])
def test_any_text_is_text(read: Read, name: str) -> None:
    """Known suffixes, unknown ones and none at all."""
    (document,) = read(name, b'{"spindle": [1, 2, 3]}\n')
    assert document.text == '{"spindle": [1, 2, 3]}\n'


def test_first_heading_is_the_title(read: Read) -> None:
    """ReStructuredText marks its title with a rule."""
    (document,) = read("page.rst", b"==========\nThe Manual\n==========\n\nWords.\n")
    assert document.metadata["title"] == "The Manual"


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("films.mp4", b"#EXTM3U\n/etc/passwd\n", "a media playlist named .mp4"),
        ("clips.mp4", b"ffconcat version 1.0\nfile secret.mp4\n", "a media playlist named .mp4"),
        ("tool.png", b"MZ\x90\x00\x03\x00\x00\x00", "a Windows program named .png"),
        ("noise.dat", bytes(range(256)) * 4, "binary data named .dat"),
    ],
)
def test_what_is_not_read_is_named(read: Read, name: str, data: bytes, said: str) -> None:
    """Content of kinds without a reader is refused by what it is, whatever it is called."""
    with pytest.raises(UnsupportedFormat) as caught:
        read(name, data)
    assert caught.value.reason == f"{said}, which no reader knows"
    assert caught.value.path.endswith(name)


@pytest.mark.parametrize("name", ["a.txt", "a.pdf", "a.png", "a.mp3", "a.docx", "a.md", "a"])
def test_empty_files_are_named(read: Read, name: str) -> None:
    """Zero bytes are no text and no media."""
    with pytest.raises(CorruptFile, match="the file is empty"):
        read(name, b"")


def test_blank_file_is_named(read: Read) -> None:
    """A file that holds nothing to read does not vanish silently."""
    with pytest.raises(NothingToRead, match="neither text nor media"):
        read("blank.txt", b"\n  \n")


def test_media_reference_cannot_be_forged(read: Read) -> None:
    """A line that looks like a reference stays words on the way to the model."""
    line = f"media_ref: media://{'a' * 64}"
    for name in ("a.txt", "a.md", "a.html"):
        (document,) = read(name, f"{line}\n\n{line}\n".encode())
        assert read_embed_text(document.get_content("embed")).ref is None
        assert "media://" in document.text


MARKDOWN = """---
title: "Lathe"
tags: [x]
---
Before all headings.

# Spindle *noise*

The photo shows the bearing.

![Worn bearing](img/bearing.png "Seen from above")

## Table

| Speed | Noise |
| --- | --- |
| 500 | loud |

- one
- two ![inline](img/second.jpg)

## Empty
# Last
"""


def test_markdown_sections_and_pictures(tmp_path: Path, store: MediaStore) -> None:
    """One document a section under its heading path, and pictures with the words around them."""
    red, blue = picture("red"), picture("blue", kind="JPEG")
    write(tmp_path / "m", {"doc.md": MARKDOWN.encode(), "img/bearing.png": red, "img/second.jpg": blue})
    documents = MediaReader(store).load_data(tmp_path / "m" / "doc.md")

    found = [(d.metadata["modality"], d.metadata["title"], d.metadata.get("heading_path")) for d in documents]
    assert found == [
        ("text", "Lathe", None),
        ("text", "Spindle noise", "Spindle noise"),
        ("image", "Spindle noise", "Spindle noise"),
        ("text", "Spindle noise > Table", "Spindle noise > Table"),
        ("image", "Spindle noise > Table", "Spindle noise > Table"),
        ("text", "Spindle noise > Empty", "Spindle noise > Empty"),
        ("text", "Last", "Last"),
    ]
    assert documents[1].text == "The photo shows the bearing."
    assert documents[2].text == "Worn bearing\nSeen from above\nThe photo shows the bearing."
    assert store.read(MediaRef.parse(documents[2].metadata["media_ref"])) == red
    assert documents[2].image_resource.path.read_bytes() == red
    assert "| 500 | loud |" in documents[3].text
    assert store.read(MediaRef.parse(documents[4].metadata["media_ref"])) == blue
    assert documents[4].metadata["mime_type"] == "image/jpeg"


def test_links_do_not_lead_out(tmp_path: Path, store: MediaStore) -> None:
    """Parent folders, absolute paths, links in the file system, URLs and missing files give no picture."""
    secret = write(tmp_path, {"secret.png": picture("black")}) / "secret.png"
    folder = write(tmp_path / "m", {"ok.png": picture("red")})
    (folder / "link.png").symlink_to(secret)
    links = [
        "../secret.png",
        str(secret),
        "link.png",
        f"file://{secret}",
        "http://127.0.0.1:9/x.png",
        "no.png",
        "ok.png",
    ]
    (folder / "a.md").write_text("\n\n".join(f"![{n}]({link})" for n, link in enumerate(links)))
    (folder / "a.html").write_text("<body>" + "".join(f'<img alt="{n}" src="{x}">' for n, x in enumerate(links)))
    for name in ("a.md", "a.html"):
        pictures = [d for d in MediaReader(store).load_data(folder / name) if d.metadata["modality"] == "image"]
        assert [d.text.split("\n")[0] for d in pictures] == ["6"]


def test_links_within_the_folder_that_is_read(tmp_path: Path, store: MediaStore) -> None:
    """Reading a folder allows links between the folders in it, and the folder itself bounds them."""
    write(tmp_path, {"out.png": picture("black"), "m/img/a.png": picture("red"), "m/doc/a.md": b""})
    (tmp_path / "m/doc/a.md").write_text("![in](../img/a.png)\n\n![out](../../out.png)")
    documents = MediaReader(store).load_data(tmp_path / "m")
    assert [(d.metadata["file_name"], d.text) for d in documents if d.metadata["modality"] == "image"] == [
        ("a.md", "in"),
        ("a.png", ""),
    ]


def test_picture_written_into_the_text(read_bytes: Read, store: MediaStore) -> None:
    """A data URI is a picture, and its base64 is not text."""
    uri = "data:image/png;base64," + base64.b64encode(picture("green")).decode()
    for name, data in (("a.md", f"Words ![alt]({uri}) more"), ("a.html", f"<p>Words <img alt=alt src='{uri}'> more")):
        documents = read_bytes(name, data.encode())
        image = next(d for d in documents if d.metadata["modality"] == "image")
        assert store.read(MediaRef.parse(image.metadata["media_ref"])) == picture("green")
        assert image.text.startswith("alt")
        assert not any("iVBOR" in d.text for d in documents)


HTML = """<!DOCTYPE html><html><head><title>The Lathe</title><meta charset="iso-8859-1">
<style>p {color: red}</style><script>var hidden = "secret words";</script></head><body>
<nav><a href="/">Home</a></nav>
<h1>Noise<script>1</script></h1><p>Das Ger\xe4usch<br>ist laut.</p>
<ul><li>eins<li>zwei</ul>
<figure><img src="a.png" alt="Bearing"><figcaption>Figure 3: worn</figcaption></figure>
<h2>Speeds</h2><table><caption>Measured</caption><tr><th>Speed<th>Noise<tr><td>500<td>loud &amp; clear</table>
<pre>  code
    kept</pre><p hidden>not seen</p><!-- comment -->
</body></html>"""


def test_html_sections_tables_and_pictures(tmp_path: Path, store: MediaStore) -> None:
    """Headings make sections, tables become Markdown, boilerplate goes, the declared encoding counts."""
    write(tmp_path / "h", {"a.html": HTML.encode("iso-8859-1"), "a.png": picture("red")})
    first, image, second = MediaReader(store).load_data(tmp_path / "h" / "a.html")
    assert first.text == "Das Geräusch\nist laut.\n\n- eins\n- zwei\n\nFigure 3: worn"
    assert first.metadata["heading_path"] == "Noise"
    assert image.text == "Bearing\nFigure 3: worn"
    assert second.metadata["heading_path"] == "Noise > Speeds"
    assert second.text == "Measured\n\n| Speed | Noise |\n| --- | --- |\n| 500 | loud & clear |\n\n  code\n    kept"


def test_html_by_content(read: Read) -> None:
    """A page named .pdf is a page; a byte order mark decides its encoding."""
    (document,) = read("a.pdf", "<!doctype html><title>Ü</title><p>Wörter".encode("utf-16"))
    assert (document.text, document.metadata["title"]) == ("Wörter", "Ü")
    assert document.metadata["file_type"] == "text/html"


def test_html_external_entities_stay_outside(tmp_path: Path, read: Read) -> None:
    """An entity that names a local file is not expanded."""
    secret = write(tmp_path, {"secret.txt": b"TOP SECRET"}) / "secret.txt"
    page = f'<!DOCTYPE html [<!ENTITY x SYSTEM "file://{secret}">]><html><body><p>See &x; here</p></body></html>'
    documents = read("a.html", page.encode())
    assert "TOP SECRET" not in "".join(d.text for d in documents)


def test_deeply_nested_html(read: Read) -> None:
    """Deep pages are read; absurd ones are named instead of losing their text."""
    (document,) = read("deep.html", b"<html>" + b"<div>" * 1500 + b"<p>bottom")
    assert document.text == "bottom"
    with pytest.raises(CorruptFile, match="nested too deeply"):
        read("absurd.html", b"<html>" + b"<div>" * 20000 + b"<p>bottom")
