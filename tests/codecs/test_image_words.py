"""What picture files say about their pictures."""

from __future__ import annotations

import hashlib
import io
import struct
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from llama_index_gemini_mm.codecs import image
from llama_index_gemini_mm.codecs.image.words import Words, said
from media_samples import encoded, jpeg, picture

XMP = b"""<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?><x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"
 xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:core="http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"
 xmlns:ext="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 photoshop:City="Graz" photoshop:DateCreated="2021-05-03T10:20:30+02:00" exif:GPSLatitude="47,4.2N"
 exif:GPSLongitude="15,26,24E">
<dc:title><rdf:Alt>
<rdf:li xml:lang="de">Spindel</rdf:li><rdf:li xml:lang="x-default">Spindle</rdf:li></rdf:Alt></dc:title>
<dc:description><rdf:Alt><rdf:li>The worn bearing</rdf:li></rdf:Alt></dc:description>
<dc:subject><rdf:Bag><rdf:li>lathe</rdf:li><rdf:li>bearing</rdf:li><rdf:li>lathe</rdf:li></rdf:Bag></dc:subject>
<dc:creator><rdf:Seq><rdf:li>Ann Example</rdf:li></rdf:Seq></dc:creator>
<core:AltTextAccessibility><rdf:Alt><rdf:li>A ring with scratches</rdf:li></rdf:Alt></core:AltTextAccessibility>
<ext:PersonInImage><rdf:Bag><rdf:li>Bo Worker</rdf:li></rdf:Bag></ext:PersonInImage>
<photoshop:Country>Austria</photoshop:Country>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end='w'?>"""


def words(data: bytes) -> Words:
    return image.probe(io.BytesIO(data)).words


def with_exif(
    form: str = "JPEG", gps: dict[int, Any] | None = None, sub: dict[int, Any] | None = None, **tags: Any
) -> bytes:
    exif = Image.Exif()
    for name, value in tags.items():
        exif[int(name.removeprefix("t"), 16)] = value
    for number, values in ((0x8769, sub), (0x8825, gps)):
        if values:
            exif.get_ifd(number).update(values)
    return encoded(picture(), form, exif=exif)


def iptc(*records: tuple[int, bytes], digest: bool | None = None) -> bytes:
    """A JPEG with IPTC records, and perhaps a hash of them that is or is not theirs."""
    raw = b"".join(b"\x1c\x02" + bytes([n]) + struct.pack(">H", len(v)) + v for n, v in records)
    blocks = b"Photoshop 3.0\0" + _resource(0x0404, raw)
    if digest is not None:
        blocks += _resource(0x0425, hashlib.md5(raw if digest else b"other").digest())
    segment = b"\xff\xed" + struct.pack(">H", len(blocks) + 2) + blocks
    data = encoded(picture(), "JPEG", xmp=XMP)
    return data[:2] + segment + data[2:]


def _resource(number: int, data: bytes) -> bytes:
    return b"8BIM" + struct.pack(">H", number) + b"\0\0" + struct.pack(">I", len(data)) + data + b"\0" * (len(data) % 2)


def test_png_text() -> None:
    """Title, Description, Author and Keywords of a PNG, also where UTF-8 stands in fields meant for Latin-1."""
    text = PngImagePlugin.PngInfo()
    text.add_text("Title", " Pump ")
    text.add(b"tEXt", b"Description\0" + "Eine Pumpe für Öl".encode())
    text.add_text("Author", "Ann")
    text.add_text("Keywords", "pump; oil")
    found = words(encoded(picture(), "PNG", pnginfo=text))
    assert found == Words("Pump", "Eine Pumpe für Öl\nKeywords: pump, oil", "Ann", "", ("pump", "oil"))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_exif(form: str) -> None:
    """Description, artist, date and place of EXIF, in every container."""
    gps = {1: "S", 2: (33.0, 51.0, 30.0), 3: "E", 4: (151.0, 12.0, 0.0)}
    found = words(
        with_exif(form, gps, {0x9003: "2021:05:03 10:20:30", 0x9011: "+10:00"}, t010E="A valve", t013B="Ann Example")
    )
    assert found == Words("", "A valve", "Ann Example", "2021-05-03T10:20:30+10:00", (), (-33.858333, 151.2))


def test_tags_of_a_tiff() -> None:
    """A TIFF keeps description and artist among its own tags."""
    found = words(with_exif("TIFF", t010E="A valve", t013B="Ann Example"))
    assert (found.caption, found.author) == ("A valve", "Ann Example")


def test_what_windows_writes() -> None:
    """Title, subject, comment and keywords as Windows keeps them."""
    wide = {f"t{tag:04X}": f"{text}\0".encode("utf-16-le") for tag, text in ((0x9C9B, "Pump"), (0x9C9F, "leaks"))}
    wide |= {
        f"t{tag:04X}": f"{text}\0".encode("utf-16-le") for tag, text in ((0x9C9E, "oil;floor"), (0x9C9C, "Hall 3"))
    }
    found = words(with_exif(**wide))
    assert found.title == "Pump"
    assert found.caption == "leaks\nHall 3\nKeywords: oil, floor"


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_xmp(form: str) -> None:
    """Title, description, alternative text, keywords, people, place names, author, date and place of XMP."""
    options: dict[str, Any] = {"xmp": XMP}
    if form == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", XMP.decode())
        options = {"pnginfo": text}
    if form == "TIFF":
        options = {"tiffinfo": {700: XMP}}
    found = words(encoded(picture(), form, **options))
    assert found.title == "Spindle"
    assert found.caption.splitlines() == [
        "The worn bearing",
        "A ring with scratches",
        "Keywords: lathe, bearing",
        "Shown: Bo Worker",
        "Graz, Austria",
    ]
    assert (found.author, found.created) == ("Ann Example", "2021-05-03T10:20:30+02:00")
    assert found.place == (47.07, 15.44)


def test_exif_outranks_the_others() -> None:
    """The description of EXIF comes before that of XMP, unless a camera wrote it by itself."""
    exif = Image.Exif()
    exif[0x010E] = "A ring"
    assert words(encoded(picture(), "JPEG", xmp=XMP, exif=exif)).caption.startswith("A ring\n")
    exif[0x010E] = "OLYMPUS DIGITAL CAMERA         "
    assert words(encoded(picture(), "JPEG", xmp=XMP, exif=exif)).caption.startswith("The worn bearing\n")


def test_iptc_outranks_xmp_where_it_is_newer() -> None:
    """IPTC fills what XMP leaves open, and wins when it was changed after the XMP was written."""
    records = ((120, "Gebrochene Welle in Köln".encode("latin-1")), (25, b"shaft"), (25, b"crack"), (5, b"Shaft"))
    assert words(iptc(*records)).title == "Spindle"
    assert words(iptc(*records, digest=True)).title == "Spindle"
    newer = words(iptc(*records, digest=False))
    assert (newer.title, newer.keywords) == ("Shaft", ("shaft", "crack"))
    assert newer.caption.startswith("Gebrochene Welle in Köln\n")


def test_comments() -> None:
    """The comment of a JPEG, of a GIF, and that of EXIF, with its encoding."""
    assert words(encoded(picture(), "JPEG", comment="Halle 3, Tür".encode())).caption == "Halle 3, Tür"
    assert words(encoded(picture(), "GIF", comment=b"A pump")).caption == "A pump"
    assert words(with_exif(sub={0x9286: b"ASCII\0\0\0A leak\0\0"})).caption == "A leak"
    assert words(with_exif(sub={0x9286: b"UNICODE\0" + "Öl".encode("utf-16")})).caption == "Öl"


@pytest.mark.parametrize(
    "noise",
    [
        "OLYMPUS DIGITAL CAMERA",
        "SONY DSC",
        "<KENOX S630  / Samsung S630>",
        "Exif_JPEG_PICTURE",
        "Created with GIMP",
        "Created with The GIMP",
        "CREATOR: gd-jpeg v1.0 (using IJG JPEG v62), quality = 90",
        "Lavc58.91.100",
        "File written by Adobe Photoshop 5.0",
        "AppleMark",
        "LEAD Technologies Inc. V1.01",
        "Processed By eBay with ImageMagick, z1.1.0.",
        "cof",
        '{"prompt": 1}',
        " \0\0 ",
        "***",
    ],
)
def test_what_machines_write_is_no_caption(noise: str) -> None:
    """Names of cameras and programs do not say what is seen."""
    assert said(noise) == ""


@pytest.mark.parametrize(
    "text",
    ["A camera on a tripod", "Photo of the digital display", "cat", "Test bench 4", "Maker: ACME", "Hall 3.2 by night"],
)
def test_what_people_write_is_kept(text: str) -> None:
    """Words that only look a little like noise are a caption."""
    assert said(text) == text


@pytest.mark.parametrize(
    "data",
    [
        encoded(picture(), "JPEG", xmp=b"<x:xmpmeta"),
        encoded(
            picture(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x87\x69\0\x04\0\0\0\x01\xff\xff\xff\xff" * 9
        ),
        encoded(picture(), "PNG", exif=b"Exif\0\0nothing of the kind"),
        with_exif(gps={1: "N", 2: (47.0, 1.0, 1.0), 3: "E"}),
        with_exif(gps={1: "N", 2: (990.0, 0.0, 0.0), 3: "E", 4: (15.0, 0.0, 0.0)}),
        with_exif(sub={0x9003: "0000:00:00 00:00:00", 0x9286: b"UNICODE\0\x00"}),
    ],
)
def test_broken_metadata_cost_themselves_alone(data: bytes) -> None:
    """Whatever is broken beside the pixels, the picture is described without it."""
    assert words(data) == Words()


def test_size_is_the_one_that_is_shown() -> None:
    """The size of a turned picture is that of the upright one."""
    info = image.probe(io.BytesIO(jpeg(orientation=6, description="A valve")))
    assert (info.width, info.height, info.words.caption) == (32, 48, "A valve")
