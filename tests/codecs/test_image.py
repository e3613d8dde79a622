"""Pictures: what is found in them, and what is uploaded of them."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin, TiffImagePlugin

from llama_index_gemini_mm.codecs import TooMuch, Undecodable, image
from media_samples import encoded, gif, jpeg, photo, picture, png

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SWAPPED = (SRGB[:0x1CC] + SRGB[0x1F4:0x208] + SRGB[0x1E0:0x1F4] + SRGB[0x1CC:0x1E0] + SRGB[0x208:]).replace(
    b"\0s\0R", b"\0s\0r"
)
"""The same profile with the primaries of red and green exchanged, under a name that is not sRGB."""


def cut(data: bytes, box: tuple[float, float, float, float] | None = None) -> tuple[Image.Image, bytes, str]:
    result, mime_type = image.cut(io.BytesIO(data), box)
    opened = Image.open(io.BytesIO(result))
    assert Image.MIME[str(opened.format)] == mime_type
    return opened, result, mime_type


@pytest.mark.parametrize("data", [png(), encoded(picture(), "JPEG"), png(mode="L"), photo((3072, 20))])
def test_fitting_pictures_pass_through(data: bytes) -> None:
    """PNG and JPEG that already fit are uploaded byte for byte."""
    assert cut(data)[1] == data


def test_words_and_places_do_not_travel() -> None:
    """Of a picture that passes through, only the pixels and their colours are uploaded."""
    exif = Image.Exif()
    exif[0x010E] = "SECRET place"
    plain = encoded(picture(), "JPEG", progressive=True)
    told = encoded(
        picture(), "JPEG", progressive=True, exif=exif, comment=b"SECRET", xmp=b"<SECRET/>", icc_profile=SRGB
    )
    result, raw, _ = cut(told + b"SECRET film behind the picture")
    assert b"SECRET" not in raw
    assert result.info["icc_profile"] == SRGB
    assert cut(encoded(picture(), "JPEG", progressive=True, exif=exif))[1] == plain
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "SECRET")
    assert cut(encoded(picture(), "PNG", pnginfo=text, exif=exif))[1] == png()


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


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
def test_orientation_holds_in_every_container(form: str) -> None:
    """A turned picture comes upright, with its size as it is shown, whatever the file format."""
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(picture("red", (96, 64)), form, exif=exif)
    info = image.probe(io.BytesIO(data))
    assert (info.width, info.height) == (64, 96)
    upright, _, _ = cut(data)
    assert upright.size == (64, 96)
    assert min(upright.convert("RGB").getpixel((56, 8))) > 200
    assert max(upright.convert("RGB").getpixel((8, 8))[1:]) < 100


def test_white_on_nothing_is_still_seen() -> None:
    """A white drawing without a ground gets a dark one; a pale one with dark lines stays on white."""
    logo = Image.new("RGBA", (60, 60), (0, 0, 0, 0))
    logo.paste((255, 255, 255, 255), (20, 20, 40, 40))
    assert cut(encoded(logo, "PNG"))[0].convert("RGB").getpixel((2, 2)) == (64, 64, 64)
    logo.paste((0, 0, 0, 255), (30, 20, 32, 60))
    assert cut(encoded(logo, "PNG"))[0].convert("RGB").getpixel((2, 2)) == (255, 255, 255)


def test_faint_16_bit_pictures_are_stretched() -> None:
    """Values that use a small part of their scale, as of microscopes, are brought to the whole of it."""
    ramp = np.linspace(100, 4095, 64 * 64).reshape(64, 64).astype("uint16")
    ramp[0, 5] = 65535  # a hot pixel
    gray = np.asarray(cut(encoded(Image.fromarray(ramp), "TIFF"))[0])
    assert gray[0, 0] < 10
    assert gray[63, 60] > 245


def test_infinite_values_are_no_scale() -> None:
    """Infinity and not-a-number in a float picture do not turn the rest black."""
    ramp = np.linspace(0, 1, 64 * 8).reshape(8, 64).astype("float32")
    ramp[0, :3] = np.inf, -np.inf, np.nan
    gray = np.asarray(cut(encoded(Image.fromarray(ramp), "TIFF"))[0])
    assert (gray[0, 0], gray[0, 1]) == (255, 0)
    assert 120 < gray[4, 0] < 136


def test_colours_follow_their_profile() -> None:
    """A picture in another colour space is brought to sRGB, and a broken profile costs nothing."""
    for profile, expected in ((SWAPPED, (200, 100, 100)), (b"broken", (100, 200, 100)), (SRGB, (100, 200, 100))):
        result = cut(encoded(picture((100, 200, 100)), "TIFF", icc_profile=profile))[0]
        assert result.convert("RGB").getpixel((40, 28)) == pytest.approx(expected, abs=2)


def test_photos_and_drawings_are_told_apart() -> None:
    """By what is in them: flat colours become PNG, also with the many shades of smooth edges, and noise JPEG."""
    drawing = Image.new("RGB", (400, 300), "white")
    for n in range(300):
        drawing.putpixel((n, 10 + n % 7), (n % 255, n % 100, 255 - n % 255))
    assert cut(encoded(drawing, "BMP"))[2] == "image/png"
    assert cut(photo(form="BMP"))[2] == "image/jpeg"
    assert cut(photo((64, 48), "TIFF"))[2] == "image/jpeg"


def test_pages_of_a_tiff() -> None:
    """Pages are numbered; smaller copies of a page are none."""
    thumb = picture("blue", (8, 8))
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info[254] = 1
    target = io.BytesIO()
    with TiffImagePlugin.AppendingTiffWriter(target, new=True) as writer:
        for page, tags in ((picture("red"), None), (thumb, info), (picture("lime"), None)):
            page.save(writer, "TIFF", tiffinfo=tags or {})
            writer.newFrame()
    data = target.getvalue()
    assert image.probe(io.BytesIO(data)).pages == (1, 3)
    third, _ = image.cut(io.BytesIO(data), None, 3)
    assert Image.open(io.BytesIO(third)).convert("RGB").getpixel((40, 28)) == (0, 255, 0)


def test_icons_give_their_largest_picture() -> None:
    """Of the sizes in an icon the largest."""
    data = encoded(picture("red", (64, 64)), "ICO", sizes=[(16, 16), (64, 64), (32, 32)])
    assert cut(data)[0].size == (64, 64)


@pytest.mark.parametrize("form", ["TGA", "PCX", "PPM", "DIB", "JPEG2000"])
def test_rarer_formats(form: str) -> None:
    """Old formats are read too."""
    assert cut(encoded(picture("red"), form))[0].convert("RGB").getpixel((40, 28))[0] > 250


def test_programs_are_not_run() -> None:
    """PostScript, for which Pillow would start another program, is no picture."""
    with pytest.raises(Undecodable, match="not readable"):
        image.probe(io.BytesIO(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n"))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP", "AVIF", "BMP", "TIFF"])
def test_cut_off_pictures_are_named_so(form: str) -> None:
    """Half a file is told apart from a file of something else."""
    data = photo((200, 150), form)
    with pytest.raises(Undecodable, match="the picture is cut off"):
        image.check(io.BytesIO(data[: len(data) // 2]))


def test_broken_text_costs_the_text_alone() -> None:
    """A text chunk that unpacks to gigabytes leaves the picture readable."""
    body = b"Comment\0\0" + zlib.compress(bytes(50_000_000))
    chunk = struct.pack(">I", len(body)) + b"zTXt" + body + struct.pack(">I", zlib.crc32(b"zTXt" + body))
    data = png()[:33] + chunk + png()[33:]
    assert image.probe(io.BytesIO(data)).words.caption == ""
    assert cut(data)[1] == png()


@pytest.mark.parametrize("data", [b"", b"no picture", png()[:60] + png()[-12:], b"\xff\xd8\xff\xd9"])
def test_broken_pictures_are_undecodable(data: bytes) -> None:
    """Empty, foreign and broken content is refused with a short reason."""
    with pytest.raises(Undecodable, match="not readable as a picture"):
        image.cut(io.BytesIO(data), None)


def test_bombs_are_refused() -> None:
    """A header that announces more pixels than memory should hold is refused before decoding."""
    bomb = encoded(Image.new("1", (20000, 20000)), "PNG")
    with pytest.raises(TooMuch, match="has 400,000,000 pixels, and at most 178,956,970 are read"):
        image.probe(io.BytesIO(bomb))


def test_huge_photos_are_decoded_at_a_fraction() -> None:
    """A JPEG beyond the bound is read at a part of its size, unless all of it had to be in memory."""
    huge = Image.new("L", (20000, 10000), 90)
    result, _, _ = cut(encoded(huge, "JPEG", quality=10))
    assert result.size == (3072, 1536)
    with pytest.raises(TooMuch, match="200,000,000"):
        image.check(io.BytesIO(encoded(huge, "JPEG", quality=10, progressive=True)))
