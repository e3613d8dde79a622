"""Comparison: how alike the old and the new index rank, and how well each finds what it holds.

No labels are at hand, so nothing here says which index is better for people's questions. Three things are measured:

- neighbours: each sampled node's own stored vector is searched for. The overlap is the share of the ten nearest others
  that both indexes name. It tells how much the ranking changes, and not which ranking is right.
- own words: the first words of the node's text are the question. Self-recall is how often the node is among the first
  ten, and the mean rank where it was. It flatters, because the words stand in the text; the old index needs its model.
- own questions: those that people bring. Only the overlap can be measured, and only with the old model.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.schema import MetadataMode

from llama_index_gemini_mm.embedding import GeminiMultimodalEmbedding
from llama_index_gemini_mm.migrate.records import Record
from llama_index_gemini_mm.migrate.sources import OldIndex
from llama_index_gemini_mm.vector_store import MediaVectorStore, Search
from llama_index_gemini_mm.vector_store.plans import DENSE
from llama_index_gemini_mm.vector_store.points import point_id

TOP = 10
_WORDS = 12
_AT_ONCE = 8
_FETCHED = 256
_Ranking = list[str]
_Ask = Callable[[str], Sequence[float]]


@dataclass(frozen=True)
class SelfRecall:
    """How often a node was among the ten that were found for it, and its mean rank (from 1) when it was."""

    recall: float
    mean_rank: float | None


@dataclass(frozen=True)
class Measure:
    """One kind of question: how many were asked, what both indexes say alike, and how each finds the node itself.

    What could not be measured is ``None``.
    """

    name: str
    asked: int
    overlap: float | None = None
    old: SelfRecall | None = None
    new: SelfRecall | None = None


@dataclass(frozen=True)
class Comparison:
    """All measures, and what could not be measured, in words."""

    sampled: int
    measures: tuple[Measure, ...]
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class _Sampled:
    id: str
    words: str


class Comparer:
    """Asks both indexes the same things.

    Args:
        old: the old index.
        new: the new collection.
        model: the new model.
        old_model: the model of the old index, if it can still be used.
    """

    def __init__(
        self,
        old: OldIndex,
        new: MediaVectorStore,
        model: GeminiMultimodalEmbedding,
        old_model: BaseEmbedding | None = None,
    ) -> None:
        self._old, self._new, self._model, self._old_model = old, new, model, old_model

    def compare(self, size: int, questions: Sequence[str]) -> Comparison:
        """Sample ``size`` nodes that both hold, always the same ones, and measure."""
        sample = self._sample(size)
        notes: list[str] = []
        measures = [self._neighbours(sample, notes)]
        worded = [each for each in sample if each.words]
        if worded:
            measures.append(self._own_words(worded, notes))
        if questions:
            measures.append(self._questions(list(questions), notes))
        return Comparison(len(sample), tuple(measures), tuple(notes))

    def _sample(self, size: int) -> list[_Sampled]:
        """The nodes with the smallest hashes: a fair sample that needs no memory of earlier runs."""
        chosen = heapq.nsmallest(size, self._held(), key=lambda record: _hash(record.id))
        return [_Sampled(record.id, first_words(record)) for record in chosen]

    def _held(self) -> Iterator[Record]:
        for batch in self._old.records():
            for start in range(0, len(batch), _FETCHED):
                some = batch[start : start + _FETCHED]
                there = {point.id for point in self._new.fetch([point_id(each.id) for each in some])}
                yield from (each for each in some if point_id(each.id) in there)

    def _neighbours(self, sample: Sequence[_Sampled], notes: list[str]) -> Measure:
        old_vectors = self._old.vectors([each.id for each in sample])
        fetched = self._new.fetch([point_id(each.id) for each in sample], vectors=True)
        new_vectors: dict[str, Any] = {point.id: point.vectors[DENSE] for point in fetched}
        asked = [each.id for each in sample if each.id in old_vectors and point_id(each.id) in new_vectors]
        if not asked:
            notes.append("the old index hands out no vectors, so neighbours could not be compared")
            return Measure("neighbours", 0)
        keys = [point_id(each) for each in asked]
        old = [self._old_ranking(old_vectors[each]) for each in asked]
        new = self._new_rankings([self._new.as_query(new_vectors[key]) for key in keys])
        others = [(_without(a, key), _without(b, key)) for key, a, b in zip(keys, old, new, strict=True) if len(a) > 1]
        return Measure("neighbours", len(asked), _overlap(others), _recall(keys, old), _recall(keys, new))

    def _own_words(self, sample: Sequence[_Sampled], notes: list[str]) -> Measure:
        keys, words = [point_id(each.id) for each in sample], [each.words for each in sample]
        new = self._new_rankings(_asked(self._model.get_query_embedding, words))
        if self._old_model is None:
            notes.append("questions in words were put to the new index alone: the old one needs its embedding model")
            return Measure("own words", len(words), new=_recall(keys, new))
        old = [self._old_ranking(each) for each in _asked(self._old_model.get_query_embedding, words)]
        overlap = _overlap([(a[:TOP], b[:TOP]) for a, b in zip(old, new, strict=True)])
        return Measure("own words", len(words), overlap, _recall(keys, old), _recall(keys, new))

    def _questions(self, questions: Sequence[str], notes: list[str]) -> Measure:
        if self._old_model is None:
            notes.append("your questions were not asked: to compare, the old index needs its embedding model")
            return Measure("your questions", 0)
        new = self._new_rankings(_asked(self._model.get_query_embedding, questions))
        old = [self._old_ranking(each) for each in _asked(self._old_model.get_query_embedding, questions)]
        overlap = _overlap([(a[:TOP], b[:TOP]) for a, b in zip(old, new, strict=True)])
        return Measure("your questions", len(questions), overlap)

    def _old_ranking(self, vector: Sequence[float]) -> _Ranking:
        return [point_id(each) for each in self._old.search(vector, TOP + 1)]

    def _new_rankings(self, vectors: Sequence[Sequence[float]]) -> list[_Ranking]:
        found = self._new.search([Search(TOP + 1, vector=vector) for vector in vectors])
        return [[each.id for each in ranking] for ranking in found]


def first_words(record: Record) -> str:
    """The first words of a record's text, as somebody might ask for it; nothing for one with next to no words."""
    text = "" if record.node is None else record.node.get_content(metadata_mode=MetadataMode.NONE)
    words = text.split(maxsplit=_WORDS)[:_WORDS]
    return " ".join(words)[:200] if len(words) > 2 else ""


def _asked(ask: _Ask, questions: Sequence[str]) -> list[Sequence[float]]:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(ask, questions))


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _without(ranking: _Ranking, key: str) -> _Ranking:
    return [each for each in ranking if each != key][:TOP]


def _overlap(pairs: Sequence[tuple[_Ranking, _Ranking]]) -> float | None:
    """The mean share of the old ranking that stands in the new one."""
    shares = [len({*old} & {*new}) / len(old) for old, new in pairs if old]
    return sum(shares) / len(shares) if shares else None


def _recall(keys: Sequence[str], rankings: Sequence[_Ranking]) -> SelfRecall | None:
    if not keys:
        return None
    ranks = [ranking.index(key) + 1 for key, ranking in zip(keys, rankings, strict=True) if key in ranking[:TOP]]
    return SelfRecall(len(ranks) / len(keys), sum(ranks) / len(ranks) if ranks else None)
