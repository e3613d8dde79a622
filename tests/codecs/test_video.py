"""Film: what it is, scene changes, and what is uploaded."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest

from llama_index_gemini_mm.codecs import Undecodable, video
from media_samples import film, jpeg, mp3, sound

FORMS = {
    "mp4": ("video/mp4", "libx264"),
    "mov": ("video/quicktime", "libx264"),
    "matroska": ("video/x-matroska", "libx264"),
    "flv": ("video/x-flv", "libx264"),
    "mpegts": ("video/mp2t", "libx264"),
    "webm": ("video/webm", "libvpx"),
    "avi": ("video/x-msvideo", "mpeg4"),
    "mpeg": ("video/mpeg", "mpeg2video"),
    "mpeg1video": ("video/mpeg", "mpeg1video"),
}


def frames(data: bytes) -> list[tuple[float, Any]]:
    with av.open(io.BytesIO(data), format="mov") as opened:
        assert not opened.streams.audio
        return [(frame.time, frame.to_ndarray(format="rgb24")) for frame in opened.decode(video=0)]


def stream_of(data: bytes) -> tuple[str, int, int, float]:
    with av.open(io.BytesIO(data), format="mov") as opened:
        track = opened.streams.video[0]
        context = track.codec_context
        return context.codec.canonical_name, context.width, context.height, float(track.duration * track.time_base)


def made(form: str, **options: Any) -> tuple[bytes, str]:
    mime_type, codec = FORMS[form]
    return film(form=form, codec=codec, fps=25 if form.startswith("mpeg") else 10, **options), mime_type


@pytest.mark.parametrize("form", FORMS)
def test_probe(form: str) -> None:
    """Duration and size of every kind of container, also those without an index."""
    data, mime_type = made(form, seconds=3.0)
    info = video.probe(io.BytesIO(data), mime_type)
    assert info.duration == pytest.approx(3.0, abs=0.25)
    assert (info.width, info.height, info.rotation, info.has_sound, info.has_picture) == (64, 48, 0, False, True)


def test_probe_finds_sound_and_tags() -> None:
    """A film with sound says so."""
    info = video.probe(io.BytesIO(film(1.0, sound=True)), "video/mp4")
    assert info.has_sound
    assert info.codec == "h264"
    assert info.tags["major_brand"] == "isom"


def test_cover_is_no_film() -> None:
    """Sound with a cover picture, and sound alone, have no moving picture."""
    info = video.probe(io.BytesIO(sound("mp4", 1.0)), "video/mp4")
    assert (info.has_picture, info.has_sound) == (False, True)
    assert info.duration == pytest.approx(1.0, abs=0.1)
    covered = mp3(1.0, cover=jpeg())
    assert not video.scene_changes(io.BytesIO(sound("mp4", 1.0)), "video/mp4")
    with pytest.raises(Undecodable, match="no picture"):
        video.cut(io.BytesIO(covered), "audio/mpeg", 0, 1)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("start", "end"), [(None, None), (1.0, 2.0), (0.7, 2.3)])
def test_cuts_have_the_right_length_and_content(form: str, start: float | None, end: float | None) -> None:
    """H.264 MP4 without sound, from time 0, as long as asked for, showing what is shown there."""
    data, mime_type = made(form, seconds=3.0, colors=("red", "blue", "lime"))
    shown = frames(result := video.cut(io.BytesIO(data), mime_type, start, end))
    first, last = start or 0.0, end or 3.0
    codec, width, height, duration = stream_of(result)
    assert (codec, width, height) == ("h264", 64, 48)
    assert duration == pytest.approx(last - first, abs=0.26)
    assert shown[0][0] == 0
    strongest = [int(pixels[40, 50].argmax()) for _, pixels in shown]
    assert strongest[1] == [0, 2, 1][int(first)]
    assert strongest[-1] == [0, 2, 1][int(last - 0.05)]


@pytest.mark.parametrize("form", ["mp4", "mov", "matroska", "flv"])
def test_packets_are_copied(form: str) -> None:
    """H.264 with a key frame at the start is not encoded anew: the packets are the same."""
    data, mime_type = made(form, seconds=3.0, colors=("red", "blue", "lime"))
    result = video.cut(io.BytesIO(data), mime_type, 1.0, 2.0)
    with av.open(io.BytesIO(data)) as opened:
        packets = {bytes(p) for p in opened.demux(video=0) if p.size}
    with av.open(io.BytesIO(result)) as opened:
        copied = [bytes(p) for p in opened.demux(video=0) if p.size]
    assert 8 <= len(copied) <= 10
    assert set(copied) <= packets


def test_key_frames_between_milliseconds_are_found() -> None:
    """At 29.97 frames a second no key frame falls on a millisecond; one that is named by the nearest is copied from."""
    data = film(4.0, ("red",), fps=Fraction(30_000, 1001), gop=20)
    second = video.scene_changes(io.BytesIO(data), "video/mp4")[1][0]
    assert second != round(second, 3)
    shown = frames(video.cut(io.BytesIO(data), "video/mp4", round(second, 3), round(second, 3) + 1))
    assert len(shown) == pytest.approx(30, abs=3)


def test_hevc_is_copied() -> None:
    """H.265 passes as it is."""
    data = film(2.0, codec="libx265")
    assert stream_of(video.cut(io.BytesIO(data), "video/mp4", None, None))[0] == "hevc"


def test_reencoded_film_has_few_frames() -> None:
    """A cut between key frames is encoded with 4 frames a second."""
    data = film(3.0, gop=30, colors=("red",))
    shown = frames(video.cut(io.BytesIO(data), "video/mp4", 1.0, 3.0))
    assert len(shown) == 8


@pytest.mark.parametrize(("rotation", "corner"), [(90, (40, 5)), (180, (40, 50)), (-90, (5, 40))])
def test_rotation_is_applied(rotation: int, corner: tuple[int, int]) -> None:
    """A film that its display matrix turns comes upright: the white quarter moves."""
    data = film(1.0, ("red",), rotation=rotation)
    assert video.probe(io.BytesIO(data), "video/mp4").rotation in (rotation, -rotation)
    result = video.cut(io.BytesIO(data), "video/mp4", None, None)
    assert stream_of(result)[1:3] == ((64, 48) if rotation == 180 else (48, 64))
    pixels = frames(result)[0][1]
    assert pixels[corner].min() > 200
    white = [(y, x) for y, x in ((5, 5), (40, 5), (5, 40), (40, 40)) if pixels[y, x].min() > 200]
    assert len(white) == 1


def test_odd_sizes_become_even() -> None:
    """H.264 in its usual form needs even sides."""
    data = film(1.0, size=(65, 49), codec="libvpx", form="webm")
    assert stream_of(video.cut(io.BytesIO(data), "video/webm", None, None))[1:3] == (64, 48)


def test_large_film_is_scaled_down() -> None:
    """More than 1,080 lines are not copied, and re-encoded ones have at most 720."""
    data = film(0.5, size=(2200, 1240), fps=4)
    assert stream_of(video.cut(io.BytesIO(data), "video/mp4", None, None))[1:3] == (1278, 720)


def test_variable_frame_rate_keeps_the_clock() -> None:
    """A frame that stands for seconds stands for seconds in the cut."""
    target = io.BytesIO()
    with av.open(target, "w", format="matroska") as out:
        track: Any = out.add_stream("mpeg4", rate=10)
        track.width, track.height, track.pix_fmt = 32, 32, "yuv420p"
        for pts, level in ((0, 0), (1, 0), (30, 255), (31, 255), (60, 255)):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), level, np.uint8), format="rgb24")
            frame.pts = pts
            out.mux(track.encode(frame))
        out.mux(track.encode(None))
    shown = frames(video.cut(io.BytesIO(target.getvalue()), "video/x-matroska", None, None))
    assert shown[-1][0] == pytest.approx(6.0, abs=0.3)
    bright = [time for time, pixels in shown if pixels.mean() > 128]
    assert bright[0] == pytest.approx(3.0, abs=0.3)


def test_scene_changes() -> None:
    """Key frames with the strength of the change: none at the start, much at another colour, little at the same."""
    changes = video.scene_changes(io.BytesIO(film(4.0, ("red", "blue"), gop=10)), "video/mp4")
    assert [round(at, 1) for at, _ in changes] == [0.0, 1.0, 2.0, 3.0]
    strengths = [strength for _, strength in changes]
    assert strengths[0] == 0
    assert strengths[2] > 0.5
    assert max(strengths[1], strengths[3]) < 0.05


def test_films_of_key_frames_alone_are_thinned() -> None:
    """Where every frame is a key frame two a second are looked at."""
    data = film(3.0, codec="mjpeg", form="avi")
    assert 5 <= len(video.scene_changes(io.BytesIO(data), "video/x-msvideo")) <= 7


@pytest.mark.parametrize(
    ("data", "mime_type"),
    [(b"", "video/mp4"), (film(1.0)[:300], "video/mp4"), (film(1.0), "video/webm"), (film(1.0), "text/plain")],
)
def test_broken_film_is_undecodable(data: bytes, mime_type: str) -> None:
    """Empty, cut off, foreign and unknown content is refused by every function."""
    for call in (video.probe, video.scene_changes):
        with pytest.raises(Undecodable):
            call(io.BytesIO(data), mime_type)
    with pytest.raises(Undecodable):
        video.cut(io.BytesIO(data), mime_type, None, None)


def test_nothing_after_the_end() -> None:
    """A stretch behind the end shows no picture."""
    with pytest.raises(Undecodable, match="no picture in this stretch"):
        video.cut(io.BytesIO(film(1.0)), "video/mp4", 5.0, 6.0)


def test_film_without_a_good_frame() -> None:
    """A film of which no frame can be decoded is refused."""
    data = bytearray(film(1.0, gop=100))
    start, end = data.index(b"mdat") + 4, data.index(b"moov") - 4
    data[start:end] = b"\xff" * (end - start)
    with pytest.raises(Undecodable, match="no picture of it can be decoded"):
        video.probe(io.BytesIO(bytes(data)), "video/mp4")


def test_picture_shorter_than_the_sound() -> None:
    """The duration of a film is that of its picture, so that no segment lies behind its end."""
    target = io.BytesIO()
    with (
        av.open(io.BytesIO(film(1.0))) as picture,
        av.open(io.BytesIO(sound("mp4", 3.0))) as noise,
        av.open(target, "w", format="mp4") as out,
    ):
        streams = [(s, out.add_stream_from_template(s.streams[0])) for s in (picture, noise)]
        for source, stream in streams:
            for packet in source.demux():
                if packet.dts is not None:
                    packet.stream = stream
                    out.mux(packet)
    info = video.probe(io.BytesIO(target.getvalue()), "video/mp4")
    assert (info.duration, info.has_sound) == (pytest.approx(1.0, abs=0.05), True)


def test_size_that_changes_midway() -> None:
    """A film whose frames change their size keeps its length, at the size of the first frame."""
    target = io.BytesIO()
    with av.open(target, "w", format="avi") as out:
        track: Any = out.add_stream("mjpeg", rate=2)
        track.width, track.height, track.pix_fmt = 64, 48, "yuvj420p"
        for number in range(6):
            packet = av.Packet(jpeg("red", (64, 48) if number < 3 else (32, 32)))
            packet.stream, packet.pts, packet.dts, packet.time_base = track, number, number, Fraction(1, 2)
            packet.is_keyframe = True
            out.mux(packet)
    shown = frames(video.cut(io.BytesIO(target.getvalue()), "video/x-msvideo", None, None))
    assert len(shown) == 12
    assert {pixels.shape for _, pixels in shown} == {(48, 64, 3)}


def test_heavy_film_is_encoded_anew() -> None:
    """Copied packets may not make an upload of any size."""
    random = np.random.default_rng(5)
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as out:
        track: Any = out.add_stream("libx264", rate=10, options={"qp": "1", "preset": "ultrafast"})
        track.width, track.height, track.pix_fmt = 1000, 1000, "yuv420p"
        for _ in range(15):
            noise = random.integers(0, 255, (1000, 1000, 3), dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(noise, format="rgb24")
            out.mux(track.encode(frame))
        out.mux(track.encode(None))
    data = target.getvalue()
    assert len(data) > 17 * 2**20
    result = video.cut(io.BytesIO(data), "video/mp4", None, None)
    assert len(result) < len(data) / 4
    assert stream_of(result)[1:3] == (720, 720)


def test_damage_costs_the_damaged_part_alone() -> None:
    """A film with a broken frame keeps the rest."""
    data = bytearray(film(3.0, colors=("red", "blue", "lime"), codec="mpeg4", form="avi"))
    middle = len(data) // 2
    data[middle : middle + 100] = b"\xff" * 100
    shown = frames(video.cut(io.BytesIO(bytes(data)), "video/x-msvideo", None, None))
    assert len(shown) >= 10
