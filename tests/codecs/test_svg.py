"""SVG drawings: what is drawn of them, what is read in them, and what they cannot make us do."""

from __future__ import annotations

import base64
import gzip
import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from llama_index_gemini_mm.codecs import TooMuch, Undecodable, svg
from media_samples import picture, png

SPACES = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
RED = '<rect width="100" height="100" fill="red"/>'


def drawing(content: str, size: str = 'width="100" height="100"') -> bytes:
    return f"<svg {SPACES} {size}>{content}</svg>".encode()


def drawn(content: str, size: str = 'width="100" height="100"') -> Image.Image:
    return Image.open(io.BytesIO(svg.render(drawing(content, size)).data)).convert("RGB")


def data_uri(data: bytes, mime_type: str = "image/png") -> str:
    return f"data:{mime_type};base64,{base64.b64encode(data).decode()}"


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ('width="24" height="24"', (1024, 1024)),
        ('width="1cm" height="2cm"', (512, 1024)),
        ('viewBox="0 0 1500 750"', (1500, 750)),
        ('width="9000" height="3000"', (2048, 683)),
        ('width="100%" height="100%" viewBox="0 0 10 5"', (1024, 512)),
        ('width="50" viewBox="0 0 10 5"', (1024, 512)),
        ("", (1024, 1024)),
        ('width="1e6" height="1e6"', (2048, 2048)),
        ('width="1" height="1000000"', (1, 2048)),
        ('style="width:1e9px;height:1e9px" viewBox="0 0 10 10"', (1024, 1024)),
    ],
)
def test_size(size: str, expected: tuple[int, int]) -> None:
    """The picture has the drawing's proportions and a size of our choice, whatever the drawing asks for."""
    assert drawn(RED, size).size == expected


def test_colours_and_units() -> None:
    """Shapes stand where they belong, also when their lengths are centimetres."""
    picture = drawn('<rect x="1cm" width="1cm" height="1cm" fill="red"/>', 'width="2cm" height="1cm"')
    assert picture.getpixel((200, 256)) == (255, 255, 255)
    assert picture.getpixel((800, 256)) == (255, 0, 0)


@pytest.mark.parametrize(
    "family", ["", 'font-family="No Font"', "style=\"font-family:'No Font'\"", 'font-family="serif"']
)
def test_texts_are_drawn_in_any_font(family: str) -> None:
    """A font that this machine lacks is replaced, and its text not left out."""
    assert drawn(f'<text x="0" y="80" font-size="90" {family}>M</text>').convert("L").getextrema()[0] < 50


def test_words() -> None:
    """Title, description and the texts in their order; a text in several lines is one."""
    found = svg.render(
        drawing(
            "<title>Spindle  drive</title><desc>Cut through the housing</desc>"
            '<text x="0" y="20">Main <tspan x="0" dy="12">bearing</tspan></text><text y="50">B<tspan>e</tspan>lt</text>'
            "<text>Belt</text><style>text{fill:red}</style><script>alert('no')</script>"
        )
    )
    assert found.title == "Spindle drive"
    assert found.caption == "Cut through the housing\nMain bearing\nBelt"


def test_labels_of_diagrams() -> None:
    """HTML labels are drawn where they stand, once, and the notices of drawing programs are neither drawn nor read."""
    place = 'x="10" y="30" width="80" height="40"'
    html = f'<foreignObject {place}><div xmlns="http://www.w3.org/1999/xhtml">{{}}</div></foreignObject>'
    found = svg.render(
        drawing(
            html.format("Motor<br/>5 kW")
            + f"<switch>{html.format('Pump')}<text y='20'>Pump</text></switch>"
            + "<switch><text y='99'>Text is not SVG - cannot display</text></switch>"
        )
    )
    assert found.caption == "Motor 5 kW\nPump"
    image = Image.open(io.BytesIO(found.data)).convert("L")
    assert image.crop((300, 400, 700, 650)).getextrema()[0] < 50
    assert image.crop((0, 900, 1024, 1024)).getextrema() == (255, 255)


def test_files_and_addresses_are_not_opened(tmp_path: Path) -> None:
    """No picture is taken from the disk or the network, be it named by path, URL, base, style or nested drawing."""
    secret = tmp_path / "secret.png"
    secret.write_bytes(png("black", (40, 40)))
    nested = drawing(f'<image href="{secret}" width="100" height="100"/>')
    above, remote = f"../../../../../../../..{secret}", "http://127.0.0.1:9/x.png"
    for link in (str(secret), secret.as_uri(), above, remote, data_uri(nested, "image/svg+xml")):
        content = (
            f'<image href="{link}" width="100" height="100"/><image xlink:href="{link}" width="100" height="100"/>'
            f'<filter id="f"><feImage href="{link}"/></filter><rect width="90" height="90" fill="url({link})"/>'
            f"<style>@import url('{link}'); .a{{fill:url({link})}}</style><use href='{link}#x'/>"
            f'<g xml:base="{tmp_path}/"><image href="secret.png" width="100" height="100"/></g>'
        )
        assert svg.render(drawing(content)).is_blank


def test_entities_are_not_opened(tmp_path: Path) -> None:
    """Neither external entities nor those that unfold to gigabytes."""
    secret = tmp_path / "secret.txt"
    secret.write_text("SECRET")
    head = f'<!DOCTYPE s [<!ENTITY x SYSTEM "{secret.as_uri()}">]>'.encode()
    found = svg.render(head + drawing('<text y="50">&x;</text>'))
    assert found.is_blank
    assert found.caption == ""
    laughs = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    with pytest.raises(Undecodable):
        svg.render(f'<!DOCTYPE s [<!ENTITY a0 "ha">{laughs}]>'.encode() + drawing('<text id="&a11;">&a11;</text>'))


def test_pictures_inside() -> None:
    """A picture held in the drawing is drawn, a bomb is left out, and a clear one stays clear."""
    clear = Image.new("RGBA", (10, 10), (0, 0, 0, 0))
    clear.paste((0, 0, 255, 255), (0, 0, 5, 10))
    target = io.BytesIO()
    clear.save(target, "PNG")
    image = drawn(RED + f'<image href="{data_uri(target.getvalue())}" width="100" height="100"/>')
    assert image.getpixel((200, 500)) == (0, 0, 255)
    assert image.getpixel((800, 500)) == (255, 0, 0)

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 6, 0, 0, 0))
    bomb += chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    assert svg.render(drawing(f'<image href="{data_uri(bomb)}" width="50" height="50"/>')).is_blank
    large = io.BytesIO()
    picture("lime", (3000, 2000)).save(large, "JPEG")
    content = f'<image href="{data_uri(large.getvalue(), "image/jpeg")}" width="100" height="100"/>'
    assert drawn(content).getpixel((800, 500))[1] > 200


def repeated() -> str:
    layers = ['<g id="a0"><rect width="1" height="1"/></g>']
    layers += [f'<g id="a{n}">' + f'<use xlink:href="#a{n - 1}"/>' * 10 + "</g>" for n in range(1, 9)]
    return f'<defs>{"".join(layers)}</defs><use href="#a8"/>'


@pytest.mark.parametrize(
    "content",
    [
        repeated(),
        "<rect/>" * 100_001,
        "<g opacity='0.9'>" * 100 + RED + "</g>" * 100,
        "".join(f'<g id="c{n}"><use href="#c{n + 1}"/></g>' for n in range(500)),
    ],
)
def test_bombs_are_refused(content: str) -> None:
    """Too many things, counted as often as they are drawn, and too many inside one another."""
    with pytest.raises(TooMuch):
        svg.render(drawing(content))


@pytest.mark.parametrize(
    "content",
    [
        '<g id="a"><use href="#a"/></g>' + RED,
        '<mask id="m" mask="url(#m)"><rect width="9" height="9" mask="url(#m)"/></mask>' + RED,
        '<pattern id="p" width="1e7" height="1e7" patternUnits="userSpaceOnUse"><rect width="9" height="9"/></pattern>'
        + RED
        + '<rect width="10" height="10" fill="url(#p)"/>',
        '<filter id="f"><feGaussianBlur stdDeviation="3"/></filter>'
        + '<rect width="100" height="100" fill="red" filter="url(#f)"/>' * 400,
        '<path d="M0 0L1e9 1e9" stroke="red" stroke-dasharray="0.001"/>' + RED,
    ],
)
def test_what_would_end_the_renderer_is_tamed(content: str) -> None:
    """Circles, endless tiles and hundreds of filters are drawn without harm."""
    assert drawn(content).getpixel((700, 700)) == (255, 0, 0)


def test_compressed() -> None:
    """A compressed drawing is read; one that unpacks to gigabytes is refused."""
    assert not svg.render(gzip.compress(drawing(RED))).is_blank
    with pytest.raises(TooMuch, match="32 MiB"):
        svg.render(gzip.compress(bytes(64 * 2**20)))


def test_carelessly_written() -> None:
    """Without its namespace, with a prefix nobody declared, in UTF-16: as drawings are found."""
    assert not svg.render(f"<svg width='9' height='9'>{RED}</svg>".encode()).is_blank
    careless = '<svg xmlns="http://www.w3.org/2000/svg" width="99" height="99"><defs><g id="a">%s</g></defs>%s</svg>'
    assert not svg.render((careless % (RED, '<use xlink:href="#a" sodipodi:x="1"/><inkscape:page/>')).encode()).is_blank
    assert not svg.render(('<?xml version="1.0" encoding="utf-16"?>' + drawing(RED).decode()).encode("utf-16")).is_blank


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (drawing(RED)[:100], "cut off"),
        (drawing("<g>")[:-1] + b"></svg>", "not readable"),
        (b"<html/>", "not an SVG"),
        (b"", "cut off"),
        (drawing(RED, 'width="0" height="0"'), "no size"),
        (drawing(RED, 'width="-5" height="10"'), "no size"),
        (b"\x1f\x8bnothing", "compressed"),
    ],
)
def test_what_cannot_be_drawn(data: bytes, reason: str) -> None:
    """Broken content is refused with its reason."""
    with pytest.raises(Undecodable, match=reason):
        svg.render(data)
