"""The stand-in model ranks as one would expect from what is in the input, and says the same every time."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import numpy.typing as npt
import pytest
from google import genai
from PIL import Image

from emulator_client import content, developer_client, embed
from emulator_samples import encoded, film, noise, pdf, picture, plain_png, sound, tone
from llama_index_gemini_mm.emulator import GeminiEmulator

Vectors = npt.NDArray[np.float64]
SENTENCES = (
    "The lathe makes a grinding noise when the spindle starts.",
    "Change the oil of the gearbox once a year.",
    "Our office is closed on public holidays.",
    "The red bicycle stands in front of the house.",
    "A cat sleeps on the warm windowsill.",
    "Invoices are paid within thirty days.",
)


def best(query: Vectors, candidates: Vectors) -> int:
    """Index of the candidate with the highest cosine."""
    return int(np.argmax(candidates @ query))


@pytest.mark.parametrize("dimension", [128, 256, 768, 3072])
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("spindle grinds noisily", 0),
        ("changing gearbox oil yearly", 1),
        ("holiday office closing", 2),
        ("bicycles red", 3),
        ("sleeping cats", 4),
        ("invoice paid in days", 5),
    ],
)
def test_text_finds_text(client: genai.Client, query: str, expected: int, dimension: int) -> None:
    """A query in other word forms finds its sentence, at every dimension and with the documented prefixes."""
    texts = [content(f"title: none | text: {sentence}") for sentence in SENTENCES]

    vectors = embed(client, content(f"task: search result | query: {query}"), *texts, output_dimensionality=dimension)

    assert best(vectors[0], vectors[1:]) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [("研削音", 0), ("ночной поезд", 1), ("القطة", 2), ("รถไฟ", 3)],
)
def test_other_scripts(client: genai.Client, query: str, expected: int) -> None:
    """Text without spaces and outside Latin is found by what it shares."""
    texts = ["主軸から研削音がする。", "Поезда ходят ночью, ночной билет дороже.", "القطة نائمة", "สถานีรถไฟอยู่ที่นี่"]

    vectors = embed(client, content(query), *[content(text) for text in texts])

    assert best(vectors[0], vectors[1:]) == expected


def test_titles_count(client: genai.Client) -> None:
    """The title of a document prefix is content; the word none is not."""
    titled, untitled, query = embed(
        client,
        content("title: Spindle | text: It turns."),
        content("title: none | text: It turns."),
        content("spindle"),
    )

    assert titled @ query > untitled @ query + 0.2


@pytest.mark.parametrize("colour", ["red", "green", "blue", "yellow", "black", "white"])
def test_colour_words_find_pictures(client: genai.Client, colour: str) -> None:
    """The name of a colour finds the picture of that colour among others."""
    colours = ["red", "green", "blue", "yellow", "black", "white"]
    pictures = [content((plain_png(name), "image/png")) for name in colours]

    vectors = embed(client, content(f"task: search result | query: {colour}"), *pictures, output_dimensionality=768)

    assert colours[best(vectors[0], vectors[1:])] == colour


def captioned() -> list[bytes]:
    """Pictures that carry a caption in PNG text, EXIF and XMP, and one without."""
    exif = Image.Exif()
    exif[0x010E] = "a lighthouse on a cliff"
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:description><rdf:Alt>'
        b'<rdf:li xml:lang="x-default">steam &amp; locomotive</rdf:li></rdf:Alt></dc:description></rdf:Description>'
        b"</rdf:RDF></x:xmpmeta>"
    )
    return [
        plain_png("grey", caption="a sailing boat at sea"),
        encoded(picture(1), "JPEG", exif=exif),
        encoded(picture(2), "JPEG", xmp=xmp),
        encoded(picture(3)),
    ]


@pytest.mark.parametrize(("query", "expected"), [("sailing boats", 0), ("lighthouses", 1), ("steam locomotive", 2)])
def test_text_finds_captioned_pictures(client: genai.Client, query: str, expected: int) -> None:
    """A caption stored in the file is found, with the default gap between modalities."""
    pictures = [content((data, "image/png")) for data in captioned()]

    vectors = embed(client, content(query), *pictures)

    assert best(vectors[0], vectors[1:]) == expected


def test_xp_titles_of_windows(client: genai.Client) -> None:
    """Titles that Windows stores as UTF-16 in EXIF are read."""
    exif = Image.Exif()
    exif[0x9C9B] = "harbour crane\0".encode("utf-16-le")
    vectors = embed(
        client,
        content("harbour crane"),
        *[content((encoded(picture(4), "JPEG", exif=given), "image/jpeg")) for given in (exif, Image.Exif())],
    )

    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2


def test_picture_finds_itself_after_encoding(client: genai.Client) -> None:
    """Smaller and as JPEG, a picture is still nearest to itself, and far from the others."""
    originals = embed(client, *[content((encoded(picture(seed, (320, 240))), "image/png")) for seed in range(6)])
    copies = embed(
        client,
        *[
            content((encoded(picture(seed, (320, 240)).resize((131, 98)), "JPEG", quality=60), "image/jpeg"))
            for seed in range(6)
        ],
    )

    similarity = copies @ originals.T
    assert list(similarity.argmax(axis=1)) == list(range(6))
    assert similarity.diagonal().min() > 0.95
    assert (similarity - np.eye(6)).max() < 0.9


def test_rotation_by_exif(client: genai.Client) -> None:
    """A picture turned by its EXIF orientation is the picture one sees."""
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = encoded(picture(7).transpose(Image.Transpose.ROTATE_270))
    turned = encoded(picture(7), "JPEG", quality=95, exif=exif)

    a, b = embed(client, content((upright, "image/png")), content((turned, "image/jpeg")))

    assert a @ b > 0.95


def test_sound_finds_itself_as_mp3(client: genai.Client) -> None:
    """Each sound as MP3 is nearest to its own WAV."""
    sounds = [tone(2, 220), tone(2, 1760), noise(2), np.zeros(32_000, dtype=np.float32)]
    wavs = embed(client, *[content((sound(samples), "audio/wav")) for samples in sounds])

    copies = embed(client, *[content((sound(samples, "mp3"), "audio/mpeg")) for samples in sounds])

    similarity = copies @ wavs.T
    assert list(similarity.argmax(axis=1)) == [0, 1, 2, 3]
    assert similarity.diagonal().min() > 0.9


@pytest.mark.parametrize(
    ("query", "expected"), [("low hum", 0), ("high tone", 1), ("hissing noise", 2), ("silence", 3), ("whale song", 4)]
)
def test_text_finds_sounds(client: genai.Client, query: str, expected: int) -> None:
    """Words for what a sound is like, and the words of its tags, find it."""
    sounds = [
        sound(tone(2, 110)),
        sound(tone(2, 3000)),
        sound(0.5 * np.random.default_rng(0).standard_normal(32_000).astype(np.float32)),
        sound(np.zeros(32_000, dtype=np.float32)),
        sound(tone(2, 700), "mp3", {"title": "Song of a whale"}),
    ]

    vectors = embed(client, content(query), *[content((data, "audio/mpeg")) for data in sounds])

    assert best(vectors[0], vectors[1:]) == expected


def test_film_is_found(client: genai.Client) -> None:
    """A film is found by a picture of it, by the colour it shows, and by itself at another speed."""
    red, blue = (Image.new("RGB", (160, 120), colour) for colour in ("red", "blue"))
    films = embed(
        client,
        *[
            content((film(4, images), "video/mp4"))
            for images in ([red], [blue], [picture(1), picture(2)], [picture(3), picture(4)])
        ],
    )
    copy, still, word = embed(
        client,
        content((film(8, [picture(3), picture(4)], rate=5), "video/mp4")),
        content((encoded(picture(1)), "image/png")),
        content("blue"),
    )

    assert [best(vector, films) for vector in (copy, still, word)] == [3, 2, 1]


def test_pages_are_found(client: genai.Client) -> None:
    """A PDF is found by its words and by the picture on its page."""
    pages = embed(
        client,
        content((pdf("Torque table of the spindle"), "application/pdf")),
        content((pdf("Vacation rules"), "application/pdf")),
        content((pdf("", image=encoded(picture(9))), "application/pdf")),
        content((pdf("", image=encoded(picture(8))), "application/pdf")),
    )
    word, rule, still = embed(
        client,
        content("spindle torque"),
        content("rules for vacations"),
        content((pdf("", image=encoded(picture(8))), "application/pdf")),
    )

    assert [best(vector, pages) for vector in (word, rule, still)] == [0, 1, 3]


def test_joint_content_is_near_to_both(client: genai.Client) -> None:
    """Caption and picture in one Content are found by either."""
    png = encoded(picture(5))
    joint, caption, image, other = embed(
        client,
        content("a harbour crane", (png, "image/png")),
        content("harbour crane"),
        content((png, "image/png")),
        content("tax forms"),
    )

    assert joint @ caption > joint @ other + 0.3
    assert joint @ image > joint @ other + 0.3


def test_modality_gap() -> None:
    """With a gap modalities move apart by its size, and without one nothing is shared by unrelated inputs."""

    def cosines(gap: float) -> tuple[float, float]:
        with GeminiEmulator(modality_gap=gap) as emulator:
            a, b, c = embed(
                developer_client(emulator),
                content("harbour crane"),
                content("tax forms"),
                content((plain_png("green"), "image/png")),
            )
        return float(a @ b), float(a @ c)

    texts, across = cosines(0.0)
    assert abs(texts) < 0.06
    assert abs(across) < 0.06
    texts, across = cosines(0.5)
    assert texts == pytest.approx(0.2, abs=0.06)
    assert abs(across) < 0.06


@pytest.mark.parametrize("gap", [0.0, 0.3])
def test_inputs_without_features(gap: float) -> None:
    """White space, lone signs and silence have finite unit vectors too, and signs differ."""
    with GeminiEmulator(modality_gap=gap) as emulator:
        silent = sound(np.zeros(1600, dtype=np.float32))
        vectors = embed(
            developer_client(emulator),
            content(" \n"),
            content("???"),
            content("!!!"),
            content((silent, "audio/wav")),
            content("\ud83d\ude00"),
            output_dimensionality=128,
        )

    assert np.isfinite(vectors).all()
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(5), abs=1e-6)
    assert not np.allclose(vectors[1], vectors[2])


def test_same_in_every_process(client: genai.Client) -> None:
    """Another process, with another hash seed, gives the same numbers."""
    program = (
        "from llama_index_gemini_mm.emulator.features.space import HashedSpace\n"
        "from llama_index_gemini_mm.emulator.features.text import text_features\n"
        "print(HashedSpace().project(text_features('a grinding noise of the spindle')).tolist())\n"
    )
    path = next(
        entry for entry in sys.path if entry and (__import__("pathlib").Path(entry) / "llama_index_gemini_mm").is_dir()
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]

    assert printed[0] == printed[1]
