"""Films: pictures, sound and chapters over the same time, and a picture to show each stretch by."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from llama_index.core.schema import Document, Node
from PIL import Image

from llama_index_gemini_mm import media
from llama_index_gemini_mm.codecs import audio, video
from llama_index_gemini_mm.limits import DEVELOPER_API, VERTEX, Limits, Modality
from llama_index_gemini_mm.media import EmbedText, Fragment, MediaRef
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.modalities import SplitOptions, handler_of, parts_of
from media_samples import film, sound, wav
from modalities.conftest import MakeDocument

SHORT = SplitOptions(video_segment_seconds=4, video_overlap_seconds=1)
THREE = ("red", "blue", "lime")


def split(
    document: Document, store: MediaStore, options: SplitOptions = SHORT, limits: Limits = DEVELOPER_API
) -> list[Node]:
    modality: Modality = document.metadata[media.MODALITY]
    return list(handler_of(modality).split(document, options, store, limits))


def both(
    document: MakeDocument, store: MediaStore, data: bytes, options: SplitOptions = SHORT, mime_type: str = "video/mp4"
) -> tuple[list[Node], list[Node]]:
    pictures = split(document("video", data, mime_type), store, options)
    return pictures, split(document("audio", data, mime_type, fragment=Fragment(track="audio")), store, options)


def spans(nodes: list[Node]) -> list[tuple[float, float]]:
    return [(n.metadata[media.START_SECONDS], n.metadata[media.END_SECONDS]) for n in nodes]


def ref_of(node: Node) -> MediaRef:
    return MediaRef.parse(node.metadata[media.MEDIA_REF])


def joined(picture: bytes, noise: bytes, chapters: tuple[tuple[float, float, str], ...] = ()) -> bytes:
    """A film of the pictures of one file and the sound of another."""
    target = io.BytesIO()
    with (
        av.open(io.BytesIO(picture)) as seen,
        av.open(io.BytesIO(noise)) as heard,
        av.open(target, "w", format="matroska") as out,
    ):
        if chapters:
            out.set_chapters([_entry(number, *chapter) for number, chapter in enumerate(chapters)])
        tracks = [(part, out.add_stream_from_template(part.streams[0])) for part in (seen, heard)]
        packets = [(packet, track) for part, track in tracks for packet in part.demux(0) if packet.dts is not None]
        for packet, track in sorted(packets, key=lambda pair: pair[0].dts * pair[0].time_base):
            packet.stream = track
            out.mux(packet)
    return target.getvalue()


def _entry(number: int, start: float, end: float, title: str) -> Any:
    unit = Fraction(1, 1000)
    return {
        "id": number + 1,
        "start": int(start * 1000),
        "end": int(end * 1000),
        "time_base": unit,
        "metadata": {"title": title},
    }


def test_sound_and_pictures_share_their_seconds(store: MediaStore, document: MakeDocument) -> None:
    """Both nodes of one place name the same stretch, wherever the sound itself would be cut, and both can be made."""
    pictures, sounds = both(document, store, film(13.0, THREE, gop=5, sound=True))
    assert spans(pictures) == spans(sounds)
    assert len(pictures) >= 3
    for node in (*pictures, *sounds):
        start, end = spans([node])[0]
        data, mime_type = store.cut(ref_of(node))
        probe = audio.probe if mime_type == "audio/wav" else video.probe
        assert probe(io.BytesIO(data), mime_type).duration == pytest.approx(end - start, abs=0.3)
    assert {ref_of(node).fragment.track for node in sounds} == {"audio"}
    assert len({node.node_id for node in (*pictures, *sounds)}) == 2 * len(pictures)


def test_a_short_film_stays_whole_in_both(store: MediaStore, document: MakeDocument) -> None:
    """One node of pictures and one of sound, over the same seconds."""
    pictures, sounds = both(document, store, film(5.0, sound=True))
    assert spans(pictures) == spans(sounds) == [(0.0, 5.0)]
    assert str(ref_of(sounds[0]).fragment) == "track=audio"


@pytest.mark.parametrize("limits", [DEVELOPER_API, VERTEX])
def test_the_longest_stretches_fit(limits: Limits, store: MediaStore, document: MakeDocument) -> None:
    """A film a little longer than one Content may hold is two of each, and all of them can be sent."""
    data = joined(film(125.0, size=(16, 16), fps=1, gop=10), wav(125.0, rate=8000))
    options = SplitOptions(video_segment_seconds=120)
    for modality, fragment in (("video", None), ("audio", Fragment(track="audio"))):
        nodes = split(document(modality, data, "video/x-matroska", fragment=fragment), store, options, limits)
        assert len(nodes) == 2
        for node in nodes:
            assert parts_of(EmbedText("", ref=ref_of(node)), store, limits)[0].data


def test_sound_goes_on_after_the_pictures(store: MediaStore, document: MakeDocument) -> None:
    """What is heard after the last picture is in a node as well."""
    data = joined(film(5.0, gop=5), sound("flac", 12.0))
    pictures, sounds = both(document, store, data, mime_type="video/x-matroska")
    assert spans(pictures) == [(0.0, 5.0)]
    assert spans(sounds)[0] == (0.0, 5.0)
    assert spans(sounds)[-1][1] == pytest.approx(12.0, abs=0.1)
    assert all(later[0] < earlier[1] for earlier, later in zip(spans(sounds), spans(sounds)[1:], strict=False))


def test_sound_that_ends_early(store: MediaStore, document: MakeDocument) -> None:
    """Stretches in which nothing sounds any more, or not yet, have no node of sound."""
    data = joined(film(13.0, THREE, gop=5), wav(7.0, pauses=((0.0, 4.5),)))
    pictures, sounds = both(document, store, data, mime_type="video/x-matroska")
    assert spans(sounds)
    assert set(spans(sounds)) < set(spans(pictures))
    assert all(start < 7 and end > 4.5 for start, end in spans(sounds))


CHAPTERS = ((0.0, 3.5, "Unpacking"), (3.5, 6.0, "Mounting the spindle"), (6.0, 13.0, "Chapter 3"))


def test_chapters_are_borders_and_words(store: MediaStore, document: MakeDocument) -> None:
    """A stretch ends where a chapter begins rather than at a change of scene, and is captioned by its chapter."""
    data = joined(film(13.0, THREE, gop=5), wav(13.0), CHAPTERS)
    pictures, sounds = both(document, store, data, mime_type="video/x-matroska")
    assert 3.5 in [end for _, end in spans(pictures)]
    assert 6.0 in [end for _, end in spans(pictures)]
    for node in (pictures[0], sounds[0]):
        assert node.metadata[media.CHAPTER] == "Unpacking"
        assert node.get_content() == "Unpacking\nA caption"
    assert "Mounting the spindle" in [n.metadata.get(media.CHAPTER) for n in pictures]
    assert media.CHAPTER not in pictures[-1].metadata
    assert pictures[-1].get_content() == "A caption"


def test_each_stretch_has_a_picture_to_show(store: MediaStore, document: MakeDocument) -> None:
    """A small JPEG in the store, which neither the embedding model nor a language model is told of."""
    nodes = split(document("video", film(13.0, THREE, gop=5), "video/mp4"), store)
    strongest = []
    for node in nodes:
        ref = MediaRef.parse(node.metadata[media.THUMBNAIL_REF])
        assert store.entry(ref).mime_type == "image/jpeg"
        strongest.append(int(np.asarray(Image.open(io.BytesIO(store.read(ref))))[40, 50].argmax()))
        assert media.THUMBNAIL_REF in node.excluded_embed_metadata_keys
        assert media.THUMBNAIL_REF in node.excluded_llm_metadata_keys
    assert (strongest[0], strongest[-1]) == (0, 1)


def test_key_frames_by_choice(store: MediaStore, document: MakeDocument) -> None:
    """An image node after each node of film, over the same seconds with the same words."""
    item = document("video", film(13.0, THREE, gop=5), "video/mp4")
    nodes = split(item, store, SHORT.model_copy(update={"key_frames": True}))
    pictures, stills = nodes[::2], nodes[1::2]
    assert {n.metadata[media.MODALITY] for n in pictures} == {"video"}
    assert {n.metadata[media.MODALITY] for n in stills} == {"image"}
    assert spans(pictures) == spans(stills)
    for film_node, still in zip(pictures, stills, strict=True):
        assert str(ref_of(still)) == film_node.metadata[media.THUMBNAIL_REF]
        assert still.get_content() == film_node.get_content()
        assert still.metadata[media.TITLE] == "A title"
        assert still.metadata[media.MIME_TYPE] == "image/jpeg"
        assert still.image_resource.path == store.local_path(ref_of(still).sha256)
        assert [part.mime_type for part in parts_of(EmbedText("c", ref=ref_of(still)), store, DEVELOPER_API)[1:]] == [
            "image/jpeg"
        ]
    assert len({n.node_id for n in nodes}) == len(nodes)


def test_key_frames_of_a_film_that_never_changes(store: MediaStore, document: MakeDocument) -> None:
    """Equal pictures of several stretches are one picture in the store, and nodes of their own."""
    item = document("video", film(13.0, ("red",), gop=500), "video/mp4")
    stills = split(item, store, SHORT.model_copy(update={"key_frames": True}))[1::2]
    assert len({str(ref_of(n)) for n in stills}) == 1
    assert len({n.node_id for n in stills}) == len(stills) > 1


def test_the_same_film_gives_the_same_nodes(store: MediaStore, document: MakeDocument) -> None:
    """Ids, places, pictures to show and hashes."""
    data = film(13.0, THREE, gop=5, sound=True)
    first, second = (both(document, store, data) for _ in range(2))
    assert [n.hash for part in first for n in part] == [n.hash for part in second for n in part]
    assert [n.node_id for part in first for n in part] == [n.node_id for part in second for n in part]
