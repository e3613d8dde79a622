"""Films: what is read from a container besides its pictures, and how those are named that cannot be read."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from llama_index.core.schema import Document
from reader_samples import Read

from llama_index_gemini_mm import MediaNodeParser, MediaReader, MediaStore
from llama_index_gemini_mm.errors import CorruptFile, EncryptedFile, FileTooLarge, NothingToRead, UnsupportedFormat
from llama_index_gemini_mm.media import MediaRef
from llama_index_gemini_mm.readers import ReadReport
from llama_index_gemini_mm.readers.video.language import bcp47
from llama_index_gemini_mm.readers.video.tags import plain_names, tagged
from media_samples import film, jpeg, sound

MILLISECOND = Fraction(1, 1000)
STYLES = (
    b"[Script Info]\r\nScriptType: v4.00+\r\n\r\n[V4+ Styles]\r\nFormat: Name, Fontname\r\nStyle: Default,Arial\r\n\r\n"
    b"[Events]\r\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\r\n"
)
Words = tuple[int, int, bytes]


def tx3g(text: str) -> bytes:
    return len(text.encode()).to_bytes(2, "big") + text.encode()


def with_subtitles(form: str, *tracks: tuple[str, str, list[Words]], tags: dict[str, str] | None = None) -> bytes:
    """A film of four seconds with tracks of (codec, language, words from and to milliseconds)."""
    target = io.BytesIO()
    seen = film(4.0, form="webm", codec="libvpx") if form == "webm" else film(4.0)
    with av.open(io.BytesIO(seen)) as source, av.open(target, "w", format=form) as out:
        out.metadata.update(tags or {})
        picture = out.add_stream_from_template(source.streams[0])
        lines: list[tuple[int, Any, Words]] = []
        for codec, language, words in tracks:
            track: Any = out.add_stream(codec)
            track.metadata["language"], track.time_base = language, MILLISECOND
            if codec == "ass":
                track.codec_context.extradata = STYLES
            else:
                track.codec_context.subtitle_header = STYLES
            lines += [(word[0], track, word) for word in words]
        for packet in source.demux(0):
            if packet.dts is not None:
                packet.stream = picture
                out.mux(packet)
        for start, track, (_, end, data) in sorted(lines, key=lambda line: line[0]):
            packet = av.Packet(data)
            packet.stream, packet.time_base = track, MILLISECOND
            packet.pts = packet.dts = start
            packet.duration = end - start
            out.mux(packet)
    return target.getvalue()


KINDS = [
    ("mp4", "mov_text", tx3g("Hallo Welt"), tx3g("zweite Zeile")),
    ("mov", "mov_text", tx3g("Hallo Welt"), tx3g("zweite Zeile")),
    ("matroska", "srt", b"<i>Hallo</i> Welt", b"<font color='red'>zweite</font> Zeile"),
    ("matroska", "ass", b"0,0,Default,,0,0,0,,{\\an8}Hallo Welt", b"1,0,Default,,0,0,0,,zweite\\hZeile"),
    ("matroska", "webvtt", b"<v Bob>Hallo Welt", b"<b>zweite</b> Zeile"),
    ("webm", "webvtt", b"<v Bob>Hallo Welt", b"<b>zweite</b> Zeile"),
]


def texts(documents: list[Document]) -> list[Document]:
    return [d for d in documents if d.metadata["modality"] == "text"]


@pytest.mark.parametrize(("form", "codec", "first", "second"), KINDS)
def test_subtitles_inside(read: Read, form: str, codec: str, first: bytes, second: bytes) -> None:
    """Words without styles, with their times, their language and the track they stand in."""
    data = with_subtitles(form, (codec, "ger", [(500, 1500, first), (2000, 3500, second)]))
    documents = read(f"film.{form}", data)
    (words,) = texts(documents)
    assert words.text == "Hallo Welt\nzweite Zeile"
    assert words.metadata["start_seconds"] == pytest.approx(0.5, abs=0.05)
    assert words.metadata["end_seconds"] == pytest.approx(3.5, abs=0.05)
    assert words.metadata["language"] == "de"
    assert words.metadata["title"] == "film"
    assert words.metadata["container_path"] == f"film.{form}!/subtitles/1-de"
    assert documents[0].metadata["modality"] == "video"


def test_several_tracks_of_subtitles(read: Read) -> None:
    """Each is read for itself, in one pass over the file, and no two documents have one id."""
    tracks = [("srt", language, [(500, 1500, text.encode())]) for language, text in (("eng", "Hello"), ("und", "Moin"))]
    documents = read("film.mkv", with_subtitles("matroska", *tracks, ("srt", "eng", [(500, 1500, b"Hello again")])))
    words = texts(documents)
    assert [d.text for d in words] == ["Hello", "Moin", "Hello again"]
    assert [d.metadata["container_path"].partition("!")[2] for d in words] == [
        "/subtitles/1-en",
        "/subtitles/2",
        "/subtitles/3-en",
    ]
    assert "language" not in words[1].metadata
    assert len({d.node_id for d in documents}) == len(documents)


def test_subtitles_beside_a_film_are_files_of_their_own(read: Read, tmp_path: Path, store: MediaStore) -> None:
    """The film does not read them a second time."""
    read("film.mp4", film(1.0))
    (tmp_path / "files" / "film.en.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nHello there\n")
    documents = MediaReader(store).load_data(tmp_path / "files")
    assert [d.text for d in texts(documents)] == ["Hello there"]


@pytest.mark.parametrize(
    ("language", "tag"),
    [
        ("ger", "de"),
        ("deu", "de"),
        ("eng", "en"),
        ("pt-BR", "pt-BR"),
        ("gsw", "gsw"),
        ("de", "de"),
        ("", ""),
        ("?!", ""),
    ],
)
def test_languages(language: str, tag: str) -> None:
    """Both codes of ISO 639-2 become the short one, and what has none stays."""
    assert bcp47(language) == tag


def test_what_a_film_says_of_itself(read: Read) -> None:
    """Title and words as caption; who, when, where and the language of the sound as metadata."""
    target = io.BytesIO()
    tags = {
        "title": "Spindle test",
        "artist": "Workshop",
        "comment": "worn bearing",
        "creation_time": "2021-05-04T10:11:12.000000Z",
        "location": "+48.2082+016.3738/",
        "keywords": "spindle, noise",
    }
    with av.open(io.BytesIO(film(1.0, sound=True))) as source:
        options = {"movflags": "use_metadata_tags"}
        with av.open(target, "w", format="mp4", options=options) as out:
            out.metadata.update(tags)
            tracks = {track.index: out.add_stream_from_template(track) for track in source.streams}
            tracks[1].metadata["language"] = "fre"
            for packet in source.demux():
                if packet.dts is not None:
                    packet.stream = tracks[packet.stream.index]
                    out.mux(packet)
    pictures, noise = read("a.mp4", target.getvalue())
    for document in (pictures, noise):
        assert document.metadata["title"] == "Spindle test"
        assert "worn bearing" in document.text
        assert document.metadata["author"] == "Workshop"
        assert document.metadata["created"].startswith("2021-05-04T10:11:12")
        assert document.metadata["keywords"] == "spindle, noise"
        assert (document.metadata["latitude"], document.metadata["longitude"]) == (48.2082, 16.3738)
    assert noise.metadata["language"] == "fr"
    assert "language" not in pictures.metadata


def test_tags_of_telephones() -> None:
    """QuickTime's own names win where they say more, and clocks that were never set say nothing."""
    tags = {
        "com.apple.quicktime.creationdate": "2020-02-03T04:05:06+0100",
        "com.apple.quicktime.location.iso6709": "-33.8688+151.2093+058.3/",
        "com.apple.quicktime.author": "Ada",
        "creation_time": "1904-01-01T00:00:00.000000Z",
    }
    facts = {
        "author": "Ada",
        "created": "2020-02-03T04:05:06+0100",
        "latitude": -33.8688,
        "longitude": 151.2093,
    }
    assert tagged(plain_names(tags)) == facts
    assert tagged({"creation_time": "1970-01-01T00:00:00Z", "location": "+95+200/", "date": "soon"}) == {}


def silent_film() -> bytes:
    """Pictures with a track of sound in which nothing sounds."""
    target = io.BytesIO()
    quiet = sound("mp4", 4.0, pauses=((0.0, 4.0),))
    with (
        av.open(io.BytesIO(film(4.0))) as picture,
        av.open(io.BytesIO(quiet)) as noise,
        av.open(target, "w", format="mp4") as out,
    ):
        tracks = [(part, out.add_stream_from_template(part.streams[0])) for part in (picture, noise)]
        for part, track in tracks:
            for packet in part.demux(0):
                if packet.dts is not None:
                    packet.stream = track
                    out.mux(packet)
    return target.getvalue()


def test_a_silent_track_is_no_document(read: Read) -> None:
    """Nothing is heard, so there is nothing to be found by."""
    (only,) = read("a.mp4", silent_film())
    assert only.metadata["modality"] == "video"


def test_sound_that_cannot_be_decoded_costs_the_sound_alone(read: Read) -> None:
    """The pictures of a film whose sound is broken are read."""
    data = bytearray(film(4.0, sound=True))
    with av.open(io.BytesIO(bytes(data))) as opened:
        for packet in opened.demux(audio=0):
            if packet.size:
                data[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    (only,) = read("a.mp4", bytes(data))
    assert only.metadata["modality"] == "video"


@pytest.mark.parametrize(
    ("form", "mime_type"), [("matroska", "audio/x-matroska"), ("webm", "audio/webm"), ("mp4", "audio/mp4")]
)
def test_film_containers_without_film(read: Read, form: str, mime_type: str) -> None:
    """A voice recorded in a browser, and a song with a cover, are sounds."""
    target = io.BytesIO()
    with av.open(io.BytesIO(sound("ogg", 2.0))) as source, av.open(target, "w", format=form) as out:
        track = out.add_stream_from_template(source.streams[0])
        for packet in source.demux(0):
            if packet.dts is not None:
                packet.stream = track
                out.mux(packet)
    (document,) = read("voice.webm", target.getvalue())
    assert document.metadata["modality"] == "audio"
    assert document.metadata["mime_type"] == mime_type
    assert "#" not in document.metadata["media_ref"]
    covered = read("song.mp4", sound("mp4", 2.0, cover=jpeg(size=(64, 64))))
    assert {d.metadata["modality"] for d in covered} <= {"audio", "image"}


@pytest.mark.parametrize("suffix", ["ogv", "ogg", "bin"])
def test_films_in_ogg(read: Read, suffix: str) -> None:
    """They are told from sounds by what is in them, whatever their name."""
    (document,) = read(f"a.{suffix}", film(2.0, form="ogv", codec="libvpx"))
    assert document.metadata["modality"] == "video"
    assert document.metadata["mime_type"] == "video/ogg"
    (noise,) = read("b.ogv", sound("ogg", 1.0))
    assert noise.metadata["modality"] == "audio"


@pytest.mark.parametrize(("form", "suffix"), [("mp4", "mp4"), ("matroska", "mkv"), ("avi", "avi"), ("webm", "webm")])
def test_part_of_a_download_is_named(read: Read, tmp_path: Path, store: MediaStore, form: str, suffix: str) -> None:
    """What is there of it is read, as long as it is, and then the rest is missed."""
    codec = {"mp4": "libx264", "matroska": "libx264", "avi": "mpeg4", "webm": "libvpx"}[form]
    data = film(8.0, ("red", "blue", "lime", "white"), form=form, codec=codec, gop=5)
    with pytest.raises(CorruptFile, match=r"cut off: .* bytes are missing"):
        read(f"a.{suffix}", data[: len(data) * 3 // 4])
    report = ReadReport()
    documents = MediaReader(store, on_error="skip").load_data(tmp_path / "files", report=report)
    assert len(report.skipped) == 1
    if form == "mp4":
        assert documents == []
        return
    (document,) = documents
    assert 4 < document.metadata["end_seconds"] < 7.5
    for node in MediaNodeParser(media_store=store).get_nodes_from_documents(documents):
        assert store.cut(MediaRef.parse(node.metadata["media_ref"]))[0]


def test_containers_with_nothing_in_them(read: Read) -> None:
    """An index that lists no track is in order, and says nothing."""
    empty = b"\0\0\0\x14ftypqt  \0\0\0\0qt  " + b"\0\0\0\x74moov\0\0\0\x6cmvhd" + bytes(12)
    empty += (1000).to_bytes(4, "big") + bytes(4) + b"\0\1\0\0\1\0" + bytes(10)
    empty += b"\0\1\0\0" + bytes(12) + b"\0\1\0\0" + bytes(12) + b"\x40\0\0\0" + bytes(24) + b"\0\0\0\1"
    with pytest.raises(NothingToRead, match="neither picture nor sound"):
        read("a.mov", empty)


def slow(seconds: float, gap: int) -> bytes:
    """A film of ten frames a second of which each is shown ``gap`` seconds after the one before."""
    target = io.BytesIO()
    with av.open(io.BytesIO(film(seconds, size=(16, 16)))) as source, av.open(target, "w", format="mp4") as out:
        track = out.add_stream_from_template(source.streams[0])
        for number, packet in enumerate(p for p in source.demux(0) if p.dts is not None):
            packet.stream, packet.time_base = track, Fraction(1)
            packet.pts = packet.dts = number * gap
            out.mux(packet)
    return target.getvalue()


def test_films_that_claim_days(read: Read) -> None:
    """Each half minute would become a vector: a few bytes must not be able to ask for thousands."""
    with pytest.raises(FileTooLarge, match="longer than 48 hours"):
        read("long.mp4", slow(32.0, 590))


def test_broken_clocks(read: Read, store: MediaStore) -> None:
    """Leaps of hours between frames are no film of hours, and none is uploaded."""
    (document,) = read("leaps.mp4", slow(1.0, 30_000))
    assert document.metadata["end_seconds"] < 10
    (node,) = MediaNodeParser(media_store=store).get_nodes_from_documents([document])
    data, _ = store.cut(MediaRef.parse(node.metadata["media_ref"]))
    with av.open(io.BytesIO(data)) as opened:
        assert 0 < (opened.duration or 0) < 10_000_000


def test_films_that_no_password_opens(read: Read) -> None:
    """What a shop has locked is named as such, not as broken."""
    data = film(1.0).replace(b"avc1", b"drmi")
    with pytest.raises(EncryptedFile, match="locked"):
        read("bought.m4v", data)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.mp4", "ffconcat version 1.0\nfile 'secret.mp4'\n"),
        ("a.mp4", "#EXTM3U\n#EXTINF:1,\nsecret.mp4\n"),
        ("a.avi", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.mp4\n#EXT-X-ENDLIST\n"),
        ("a.mov", "rtsptext\nrtsp://127.0.0.1/secret\n"),
        ("a.mpg", "v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n"),
    ],
)
def test_no_playlist_opens_another_film(read: Read, name: str, content: str) -> None:
    """Lists of other files named as a film are not followed, whatever lies beside them."""
    read("secret.mp4", film(1.0))
    try:
        kinds = {d.metadata["modality"] for d in read(name, content.encode())}
    except (UnsupportedFormat, CorruptFile):
        kinds = set()
    assert kinds <= {"text"}


def test_a_film_that_names_another_file(read: Read) -> None:
    """A QuickTime file may say that its pictures lie elsewhere; they are not fetched from there."""
    read("other.mov", film(1.0, form="mov"))
    data = film(1.0, form="mov")
    entry = data.index(b"dref") + 12
    assert data[entry + 4 : entry + 12] == b"url \0\0\0\1"
    data = data[: entry + 11] + b"\0" + data[entry + 12 :]
    try:
        (document,) = read("a.mov", data)
    except CorruptFile:
        return
    assert document.metadata["file_name"] == "a.mov"
