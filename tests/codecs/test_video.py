"""Film: what it is, scene changes, and what is uploaded."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from llama_index_gemini_mm.codecs import TooMuch, Undecodable, video
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


def encoded(
    pictures: list[Any],
    form: str = "mp4",
    codec: str = "libx264",
    fps: int = 10,
    pix_fmt: str = "yuv420p",
    **options: str,
) -> bytes:
    """A film of RGB pictures; ``aspect`` is that of its pixels."""
    aspect = options.pop("aspect", "")
    target = io.BytesIO()
    with av.open(target, "w", format=form) as out:
        track: Any = out.add_stream(codec, rate=fps, options=options)
        track.height, track.width, track.pix_fmt = *pictures[0].shape[:2], pix_fmt
        if aspect:
            track.codec_context.sample_aspect_ratio = Fraction(aspect)
        for number, pixels in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            out.mux(track.encode(frame))
        out.mux(track.encode(None))
    return target.getvalue()


def flat(color: tuple[int, int, int], size: tuple[int, int] = (64, 48)) -> Any:
    return np.full((size[1], size[0], 3), color, np.uint8)


COLORS = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (200, 200, 30), (30, 200, 200), (200, 30, 200)]


@pytest.mark.parametrize(("form", "codec"), [("mp4", "libx264"), ("matroska", "libx265"), ("webm", "libvpx-vp9")])
@pytest.mark.parametrize(("start", "end"), [(2.0, 4.0), (2.6, 4.6)])
def test_each_second_shows_what_it_showed(form: str, codec: str, start: float, end: float) -> None:
    """Copied with B frames or encoded anew, the clip shows at each time what the film shows there."""
    extra = {"x265-params": "log-level=none:keyint=10"} if codec == "libx265" else {"g": "10"}
    data = encoded([flat(COLORS[number // 10]) for number in range(60)], form, codec, **extra)
    mime_type = {"mp4": "video/mp4", "matroska": "video/x-matroska", "webm": "video/webm"}[form]
    shown = frames(result := video.cut(io.BytesIO(data), mime_type, start, end))
    assert stream_of(result)[3] == pytest.approx(end - start, abs=0.25)
    for time, pixels in shown:
        expected = COLORS[int(start + time + 0.01)]
        assert np.abs(pixels[24, 32].astype(int) - expected).max() < 40, time


def test_frames_before_the_key_frame_are_left_out() -> None:
    """What an open group of pictures shows before its key frame cannot be decoded from there, and is not copied."""
    data = encoded(
        [flat(COLORS[number // 10]) for number in range(40)], **{"g": "10", "bf": "3", "x264-params": "open-gop=1"}
    )
    starts = [at for at, _ in video.scene_changes(io.BytesIO(data), "video/mp4")]
    for start in starts:
        with av.open(io.BytesIO(video.cut(io.BytesIO(data), "video/mp4", start, start + 1))) as opened:
            shown = [frame.time for frame in opened.decode(video=0)]
            packets = sum(packet.size > 0 for packet in opened.demux(video=0))
        assert shown[0] == 0
        assert packets <= len(shown)


def test_slow_motion_is_encoded_anew() -> None:
    """A thousand frames a second are not uploaded: the model looks at one."""
    data = encoded([flat(COLORS[number // 500]) for number in range(2000)], "matroska", fps=1000)
    shown = frames(video.cut(io.BytesIO(data), "video/x-matroska", None, None))
    assert len(shown) == 8
    assert np.abs(shown[2][1][24, 32].astype(int) - COLORS[1]).max() < 40


@pytest.mark.parametrize("pix_fmt", ["yuv420p10le", "yuv422p", "yuv444p"])
def test_other_pixels_become_the_usual_ones(pix_fmt: str) -> None:
    """10 bits and finer colours are brought to 8 bits, 4:2:0."""
    data = encoded([flat(COLORS[0])] * 5, pix_fmt=pix_fmt)
    with av.open(io.BytesIO(video.cut(io.BytesIO(data), "video/mp4", None, None))) as opened:
        (frame, *_) = opened.decode(video=0)
        assert frame.format.name == "yuv420p"
        assert np.abs(frame.to_ndarray(format="rgb24")[24, 32].astype(int) - COLORS[0]).max() < 30


def test_hdr_is_shown_bright() -> None:
    """The white of HDR10 stands at half of its scale, and is white on an ordinary screen."""
    data = encoded([flat((148, 148, 148))] * 3, pix_fmt="yuv420p10le", **{"x264-params": "transfer=smpte2084"})
    shown = frames(video.cut(io.BytesIO(data), "video/mp4", None, None))
    assert shown[0][1].mean() > 180
    plain = encoded([flat((148, 148, 148))] * 3, pix_fmt="yuv420p10le")
    assert frames(video.cut(io.BytesIO(plain), "video/mp4", None, None))[0][1].mean() == pytest.approx(148, abs=8)


@pytest.mark.parametrize(("aspect", "size"), [("2", (128, 48)), ("1/2", (32, 48)), ("4000", (64, 48))])
def test_pixels_become_square(aspect: str, size: tuple[int, int]) -> None:
    """A film made for wide or narrow pixels keeps the shape in which it is shown; an absurd one keeps its own."""
    data = encoded([flat(COLORS[0])] * 5, "matroska", "mpeg4" if aspect == "4000" else "libx264", aspect=aspect)
    assert stream_of(video.cut(io.BytesIO(data), "video/x-matroska", None, None))[1:3] == size


def test_interlaced_film_has_no_combs() -> None:
    """Of a frame that holds two moments, one is shown: no line of the one between lines of the other."""
    combed = flat((20, 20, 20))
    combed[1::2] = 230
    data = encoded(
        [combed] * 5, "mpegts", "mpeg2video", fps=25, flags="+ildct+ilme", field_order="tt", qmin="1", qmax="1"
    )
    (_, pixels), *_ = frames(video.cut(io.BytesIO(data), "video/mp2t", None, None))
    assert np.abs(np.diff(pixels[:, 32, 0].astype(int))).max() < 20


def test_damaged_packets_are_not_uploaded() -> None:
    """Where bytes are lost the units in a packet no longer fit; the stretch is encoded from what can be decoded."""
    data = bytearray(film(2.0, ("red", "blue"), gop=5))
    with av.open(io.BytesIO(bytes(data))) as opened:
        packet = [p for p in opened.demux(video=0) if p.size][12]
    data[packet.pos : packet.pos + 4] = b"\0\0\xff\xff"
    shown = frames(video.cut(io.BytesIO(bytes(data)), "video/mp4", None, None))
    assert len(shown) == 8
    assert shown[-1][1][40, 50].argmax() == 2


def stills(data: bytes, *spans: tuple[float, float], mime_type: str = "video/mp4") -> list[Image.Image]:
    return [Image.open(io.BytesIO(still)) for still in video.stills(io.BytesIO(data), mime_type, spans)]


def test_still_shows_what_there_is_to_see() -> None:
    """Of several key frames the one with most in it: not the black one, nor the grey."""
    pattern = flat((255, 255, 255))
    pattern[::4] = 0
    shots = [flat((0, 0, 0))] * 40 + [pattern] * 20 + [flat((120, 120, 120))] * 20
    data = encoded(shots, g="10")
    (still,), (black,) = stills(data, (0.0, 8.0)), stills(data, (0.0, 2.0))
    assert (still.format, still.size) == ("JPEG", (64, 48))
    assert np.asarray(still).std() > 60
    assert np.asarray(black).mean() < 5


@pytest.mark.parametrize("form", FORMS)
def test_stills_of_every_container(form: str) -> None:
    """Each stretch is shown by a frame of its own, also where there is no index to find it by."""
    data, mime_type = made(form, seconds=6.0, colors=("red", "lime", "blue"))
    spans = ((0.0, 2.0), (2.0, 4.0), (4.0, 6.0), (1.9, 3.9))
    strongest = [int(np.asarray(still)[40, 50].argmax()) for still in stills(data, *spans, mime_type=mime_type)]
    assert strongest == [0, 1, 2, 1]


def test_still_without_a_key_frame_of_its_own() -> None:
    """A stretch in which no key frame stands is shown by the one before it, upright and small."""
    data = encoded([flat(COLORS[0], (1280, 720))] * 3, g="100")
    assert [still.size for still in stills(data, (0.2, 0.3))] == [(640, 360)]
    assert [still.size for still in stills(film(1.0, ("red",), rotation=90), (0.0, 1.0))] == [(48, 64)]
    with pytest.raises(Undecodable, match="no picture"):
        stills(sound("mp4", 1.0), (0.0, 1.0))


@pytest.mark.parametrize("form", ["mp4", "matroska", "avi", "webm", "mov"])
def test_cut_off_film_is_known(form: str) -> None:
    """What the container promises and what is there: a film that is whole misses nothing."""
    data, mime_type = made(form, seconds=3.0)
    assert video.missing_bytes(io.BytesIO(data), mime_type) == 0
    assert 0 < video.missing_bytes(io.BytesIO(data[: len(data) // 2]), mime_type) <= len(data) / 2 + 1
    assert video.missing_bytes(io.BytesIO(data[:1]), mime_type) == 0
    assert video.missing_bytes(io.BytesIO(bytes(5000)), mime_type) == 0


def test_recordings_that_nobody_finished_are_not_cut_off() -> None:
    """A live recording does not know where it will end."""
    live = film(2.0, form="matroska")
    size = live.index(b"\x18\x53\x80\x67") + 4
    live = live[:size] + b"\x01" + b"\xff" * 7 + live[size + 8 :]
    assert video.missing_bytes(io.BytesIO(live), "video/x-matroska") == 0
    assert video.missing_bytes(io.BytesIO(film(1.0, form="mpegts")[:5000]), "video/mp2t") == 0


def test_cut_off_film_is_as_long_as_what_is_there() -> None:
    """The duration in the header is not believed where the end is missing."""
    data = film(8.0, ("red", "blue", "lime", "white"), form="matroska", codec="mpeg4", gop=1)
    half = video.probe(io.BytesIO(data[: len(data) // 2]), "video/x-matroska")
    assert 3 < half.duration < 5


def test_why_a_film_cannot_be_opened() -> None:
    """Half a download, a recording that was never finished, and nonsense are told apart."""
    data = film(1.0, gop=100)
    index = data.index(b"moov") - 4
    for part, reason in (
        (data[: index // 2], "cut off: .* bytes are missing"),
        (data[:index], r"cut off: its index \(moov\) is missing"),
        (b"\0\0\0\x18ftypisom" + bytes(100), "not readable as video/mp4|neither picture nor sound"),
    ):
        with pytest.raises(Undecodable, match=reason):
            video.probe(io.BytesIO(part), "video/mp4")


def test_frames_of_absurd_size_are_refused() -> None:
    """Before the first one is decoded."""
    target = io.BytesIO()
    with av.open(target, "w", format="mov") as out:
        track: Any = out.add_stream("png", rate=1)
        track.width, track.height, track.pix_fmt = 8200, 8200, "gray"
        out.mux(track.encode(av.VideoFrame.from_ndarray(np.zeros((8200, 8200), np.uint8), format="gray")))
        out.mux(track.encode(None))
    for call in (video.probe, video.scene_changes):
        with pytest.raises(TooMuch, match="more than 67,108,864 pixels"):
            call(target, "video/quicktime")
