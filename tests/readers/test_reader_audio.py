"""Sounds: what becomes of tags, chapters, covers, silence, and files that end too early."""

from __future__ import annotations

import io
import struct
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from reader_samples import Read

from llama_index_gemini_mm import media
from llama_index_gemini_mm.codecs import audio
from llama_index_gemini_mm.errors import CorruptFile, EncryptedFile, NothingToRead
from llama_index_gemini_mm.media import MediaRef
from media_samples import jpeg, mp3, png, sound, wav

RATE = 16_000


def noise(seconds: float, decibels: float, rate: int = RATE, offset: float = 0.0) -> bytes:
    """White noise of a level, in 16 bit, or in floating point where 16 bit would not hold it."""
    samples = np.random.default_rng(5).standard_normal(round(seconds * rate)) * 10 ** (decibels / 20) + offset
    data = samples.astype("<f4").tobytes()
    form = struct.pack("<HHIIHH", 3, 1, rate, rate * 4, 4, 32)
    head = b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + struct.pack("<I", len(form)) + form
    return head + b"data" + struct.pack("<I", len(data)) + data


def encoded(
    form: str, codec: str, seconds: float = 1.0, rate: int = 48_000, layout: str = "mono", **options: Any
) -> bytes:
    """A tone in any container; ``chapters`` are seconds and titles."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "sound"
        with av.open(target, "w", format=form, container_options=options.get("container", {})) as out:
            out.metadata.update(options.get("tags", {}))
            if "chapters" in options:
                out.set_chapters(
                    [
                        {"id": n, "start": start, "end": end, "time_base": Fraction(1), "metadata": {"title": title}}
                        for n, (start, end, title) in enumerate(options["chapters"])
                    ]
                )
            track: Any = out.add_stream(codec, rate=rate, layout=layout)
            if codec == "wmav2":
                track.bit_rate = 64_000
            wave = (0.3 * np.sin(np.arange(round(seconds * rate)) * 2 * np.pi * 440 / rate) * 32767).astype(np.int16)
            pcm = np.repeat(wave, track.layout.nb_channels).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
            resampler = av.AudioResampler(track.format, layout, rate, track.frame_size or None)
            for part in [*resampler.resample(frame), *resampler.resample(None)]:
                out.mux(track.encode(part))
            out.mux(track.encode(None))
        return target.read_bytes()


KINDS = [
    ("caf", "pcm_s16le", 44_100, "caf", "audio/x-caf"),
    ("au", "pcm_s16be", 44_100, "au", "audio/basic"),
    ("eac3", "eac3", 48_000, "eac3", "audio/eac3"),
    ("mp2", "mp2", 44_100, "mp2", "audio/mpeg"),
    ("amr", "libopencore_amrnb", 8_000, "amr", "audio/amr"),
    ("matroska", "flac", 44_100, "mka", "audio/x-matroska"),
    ("webm", "libopus", 48_000, "webm", "audio/webm"),
    ("asf", "wmav2", 44_100, "wma", "audio/x-ms-wma"),
    ("wav", "pcm_alaw", 8_000, "wav", "audio/wav"),
    ("wav", "pcm_u8", 8_000, "wav", "audio/wav"),
    ("wav", "pcm_s24le", 96_000, "wav", "audio/wav"),
    ("wav", "pcm_f64le", 44_100, "wav", "audio/wav"),
    ("wav", "libmp3lame", 44_100, "wav", "audio/wav"),
    ("aiff", "pcm_mulaw", 8_000, "aifc", "audio/aiff"),
    ("ipod", "alac", 44_100, "m4a", "audio/mp4"),
]


@pytest.mark.parametrize(("form", "codec", "rate", "suffix", "mime_type"), KINDS)
def test_every_kind_can_be_uploaded(
    read: Read, store: Any, form: str, codec: str, rate: int, suffix: str, mime_type: str
) -> None:
    """One audio document of its length, of which MP3 or WAV can be made that sounds like it."""
    (document,) = read(f"hum.{suffix}", encoded(form, codec, rate=rate))
    assert document.metadata["mime_type"] == mime_type
    assert document.metadata["end_seconds"] == pytest.approx(1.0, abs=0.15)
    data, upload = store.cut(MediaRef.parse(document.metadata["media_ref"]))
    assert upload == "audio/wav"
    assert np.median(audio.loudness(io.BytesIO(data), upload)) == pytest.approx(-13.5, abs=2)


def test_rf64(read: Read) -> None:
    """The WAV of more than 4 GB, here a small one."""
    data = encoded("wav", "pcm_s16le", container={"rf64": "always"})
    assert data.startswith(b"RF64")
    assert read("long.wav", data)[0].metadata["end_seconds"] == pytest.approx(1.0)


def test_unknown_length(read: Read) -> None:
    """A WAV that was written to a pipe does not know its length; what is there is read."""
    data = bytearray(wav(2.0))
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"
    assert read("pipe.wav", bytes(data))[0].metadata["end_seconds"] == pytest.approx(2.0)


def test_mp3_that_begins_anywhere(read: Read) -> None:
    """A recorded broadcast begins in the middle of a frame."""
    (document,) = read("radio.mp3", mp3(3.0, rate=44_100)[1000:])
    assert document.metadata["mime_type"] == "audio/mpeg"


CUT_OFF = {
    "a.wav": wav(4.0),
    "a.aiff": sound("aiff", 4.0),
    "a.mp3": mp3(4.0, rate=44_100),
    "a.flac": sound("flac", 4.0, rate=44_100),
    "a.m4a": encoded("ipod", "aac", 4.0, container={"movflags": "faststart"}),
}


@pytest.mark.parametrize("name", CUT_OFF)
def test_half_a_download(read: Read, name: str) -> None:
    """Containers that count what should be there tell that half of it is missing, and how much that is."""
    data = CUT_OFF[name]
    with pytest.raises(CorruptFile, match=r"cut off: [12]\.\d of 4\.\d seconds are there"):
        read(name, data[: len(data) // 2])


@pytest.mark.parametrize("name", CUT_OFF)
def test_a_little_is_missing(read: Read, name: str) -> None:
    """A recording that lacks its last moment is read as far as it goes."""
    data = CUT_OFF[name]
    (document,) = read(name, data[: len(data) * 97 // 100])
    assert 3.7 < document.metadata["end_seconds"] <= 4.1


def test_without_its_index(read: Read) -> None:
    """An M4A whose end, with its index, is missing."""
    data = encoded("ipod", "aac", 4.0)
    with pytest.raises(CorruptFile):
        read("half.m4a", data[: len(data) // 2])


@pytest.mark.parametrize(
    "data",
    [wav(2.0, pauses=((0, 2),)), noise(2.0, -80), noise(2.0, -90, offset=0.05), mp3(2.0, pauses=((0, 2),))],
    ids=["nothing", "hiss", "offset", "mp3"],
)
def test_silence(read: Read, data: bytes) -> None:
    """Digital zero, the hiss of a converter, and a constant offset are silence."""
    with pytest.raises(NothingToRead, match="silent from beginning to end"):
        read("quiet.mp3", data)


def test_quiet_is_not_silent(read: Read) -> None:
    """Speech at -50 dBFS is a recording."""
    assert read("whisper.wav", noise(2.0, -50))[0].metadata["modality"] == "audio"


def test_locked_by_a_shop(read: Read) -> None:
    """A song that only the shop's player decrypts is named as such."""
    data = encoded("ipod", "aac", 1.0).replace(b"mp4a\0\0\0\0\0\0", b"drms\0\0\0\0\0\0")
    with pytest.raises(EncryptedFile, match="shop"):
        read("bought.m4p", data)


CHAPTERS = ((0, 8, "Opening"), (8, 20, "The bearing"), (20, 22, "A word"), (22, 30, "Chapter 4"))


@pytest.mark.parametrize(
    ("form", "codec", "suffix"), [("ipod", "aac", "m4b"), ("mp3", "libmp3lame", "mp3"), ("matroska", "flac", "mka")]
)
def test_chapters_are_documents(read: Read, store: Any, form: str, codec: str, suffix: str) -> None:
    """One document a chapter, over its seconds of the file, titled by both; only the first says all that is known."""
    tags = {"title": "Machines", "artist": "A. Smith", "comment": "Read aloud"}
    documents = read(f"book.{suffix}", encoded(form, codec, 30.0, chapters=CHAPTERS, tags=tags, rate=44_100))
    assert [d.metadata["title"] for d in documents] == ["Machines > Opening", "Machines > The bearing", "Machines"]
    spans = [(d.metadata["start_seconds"], d.metadata["end_seconds"]) for d in documents]
    assert spans[:2] == [(0, 8), (8, 22)]
    assert spans[2] == (22, pytest.approx(30, abs=0.1))
    assert [d.metadata.get(media.CHAPTER) for d in documents] == ["Opening", "The bearing", None]
    assert [d.text for d in documents] == ["A. Smith\nRead aloud", "A. Smith", "A. Smith"]
    data, mime_type = store.cut(MediaRef.parse(documents[1].metadata["media_ref"]))
    assert audio.probe(io.BytesIO(data), mime_type).duration == pytest.approx(14, abs=0.1)
    assert len({d.node_id for d in documents}) == 3


def test_covers(read: Read) -> None:
    """The cover is a picture of its own, captioned by what the recording is called."""
    tags = (("title", "Lathe"), ("artist", "Workshop"), ("album", "Noises"), ("date", "2021-03-04"), ("genre", "Field"))
    recording, cover = read("song.mp3", mp3(1.0, tags=tags, cover=jpeg()))
    assert recording.metadata["modality"] == "audio"
    assert cover.metadata["modality"] == "image"
    assert cover.metadata["mime_type"] == "image/jpeg"
    assert cover.metadata["container_path"] == "song.mp3!/cover"
    assert cover.metadata["title"] == "Lathe"
    assert cover.text == "Workshop\nNoises\nField"
    assert cover.image_resource.path.read_bytes() == jpeg()
    for document in (recording, cover):
        assert document.metadata[media.AUTHOR] == "Workshop"
        assert document.metadata[media.CREATED] == "2021-03-04"
        assert document.metadata[media.KEYWORDS] == "Field"


@pytest.mark.parametrize("cover", [png(size=(2, 2)), b"\x89PNG\r\n\x1a\nbroken" * 9])
def test_covers_that_cannot_be_shown(read: Read, cover: bytes) -> None:
    """A dot and a broken picture are left out, and the recording is read."""
    size = len(cover) + 14
    picture = b"APIC" + struct.pack(">I", size) + b"\0\0\0image/png\0\x03\0" + cover
    head = b"ID3\x03\0\0" + bytes([(len(picture) >> s) & 0x7F for s in (21, 14, 7, 0)])
    (document,) = read("song.mp3", head + picture + mp3(1.0, rate=44_100))
    assert document.metadata["modality"] == "audio"


def test_no_covers_without_figures(read: Read) -> None:
    """Whoever wants no figures gets no covers."""
    assert len(read("song.mp3", mp3(1.0, cover=jpeg()), figures=False)) == 1


def test_language(read: Read) -> None:
    """The language of the sound is BCP 47."""
    data = encoded("mp3", "libmp3lame", rate=44_100, tags={"language": "ger"})
    assert read("rede.mp3", data)[0].metadata[media.LANGUAGE] == "de"
