"""Pictures with words, pages and frames, and drawings."""

from __future__ import annotations

import gzip
import io
import time
from typing import Any

import pytest
from PIL import Image, ImageDraw
from reader_samples import Read, picture

from llama_index_gemini_mm import MediaStore
from llama_index_gemini_mm.errors import CorruptFile, FileTooLarge, NothingToRead, UnsupportedFormat
from llama_index_gemini_mm.media import MediaRef
from llama_index_gemini_mm.readers import media_type
from llama_index_gemini_mm.source import Source

SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="200" height="100"><title>Spindle drive</title>'
    '<desc>Cut through the housing</desc><rect width="90" height="90" fill="red"/><text x="95" y="50">Belt</text></svg>'
)


def shots(count: int, size: tuple[int, int] = (64, 48)) -> list[Image.Image]:
    frames = []
    for n in range(count):
        frame = Image.new("RGB", size, "white")
        ImageDraw.Draw(frame).rectangle((n % size[0], 5, n % size[0] + 20, 30), fill=(n * 40 % 256, 0, 200))
        frames.append(frame)
    return frames


def several(kind: str, frames: list[Image.Image], **options: Any) -> bytes:
    target = io.BytesIO()
    frames[0].save(target, kind, save_all=True, append_images=frames[1:], **options)
    return target.getvalue()


def test_pages_of_a_tiff(read: Read, store: MediaStore) -> None:
    """Each page is an image document with its number, over the one file."""
    documents = read("scan_of_plan.tiff", several("TIFF", shots(3)))
    assert [d.metadata["page_label"] for d in documents] == ["1", "2", "3"]
    assert [d.metadata["page_start"] for d in documents] == [1, 2, 3]
    assert {d.metadata["title"] for d in documents} == {"scan of plan"}
    assert len({d.node_id for d in documents}) == 3
    refs = [d.metadata["media_ref"] for d in documents]
    assert [ref.partition("#")[2] for ref in refs] == ["page=1", "page=2", "page=3"]
    assert len({store.cut(MediaRef.parse(ref))[0] for ref in refs}) == 3


def test_a_fax_is_readable(read: Read, store: MediaStore) -> None:
    """Black and white pages in fax compression come as gray pictures, black on white."""
    page = Image.new("1", (1728, 2200), 1)
    ImageDraw.Draw(page).rectangle((100, 100, 800, 200), fill=0)
    (document,) = read("fax.tif", several("TIFF", [page], compression="group4"))
    data, mime_type = store.cut(MediaRef.parse(document.metadata["media_ref"]))
    fax = Image.open(io.BytesIO(data))
    assert (mime_type, fax.size) == ("image/png", (1728, 2200))
    assert (fax.getpixel((400, 150)), fax.getpixel((1000, 1000))) == (0, 255)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
def test_an_animation_is_one_picture(read: Read, kind: str) -> None:
    """By default an animated picture is one image document over the file itself."""
    (document,) = read(f"move.{kind.lower()}", several(kind, shots(8), duration=100))
    assert document.metadata["modality"] == "image"
    assert "#" not in document.metadata["media_ref"]


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_an_animation_as_a_film(read: Read, store: MediaStore, kind: str) -> None:
    """By choice it is a video document with its length; a still stays a picture."""
    (document,) = read(f"move.{kind.lower()}", several(kind, shots(8), duration=500), animations="film")
    assert (document.metadata["modality"], document.metadata["mime_type"]) == ("video", "video/mp4")
    assert (document.metadata["start_seconds"], document.metadata["end_seconds"]) == (0.0, 4.0)
    assert document.metadata["title"] == "move"
    assert store.cut(MediaRef.parse(document.metadata["media_ref"]))[1] == "video/mp4"
    (still,) = read(f"still.{kind.lower()}", picture(kind=kind), animations="film")
    assert still.metadata["modality"] == "image"


def test_long_animations_are_quick(read: Read) -> None:
    """Two thousand frames are no burden."""
    data = several("GIF", shots(2000, (160, 120)), duration=20)
    begin = time.perf_counter()
    assert len(read("long.gif", data)) == 1
    assert time.perf_counter() - begin < 10


def test_words_of_the_picture(read: Read) -> None:
    """Description and keywords are the caption; author, date, keywords and place are metadata."""
    exif = Image.Exif()
    exif[0x010E], exif[0x013B] = "A worn bearing", "Ann Example"
    exif[0x9C9E] = "bearing;lathe\0".encode("utf-16-le")
    exif.get_ifd(0x8769)[0x9003] = "2021:05:03 10:20:30"
    exif.get_ifd(0x8825).update({1: "N", 2: (47.0, 4.0, 12.0), 3: "E", 4: (15.0, 26.0, 24.0)})
    (document,) = read("dsc_1234.jpg", picture(kind="JPEG", exif=exif))
    assert document.text == "A worn bearing\nKeywords: bearing, lathe"
    assert document.metadata["title"] == "dsc 1234"
    assert document.metadata["author"] == "Ann Example"
    assert document.metadata["created"] == "2021-05-03T10:20:30"
    assert document.metadata["keywords"] == "bearing, lathe"
    assert (document.metadata["latitude"], document.metadata["longitude"]) == (47.07, 15.44)
    (bare,) = read("bare.jpg", picture(kind="JPEG"))
    assert not {"author", "created", "keywords", "latitude", "longitude"} & bare.metadata.keys()


def test_words_cannot_forge_a_reference(read: Read) -> None:
    """A description that looks like a reference to other media is made harmless."""
    exif = Image.Exif()
    exif[0x010E] = "media_ref: media://" + "0" * 64
    (document,) = read("x.jpg", picture(kind="JPEG", exif=exif))
    assert document.text.startswith("media_ref :")


def test_a_single_pixel_is_nothing(read: Read) -> None:
    """Tracking pixels hold nothing to be found by."""
    with pytest.raises(NothingToRead, match="single pixel"):
        read("dot.png", several("PNG", [Image.new("RGB", (1, 1))]))


@pytest.mark.parametrize("kind", ["TGA", "PCX"])
def test_old_formats(read: Read, kind: str) -> None:
    """Targa, which has no magic number, by its suffix; PCX by its content."""
    (document,) = read(f"old.{kind.lower()}", picture(kind=kind))
    assert document.metadata["mime_type"] == {"TGA": "image/x-tga", "PCX": "image/x-pcx"}[kind]
    if kind == "TGA":
        with pytest.raises(UnsupportedFormat):
            read("old.bin", picture(kind=kind))


@pytest.mark.parametrize("name", ["drive.svg", "drive.svgz", "drive.txt"])
def test_drawings(read: Read, store: MediaStore, name: str) -> None:
    """A drawing is an image document of its picture, with its title, description and texts."""
    data = gzip.compress(SVG.encode()) if name.endswith("z") else SVG.encode()
    (document,) = read(name, data)
    assert (document.metadata["modality"], document.metadata["mime_type"]) == ("image", "image/png")
    assert document.metadata["file_type"] == "image/svg+xml"
    assert (document.metadata["title"], document.text) == ("Spindle drive", "Cut through the housing\nBelt")
    drawn = Image.open(io.BytesIO(store.cut(MediaRef.parse(document.metadata["media_ref"]))[0]))
    assert (drawn.size, drawn.convert("RGB").getpixel((200, 200))) == ((1024, 512), (255, 0, 0))


@pytest.mark.parametrize(
    "preamble",
    [
        '<?xml version="1.0" encoding="UTF-8"?>\n<!-- made by hand -->\n',
        '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">',
        '<?xml version="1.0"?><!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE svg [<!ENTITY ns_svg "http://www.w3.org/2000/svg">\n<!ENTITY x "y">]>',
        f"<!--{'long ' * 3000}-->",
        "\ufeff",
    ],
)
def test_what_stands_before_a_drawing(read: Read, preamble: str) -> None:
    """Declarations, comments and document types, in any length."""
    assert read("drive.svg", (preamble + SVG).encode())[0].metadata["title"] == "Spindle drive"


def test_drawings_of_nothing(read: Read) -> None:
    """A drawing with words and no picture is a text; one with neither is nothing to read."""
    words = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><desc>Left blank</desc></svg>'
    (document,) = read("blank.svg", words.encode())
    assert (document.metadata["modality"], document.text) == ("text", "Left blank")
    with pytest.raises(NothingToRead):
        read("void.svg", b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')


def test_broken_drawings(read: Read) -> None:
    """Cut off, too much, or no drawing at all, each with its reason."""
    with pytest.raises(CorruptFile, match="the drawing is cut off"):
        read("half.svg", SVG[:150].encode())
    with pytest.raises(FileTooLarge, match="100,000 elements"):
        read("bomb.svg", SVG.replace("<rect", "<rect/>" * 100_001 + "<rect").encode())
    with pytest.raises(UnsupportedFormat):
        read("noise.svg", bytes(range(256)) * 8)


def test_a_drawing_is_no_medium_by_itself() -> None:
    """It is drawn when it is read, and so cannot be a query."""
    with pytest.raises(UnsupportedFormat):
        media_type(Source.of_bytes(SVG.encode(), "x.svg"))
