"""Sound and film: segments that cover everything, overlap, end well and fit the limits."""

from __future__ import annotations

import io
from itertools import pairwise

import pytest
from llama_index.core.schema import Document, Node

from llama_index_gemini_mm import media
from llama_index_gemini_mm.codecs import audio, video
from llama_index_gemini_mm.errors import CorruptFile, LimitExceeded
from llama_index_gemini_mm.limits import DEVELOPER_API, VERTEX, Limits, Modality
from llama_index_gemini_mm.media import EmbedText, Fragment, MediaRef
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.modalities import SplitOptions, handler_of, modality_of, parts_of
from media_samples import film, mp3, sound, wav
from modalities.conftest import MakeDocument

SHORT = SplitOptions(audio_segment_seconds=4, audio_overlap_seconds=1, video_segment_seconds=4, video_overlap_seconds=1)


def split(
    document: Document, store: MediaStore, options: SplitOptions = SHORT, limits: Limits = DEVELOPER_API
) -> list[Node]:
    modality: Modality = document.metadata[media.MODALITY]
    return list(handler_of(modality).split(document, options, store, limits))


def ref_of(node: Node) -> MediaRef:
    return MediaRef.parse(node.metadata[media.MEDIA_REF])


def spans(nodes: list[Node]) -> list[tuple[float, float]]:
    found = [(n.metadata[media.START_SECONDS], n.metadata[media.END_SECONDS]) for n in nodes]
    for node, span in zip(nodes, found, strict=True):
        fragment = ref_of(node).fragment
        assert (fragment.start, fragment.end) in (span, (None, None))
    return found


def assert_covers(found: list[tuple[float, float]], duration: float, overlap: float, longest: float) -> None:
    assert found[0][0] == 0
    assert found[-1][1] == pytest.approx(duration, abs=0.1)
    assert max(end - start for start, end in found) <= longest
    for (start, end), (next_start, next_end) in pairwise(found):
        assert start < next_start <= end - overlap + 0.001
        assert next_end > end


@pytest.mark.parametrize(("form", "mime_type"), [("mp3", "audio/mpeg"), ("flac", "audio/flac"), ("ogg", "audio/ogg")])
def test_long_sound_is_cut_at_pauses(form: str, mime_type: str, store: MediaStore, document: MakeDocument) -> None:
    """Segments cover the recording, overlap, and end in the middle of its pauses."""
    pauses = ((3.2, 3.6), (6.4, 6.8))
    nodes = split(document("audio", sound(form, 9.0, pauses=pauses), mime_type), store)
    found = spans(nodes)
    assert_covers(found, 9.0, 1.0, 6.0)
    assert 3.2 < found[0][1] < 3.6
    assert found[1][0] == pytest.approx(found[0][1] - 1.0, abs=0.01)
    assert [n.metadata[media.TITLE] for n in nodes] == ["A title"] * len(nodes)
    assert {n.get_content() for n in nodes} == {"A caption"}
    assert {n.metadata[media.FILE_PATH] for n in nodes} == {"/files/a"}


def test_each_segment_can_be_uploaded(store: MediaStore, document: MakeDocument) -> None:
    """The clip of a node has the length that the node says."""
    for node in split(document("audio", mp3(9.0), "audio/mpeg"), store):
        start, end = node.metadata[media.START_SECONDS], node.metadata[media.END_SECONDS]
        data, mime_type = store.cut(ref_of(node))
        assert audio.probe(io.BytesIO(data), mime_type).duration == pytest.approx(end - start, abs=0.12)


@pytest.mark.parametrize("modality", ["audio", "video"])
def test_short_recordings_stay_whole(modality: Modality, store: MediaStore, document: MakeDocument) -> None:
    """Up to a segment and a remainder not worth a vector: one node over the content itself."""
    data, mime_type = (mp3(5.5), "audio/mpeg") if modality == "audio" else (film(5.5), "video/mp4")
    (node,) = split(document(modality, data, mime_type), store)
    assert not str(ref_of(node).fragment)
    assert spans([node])[0][1] == pytest.approx(5.5, abs=0.1)
    resource = getattr(node, f"{modality}_resource")
    assert resource.path == store.local_path(ref_of(node).sha256)


def test_sound_of_a_film_keeps_its_track(store: MediaStore, document: MakeDocument) -> None:
    """Segments of a film's sound name the sound, and are audio."""
    data = film(9.0, sound=True)
    nodes = split(document("audio", data, "video/mp4", fragment=Fragment(track="audio")), store)
    assert len(nodes) >= 2
    for node in nodes:
        assert ref_of(node).fragment.track == "audio"
        assert modality_of(ref_of(node), store) == "audio"
        (part,) = parts_of(EmbedText("", ref=ref_of(node)), store, DEVELOPER_API)
        assert part.mime_type == "audio/wav"


def test_film_is_cut_at_scene_changes(store: MediaStore, document: MakeDocument) -> None:
    """Segments end where the scene changes and begin at key frames, so that packets can be copied."""
    data = film(9.0, ("red", "blue", "lime"), gop=5)
    found = spans(split(document("video", data, "video/mp4"), store))
    assert_covers(found, 9.0, 1.0, 6.0)
    assert found[0] == (0, 3.0)
    keys = [at for at, _ in video.scene_changes(io.BytesIO(data), "video/mp4")]
    assert all(min(abs(start - key) for key in keys) < 0.01 for start, _ in found)


def test_film_without_key_frames_is_cut_all_the_same(store: MediaStore, document: MakeDocument) -> None:
    """Where nothing changes, segments have the length asked for."""
    found = spans(split(document("video", film(13.0, ("red",), gop=500), "video/mp4"), store))
    assert_covers(found, 13.0, 1.0, 6.0)
    assert found[0] == (0, 4)


@pytest.mark.parametrize("limits", [DEVELOPER_API, VERTEX])
@pytest.mark.parametrize("modality", ["audio", "video"])
def test_no_node_exceeds_the_limits(
    limits: Limits, modality: Modality, store: MediaStore, document: MakeDocument
) -> None:
    """With the longest segments that can be asked for, every node still fits, and its parts can be made."""
    options = SplitOptions(audio_segment_seconds=180, video_segment_seconds=120)
    longest = limits.media[modality].max_seconds or 0
    length = longest + 1
    if modality == "audio":
        item = document(modality, wav(length, rate=8000), "audio/wav")
    else:
        item = document(modality, film(length, size=(16, 16), fps=1, gop=10), "video/mp4")
    nodes = split(item, store, options, limits)
    assert len(nodes) == 2
    for node in nodes:
        start, end = spans([node])[0]
        assert end - start < longest
        caption, part = parts_of(EmbedText("c", ref=ref_of(node)), store, limits)
        assert caption.text == "c"
        assert part.mime_type in limits.media[modality].mime_types
        measured = (audio if modality == "audio" else video).probe(
            io.BytesIO(part.data or b""), "audio/wav" if modality == "audio" else "video/mp4"
        )
        assert measured.duration <= longest


def test_wire_names(store: MediaStore, document: MakeDocument) -> None:
    """MP3 goes under the name that the endpoint knows."""
    ref = ref_of(split(document("audio", mp3(1.0), "audio/mpeg"), store)[0])
    names = [parts_of(EmbedText("", ref=ref), store, limits)[0].mime_type for limits in (DEVELOPER_API, VERTEX)]
    assert names == ["audio/mpeg", "audio/mp3"]


@pytest.mark.parametrize(
    ("modality", "length", "tokens"), [("audio", 4.0, 100), ("video", 4.0, 4 * 66), ("video", 60.0, 32 * 66)]
)
def test_price_of_a_stretch(
    modality: Modality, length: float, tokens: int, store: MediaStore, document: MakeDocument
) -> None:
    """25 tokens a second of sound; 66 a frame, one a second, 32 at most."""
    data, mime_type = (mp3(1.0), "audio/mpeg") if modality == "audio" else (film(1.0), "video/mp4")
    item = document(modality, data, mime_type, fragment=Fragment(start=0, end=length))
    ref = MediaRef.parse(item.metadata[media.MEDIA_REF])
    assert handler_of(modality).tokens(ref, store) == tokens
    assert parts_of(EmbedText("", ref=ref), store, DEVELOPER_API)[-1].tokens == tokens


def test_a_stretch_stays_within_itself(store: MediaStore, document: MakeDocument) -> None:
    """A document that is a stretch of a recording is split within that stretch."""
    item = document("audio", mp3(14.0), "audio/mpeg", fragment=Fragment(start=2, end=12))
    found = spans(split(item, store))
    assert found[0][0] == 2
    assert found[-1][1] == pytest.approx(12, abs=0.01)
    assert len(found) > 1


def test_too_long_for_one_content(store: MediaStore, document: MakeDocument) -> None:
    """Media that nobody split are refused with the way out, not cut short in silence."""
    item = document("audio", wav(181, rate=8000), "audio/wav")
    ref = MediaRef.parse(item.metadata[media.MEDIA_REF])
    with pytest.raises(LimitExceeded, match=r"181 seconds, the model accepts 180; split .* MediaNodeParser"):
        parts_of(EmbedText("", ref=ref), store, DEVELOPER_API)


@pytest.mark.parametrize("modality", ["audio", "video"])
def test_broken_recordings_are_named(modality: Modality, store: MediaStore, document: MakeDocument) -> None:
    """Content that cannot be decoded is a corrupt file."""
    with pytest.raises(CorruptFile):
        split(document(modality, b"nothing of the kind", "audio/mpeg"), store)


def test_ids_are_stable(store: MediaStore, document: MakeDocument) -> None:
    """The same recording with the same options gives the same ids and the same nodes."""
    item = document("audio", mp3(9.0), "audio/mpeg")
    first, second = split(item, store), split(item, store)
    assert [n.node_id for n in first] == [n.node_id for n in second]
    assert [n.hash for n in first] == [n.hash for n in second]
    assert len({n.node_id for n in first}) == len(first)
