"""E-books."""

from __future__ import annotations

import io
import zipfile

import pytest
from reader_samples import Read, picture, wav

from llama_index_gemini_mm import MediaStore
from llama_index_gemini_mm.errors import CorruptFile, EncryptedFile, FileTooLarge, SourceError
from llama_index_gemini_mm.media import MediaRef
from llama_index_gemini_mm.readers._registry import find_format, read_source
from llama_index_gemini_mm.source import Source

CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="{}" media-type="application/oebps-package+xml"/></rootfiles></container>'
)
OPF = """<package xmlns="http://www.idpf.org/2007/opf" version="3.0">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:title>The Lathe</dc:title><dc:creator>A. Smith</dc:creator><dc:creator>B. Jones</dc:creator>
<dc:language>en</dc:language><dc:subject>noise</dc:subject><dc:subject>lathes</dc:subject><dc:date>2021-04-01</dc:date>
</metadata><manifest>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="cover" href="img/cover.png" media-type="image/png" properties="cover-image"/>
<item id="p0" href="cover.xhtml" media-type="application/xhtml+xml"/>
<item id="p2" href="text/two%20.xhtml" media-type="application/xhtml+xml"/>
<item id="p1" href="text/one.xhtml" media-type="application/xhtml+xml"/>
<item id="p3" href="text/three.xhtml" media-type="application/xhtml+xml"/>
<item id="red" href="img/red.png" media-type="image/png"/>
<item id="snd" href="noise.wav" media-type="audio/wav"/>
</manifest>
<spine><itemref idref="p0"/><itemref idref="p1"/><itemref idref="p2"/><itemref idref="p3"/></spine></package>"""
NAV = """<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><body>
<nav epub:type="landmarks"><ol><li><a href="text/one.xhtml">Start</a></li></ol></nav>
<nav epub:type="toc"><ol><li><span>Part I</span><ol><li><a href="text/one.xhtml">Noise</a></li></ol></li>
<li><a href="text/three.xhtml#a">First</a></li>
<li><a href="text/three.xhtml#b">Second</a></li></ol></nav></body></html>"""
XHTML = '<html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head><body>{}</body></html>'
SVG_COVER = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
    '<image xlink:href="img/cover.png"/></svg>'
)
BOOK: dict[str, str | bytes] = {
    "mimetype": "application/epub+zip",
    "META-INF/container.xml": CONTAINER.format("OEBPS/book.opf"),
    "OEBPS/book.opf": OPF,
    "OEBPS/nav.xhtml": NAV,
    "OEBPS/cover.xhtml": XHTML.format(SVG_COVER),
    "OEBPS/text/one.xhtml": XHTML.format(
        "<h1>NOISE</h1><p>It grinds&nbsp;here.</p><img src='../img/red.png' alt='Worn'/><h2>Causes</h2><p>Wear.</p>"
        "<audio src='../noise.wav'/><img src='../../../secret.png' alt=''/><img src='file:///etc/passwd' alt=''/>"
    ),
    "OEBPS/text/two .xhtml": XHTML.format("<p>Goes on.</p><img src='../img/red.png' alt='Again'/>"),
    "OEBPS/text/three.xhtml": XHTML.format("<p id='a'>Words of a.</p><div><p id='b'>Words of b.</p></div>"),
    "OEBPS/img/cover.png": picture("blue"),
    "OEBPS/img/red.png": picture("red"),
    "OEBPS/noise.wav": wav(),
}


def book(**changes: str | bytes | None) -> bytes:
    """The book with files changed or, for ``None``, left out; ``__`` in a name is a slash, ``_`` a dot."""
    files = BOOK | {name.replace("__", "/").replace("_", "."): data for name, data in changes.items()}
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as package:
        for name, data in files.items():
            if data is not None:
                package.writestr(name, data, zipfile.ZIP_STORED if name.endswith(("mimetype", ".wav")) else None)
    return target.getvalue()


def test_chapters_pictures_and_sounds_in_reading_order(read: Read, store: MediaStore) -> None:
    documents = read("lathe.epub", book())
    assert [(d.metadata["modality"], d.metadata.get("heading_path"), d.text) for d in documents] == [
        ("image", None, "The Lathe\nA. Smith, B. Jones"),
        ("text", "Part I > Noise", "It grinds\xa0here.".replace("\xa0", " ")),
        ("image", "Part I > Noise", "Worn\nIt grinds here."),
        ("text", "Part I > Noise > Causes", "Wear."),
        ("text", "Part I > Noise", "Goes on."),
        ("text", "First", "Words of a."),
        ("text", "Second", "Words of b."),
        ("audio", None, ""),
    ]
    assert store.read(MediaRef.parse(documents[0].metadata["media_ref"])) == picture("blue")
    assert documents[-1].metadata["container_path"] == "lathe.epub!/OEBPS/noise.wav"
    assert len({d.id_ for d in documents}) == len(documents)


def test_book_says_who_wrote_it(read: Read) -> None:
    said = read("lathe.epub", book())[1].metadata
    assert (said["author"], said["language"], said["keywords"], said["created"], said["chapter"]) == (
        "A. Smith, B. Jones",
        "en",
        "noise, lathes",
        "2021-04-01",
        "Noise",
    )


def test_contents_of_the_older_kind(read: Read) -> None:
    opf = OPF.replace('properties="nav"', "").replace("nav.xhtml", "toc.ncx").replace("<spine>", '<spine toc="nav">')
    ncx = (
        '<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap><navPoint><navLabel><text>Book One</text></navLabel>'
        '<content src="text/one.xhtml"/><navPoint><navLabel><text>Inner</text></navLabel>'
        '<content src="text/three.xhtml"/></navPoint></navPoint></navMap></ncx>'
    )
    documents = read("lathe.epub", book(OEBPS__book_opf=opf, OEBPS__toc_ncx=ncx))
    paths = [d.metadata.get("heading_path") for d in documents if d.metadata["modality"] == "text"]
    assert paths == ["Book One > NOISE", "Book One > NOISE > Causes", "Book One", "Book One > Inner"]


def test_book_is_known_by_its_content(read: Read) -> None:
    assert find_format(Source.of_bytes(book(), "x.zip")).name == "epub"
    assert find_format(Source.of_bytes(book(mimetype=None), "x.bin")).name == "epub"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"META-INF__container_xml": None, "OEBPS__book_opf": None}, "no list of packages"),
        ({"META-INF__container_xml": CONTAINER.format("../../etc/passwd")}, "outside of it"),
        ({"META-INF__container_xml": CONTAINER.format("/etc/passwd")}, "outside of it"),
        ({"META-INF__container_xml": CONTAINER.format("gone.opf")}, "missing"),
        ({"OEBPS__book_opf": "no xml"}, "broken"),
    ],
)
def test_package_without_a_book_is_named(read: Read, changes: dict[str, str | None], reason: str) -> None:
    with pytest.raises(CorruptFile, match=reason):
        read("lathe.epub", book(**changes))


def test_half_a_book_is_named(read: Read) -> None:
    with pytest.raises(CorruptFile, match="e-book"):
        read("lathe.epub", book()[:2000])


def test_broken_picture_or_sound_costs_itself_alone(store: MediaStore) -> None:
    data = book(OEBPS__img__red_png=b"")
    notes: list[SourceError] = []
    broken = data.replace(b"RIFF", b"RAFF", 1)
    documents = list(read_source(Source.of_bytes(broken, "a.epub"), store, note=notes.append))
    assert next(d.text for d in documents if d.metadata["modality"] == "text") == "It grinds here.\n\nWorn"
    assert not any("Worn" in d.text for d in documents if d.metadata["modality"] == "image")
    assert [n.path for n in notes] == ["a.epub!/OEBPS/noise.wav"]


def test_protected_book_is_named_and_hidden_fonts_are_not(read: Read) -> None:
    listed = (
        '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><EncryptedData '
        'xmlns="http://www.w3.org/2001/04/xmlenc#"><EncryptionMethod Algorithm="{}"/></EncryptedData></encryption>'
    )
    font = listed.format("http://www.idpf.org/2008/embedding")
    assert len(read("a.epub", book(**{"META-INF__encryption_xml": font}))) == 8
    with pytest.raises(EncryptedFile, match="DRM"):
        read(
            "a.epub", book(**{"META-INF__encryption_xml": listed.format("http://www.w3.org/2001/04/xmlenc#aes128-cbc")})
        )


def test_bomb_in_a_book_is_refused(read: Read) -> None:
    with pytest.raises(FileTooLarge):
        read("a.epub", book(OEBPS__big_xhtml=bytes(30 * 2**20)))


def test_external_entities_stay_outside(read: Read) -> None:
    opf = '<!DOCTYPE package [<!ENTITY x SYSTEM "file:///etc/hostname">]>' + OPF.replace("The Lathe", "The &x; Lathe")
    documents = read("a.epub", book(OEBPS__book_opf=opf))
    assert documents[0].text.split("\n")[0] in ("The Lathe", "The  Lathe", "The &x; Lathe")
