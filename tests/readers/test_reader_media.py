"""Pictures, sounds and films."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib

import pytest
from PIL import Image
from reader_samples import Read, described_png, picture, recording, wav

from llama_index_gemini_mm import MediaStore
from llama_index_gemini_mm.errors import CorruptFile, FileTooLarge
from llama_index_gemini_mm.media import MediaRef
from llama_index_gemini_mm.readers import media_type
from llama_index_gemini_mm.source import Source

PICTURES = [
    ("PNG", "png", "image/png"),
    ("JPEG", "jpg", "image/jpeg"),
    ("WEBP", "webp", "image/webp"),
    ("GIF", "gif", "image/gif"),
    ("TIFF", "tif", "image/tiff"),
    ("BMP", "bmp", "image/bmp"),
    ("AVIF", "avif", "image/avif"),
    ("JPEG2000", "jp2", "image/jp2"),
    ("ICO", "ico", "image/x-icon"),
    ("HEIF", "heic", "image/heif"),
    ("PPM", "ppm", "image/x-portable-anymap"),
]


@pytest.mark.parametrize(("kind", "suffix", "mime_type"), PICTURES)
@pytest.mark.parametrize("named", [True, False])
def test_pictures(read: Read, store: MediaStore, kind: str, suffix: str, mime_type: str, named: bool) -> None:
    """Every picture format is one image document over the file itself, whatever its suffix says."""
    if kind == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    data = picture(kind=kind)
    (document,) = read(f"front_view-2.{suffix if named else 'txt'}", data)
    assert document.metadata["modality"] == "image"
    assert document.metadata["mime_type"] == document.metadata["file_type"] == mime_type
    assert document.metadata["title"] == "front view 2"
    assert document.text == ""
    assert store.read(MediaRef.parse(document.metadata["media_ref"])) == data
    assert document.image_resource.path.read_bytes() == data


def test_embedded_description(read: Read) -> None:
    """What the file says about itself is title and caption."""
    (document,) = read("x.png", described_png("Spindle", "A worn bearing"))
    assert (document.metadata["title"], document.text) == ("Spindle", "A worn bearing")


@pytest.mark.parametrize(("kind", "suffix"), [("PNG", "png"), ("JPEG", "jpg"), ("GIF", "gif"), ("WEBP", "webp")])
def test_truncated_pictures(read: Read, kind: str, suffix: str) -> None:
    """Half a picture is refused when it is read, not when it is embedded."""
    data = picture(size=(400, 300), kind=kind)
    with pytest.raises(CorruptFile, match="the picture is cut off"):
        read(f"half.{suffix}", data[: len(data) // 2])


def test_oversized_pictures(read: Read) -> None:
    """A header that promises billions of pixels is refused without decoding, and so is a large flat picture."""
    bomb = b"\x89PNG\r\n\x1a\n"
    for name, body in ((b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(b""))):
        bomb += struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    with pytest.raises(FileTooLarge, match="has 3,600,000,000 pixels"):
        read("bomb.png", bomb)
    target = io.BytesIO()
    Image.new("1", (14000, 13000)).save(target, "PNG")
    with pytest.raises(FileTooLarge, match="at most 178,956,970 are read"):
        read("flat.png", target.getvalue())


def test_heic_without_its_library(tmp_path: object) -> None:
    """Without pillow-heif the error names the package and the extra."""
    code = (
        "import sys; sys.modules['pillow_heif'] = None\n"
        "import importlib.util; importlib.util.find_spec = lambda name: None\n"
        "from llama_index_gemini_mm.readers import read_source\n"
        "from llama_index_gemini_mm import MediaStore\n"
        "from llama_index_gemini_mm.source import Source\n"
        "try: list(read_source(Source.of_bytes(b'\\0\\0\\0\\x18ftypheic' + bytes(99), 'a.heic'), MediaStore('s')))\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == (
        "MissingDependency a.heic: needs pillow-heif: pip install 'llama-index-gemini-mm[heif]'"
    )


SOUNDS = [
    ("mp3", "libmp3lame", 44100, "mp3", "audio/mpeg"),
    ("flac", "flac", 44100, "flac", "audio/flac"),
    ("ogg", "libopus", 48000, "opus", "audio/ogg"),
    ("ipod", "aac", 44100, "m4a", "audio/mp4"),
    ("adts", "aac", 44100, "aac", "audio/aac"),
    ("aiff", "pcm_s16be", 44100, "aiff", "audio/aiff"),
    ("wav", "pcm_s16le", 44100, "wav", "audio/wav"),
    ("ac3", "ac3", 44100, "ac3", "audio/ac3"),
    ("asf", "wmav2", 44100, "wma", "audio/x-ms-wma"),
    ("mp4", "aac", 44100, "mp4", "audio/mp4"),
]


@pytest.mark.parametrize(("container", "codec", "rate", "suffix", "mime_type"), SOUNDS)
def test_sounds(
    read: Read, store: MediaStore, container: str, codec: str, rate: int, suffix: str, mime_type: str
) -> None:
    """Every sound format, and a film container with nothing to see, is one audio document with its length."""
    data = recording(container, codec, rate=rate)
    (document,) = read(f"grinding_noise.{suffix}", data)
    assert document.metadata["modality"] == "audio"
    assert document.metadata["mime_type"] == document.metadata["file_type"] == mime_type
    assert document.metadata["title"] == "grinding noise"
    assert document.metadata["start_seconds"] == 0
    assert document.metadata["end_seconds"] == pytest.approx(1.0, abs=0.15)
    assert document.audio_resource.path.read_bytes() == data
    assert store.entry(MediaRef.parse(document.metadata["media_ref"])).mime_type == mime_type


def test_tags_are_title_and_caption(read: Read) -> None:
    """Words in the tags are kept, technical ones are not."""
    tags = {"title": "Bearing test", "artist": "Workshop", "comment": "grinding", "encoder": "x", "date": "2020"}
    (document,) = read("t.mp3", recording("mp3", "libmp3lame", tags=tags))
    assert document.metadata["title"] == "Bearing test"
    assert document.text == "Workshop\ngrinding"


FILMS = [
    ("mp4", "mpeg4", "aac", "mp4", "video/mp4"),
    ("mov", "mpeg4", "aac", "mov", "video/quicktime"),
    ("webm", "libvpx", "libopus", "webm", "video/webm"),
    ("matroska", "mpeg4", "aac", "mkv", "video/x-matroska"),
    ("avi", "mpeg4", "libmp3lame", "avi", "video/x-msvideo"),
    ("mpeg", "mpeg1video", "mp2", "mpg", "video/mpeg"),
    ("mpegts", "mpeg2video", "mp2", "ts", "video/mp2t"),
    ("asf", "wmv2", "wmav2", "wmv", "video/x-ms-wmv"),
    ("flv", "flv", "libmp3lame", "flv", "video/x-flv"),
    ("3gp", "mpeg4", "aac", "3gp", "video/3gpp"),
]


@pytest.mark.parametrize(("container", "film", "codec", "suffix", "mime_type"), FILMS)
def test_films(
    read: Read, store: MediaStore, container: str, film: str, codec: str, suffix: str, mime_type: str
) -> None:
    """A film is a video document and, over the same bytes, an audio document of its sound."""
    data = recording(container, codec, film=film, rate=48000 if codec == "libopus" else 44100)
    video, audio = read(f"spindle.{suffix}", data)
    assert (video.metadata["modality"], audio.metadata["modality"]) == ("video", "audio")
    assert video.metadata["mime_type"] == audio.metadata["mime_type"] == mime_type
    assert audio.metadata["media_ref"] == video.metadata["media_ref"] + "#track=audio"
    assert video.metadata["end_seconds"] == audio.metadata["end_seconds"] == pytest.approx(1.0, abs=0.2)
    assert video.video_resource.path.read_bytes() == data
    assert store.read(MediaRef.parse(audio.metadata["media_ref"])) == data
    assert video.node_id != audio.node_id


def test_silent_film(read: Read) -> None:
    """Without sound there is no audio document."""
    (document,) = read("silent.mp4", recording("mp4", "", film="mpeg4"))
    assert document.metadata["modality"] == "video"


@pytest.mark.parametrize(
    ("name", "data", "modality"),
    [
        ("a.txt", recording("mp3", "libmp3lame"), "audio"),
        ("a.mp4", wav(), "audio"),
        ("a.mp3", recording("mp4", "", film="mpeg4"), "video"),
        ("a", picture(), "image"),
        ("A.JPG", picture(), "image"),
    ],
)
def test_content_decides(read: Read, name: str, data: bytes, modality: str) -> None:
    """A wrong, missing or shouted suffix changes nothing."""
    assert read(name, data)[0].metadata["modality"] == modality


@pytest.mark.parametrize(("name", "keep"), [("a.mp4", 200), ("a.flac", 30), ("a.webm", 60)])
def test_broken_media(read: Read, name: str, keep: int) -> None:
    """A recording cut off in its header is corrupt."""
    data = {
        "a.mp4": recording("mp4", "aac", film="mpeg4"),
        "a.flac": recording("flac", "flac"),
        "a.webm": recording("webm", "libopus", film="libvpx", rate=48000),
    }[name]
    with pytest.raises(CorruptFile):
        read(name, data[:keep])


def test_sound_that_cannot_be_decoded(read: Read) -> None:
    """A sound header over frames of noise is refused when it is read."""
    data = recording("flac", "flac")
    frames = data.index(b"\xff\xf8", 100)
    with pytest.raises(CorruptFile, match="no sound"):
        read("noise.flac", data[:frames] + bytes(range(200)) * 100)


def test_media_type() -> None:
    """The type under which a file of media is recorded; text is none."""
    from llama_index_gemini_mm.errors import UnsupportedFormat

    assert media_type(Source.of_bytes(picture(), "x")) == "image/png"
    assert media_type(Source.of_bytes(wav(), "x")) == "audio/wav"
    assert media_type(Source.of_bytes(recording("mp4", "", film="mpeg4"), "x")) == "video/mp4"
    assert media_type(Source.of_bytes(recording("mp4", "aac"), "x")) == "audio/mp4"
    with pytest.raises(UnsupportedFormat):
        media_type(Source.of_bytes(b"words", "x"))
    with pytest.raises(CorruptFile):
        media_type(Source.of_bytes(picture()[:60], "x"))
