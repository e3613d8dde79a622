"""Markdown beyond sections and pictures, reStructuredText, XML documents and feeds."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from reader_samples import Read, picture, wav, write

from llama_index_gemini_mm import MediaReader, MediaStore
from llama_index_gemini_mm.errors import CorruptFile, FileTooLarge

YAML = """---
Title: "The lathe: a manual"
author: [Ann, {name: Bob}]
date: 2024-05-06
tags:
  - noise
  - bearing
lang: en
description: How to hear wear.
---
# First
Words.
"""


def test_yaml_front_matter(read: Read) -> None:
    """Title, author, date, tags and language become metadata, the summary text."""
    about, first = read("a.md", YAML.encode())
    assert (about.text, about.metadata["title"]) == ("How to hear wear.", "The lathe: a manual")
    assert first.metadata["heading_path"] == "First"
    for document in (about, first):
        said = {key: document.metadata[key] for key in ("author", "created", "keywords", "language")}
        assert said == {"author": "Ann, Bob", "created": "2024-05-06", "keywords": "noise, bearing", "language": "en"}


@pytest.mark.parametrize(
    ("data", "title", "text"),
    [
        ('+++\ntitle = "Lathe"\ntags = ["x"]\n+++\nWords\n', "Lathe", "Words"),
        ("---\ntitle: Lathe: a manual\nbad: [\n---\nWords\n", "Lathe: a manual", "Words"),
        ("---\n\nNo front matter\n", "a", "No front matter"),
        ("---\na: &x [1]\nb: [*x, *x]\n---\nWords\n", "a", "Words"),
    ],
)
def test_other_front_matter(read: Read, data: str, title: str, text: str) -> None:
    """TOML, YAML that is none, a rule alone, and aliases."""
    (document,) = read("a.md", data.encode())
    assert (document.metadata["title"], document.text) == (title, text)


def test_html_in_markdown(read: Read) -> None:
    """Headings, tables and comments are read as in a page, and tags do not stay in the text."""
    text = (
        '<h1 align="center">The <b>Lathe</b></h1>\n\n<!-- not seen -->\n\n'
        '<p align="center"><a href="x"><img src="no.png" alt="badge"></a></p>\n\nWords.\n\n'
        "<table><tr><th>a</th><th>b</th></tr>\n<tr><td>1</td><td>2</td></tr></table>\n"
    )
    (document,) = read("a.md", text.encode())
    assert document.metadata["heading_path"] == "The Lathe"
    assert document.text == "badge\n\nWords.\n\n| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_code_footnotes_and_attributes(read: Read) -> None:
    """Code stays as it is, footnotes of one word do not vanish, and anchors are no part of a heading."""
    text = "# Start {#start .big}\n```python\n# no heading\n```\n\nSee[^1] here.\n\n[^1]: https://example.org\n"
    (document,) = read("a.md", text.encode())
    assert document.metadata["heading_path"] == "Start"
    assert document.text == "```python\n# no heading\n```\n\nSee[^1] here.\n\n[^1]: https://example.org"


def test_pictures_that_cannot_be_had_keep_their_words(read: Read) -> None:
    """A badge or a picture from the network is what it is said to show."""
    (document,) = read("a.md", b"[![PyPI version](https://example.org/x.svg)](https://example.org)\n\nWords\n")
    assert document.text == "PyPI version\n\nWords"


def test_wiki_links_show_pictures(tmp_path: Path, store: MediaStore) -> None:
    """Obsidian writes ``![[name]]``."""
    write(tmp_path, {"a.md": b"Look\n\n![[img/red.png|Worn bearing]]\n", "img/red.png": picture("red")})
    images = [d for d in MediaReader(store).load_data(tmp_path / "a.md") if d.metadata["modality"] == "image"]
    assert [d.text.split("\n")[0] for d in images] == ["Worn bearing"]


def test_recordings_beside_markdown(tmp_path: Path, store: MediaStore) -> None:
    """They are files inside when the document is read alone, and themselves when their folder is."""
    write(
        tmp_path / "m",
        {"a.md": b"Listen\n\n![noise](noise.wav)\n\n<audio src='noise.wav'></audio>\n", "noise.wav": wav()},
    )
    alone = MediaReader(store).load_data(tmp_path / "m" / "a.md")
    assert [d.metadata.get("container_path") for d in alone] == [None, "a.md!/noise.wav"]
    folder = MediaReader(store).load_data(tmp_path / "m")
    assert [(d.metadata["file_name"], d.metadata["modality"]) for d in folder] == [
        ("a.md", "text"),
        ("noise.wav", "audio"),
    ]


def test_recording_written_into_markdown(read: Read) -> None:
    """A data URI is a file inside, too."""
    uri = "data:audio/wav;base64," + base64.b64encode(wav()).decode()
    text, audio = read("a.md", f"Words\n\n<audio src='{uri}'></audio>\n".encode())
    assert (text.text, audio.metadata["modality"]) == ("Words", "audio")


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "filler", ["![" * 20_000, "`" * 100_000, "a " * 100_000, "<!--" * 25_000, "| " * 50_000, "> " * 20_000]
)
def test_hostile_markdown_takes_no_time(read: Read, filler: str) -> None:
    """Runs that a parser could try again and again keep their words."""
    documents = read("evil.md", f"Before.\n\n{filler}\n".encode())
    assert documents[0].text.startswith("Before.")


RST = """
=====
Lathe
=====

:Author: Ann
:Date: 2020-01-02

Intro *em* ``lit`` :ref:`the label <lab>` :class:`~pkg.Foo` |sub| text [1]_ `link <http://x>`_.

.. |sub| replace:: substituted words

.. [1] A footnote.

Spindle
-------

.. note:: Careful *now*.

.. code-block:: python
   :linenos:

   def f():
       return 1

.. figure:: red.png
   :alt: a disc

   The caption.

.. toctree::
   :maxdepth: 2

   other

.. versionadded:: 2.0
   New thing.

.. list-table:: Parts
   :header-rows: 1

   * - Part
     - Count
   * - Bolt
     - 4

- one

  more
- two

  - nested

term
    definition

.. include:: /etc/passwd

.. raw:: html
   :file: /etc/passwd

.. csv-table:: Stolen
   :file: /etc/passwd

.. comment

Deeper
^^^^^^
End.
"""


def test_restructured_text(tmp_path: Path, store: MediaStore) -> None:
    """Sections, boxes, code, tables, lists and figures; roles become words, and what Sphinx adds is read."""
    write(tmp_path, {"a.rst": RST.encode(), "red.png": picture("red")})
    first, second, image, third = MediaReader(store).load_data(tmp_path / "a.rst")
    assert first.text == (
        "Author: Ann\nDate: 2020-01-02\n\n"
        "Intro em `lit` the label pkg.Foo substituted words text [1] link.\n\n[1] A footnote."
    )
    assert (first.metadata["author"], first.metadata["created"]) == ("Ann", "2020-01-02")
    assert second.metadata["heading_path"] == "Lathe > Spindle"
    assert second.text == (
        "Note: Careful now.\n\n```python\ndef f():\n    return 1\n```\n\nThe caption.\n\n"
        "versionadded: 2.0\n\nNew thing.\n\n"
        "Parts\n\n| Part | Count |\n| --- | --- |\n| Bolt | 4 |\n\n- one\n  more\n- two\n  - nested\n\n"
        "term: definition\n\ncsv-table: Stolen"
    )
    assert image.text == "a disc\nThe caption."
    assert (third.text, third.metadata["heading_path"]) == ("End.", "Lathe > Spindle > Deeper")
    assert "root:" not in "".join(d.text for d in (first, second, third))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("filler", ["*a " * 40_000, "`a " * 40_000, "- " * 20_000, "x " * 800_000])
def test_restructured_text_that_cannot_be_taken_apart(read: Read, filler: str) -> None:
    """What would take too long or nests too deeply keeps its words."""
    (document,) = read("evil.rst", f"Before.\n\n{filler}\n".encode())
    assert document.text.startswith("Before.")
    assert filler.strip() in document.text


DOCBOOK = """<?xml version="1.0"?>
<!DOCTYPE article PUBLIC "-//OASIS//DTD DocBook XML V4.5//EN" "http://www.oasis-open.org/docbook/xml/4.5/docbookx.dtd">
<article><articleinfo><title>The Lathe</title></articleinfo>
<para>Intro with <emphasis>stressed</emphasis> words &eacute;.</para>
<section><title>Spindle</title><para>Text.</para>
<itemizedlist><listitem><para>one</para></listitem><listitem><para>two</para></listitem></itemizedlist>
<section><title>Deep</title><programlisting>a = 1
  b = 2</programlisting>
<table><title>Parts</title><tgroup cols="2"><thead><row><entry>A</entry><entry>B</entry></row></thead>
<tbody><row><entry>1</entry><entry>2</entry></row></tbody></tgroup></table>
<figure><title>Bearing</title><mediaobject><imageobject><imagedata fileref="red.png"/></imageobject>
<imageobject><imagedata fileref="red.png"/></imageobject>
<textobject><phrase>worn</phrase></textobject></mediaobject></figure>
</section></section><section><title>Last</title><para>End.</para></section></article>"""


def test_xml_documents(tmp_path: Path, store: MediaStore) -> None:
    """DocBook and its like: sections by their titles, lists, code, tables and figures."""
    write(tmp_path, {"a.xml": DOCBOOK.encode(), "red.png": picture("red")})
    found = MediaReader(store).load_data(tmp_path / "a.xml")
    assert [(d.metadata["modality"], d.metadata["heading_path"], d.text) for d in found] == [
        ("text", "The Lathe", "Intro with stressed words é."),
        ("text", "The Lathe > Spindle", "Text.\n\n- one\n- two"),
        (
            "text",
            "The Lathe > Spindle > Deep",
            "```\na = 1\n  b = 2\n```\n\nParts\n\n| A | B |\n| --- | --- |\n| 1 | 2 |\n\nBearing",
        ),
        ("image", "The Lathe > Spindle > Deep", "worn\nBearing"),
        ("text", "The Lathe > Last", "End."),
    ]


def test_fiction_book(read: Read) -> None:
    """Its pictures lie in the document itself."""
    picture_data = base64.b64encode(picture("red")).decode()
    data = (
        '<?xml version="1.0"?><FictionBook xmlns:l="http://www.w3.org/1999/xlink"><body><section>'
        '<title><p>One</p></title><p>Words.</p><image l:href="#a.png"/></section></body>'
        f'<binary id="a.png" content-type="image/png">{picture_data}</binary></FictionBook>'
    )
    text, image = read("book.fb2", data.encode())
    assert (text.text, text.metadata["heading_path"]) == ("Words.", "One")
    assert (image.metadata["modality"], image.text) == ("image", "Words.")


def test_feeds(read: Read) -> None:
    """Each entry is a section with its author, date and keywords; its markup is read as a page."""
    rss = (
        '<?xml version="1.0"?><rss version="2.0" xmlns:c="http://purl.org/rss/1.0/modules/content/" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>News</title>'
        "<description>About lathes</description><item><title>First</title><dc:creator>Ann</dc:creator>"
        "<pubDate>Mon, 06 Sep 2021 00:01:00 +0000</pubDate>"
        "<category>a</category><category>b</category><description>short</description>"
        "<c:encoded><![CDATA[<p>Long <b>text</b></p>]]></c:encoded></item>"
        "<item><title>Second</title><description>plain words</description></item></channel></rss>"
    )
    about, first, second = read("news.xml", rss.encode())
    assert (about.text, about.metadata["title"]) == ("About lathes", "News")
    assert (first.text, first.metadata["heading_path"]) == ("Long text", "First")
    said = {key: first.metadata[key] for key in ("author", "created", "keywords")}
    assert said == {"author": "Ann", "created": "2021-09-06T00:01:00Z", "keywords": "a, b"}
    assert (second.text, second.metadata.get("author")) == ("plain words", None)
    assert first.metadata["file_type"] == "application/rss+xml"


def test_atom(read: Read) -> None:
    """Markup may stand in it as elements."""
    atom = (
        '<feed xmlns="http://www.w3.org/2005/Atom"><title>A</title><entry><title>E</title>'
        "<author><name>Bob</name></author><updated>2020-01-02T03:04:05Z</updated>"
        '<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>Hi <i>you</i></p></div></content>'
        "</entry></feed>"
    )
    (document,) = read("news.atom", atom.encode())
    assert (document.text, document.metadata["author"]) == ("Hi you", "Bob")
    assert document.metadata["created"] == "2020-01-02T03:04:05Z"


def test_xml_entities_stay_outside(tmp_path: Path, read: Read) -> None:
    """One that names a local file vanishes, and bombs are refused."""
    secret = write(tmp_path, {"secret.txt": b"TOP SECRET"}) / "secret.txt"
    data = f'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file://{secret}">]><r><p>see &x; here</p></r>'
    (document,) = read("a.xml", data.encode())
    assert document.text == "see here"
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY e0 "lol">{entities}]><r><p>x</p></r>'
    (document,) = read("bomb.xml", bomb.encode())
    assert document.text == "x"


@pytest.mark.parametrize(
    ("data", "error", "reason"),
    [
        (b"<?xml version='1.0'?><a><b>x</b><c>", CorruptFile, "not well-formed XML, or cut off, at line 1"),
        (b"<a>" * 5000 + b"x" + b"</a>" * 5000, FileTooLarge, "nested deeper than 256"),
        (b"<?xml version='1.0' encoding='no-such'?><a>\xff</a>", CorruptFile, "XML"),
    ],
)
def test_xml_that_cannot_be_read(read: Read, data: bytes, error: type[Exception], reason: str) -> None:
    """Broken and hostile files are named."""
    with pytest.raises(error, match=reason):
        read("a.xml", data)


@pytest.mark.parametrize("encoding", ["utf-16", "iso-8859-1", "utf-8"])
def test_xml_in_its_encoding(read: Read, encoding: str) -> None:
    """The one it declares."""
    data = f'<?xml version="1.0" encoding="{encoding}"?><a><p>Größe</p></a>'.encode(encoding)
    (document,) = read("a.xml", data)
    assert document.text == "Größe"
