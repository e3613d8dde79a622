"""Every documented limit on media, with real media on both sides of it."""

from __future__ import annotations

import io

import numpy as np
import pymupdf
import pytest
from PIL import Image

from emulator_client import Post, batch, blob, error_of, one
from emulator_samples import encoded, film, noise, pdf, picture, plain_png, sound, tone
from llama_index_gemini_mm.emulator import RecordedContent, RecordedPart
from llama_index_gemini_mm.emulator.replies import Refusal
from llama_index_gemini_mm.emulator.wire import EmbedRequest, check
from llama_index_gemini_mm.limits import MODEL, VERTEX

PNG = blob(plain_png(), "image/png")
REFUSED = (400, "INVALID_ARGUMENT")


def tokens(post: Post, *parts: dict[str, object], **options: object) -> dict[str, int]:
    """Tokens by modality of an accepted Content."""
    answer = post("embedContent", one(*parts), **options)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert np.linalg.norm(body["embedding"]["values"]) == pytest.approx(1.0, abs=1e-6)
    usage = body["usageMetadata"]
    details = usage.get("promptTokenDetails") or usage.get("promptTokensDetails")
    return {detail["modality"]: detail["tokenCount"] for detail in details}


def test_six_images(post: Post) -> None:
    """Six images are accepted, seven are not."""
    assert tokens(post, *[PNG] * 6) == {"IMAGE": 6 * 258}
    assert error_of(post("embedContent", one(*[PNG] * 7))) == REFUSED


def test_audio_seconds(post: Post) -> None:
    """180 s of audio are accepted, 182 s are not."""
    quiet = np.zeros(180 * 16_000, dtype=np.float32)

    assert tokens(post, blob(sound(quiet), "audio/wav")) == {"AUDIO": 4500}
    assert error_of(post("embedContent", one(blob(sound(np.pad(quiet, (0, 32_000))), "audio/wav")))) == REFUSED


def test_one_sound(post: Post) -> None:
    """Two sounds in one Content are refused, in two Contents they are not."""
    wav = blob(sound(tone(1)), "audio/wav")

    assert error_of(post("embedContent", one(wav, wav))) == REFUSED
    assert post("batchEmbedContents", batch(one(wav), one(wav))).status_code == 200


def test_video_seconds_and_frames(post: Post) -> None:
    """Up to 32 s there is a frame a second, beyond 32 frames, and beyond 120 s a refusal."""
    short, longer, too_long = (film(seconds, [picture(1), picture(2)]) for seconds in (10, 120, 122))

    assert tokens(post, blob(short, "video/mp4")) == {"VIDEO": 10 * 66}
    assert tokens(post, blob(longer, "video/mp4")) == {"VIDEO": 32 * 66}
    assert error_of(post("embedContent", one(blob(too_long, "video/mp4")))) == REFUSED


@pytest.mark.parametrize(
    ("codec", "container", "mime_type", "accepted"),
    [
        ("libx264", "mov", "video/quicktime", True),
        ("libx265", "mp4", "video/mp4", True),
        ("libvpx-vp9", "mp4", "video/mp4", True),
        ("mpeg4", "mp4", "video/mp4", False),
        ("libx264", "matroska", "video/mp4", False),
    ],
)
def test_video_codecs(post: Post, codec: str, container: str, mime_type: str, accepted: bool) -> None:
    """The documented codecs are decoded; others, and other containers under a known name, are refused."""
    data = film(2, [picture(1)], codec=codec, container=container)

    answer = post("embedContent", one(blob(data, mime_type)))

    assert answer.status_code == (200 if accepted else 400)


def test_mpeg_on_vertex_alone(post: Post) -> None:
    """Vertex reads MPEG program streams; the Developer API has no values for them."""
    data = blob(film(2, [picture(1)], codec="mpeg2video", container="mpeg", rate=25), "video/mpeg")

    assert tokens(post, data, version="v1beta1", vertex=True) == {"VIDEO": 2 * 66}
    assert post("embedContent", one(data)).json()["embedding"] == {}


def test_sound_of_films(post: Post) -> None:
    """Vertex uses the sound track on request, then takes 80 s only; the Developer API ignores it."""
    loud, silent = (film(4, [picture(3)], samples=samples) for samples in (noise(4), None))
    long = film(85, [picture(3)], samples=noise(85))
    listening = {"embedContentConfig": {"audioTrackExtraction": True}}

    def vector(data: bytes, **options: object) -> list[float]:
        body = one(blob(data, "video/mp4"), **options)
        return post("embedContent", body, version="v1beta1", vertex=True).json()["embedding"]["values"]

    deaf = [post("embedContent", one(blob(data, "video/mp4"))).json() for data in (loud, silent)]
    assert deaf[0] == deaf[1]
    assert vector(loud) == vector(silent) == vector(silent, **listening)
    assert vector(loud, **listening) != vector(loud)
    refused = post("embedContent", one(blob(long, "video/mp4"), **listening), version="v1beta1", vertex=True)
    assert error_of(refused) == REFUSED


def test_pdf_pages(post: Post) -> None:
    """Six pages are accepted; seven pages, two files and a locked file are not."""
    assert tokens(post, blob(pdf(*"abcdef"), "application/pdf")) == {"DOCUMENT": 6 * 258}
    two = [blob(pdf("a"), "application/pdf")] * 2
    for parts in ([blob(pdf(*"abcdefg"), "application/pdf")], two, [blob(pdf("a", password="x"), "application/pdf")]):
        assert error_of(post("embedContent", one(*parts))) == REFUSED


def test_pages_of_any_size(post: Post) -> None:
    """Pages of hundreds of metres and slivers of one point are rendered like others."""
    document = pymupdf.open()
    for width, height in ((200_000, 150_000), (3, 3), (1, 5000)):
        document.new_page(width=width, height=height)

    assert tokens(post, blob(document.tobytes(), "application/pdf")) == {"DOCUMENT": 3 * 258}


@pytest.mark.parametrize(
    ("data", "mime_type"),
    [
        (b"not a picture", "image/png"),
        (plain_png()[:40], "image/png"),
        (encoded(picture(), "GIF"), "image/png"),
        (encoded(picture(), "WEBP"), "image/jpeg"),
        (encoded(picture(5, (640, 480)))[:2000], "image/png"),
        (b"not a sound", "audio/wav"),
        (sound(tone(1))[:44], "audio/wav"),
        (b"\xff\xfb" + b"\x00" * 500, "audio/mpeg"),
        (plain_png(), "audio/mpeg"),
        (b"ID3" + b"\x00" * 500, "audio/mp3"),
        (b"#EXTM3U\n/etc/passwd\n", "video/mp4"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "video/mp4"),
        (film(2, [picture(1)])[:600], "video/mp4"),
        (b"\x00\x00\x00\x18ftypmp42" + b"\x00" * 64, "video/mp4"),
        (b"not a document", "application/pdf"),
        (b"%PDF-1.7\nnothing", "application/pdf"),
    ],
)
def test_undecodable_media_are_400(post: Post, data: bytes, mime_type: str) -> None:
    """Broken, cut off or mislabelled media are refused, never a 500 and never a vector."""
    assert error_of(post("embedContent", one(blob(data, mime_type)))) == REFUSED


def test_a_film_without_pictures_is_400(post: Post) -> None:
    """An audio file in an MP4 container is no film."""
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as file:
        stream = file.add_stream("aac", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone(0.064)[None, :], format="flt", layout="mono")
        frame.sample_rate = 16_000
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))

    assert error_of(post("embedContent", one(blob(buffer.getvalue(), "video/mp4")))) == REFUSED


@pytest.mark.parametrize("declared", ["image/png", "image/jpeg"])
def test_declared_type_of_pictures_is_not_trusted(post: Post, declared: str) -> None:
    """PNG bytes called JPEG are accepted, as live."""
    assert tokens(post, blob(plain_png(), declared)) == {"IMAGE": 258}


@pytest.mark.parametrize(("name", "mime_type"), [("WEBP", "image/webp"), ("BMP", "image/bmp"), ("AVIF", "image/avif")])
def test_more_picture_formats_on_vertex(post: Post, name: str, mime_type: str) -> None:
    """Vertex reads more picture formats; the Developer API has no values for them."""
    data = blob(encoded(picture(), name), mime_type)

    assert tokens(post, data, version="v1beta1", vertex=True) == {"IMAGE": 258}
    assert post("embedContent", one(data)).json()["embedding"] == {}


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_every_pixel_layout(post: Post, mode: str) -> None:
    """Grey, palette, transparent, CMYK and 16-bit pictures are decoded."""
    image = Image.new(mode, (20, 20)) if mode == "I;16" else picture().convert(mode)
    data = encoded(image, "JPEG" if mode == "CMYK" else "PNG")

    assert tokens(post, blob(data, "image/png")) == {"IMAGE": 258}


def test_bytes_of_one_request(post: Post) -> None:
    """More than 50 MiB of PDF, more than 100 MiB inline, and a body beyond any of that are refused."""
    padding = b"\n%" + b" " * (50 * 2**20)

    assert error_of(post("embedContent", one(blob(pdf("a") + padding, "application/pdf")))) == REFUSED
    half = RecordedContent((RecordedPart(mime_type="image/png", size=51 * 2**20),))
    with pytest.raises(Refusal, match="size exceeds"):
        check([EmbedRequest(half)] * 2, VERTEX, model=MODEL, batch=True)
    assert error_of(post("embedContent", b" " * (160 * 2**20))) == REFUSED


def test_all_four_media_overflow_the_window(post: Post) -> None:
    """Each medium at its own bound fits, all together are more than 8,192 tokens."""
    quiet = blob(sound(np.zeros(180 * 16_000, dtype=np.float32)), "audio/wav")
    parts = [quiet, blob(film(32, [picture(1)]), "video/mp4"), *[PNG] * 6, blob(pdf(*"abcdef"), "application/pdf")]

    assert tokens(post, *parts) == {"AUDIO": 4500, "VIDEO": 2112, "IMAGE": 1548}
    refused = post("embedContent", one(*parts, embedContentConfig={"autoTruncate": False}))
    assert error_of(refused) == REFUSED
