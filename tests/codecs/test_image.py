"""Pictures: what is found in them, and what is uploaded of them."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from llama_index_gemini_mm.codecs import Undecodable, image
from media_samples import encoded, gif, jpeg, photo, picture, png

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/">'
    b'<dc:title><rdf:Alt><rdf:li xml:lang="x-default">Spindle</rdf:li></rdf:Alt></dc:title>'
    b"<dc:description><rdf:Alt><rdf:li>The worn bearing</rdf:li></rdf:Alt></dc:description>"
    b"</rdf:Description></rdf:RDF></x:xmpmeta>"
)


def cut(data: bytes, box: tuple[float, float, float, float] | None = None) -> tuple[Image.Image, bytes, str]:
    result, mime_type = image.cut(io.BytesIO(data), box)
    opened = Image.open(io.BytesIO(result))
    assert Image.MIME[str(opened.format)] == mime_type
    return opened, result, mime_type


@pytest.mark.parametrize("data", [png(), jpeg(), png(mode="L"), jpeg(mode="L"), photo((3072, 20))])
def test_fitting_pictures_pass_through(data: bytes) -> None:
    """PNG and JPEG that already fit are uploaded byte for byte."""
    assert cut(data)[1] == data


def test_exif_rotation_is_applied() -> None:
    """A picture that EXIF turns comes upright: its white corner moves and its sides swap."""
    upright, _, _ = cut(jpeg(orientation=6))
    assert upright.size == (32, 48)
    assert upright.getexif().get(0x0112, 1) == 1
    assert min(upright.convert("RGB").getpixel((28, 4))) > 200
    assert max(upright.convert("RGB").getpixel((4, 4))[1:]) < 100


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_transparency_becomes_white(mode: str) -> None:
    """What is transparent is white in the upload, not black."""
    clear = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    clear.paste((255, 0, 0, 255), (10, 0, 20, 20))
    form = "TIFF" if mode == "PA" else "PNG"
    result, _, _ = cut(encoded(clear if mode == "PA" else clear.convert(mode), form))
    assert result.mode in ("RGB", "L", "P")
    assert result.convert("RGB").getpixel((2, 10)) == (255, 255, 255)


def test_palette_with_transparency() -> None:
    """A palette entry marked transparent is white, the others keep their colour."""
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([0, 0, 0, 0, 0, 255])
    palette.putpixel((4, 4), 1)
    result, _, _ = cut(encoded(palette, "PNG", transparency=0))
    assert result.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    assert result.convert("RGB").getpixel((4, 4)) == (0, 0, 255)


def test_cmyk_becomes_rgb() -> None:
    """A JPEG in printing colours comes as an RGB JPEG that is still red."""
    result, _, mime_type = cut(jpeg("red", mode="CMYK"))
    assert (result.mode, mime_type) == ("RGB", "image/jpeg")
    red, green, _ = result.getpixel((40, 28))
    assert red > 200
    assert green < 60


@pytest.mark.parametrize("values", ["uint16", "float32", "int32"])
def test_wide_gray_becomes_8_bit(values: str) -> None:
    """16 bit, float and 32 bit gray keep their order of brightness in 8 bit."""
    ramp = np.linspace(0, 65535, 64 * 8).reshape(8, 64).astype(values)
    result, _, _ = cut(encoded(Image.fromarray(ramp), "TIFF"))
    gray = np.asarray(result.convert("L"))
    assert result.mode == "L"
    assert gray[0, 0] < 3
    assert gray[7, 63] > 252
    assert (np.diff(gray.ravel().astype(int)) >= -2).all()


def test_16_bit_rgb_png_is_not_passed_through() -> None:
    """A PNG of 16 bits a channel is written anew with 8."""
    rows = b"".join(b"\0" + struct.pack(">3H", 65535, 0, 0) * 4 for _ in range(4))

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    result, raw, _ = cut(data)
    assert raw != data
    assert result.convert("RGB").getpixel((1, 1)) == (255, 0, 0)
    assert raw[24] == 8


def test_animation_gives_its_first_frame() -> None:
    """Of an animation the first frame is uploaded, as one still picture."""
    result, _, mime_type = cut(gif(("red", "blue", "green")))
    assert mime_type == "image/png"
    assert getattr(result, "n_frames", 1) == 1
    assert result.convert("RGB").getpixel((3, 3)) == (255, 0, 0)
    assert image.probe(io.BytesIO(gif(("red", "blue", "green")))).frames == 3


@pytest.mark.parametrize(("form", "mime_type"), [("PNG", "image/png"), ("JPEG", "image/jpeg")])
def test_large_pictures_are_scaled_down(form: str, mime_type: str) -> None:
    """The longer side is at most 3,072 pixels; graphics stay PNG, photos JPEG."""
    result, _, found = cut(encoded(picture("blue", (4000, 1000)), form))
    assert result.size == (3072, 768)
    assert found == mime_type


def test_many_colors_become_jpeg() -> None:
    """A picture in another format with more colours than a palette holds becomes JPEG."""
    assert cut(photo(form="BMP"))[2] == "image/jpeg"


def test_box_is_cropped() -> None:
    """A box gives that part of the picture as it is shown."""
    result, _, _ = cut(png("red", (48, 32)), (0.5, 0.5, 1, 1))
    assert result.size == (24, 16)
    assert set(result.convert("RGB").get_flattened_data()) == {(255, 0, 0)}


@pytest.mark.parametrize("box", [(1.0, 1.0, 1.0, 1.0), (0.2, 0.2, 0.2, 0.2), (-0.5, -0.5, 2.0, 2.0)])
def test_odd_boxes_give_something(box: tuple[float, float, float, float]) -> None:
    """A box without an area, or larger than the picture, still gives a picture within it."""
    result, _, _ = cut(png(), box)
    assert 1 <= result.width <= 48
    assert 1 <= result.height <= 32


def test_multi_picture_jpeg_is_a_jpeg() -> None:
    """The format that cameras use for several pictures in one file is taken as JPEG, without the further pictures."""
    data = encoded(picture("red"), "MPO", save_all=True, append_images=[picture("blue")])
    assert image.probe(io.BytesIO(data)).mime_type == "image/jpeg"
    result, raw, _ = cut(data)
    assert len(raw) < len(data)
    assert result.convert("RGB").getpixel((40, 28))[0] > 200


def test_heic_is_read() -> None:
    """HEIC is decoded when pillow-heif is installed."""
    from pillow_heif import register_heif_opener

    register_heif_opener()
    data = encoded(picture("red", (64, 64)), "HEIF")
    assert image.probe(io.BytesIO(data)).mime_type.startswith("image/hei")
    assert cut(data)[0].size == (64, 64)


def test_words_of_png_text() -> None:
    """Title and Description of a PNG are found."""
    text = PngImagePlugin.PngInfo()
    text.add_text("Title", " Pump ")
    text.add_text("Description", "A pump with a leak")
    info = image.probe(io.BytesIO(encoded(picture(), "PNG", pnginfo=text)))
    assert (info.title, info.caption) == ("Pump", "A pump with a leak")
    assert (info.width, info.height, info.mime_type, info.frames) == (48, 32, "image/png", 1)


def test_words_of_exif_and_upright_size() -> None:
    """The EXIF description is the caption, and the size is the one that is shown."""
    info = image.probe(io.BytesIO(jpeg(orientation=6, description="A valve")))
    assert (info.width, info.height, info.caption) == (32, 48, "A valve")


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_words_of_xmp(form: str) -> None:
    """Dublin Core title and description in XMP are found."""
    info = image.probe(io.BytesIO(encoded(picture(), form, xmp=XMP)))
    assert (info.title, info.caption) == ("Spindle", "The worn bearing")


def test_broken_xmp_is_passed_over() -> None:
    """XMP that is no XML costs its words alone."""
    info = image.probe(io.BytesIO(encoded(picture(), "JPEG", xmp=b"<x:xmpmeta")))
    assert (info.title, info.caption) == ("", "")


@pytest.mark.parametrize("data", [b"", b"no picture", png()[:60], photo((64, 48))[:2000], jpeg()[:200]])
def test_broken_pictures_are_undecodable(data: bytes) -> None:
    """Empty, foreign and cut off content is refused with a short reason."""
    with pytest.raises(Undecodable, match="not readable as a picture"):
        image.cut(io.BytesIO(data), None)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_bombs_are_refused() -> None:
    """A header that announces more pixels than memory should hold is refused before decoding."""
    bomb = encoded(Image.new("1", (12000, 9000)), "PNG")
    with pytest.raises(Undecodable, match="12000 x 9000 pixels are too many"):
        image.cut(io.BytesIO(bomb), None)
    worse = encoded(Image.new("1", (20000, 20000)), "PNG")
    with pytest.raises(Undecodable, match="not readable as a picture"):
        image.probe(io.BytesIO(worse))
