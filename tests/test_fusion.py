"""Fusion of rankings: what must hold of any rankings, found by searching for a counterexample."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_gemini_mm.fusion import reciprocal_rank, slots, with_quotas
from llama_index_gemini_mm.limits import MODALITIES, Modality

IDS = st.lists(st.sampled_from("abcdefghijklmnop"), unique=True)
HITS = st.lists(st.tuples(st.integers(0, 999), st.sampled_from(MODALITIES)), unique_by=lambda hit: hit[0])
QUOTAS = st.dictionaries(st.sampled_from(MODALITIES), st.integers(0, 4))


def modality_of(hit: tuple[int, Modality]) -> Modality:
    return hit[1]


def test_reciprocal_ranks_are_summed() -> None:
    """One over sixty and the rank, by weight; what two rankings name stands before what one does."""
    scores = reciprocal_rank([["a", "b"], ["b", "c"]])

    assert scores == pytest.approx({"b": 1 / 62 + 1 / 61, "a": 1 / 61, "c": 1 / 62})
    assert list(scores) == ["b", "a", "c"]
    assert list(reciprocal_rank([["a", "b"], ["c"]], weights=[1, 3])) == ["c", "a", "b"]
    assert list(reciprocal_rank([["a", "x"], ["b", "y"]])) == ["a", "b", "x", "y"]


def test_a_weight_for_each_ranking() -> None:
    """Neither more nor fewer."""
    with pytest.raises(ValueError, match="1 weights for 2 rankings"):
        reciprocal_rank([["a"], ["b"]], weights=[1])


@given(st.lists(IDS, max_size=4), st.floats(1, 100))
def test_fusing_loses_nothing_and_keeps_agreement(rankings: list[list[str]], k: float) -> None:
    """Every id is there once; where all rankings agree about two ids, so does the fused one."""
    fused = list(reciprocal_rank(rankings, k))

    assert sorted(fused) == sorted({each for ranking in rankings for each in ranking})
    for one in fused:
        for other in fused[fused.index(one) + 1 :]:
            assert not all(other in r and (one not in r or r.index(other) < r.index(one)) for r in rankings)


def test_what_is_named_twice_counts_once() -> None:
    """By its better place."""
    assert reciprocal_rank([["a", "b", "a"]]) == reciprocal_rank([["a", "b"]])


def test_a_quota_brings_in_what_stands_too_low() -> None:
    """It takes the place of the last one that no quota asks for, and the order stays."""
    ranked = [(1, "text"), (2, "text"), (3, "image"), (4, "audio"), (5, "audio"), (6, "text")]

    assert with_quotas(ranked, modality_of, {"audio": 2}, 3) == [(1, "text"), (4, "audio"), (5, "audio")]
    assert with_quotas(ranked, modality_of, {}, 3) == ranked[:3]
    assert with_quotas(ranked, modality_of, {"video": 2}, 3) == ranked[:3]


@given(HITS, QUOTAS, st.integers(0, 12))
def test_quotas_are_met_as_far_as_they_can_be(
    ranked: list[tuple[int, Modality]], quotas: dict[Modality, int], limit: int
) -> None:
    """At least that many, if there are; the order of the ranking; of each modality its first; the limit used up."""
    found = with_quotas(ranked, modality_of, quotas, limit)
    there, got = Counter(map(modality_of, ranked)), Counter(map(modality_of, found))

    assert len(found) == min(limit, len(ranked))
    assert found == [hit for hit in ranked if hit in found]
    for modality in MODALITIES:
        assert [h for h in found if h[1] == modality] == [h for h in ranked if h[1] == modality][: got[modality]]
    if sum(quotas.values()) <= limit:
        assert all(got[modality] >= min(number, there[modality]) for modality, number in quotas.items())


@given(HITS, QUOTAS, st.integers(0, 12))
def test_quotas_change_no_more_than_they_must(
    ranked: list[tuple[int, Modality]], quotas: dict[Modality, int], limit: int
) -> None:
    """Whatever a modality has beyond its quota has earned its place: nothing left out stands before it."""
    found = with_quotas(ranked, modality_of, quotas, limit)
    got = Counter(map(modality_of, found))
    beyond = [ranked.index(hit) for hit in found if got[hit[1]] > quotas.get(hit[1], 0)]
    earned = {m: [p for p in beyond if ranked[p][1] == m][max(0, quotas.get(m, 0)) :] for m in MODALITIES}
    left_out = [place for place, hit in enumerate(ranked) if hit not in found]

    if sum(quotas.values()) <= limit:
        assert all(place < min(left_out, default=len(ranked)) for places in earned.values() for place in places)


def test_media_without_text_keep_their_places() -> None:
    """The sound is second for dense, and stays so; the text that both find is first of the texts."""
    dense, has_text = ["t1", "sound", "t2", "t3"], {"t1", "t2", "t3"}

    assert slots(dense, ["t3", "t9"], has_text) == ["t3", "sound", "t1", "t2", "t9"]
    assert slots(dense, ["t9", "t3"], has_text) == ["t3", "sound", "t1", "t9", "t2"]


@given(IDS, IDS, st.sets(st.sampled_from("abcdefghijklmnop")))
def test_slots_for_any_rankings(dense: list[str], sparse: list[str], has_text: set[str]) -> None:
    """Media without text stand where dense has them, texts in the order of their reciprocal ranks; none is lost."""
    fused = slots(dense, sparse, has_text)
    with_text = has_text | set(sparse)
    texts = list(reciprocal_rank([[each for each in dense if each in with_text], sparse]))

    assert sorted(fused) == sorted({*dense, *sparse})
    assert all(fused.index(each) == dense.index(each) for each in dense if each not in with_text)
    assert [each for each in fused if each in with_text] == texts


@given(IDS, st.sets(st.sampled_from("abcdefghijklmnop")))
def test_without_sparse_hits_dense_stays(dense: list[str], has_text: set[str]) -> None:
    """And without dense ones, sparse."""
    assert slots(dense, [], has_text) == dense
    assert slots([], dense, has_text) == dense
