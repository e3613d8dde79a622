"""One ranking of many searches: what may move, what may not, and what is said about it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_gemini_mm.calibration import Calibration
from llama_index_gemini_mm.limits import MODALITIES, Modality
from llama_index_gemini_mm.queries import QueryContent
from llama_index_gemini_mm.retriever._ranking import Listing, Ranked, Ranking, ranked
from llama_index_gemini_mm.vector_store import Found
from llama_index_gemini_mm.vector_store.plans import DENSE
from llama_index_gemini_mm.vector_store.points import PlainRow

QUERY = QueryContent(("text",), [1.0, 0.0])


def found(node_id: str, score: float, modality: str = "text", words: str = "") -> Found:
    """A point that lies so near to ``QUERY``."""
    content = json.dumps({"text_resource": {"text": words}})
    payload = {"modality": modality, "_node_content": content}
    vector = [score, float(np.sqrt(1 - score * score))]
    return Found(score, PlainRow(node_id, payload, {DENSE: vector}))


def ids(result: Ranked) -> list[str]:
    return [match.found.id for match in result.matches]


def gap(**shift: float) -> Calibration:
    """A calibration by which unrelated nodes of each modality score so much."""
    means = {modality: np.array([shift.get(modality, 0.0), 0.0], np.float32) for modality in MODALITIES}
    return Calibration(means, {}, dict.fromkeys(MODALITIES, 1.0))


def test_calibration_makes_modalities_comparable() -> None:
    """A picture that is nearer than pictures usually are goes before a text that is as near as any."""
    both = [Listing(QUERY, [found("t", 0.6)], True), Listing(QUERY, [found("i", 0.4, "image")], True)]

    raw = ranked(both, ranking="raw", calibration=gap(text=0.6, image=0.1))
    fair = ranked(both, calibration=gap(text=0.6, image=0.1))

    assert ids(raw) == ["t", "i"]
    assert [m.score for m in raw.matches] == [0.6, 0.4]
    assert ids(fair) == ["i", "t"]
    assert [m.score for m in fair.matches] == pytest.approx([0.3, 0.0], abs=1e-6)
    assert [(m.explanation.raw, m.explanation.dense_rank) for m in fair.matches] == [(0.4, 1), (0.6, 2)]
    assert raw.matches[0].explanation.calibrated == fair.matches[1].explanation.calibrated


def test_fusion_takes_turns() -> None:
    """By ranks the best of each modality come first, however far apart their scores are."""
    texts = Listing(QUERY, [found("t1", 0.9), found("t2", 0.8)], True)
    images = Listing(QUERY, [found("i1", 0.3, "image"), found("i2", 0.2, "image")], True)

    result = ranked([texts, images], ranking="fusion")

    assert ids(result) == ["t1", "i1", "t2", "i2"]
    assert [m.score for m in result.matches] == pytest.approx([1 / 61, 1 / 61, 1 / 62, 1 / 62])


def test_a_node_is_scored_by_the_part_of_the_query_that_is_nearest() -> None:
    """Found by three parts a little, a node does not pass one that a single part found exactly."""
    other = QueryContent(("audio",), [0.0, 1.0])
    parts = [
        Listing(QUERY, [found("a little", 0.5), found("exact", 0.1)], True),
        Listing(other, [found("exact", 0.9), found("a little", 0.5)], True),
        Listing(QUERY, [found("a little", 0.5)], True),
    ]

    result = ranked(parts, ranking="raw")

    assert ids(result) == ["exact", "a little"]
    assert result.matches[0].explanation.query_modalities == ("audio",)


def test_a_part_number_is_found_by_its_letters() -> None:
    """What vectors did not find at all comes among the first, with its own cosine in the explanation."""
    dense = [found(f"t{i}", 0.9 - i / 100, words="pump") for i in range(10)]
    number = found("number", 0.2, words="order XJ-900/4b")
    weak = found("weak", 0.1, words="the")

    result = ranked(
        [Listing(QUERY, dense, False)],
        [replace(number, score=12.0), replace(weak, score=1.0)],
    )

    assert ids(result)[:2] == ["number", "t0"]
    assert "weak" not in ids(result)
    assert [m.score for m in result.matches[:2]] == [0.9, 0.89]
    why = result.matches[0].explanation
    assert (why.stages, why.dense_rank, why.sparse_rank, why.sparse_score) == (("sparse",), None, 1, 12.0)
    assert why.raw == pytest.approx(0.2)
    assert result.matches[1].explanation.stages == ("dense",)


def test_what_may_lie_beyond_the_end_is_not_certain() -> None:
    """Below the last of a search that had more to find, another node may stand."""
    listings = [
        Listing(QUERY, [found("a", 0.9), found("c", 0.5)], False),
        Listing(QUERY, [found("b", 0.6, "image"), found("d", 0.4, "image")], True),
    ]

    assert ranked(listings).certain == 3
    assert ranked([Listing(QUERY, [], False), *listings[1:]]).certain == 0
    assert ranked(listings[1:]).certain == 2


Nodes = Mapping[str, tuple[Modality, str, float]]


@st.composite
def collections(draw: st.DrawFn) -> tuple[Nodes, list[str]]:
    """Nodes with modality, words and cosine; and the ids of some with words, as a search by words found them."""
    scores = draw(st.lists(st.floats(-0.9, 0.9), min_size=1, max_size=25, unique=True))
    nodes = {}
    for number, score in enumerate(scores):
        modality = draw(st.sampled_from(MODALITIES))
        words = "pump" if modality == "text" else draw(st.sampled_from(["", "pump"]))
        nodes[f"n{number}"] = modality, words, score
    worded = [node_id for node_id, (_, words, _) in nodes.items() if words]
    return nodes, draw(st.permutations(worded)) if worded else []


@given(collections(), st.sampled_from(["calibrated", "raw", "fusion"]), st.integers(0, 25))
def test_words_push_no_media_out(collection: tuple[Nodes, Sequence[str]], ranking: Ranking, hits: int) -> None:
    """Media without words keep their rank, others of them never fall, and scores still fall from first to last."""
    nodes, by_words = collection
    points = {node_id: found(node_id, score, modality, words) for node_id, (modality, words, score) in nodes.items()}
    listings = [
        Listing(QUERY, sorted((p for p in points.values() if p.payload["modality"] == m), key=lambda p: -p.score), True)
        for m in MODALITIES
    ]
    sparse = [replace(points[each], score=9 - rank / 10) for rank, each in enumerate(by_words[:hits])]

    alone = ids(ranked(listings, ranking=ranking, calibration=gap(text=0.3)))
    both = ranked(listings, sparse, ranking=ranking, calibration=gap(text=0.3))

    assert sorted(ids(both)) == sorted(alone)
    assert [m.score for m in both.matches] == sorted((m.score for m in both.matches), reverse=True)
    for rank, node_id in enumerate(alone):
        modality, words, _ = nodes[node_id]
        if modality != "text":
            assert ids(both).index(node_id) <= rank
        if not words:
            assert ids(both).index(node_id) == rank
