"""Sound: durations, loudness, and what is uploaded."""

from __future__ import annotations

import io
import wave
from contextlib import suppress

import av
import numpy as np
import pytest

from llama_index_gemini_mm.codecs import Undecodable, audio
from media_samples import film, jpeg, mp3, png, sound, tone, wav

FORMS = {"mp3": "audio/mpeg", "flac": "audio/flac", "ogg": "audio/ogg", "mp4": "audio/mp4", "aiff": "audio/aiff"}


def samples(data: bytes) -> tuple[np.ndarray, int, int]:
    with wave.open(io.BytesIO(data)) as opened:
        pcm = np.frombuffer(opened.readframes(opened.getnframes()), "<i2")
        return pcm, opened.getframerate(), opened.getnchannels()


def pitch(data: bytes) -> float:
    pcm, rate, _ = samples(data)
    return float(np.abs(np.fft.rfft(pcm)).argmax() * rate / len(pcm))


@pytest.mark.parametrize("form", FORMS)
def test_probe_measures_the_duration(form: str) -> None:
    """Duration, rate and channels of every kind of container."""
    info = audio.probe(io.BytesIO(sound(form, 2.0, rate=48_000, channels=2)), FORMS[form])
    assert info.duration == pytest.approx(2.0, abs=0.06)
    assert (info.sample_rate, info.channels) == (48_000, 2)
    assert info.covers == ()


def test_probe_reads_tags_and_cover() -> None:
    """Tags come under lower-case names, the cover as the encoded picture; the cover is no film."""
    data = mp3(1.0, tags=(("title", "Bearing"), ("ARTIST", "Lathe 3")), cover=jpeg())
    info = audio.probe(io.BytesIO(data), "audio/mpeg")
    assert (info.codec, info.tags["title"], info.tags["artist"]) == ("mp3", "Bearing", "Lathe 3")
    assert [c.data for c in info.covers] == [jpeg()]


def test_whole_mp3_passes_through() -> None:
    """A small MP3 is uploaded byte for byte."""
    data = mp3(2.0)
    assert audio.cut(io.BytesIO(data), "audio/mpeg", None, None) == (data, "audio/mpeg")


def test_large_mp3_loses_its_tags() -> None:
    """A whole MP3 with a huge cover is copied without it."""
    noise = np.random.default_rng(1).integers(0, 255, 9 * 2**20, dtype=np.uint8).tobytes()
    data = mp3(1.0)
    padded = b"ID3\x04\0\0" + bytes([(len(noise) >> s) & 0x7F for s in (21, 14, 7, 0)]) + noise + data
    result, mime_type = audio.cut(io.BytesIO(padded), "audio/mpeg", None, None)
    assert mime_type == "audio/mpeg"
    assert len(result) < len(data) + 2000
    assert audio.probe(io.BytesIO(result), mime_type).duration == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(("start", "end"), [(0.0, 1.0), (1.5, 3.0), (3.0, 9.0)])
def test_mp3_segments_are_copied(start: float, end: float) -> None:
    """A stretch of an MP3 is an MP3 of that length, made of the same frames."""
    data = mp3(4.0, rate=44_100)
    result, mime_type = audio.cut(io.BytesIO(data), "audio/mpeg", start, end)
    info = audio.probe(io.BytesIO(result), mime_type)
    assert info.codec == "mp3"
    assert info.duration == pytest.approx(min(end, 4.0) - start, abs=0.08)
    frame = result[-100:-50]
    assert frame in data


def test_mp3_segment_is_at_its_place() -> None:
    """The pause of a recording lies in the cut where it lies in the whole."""
    data = mp3(4.0, rate=44_100, pauses=((2.0, 2.5),))
    result, mime_type = audio.cut(io.BytesIO(data), "audio/mpeg", 1.0, 4.0)
    levels = audio.loudness(io.BytesIO(result), mime_type)
    quiet = np.flatnonzero(levels[4:] < -50) * 0.05 + 0.2  # the first frames lean on ones that were left out
    assert quiet.min() == pytest.approx(1.0, abs=0.15)
    assert quiet.max() == pytest.approx(1.5, abs=0.15)


@pytest.mark.parametrize("channels", [1, 2])
def test_modest_wav_passes_through(channels: int) -> None:
    """A whole mono or stereo WAV is uploaded byte for byte."""
    data = wav(1.0, rate=44_100, channels=channels)
    assert audio.cut(io.BytesIO(data), "audio/wav", None, None) == (data, "audio/wav")


@pytest.mark.parametrize("data", [wav(30, rate=48_000, channels=2), wav(1.0)[:44] + b"", wav(1.0, channels=4)])
def test_other_wavs_do_not_pass_through(data: bytes) -> None:
    """A large WAV, an empty one and one of many channels are decoded."""
    if len(data) == 44:
        with pytest.raises(Undecodable, match="no sound"):
            audio.cut(io.BytesIO(data), "audio/wav", None, None)
        return
    result, _ = audio.cut(io.BytesIO(data), "audio/wav", None, None)
    assert samples(result)[1:] == (16_000, 1)


def test_wav_with_a_wrong_length_is_repaired() -> None:
    """A header that announces more than there is does not reach the service."""
    data = bytearray(wav(1.0))
    data[40:44] = (2**31).to_bytes(4, "little")
    result, _ = audio.cut(io.BytesIO(bytes(data)), "audio/wav", None, None)
    assert len(samples(result)[0]) == pytest.approx(16_000, abs=100)


@pytest.mark.parametrize("form", ["flac", "ogg", "mp4", "aiff"])
def test_everything_else_becomes_small_wav(form: str) -> None:
    """16 kHz, mono, 16 bit; the length and the pitch stay."""
    data = sound(form, 3.0, hz=880, rate=48_000, channels=2)
    result, mime_type = audio.cut(io.BytesIO(data), FORMS[form], 1.0, 2.5)
    pcm, rate, channels = samples(result)
    assert (mime_type, rate, channels) == ("audio/wav", 16_000, 1)
    assert len(pcm) / rate == pytest.approx(1.5, abs=0.02)
    assert pitch(result) == pytest.approx(880, abs=5)
    assert np.abs(pcm).max() == pytest.approx(16_384, rel=0.15)


@pytest.mark.parametrize("form", ["flac", "ogg", "mp4", "aiff"])
def test_segments_start_where_they_should(form: str) -> None:
    """A pause that begins in the middle of the stretch is found there, to a twentieth of a second."""
    data = sound(form, 4.0, rate=48_000, pauses=((2.0, 4.0),))
    pcm, rate, _ = samples(audio.cut(io.BytesIO(data), FORMS[form], 1.5, 2.5)[0])
    loud = np.flatnonzero(np.abs(pcm) > 3000)
    assert loud[-1] / rate == pytest.approx(0.5, abs=0.05)


def test_sound_of_a_film() -> None:
    """The sound of a film is cut by the film's clock."""
    data = film(3.0, sound=True, hz=660)
    assert audio.probe(io.BytesIO(data), "video/mp4").codec == "aac"
    result, mime_type = audio.cut(io.BytesIO(data), "video/mp4", 1.0, 2.0)
    assert mime_type == "audio/wav"
    assert len(samples(result)[0]) == pytest.approx(16_000, abs=50)
    assert pitch(result) == pytest.approx(660, abs=5)


def test_loudness_in_decibels() -> None:
    """A sine at half scale has -9 dBFS, a pause -120; one number for each step."""
    levels = audio.loudness(io.BytesIO(wav(2.0, pauses=((1.0, 1.5),))), "audio/wav", 0.1)
    assert len(levels) == 20
    assert levels[5] == pytest.approx(-9.03, abs=0.1)
    assert levels[12] == audio.SILENCE_DB


def test_loudness_of_a_ragged_end() -> None:
    """A last step that is not full is counted too."""
    assert len(audio.loudness(io.BytesIO(wav(1.03)), "audio/wav", 0.1)) == 11


@pytest.mark.parametrize(
    ("data", "mime_type"),
    [
        (b"", "audio/mpeg"),
        (b"no sound at all" * 50, "audio/flac"),
        (png(), "audio/wav"),
        (wav(1.0), "audio/x-unheard-of"),
        (film(1.0), "video/mp4"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "audio/mp4"),
    ],
)
def test_broken_sound_is_undecodable(data: bytes, mime_type: str) -> None:
    """Empty, foreign, unknown and silent content is refused by every function."""
    for call in (audio.probe, audio.loudness):
        with pytest.raises(Undecodable):
            call(io.BytesIO(data), mime_type)
    with pytest.raises(Undecodable):
        audio.cut(io.BytesIO(data), mime_type, None, None)


@pytest.mark.parametrize(
    ("data", "mime_type"), [(mp3(1.0), "audio/mpeg"), (wav(1.0), "audio/wav"), (sound("aiff", 0.1), "audio/aiff")]
)
def test_nothing_after_the_end(data: bytes, mime_type: str) -> None:
    """A stretch behind the end holds no sound."""
    with pytest.raises(Undecodable, match="no sound in this stretch"):
        audio.cut(io.BytesIO(data), mime_type, 5.0, 6.0)


def test_sound_that_starts_late() -> None:
    """Loudness and cuts go by the film's clock, also when its sound begins after its picture."""
    target = io.BytesIO()
    with av.open(io.BytesIO(film(3.0, sound=True))) as source, av.open(target, "w", format="matroska") as out:
        streams = {s.index: out.add_stream_from_template(s) for s in source.streams}
        for packet in source.demux():
            if packet.dts is None:
                continue
            if packet.stream.type == "audio":
                packet.pts, packet.dts = packet.pts + 16_000, packet.dts + 16_000
            packet.stream = streams[packet.stream.index]
            out.mux(packet)
    data = target.getvalue()
    levels = audio.loudness(io.BytesIO(data), "video/x-matroska")
    assert len(levels) == pytest.approx(80, abs=3)
    assert levels[:18].max() == audio.SILENCE_DB
    assert levels[22:].min() > -20
    pcm, rate, _ = samples(audio.cut(io.BytesIO(data), "video/x-matroska", 0.5, 1.5)[0])
    assert np.flatnonzero(np.abs(pcm) > 3000)[0] / rate == pytest.approx(0.5, abs=0.06)


def test_damage_costs_the_damaged_part_alone() -> None:
    """A recording with a broken middle keeps what comes before and after."""
    data = bytearray(sound("flac", 4.0, rate=48_000))
    middle = len(data) // 2
    data[middle : middle + 400] = b"\xaa" * 400
    result, _ = audio.cut(io.BytesIO(bytes(data)), "audio/flac", None, None)
    assert len(samples(result)[0]) > 3 * 16_000


@pytest.mark.parametrize("layout", ["2.1", "quad", "5.1"])
def test_every_channel_is_heard(layout: str) -> None:
    """Sound in one channel alone, be it that of the deep effects, is in the mono that is uploaded."""
    count = av.AudioLayout(layout).nb_channels
    for channel in range(count):
        planes = np.zeros((48_000, count), dtype=np.int16)
        planes[:, channel] = tone(1.0, rate=48_000, hz=100)
        target = io.BytesIO()
        with wave.open(target, "wb") as out:
            out.setparams((count, 2, 48_000, 0, "NONE", ""))
            out.writeframes(planes.tobytes())
        pcm, _, _ = samples(audio.cut(io.BytesIO(target.getvalue()), "audio/wav", None, None)[0])
        assert np.abs(pcm).max() == pytest.approx(16_384 / count, rel=0.1)


@pytest.mark.parametrize("form", ["mp3", "flac", "ogg", "mp4", "aiff", "wav"])
def test_broken_bits_raise_nothing_else(form: str) -> None:
    """Flipped bits and missing ends give sound or ``Undecodable``."""
    good = wav(1.0) if form == "wav" else sound(form, 1.0, rate=48_000)
    mime_type = FORMS.get(form, "audio/wav")
    random = np.random.default_rng(11)
    for _ in range(25):
        data = bytearray(good[: random.integers(1, len(good) + 1)])
        for at in random.integers(0, len(data), 12):
            data[at] ^= 1 << random.integers(0, 8)
        stream = io.BytesIO(bytes(data))
        for call in (audio.probe, audio.is_silent, audio.loudness):
            with suppress(Undecodable):
                call(stream, mime_type)
        with suppress(Undecodable):
            audio.cut(stream, mime_type, 0.2, 0.6)


def test_silence_of_a_recording() -> None:
    """What counts as silence goes by the loud passages, and never below the floor."""
    levels = np.array([-20] * 50 + [-75] * 50, dtype=np.float32)
    assert audio.silence_below(levels) == audio.FLOOR_DB
    assert audio.silence_below(levels + 15) == pytest.approx(-55)
    assert audio.silence_below(np.full(9, -90, dtype=np.float32)) == audio.FLOOR_DB
