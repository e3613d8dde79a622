"""Sound: which seconds of a recording become segments."""

from __future__ import annotations

import io

import numpy as np
import pytest
from llama_index.core.schema import Document

from llama_index_gemini_mm import media
from llama_index_gemini_mm.codecs import audio
from llama_index_gemini_mm.limits import DEVELOPER_API
from llama_index_gemini_mm.media import Fragment, MediaRef
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.modalities import SplitOptions, handler_of
from llama_index_gemini_mm.modalities._timeline import sounding
from media_samples import mp3, sound, wav
from modalities.conftest import MakeDocument

FOUR = SplitOptions(audio_segment_seconds=4, audio_overlap_seconds=1)
LONG = SplitOptions()


def spans(document: Document, store: MediaStore, options: SplitOptions) -> list[tuple[float, float]]:
    nodes = list(handler_of("audio").split(document, options, store, DEVELOPER_API))
    return [(n.metadata[media.START_SECONDS], n.metadata[media.END_SECONDS]) for n in nodes]


def test_silence_gives_no_nodes(store: MediaStore, document: MakeDocument) -> None:
    """Where nothing sounds, nothing is embedded."""
    assert spans(document("audio", wav(12.0, pauses=((0, 12),)), "audio/wav"), store, FOUR) == []


@pytest.mark.parametrize(("form", "mime_type"), [("mp3", "audio/mpeg"), ("flac", "audio/flac"), ("aiff", "audio/aiff")])
def test_ends_without_sound_are_dropped(form: str, mime_type: str, store: MediaStore, document: MakeDocument) -> None:
    """A segment begins half a second before the first sound and ends half a second after the last."""
    item = document("audio", sound(form, 20.0, pauses=((0, 5), (9, 20))), mime_type)
    ((start, end),) = spans(item, store, LONG)
    assert (start, end) == pytest.approx((4.5, 9.5), abs=0.11)


def test_short_silence_at_the_ends_stays(store: MediaStore, document: MakeDocument) -> None:
    """Less than a second of it is not worth a cut: the recording stays whole."""
    item = document("audio", wav(5.0, pauses=((0, 0.8), (4.3, 5))), "audio/wav")
    (node,) = handler_of("audio").split(item, LONG, store, DEVELOPER_API)
    assert not str(MediaRef.parse(node.metadata[media.MEDIA_REF]).fragment)


def test_long_silence_inside_is_left_out(store: MediaStore, document: MakeDocument) -> None:
    """Sounds that are far apart are segments of their own, and what is between them is none."""
    item = document("audio", wav(60.0, rate=8000, pauses=((2, 20), (21, 55))), "audio/wav")
    found = spans(item, store, LONG)
    assert found == [pytest.approx(span, abs=0.06) for span in ((0, 2.5), (19.5, 21.5), (54.5, 60))]


def test_pauses_of_speech_stay(store: MediaStore, document: MakeDocument) -> None:
    """Silence of a few seconds is a part of what is said."""
    item = document("audio", wav(30.0, rate=8000, pauses=((5, 12), (20, 27))), "audio/wav")
    assert spans(item, store, LONG) == [(0, 30)]


def test_no_segment_is_silence_alone(store: MediaStore, document: MakeDocument) -> None:
    """Whatever the pauses are, something sounds in every segment, and every sound is in one."""
    pauses = ((0.5, 3), (3.3, 7), (7.5, 9.4), (9.6, 15), (15.2, 17.1), (17.3, 19.2), (19.4, 21.3))
    data = wav(25.0, rate=8000, pauses=pauses)
    levels = audio.loudness(io.BytesIO(data), "audio/wav") > -60
    found = spans(document("audio", data, "audio/wav"), store, FOUR)
    covered = np.zeros(len(levels), dtype=bool)
    for start, end in found:
        steps = slice(round(start / 0.05), round(end / 0.05))
        assert levels[steps].any()
        covered[steps] = True
    assert covered[levels].all()


def test_quiet_recordings_are_heard(store: MediaStore, document: MakeDocument) -> None:
    """Silence is measured by the recording itself: speech at -50 dBFS is not taken for it."""
    quiet = np.frombuffer(wav(20.0, rate=8000, pauses=((3, 16),))[44:], "<i2") // 100
    data = wav(20.0, rate=8000)[:44] + quiet.astype("<i2").tobytes()
    assert audio.loudness(io.BytesIO(data), "audio/wav").max() == pytest.approx(-49, abs=1)
    assert spans(document("audio", data, "audio/wav"), store, LONG) == [
        pytest.approx(span, abs=0.06) for span in ((0, 3.5), (15.5, 20))
    ]


def test_chapters_are_split_within_themselves(store: MediaStore, document: MakeDocument) -> None:
    """Segments of a chapter stay within it, and their places are of the whole recording."""
    item = document("audio", mp3(30.0, pauses=((9.5, 13),)), "audio/mpeg", fragment=Fragment(start=10, end=24))
    found = spans(item, store, FOUR)
    assert found[0][0] == pytest.approx(12.5, abs=0.11)
    assert found[-1][1] == 24


def test_sounding() -> None:
    """Half a second around, parted by long silence, and up to the ends where little is missing."""
    heard = np.zeros(400, dtype=bool)
    heard[[15, 100, 130, 385]] = True
    assert sounding(heard, 0.05, 20.0, 5.0) == [(0.0, pytest.approx(7.05)), (pytest.approx(18.75), 20.0)]
    assert sounding(np.zeros(9, dtype=bool), 0.05, 0.45, 5.0) == []
