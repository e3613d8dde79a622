"""From what an engine found to one ranking with its reasons: pure functions, no store and no model."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from llama_index.core.schema import BaseNode, NodeWithScore

from llama_index_gemini_mm.calibration import Calibration
from llama_index_gemini_mm.fusion import reciprocal_rank, slots
from llama_index_gemini_mm.limits import MODALITIES, Modality
from llama_index_gemini_mm.media import MODALITY
from llama_index_gemini_mm.queries import QueryContent
from llama_index_gemini_mm.vector_store import Found
from llama_index_gemini_mm.vector_store.points import NODE_CONTENT, prefix

Ranking = Literal["calibrated", "raw", "fusion"]
"""By cosines made comparable across modalities, by plain cosines, or by the ranks within each modality."""
Stage = Literal["dense", "sparse"]

_STRONG = 0.5
"""What has less than this part of the best BM25 score shares common words with the query, and is no find by words."""


@dataclass(frozen=True)
class Explanation:
    """How a node came to its rank.

    Attributes:
        stages: which searches found it: by vector (``dense``), by words (``sparse``), or both.
        query_modalities: what the content of the query is made of that lies nearest to it.
        raw: their cosine; from a store of another maker, its own score.
        calibrated: the same, comparable across modalities; ``None`` where no statistics are at hand.
        dense_rank: its rank from 1 before words were looked at; ``None`` if only its words were found.
        sparse_score: the BM25 score of its words.
        sparse_rank: its rank by that score, from 1.
    """

    stages: tuple[Stage, ...]
    query_modalities: tuple[Modality, ...]
    raw: float
    calibrated: float | None
    dense_rank: int | None
    sparse_score: float | None
    sparse_rank: int | None


@dataclass(frozen=True)
class Match:
    """A node found, its score in the ranking that was asked for, and why it stands there.

    Where words have changed the ranks, ``score`` is that of the rank, and ``explanation`` has the node's own.
    """

    found: Found = field(repr=False)
    score: float
    explanation: Explanation

    @cached_property
    def node(self) -> BaseNode:
        """The node."""
        return self.found.node

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The node's metadata, and what else a store keeps beside it."""
        return self.found.payload

    @property
    def modality(self) -> Modality:
        """The node's modality."""
        return _modality_of(self.found)

    @property
    def with_score(self) -> NodeWithScore:
        """The same for LlamaIndex."""
        return NodeWithScore(node=self.node, score=self.score)


@dataclass(frozen=True)
class Listing:
    """What one search by vector found, best first; ``complete`` when there was no more to find."""

    content: QueryContent
    found: Sequence[Found]
    complete: bool


@dataclass(frozen=True)
class Ranked:
    """All matches, best first. No node that was not fetched can stand among the first ``certain`` ones."""

    matches: list[Match]
    certain: int


@dataclass(frozen=True)
class _Candidate:
    """A node, and the content of the query that lies nearest to it."""

    found: Found
    content: QueryContent
    raw: float
    calibrated: float | None

    def value(self, ranking: Ranking) -> float:
        return self.raw if self.calibrated is None or ranking == "raw" else self.calibrated


def ranked(
    listings: Sequence[Listing],
    sparse: Sequence[Found] = (),
    *,
    ranking: Ranking = "calibrated",
    calibration: Calibration | None = None,
) -> Ranked:
    """One ranking of all that was found.

    A node's score is that by the content of the query that lies nearest to it. (Each part of a long recording asks for
    what resembles it. Reciprocal ranks would prefer what every part finds a little alike.)

    What ``sparse`` found, best first and with vectors, changes the ranks of texts. Media can rise by their words; they
    never fall, and those without words keep their rank exactly. Scores stay with the ranks, so that they still fall
    from first to last.
    """
    best = _nearest(listings, calibration, ranking)
    dense = {node_id: rank for rank, node_id in enumerate(_values(best, ranking), 1)}
    contents = list({id(each.content): each.content for each in listings}.values())
    strong = [each for each in sparse if each.score >= _STRONG * sparse[0].score]
    for each in strong:
        if each.id not in best:
            best[each.id] = max(_compared(each, contents, calibration), key=lambda c: c.value(ranking))
    values = _values(best, ranking)
    order = _hybrid(list(values), [each.id for each in strong], best) if strong else list(values)
    words = {each.id: (rank, each.score) for rank, each in enumerate(sparse, 1)}
    matches = [
        Match(best[each].found, score, _explained(best[each], dense.get(each), words.get(each)))
        for each, score in zip(order, values.values(), strict=True)
    ]
    return Ranked(matches, sum(score >= _horizon(listings, values) for score in values.values()))


def _nearest(listings: Sequence[Listing], calibration: Calibration | None, ranking: Ranking) -> dict[str, _Candidate]:
    best: dict[str, _Candidate] = {}
    for listing in listings:
        for candidate in _candidates(listing, calibration):
            known = best.get(candidate.found.id)
            if known is None or candidate.value(ranking) > known.value(ranking):
                best[candidate.found.id] = candidate
    return best


def _candidates(listing: Listing, calibration: Calibration | None) -> list[_Candidate]:
    """What a search found, with calibrated scores; those are made for each modality at once."""
    content, calibrated = listing.content, dict[str, float]()
    for modality in MODALITIES if calibration else ():
        ours = [each for each in listing.found if _modality_of(each) == modality]
        raw = [each.score for each in ours]
        scores = calibration.scores(content.modalities, content.vector, modality, raw) if calibration and ours else ()
        calibrated.update(zip((each.id for each in ours), scores, strict=True))
    return [_Candidate(each, content, each.score, calibrated.get(each.id)) for each in listing.found]


def _compared(found: Found, contents: Sequence[QueryContent], calibration: Calibration | None) -> list[_Candidate]:
    """A node that only its words found, beside each content of the query."""
    vector = np.asarray(found.vector, np.float32)
    compared = []
    for content in contents:
        raw = float(vector @ np.asarray(prefix(content.vector, len(vector)), np.float32))
        scored = replace(found, score=raw)
        compared += _candidates(Listing(content, [scored], complete=True), calibration)
    return compared


def _values(best: Mapping[str, _Candidate], ranking: Ranking) -> dict[str, float]:
    """The score of each node, best first; nodes of equal score stand as they were found."""
    values = {node_id: candidate.value(ranking) for node_id, candidate in best.items()}
    values = dict(sorted(values.items(), key=lambda item: -item[1]))
    if ranking != "fusion":
        return values
    by_modality: dict[Modality, list[str]] = {}
    for node_id in values:
        by_modality.setdefault(_modality_of(best[node_id].found), []).append(node_id)
    return reciprocal_rank(list(by_modality.values()))


def _hybrid(dense: Sequence[str], sparse: Sequence[str], best: Mapping[str, _Candidate]) -> list[str]:
    """The ranking that words and vectors make together, in which no media stand lower than by their vectors alone.

    A caption seldom holds the words of a query, and many texts hold some. By ranks alone the texts would win.
    """
    fused = iter(slots(dense, sparse, {each for each in dense if _has_words(best[each].found)}))
    placed: dict[str, None] = {}
    for each in dense:
        keeps = each not in placed and _modality_of(best[each].found) != "text"
        placed[each if keeps else next(node_id for node_id in fused if node_id not in placed)] = None
    return list(placed)


def _horizon(listings: Sequence[Listing], values: Mapping[str, float]) -> float:
    """The highest score that a node beyond the ends of the listings may have."""
    ends = (values[each.found[-1].id] if each.found else math.inf for each in listings if not each.complete)
    return max(ends, default=-math.inf)


def _explained(candidate: _Candidate, dense_rank: int | None, words: tuple[int, float] | None) -> Explanation:
    stages: list[Stage] = ["dense"] if dense_rank is not None else []
    sparse_rank, sparse_score = words or (None, None)
    return Explanation(
        stages=(*stages, "sparse") if words else tuple(stages),
        query_modalities=candidate.content.modalities,
        raw=candidate.raw,
        calibrated=candidate.calibrated,
        dense_rank=dense_rank,
        sparse_score=sparse_score,
        sparse_rank=sparse_rank,
    )


def _modality_of(found: Found) -> Modality:
    """A node's modality; one of another maker's without any counts as text."""
    modality: Modality = found.payload.get(MODALITY, "text")
    return modality if modality in MODALITIES else "text"


def _has_words(found: Found) -> bool:
    """Whether a stored node holds words of its own, by which a sparse search can find it."""
    content = json.loads(found.payload.get(NODE_CONTENT) or "{}")
    text = content.get("text") or (content.get("text_resource") or {}).get("text") or ""
    return any(map(str.isalnum, text))
