"""Scores across modalities: the sample that is kept, what is made of it, and that it undoes the emulator's gap."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from llama_index.core.schema import Node

import media_samples as samples
from llama_index_gemini_mm import GeminiMultimodalEmbedding, MediaStore, media
from llama_index_gemini_mm.calibration import SAMPLE, Calibration, QueryModality, Samples
from llama_index_gemini_mm.emulator import GeminiEmulator
from llama_index_gemini_mm.limits import MODALITIES, Modality
from llama_index_gemini_mm.media import MODALITY, MediaItem, MediaRef

DIMENSION = 64


def node(number: int, modality: str = "text", dimension: int = DIMENSION) -> Node:
    vector = np.random.default_rng(number).standard_normal(dimension)
    return Node(
        id_=media.stable_id(str(number)),
        metadata={MODALITY: modality},
        embedding=(vector / np.linalg.norm(vector)).tolist(),
    )


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Samples]:
    opened = Samples(tmp_path / "storage" / "samples.sqlite3", "embedded/media")
    yield opened
    opened.close()


def rank(each: Node) -> bytes:
    return hashlib.sha256(each.node_id.encode()).digest()


def same(one: Mapping[Modality, np.ndarray], other: Mapping[Modality, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[each], other[each]) for each in one)


def test_the_nodes_with_the_smallest_hashes_are_kept(kept: Samples) -> None:
    """Of each modality, in half precision; fewer are kept all."""
    texts = [node(n) for n in range(SAMPLE + 100)]
    sounds = [node(n, "audio") for n in range(1000, 1005)]

    kept.add([*texts, *sounds])

    expected = np.array([each.embedding for each in sorted(texts, key=rank)[:SAMPLE]])
    vectors = kept.vectors()
    assert {modality: (each.shape, each.dtype) for modality, each in vectors.items()} == {
        "text": ((SAMPLE, DIMENSION), np.float32),
        "audio": ((5, DIMENSION), np.float32),
    }
    assert np.allclose(vectors["text"], expected, atol=1e-3)


def test_neither_order_nor_repetition_nor_restart_matters(kept: Samples, tmp_path: Path) -> None:
    """In one go, or shuffled, in pieces, twice over and by two processes: the same sample."""
    nodes = [node(n, MODALITIES[n % 2]) for n in range(3 * SAMPLE)]
    kept.add(nodes)
    shuffled = random.Random(1).sample(nodes, len(nodes))

    for start in range(0, len(nodes), 100):
        other = Samples(tmp_path / "other.sqlite3", "t")
        other.add(shuffled[start : start + 100])
        other.add(shuffled[:start:7])
        vectors = other.vectors()
        other.close()

    assert same(vectors, kept.vectors())


def test_what_cannot_take_part_is_passed_over(kept: Samples) -> None:
    """Nodes without a vector, and those of foreign pipelines that have no modality."""
    bare = Node(id_="x", metadata={MODALITY: "text"})
    foreign = Node(id_="y", embedding=[1.0] * DIMENSION)

    kept.add([bare, foreign])
    kept.add([])

    assert kept.vectors() == {}


def test_removed_nodes_make_room(kept: Samples) -> None:
    """What is gone from the index is gone from the sample, and the next nodes fill it; an unknown id is no matter."""
    nodes = [node(n) for n in range(SAMPLE)]
    kept.add(nodes)
    kept.remove([each.node_id for each in nodes[:200]] + ["unknown"])
    rest = sorted(nodes[200:], key=rank)

    assert np.allclose(kept.vectors()["text"], [each.embedding for each in rest], atol=1e-3)
    kept.add([node(n) for n in range(1000, 1300)])
    assert len(kept.vectors()["text"]) == SAMPLE


def test_a_node_that_changed_counts_once(kept: Samples) -> None:
    """Its new vector takes the place of the old one, in its new modality."""
    kept.add([node(1), node(2)])
    changed = node(1, "image")

    kept.add([changed])

    assert {modality: len(each) for modality, each in kept.vectors().items()} == {"text": 1, "image": 1}


def test_vectors_of_another_dimension_are_dropped(kept: Samples) -> None:
    """They are of another space."""
    kept.add([node(n, "image") for n in range(5)])

    kept.add([node(n, dimension=128) for n in range(5, 8)])

    assert {modality: each.shape for modality, each in kept.vectors().items()} == {"text": (3, 128)}


def test_targets_are_kept_apart(tmp_path: Path) -> None:
    """Two collections in one file; clearing one leaves the other."""
    one, two = (Samples(tmp_path / "s.sqlite3", name) for name in ("one", "two"))
    one.add([node(1)])
    two.add([node(1), node(2)])

    one.clear()

    assert (one.vectors(), len(two.vectors()["text"])) == ({}, 2)
    one.close()
    two.close()


def test_threads_share_it(kept: Samples, tmp_path: Path) -> None:
    """Adding, removing and reading at once gives what one after the other gives."""
    nodes = [node(n) for n in range(800)]
    portions = [nodes[start : start + 50] for start in range(0, 800, 50)]

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(kept.add, portion) for portion in portions for _ in range(2)]:
            pool.submit(kept.vectors)
            done.result()

    single = Samples(tmp_path / "single.sqlite3", "t")
    single.add(nodes)
    assert same(kept.vectors(), single.vectors())
    single.close()


class Space:
    """Vectors of random content in two halves: what a thing is, and of which modality it is, by a gap."""

    def __init__(self, gap: float, size: int = 200) -> None:
        self.chance = np.random.default_rng(7)
        self.offsets = {modality: gap * self.unit() for modality in MODALITIES}
        self.vectors = {modality: self.of(modality, size) for modality in MODALITIES}

    def unit(self) -> np.ndarray:
        vector = self.chance.standard_normal(512)
        return vector / np.linalg.norm(vector)

    def of(self, modality: Modality, size: int) -> np.ndarray:
        found = np.array([self.unit() + self.offsets[modality] for _ in range(size)], np.float32)
        return found / np.linalg.norm(found, axis=1, keepdims=True)


@pytest.mark.parametrize("gap", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("asking", MODALITIES)
def test_unrelated_nodes_score_nothing_in_every_modality(gap: float, asking: Modality) -> None:
    """Whatever asks, and however far modalities are apart; raw cosines differ by the gap."""
    space = Space(gap)
    calibration = Calibration.of(space.vectors)
    query = space.of(asking, 1)[0]
    raw = {each: (space.of(each, 400) @ query).tolist() for each in MODALITIES}

    means = {each: np.mean(calibration.scores(asking, query, each, raw[each])) for each in MODALITIES}

    assert max(map(abs, means.values())) < 0.02
    assert np.mean(raw[asking]) == pytest.approx(gap**2 / (1 + gap**2), abs=0.06)


@pytest.mark.parametrize("asking", ["text", ("text", "image"), ("audio",)])
def test_the_order_within_a_modality_stays(asking: QueryModality) -> None:
    """A constant is taken off, the same for all nodes of a modality, and it is the one that ``expected`` names."""
    space = Space(0.6)
    calibration = Calibration.of(space.vectors)
    query = space.of("text", 1)[0].tolist()

    scores = calibration.scores(asking, query, "video", [0.9, 0.2, 0.5])

    assert scores == pytest.approx(np.array([0.9, 0.2, 0.5]) - calibration.expected(asking, query)["video"])


def test_a_mixed_query_stands_between_its_parts() -> None:
    """Text with a picture is near to both modalities by half, and unrelated ones of either score nothing."""
    space = Space(0.8)
    calibration = Calibration.of(space.vectors)
    query = space.unit() + (space.offsets["text"] + space.offsets["image"]) / 2
    query /= np.linalg.norm(query)

    for modality in ("text", "image", "audio"):
        raw = (space.of(modality, 400) @ query).tolist()
        assert np.mean(calibration.scores(("text", "image"), query, modality, raw)) == pytest.approx(0, abs=0.05)


def test_without_a_sample_scores_are_raw() -> None:
    """Nothing is known, so nothing is changed."""
    query = Space(1.0).of("text", 1)[0]

    assert Calibration.of({}).scores("text", query, "image", [0.5, 0.1]) == [0.5, 0.1]


def test_a_modality_without_a_sample_is_an_average_one() -> None:
    """Its nodes neither lead nor trail by being unknown; nor do those of a query's modality that has none."""
    space = Space(0.8)
    known = {each: vectors for each, vectors in space.vectors.items() if each != "video"}
    calibration = Calibration.of({**known, "video": np.zeros((0, 512), np.float32)})
    expected = calibration.expected("video", space.of("video", 1)[0])

    assert expected["video"] == pytest.approx(np.mean([expected[each] for each in known]), abs=0.01)


def test_a_few_nodes_are_not_believed_as_many_are() -> None:
    """Three pictures of one thing look like a gap; about half of what they say is believed."""
    space = Space(0.0)
    alike = space.unit() + 0.2 * np.array([space.unit() for _ in range(3)])
    few = (alike / np.linalg.norm(alike, axis=1, keepdims=True)).astype(np.float32)
    calibration = Calibration.of(space.vectors | {"image": few})
    raw = float(few[0] @ few[1])

    expected = calibration.expected("image", few[0])

    assert raw > 0.9
    assert 0.3 * raw < expected["image"] - expected["text"] < 0.6 * raw


COLOURS = ("red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink")


def nodes_of(colour: str, store: MediaStore) -> Iterator[Node]:
    """The same colour in all media; words stand in the files, as far as these can hold any."""
    yield media.build(Node, media.stable_id(colour, "text"), "text", f"A lamp of {colour} glass.", {})
    for modality, mime_type, data in (
        ("image", "image/png", samples.png(colour)),
        ("audio", "audio/mpeg", samples.mp3(1.0, 300 + 40 * len(colour), tags=(("title", f"the {colour} lamp"),))),
        ("video", "video/mp4", samples.film(1.0, (colour,))),
        ("document", "application/pdf", samples.pdf((f"{colour} lamp",))),
    ):
        item = MediaItem(MediaRef(store.add_bytes(data, mime_type)), mime_type)
        yield media.build(Node, media.stable_id(colour, modality), modality, "", {"colour": colour}, media=item)


def precision(gap: float, store: MediaStore, folder: Path) -> tuple[float, float]:
    """The share of the first five hits that have the colour asked for, raw and calibrated; text and picture ask."""
    with (
        GeminiEmulator(modality_gap=gap) as emulator,
        GeminiMultimodalEmbedding(
            api_key=emulator.api_key, base_url=emulator.base_url, output_dimensionality=768, media_store=store
        ) as model,
    ):
        nodes = model([each for colour in COLOURS for each in nodes_of(colour, store)])
        queries = [("text", colour, f"{colour} lamp") for colour in COLOURS]
        queries += [("image", colour, samples.picture(colour, (96, 96))) for colour in COLOURS]
        asked = [(modality, colour, model.query_bundle(part).embedding) for modality, colour, part in queries]
    kept = Samples(folder / f"{gap}.sqlite3", "t")
    kept.add(nodes)
    calibration = Calibration.of(kept.vectors())
    kept.close()
    raw_hits = fair_hits = 0
    for modality, colour, vector in asked:
        raw = np.array([np.dot(each.embedding, vector) for each in nodes])
        expected = calibration.expected(modality, vector)
        fair = raw - [expected[each.metadata[MODALITY]] for each in nodes]
        wanted = np.array([each.node_id in {media.stable_id(colour, m) for m in MODALITIES} for each in nodes])
        raw_hits += wanted[np.argsort(-raw)[:5]].sum()
        fair_hits += wanted[np.argsort(-fair)[:5]].sum()
    return raw_hits / (5 * len(asked)), fair_hits / (5 * len(asked))


def test_calibration_undoes_the_gap_of_the_stand_in_model(store: MediaStore, tmp_path: Path) -> None:
    """Real files in five media, over the SDK: nothing is lost without a gap, and much is won with one."""
    raw, fair = zip(*(precision(gap, store, tmp_path) for gap in (0.0, 0.3, 0.8)), strict=True)

    assert all(fair[n] >= raw[n] for n in range(3))
    assert fair[2] - raw[2] > 0.2
    assert fair[2] > raw[0]
