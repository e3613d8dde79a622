"""Scores that can be compared across modalities, from a small sample of each modality's vectors; no labels needed.

A model sets modalities apart: two unrelated texts are nearer to each other than a text to the picture it describes. So
raw cosines rank by medium first and by content second. What unrelated things of a modality score, a sample tells.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import numpy.typing as npt
from llama_index.core.schema import BaseNode

from llama_index_gemini_mm.limits import MODALITIES, Modality
from llama_index_gemini_mm.media import MODALITY

Vectors = npt.NDArray[np.float32]
"""Unit vectors of nodes, shape (nodes, dimension)."""

QueryModality = Modality | tuple[Modality, ...]
"""What a query is made of; several for a mix."""

SAMPLE = 256
"""Vectors kept of each modality."""
DOUBT = 4.0
"""As many vectors of a modality as this, and half of what they say is believed: files often come in like ones."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS samples (
    target TEXT NOT NULL, modality TEXT NOT NULL, rank BLOB NOT NULL, node_id TEXT NOT NULL, vector BLOB NOT NULL,
    UNIQUE (target, node_id)
);
CREATE INDEX IF NOT EXISTS samples_by_rank ON samples (target, modality, rank)
"""
_LAST_RANKS = "SELECT modality, max(rank) FROM samples WHERE target = ? GROUP BY modality HAVING count(*) >= ?"
_TRIM = """
DELETE FROM samples WHERE rowid IN (
    SELECT rowid FROM samples WHERE target = ? AND modality = ? ORDER BY rank LIMIT -1 OFFSET ?
)
"""


class Samples:
    """Of each modality the ``SAMPLE`` nodes whose ids have the smallest SHA-256, with their vectors in half precision.

    So the sample depends on which nodes there are, and not on their order, on interruptions or on repetition. After
    removals the next nodes that come fill the gaps.

    Args:
        path: the SQLite file; several collections may share it, and it may be the manifest's.
        target: names the collection and where it is.
    """

    def __init__(self, path: Path, target: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._target = target
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)

    def add(self, nodes: Sequence[BaseNode]) -> None:
        """Let nodes with an ``embedding`` and a modality take part; those without either are passed over.

        Vectors of another dimension than theirs belong to another space, and are dropped.
        """
        with self._transaction() as db:
            last = dict(db.execute(_LAST_RANKS, (self._target, SAMPLE)).fetchall())
            rows = [row for node in nodes if (row := self._row(node, last))]
            if not rows:
                return
            size = len(rows[-1][-1])
            db.execute("DELETE FROM samples WHERE target = ? AND length(vector) != ?", (self._target, size))
            db.executemany("INSERT OR REPLACE INTO samples VALUES (?, ?, ?, ?, ?)", rows)
            for modality in {row[1] for row in rows}:
                db.execute(_TRIM, (self._target, modality, SAMPLE))

    def remove(self, node_ids: Iterable[str]) -> None:
        """Forget nodes that the index no longer holds."""
        with self._transaction() as db:
            gone = [(self._target, node_id) for node_id in node_ids]
            db.executemany("DELETE FROM samples WHERE target = ? AND node_id = ?", gone)

    def vectors(self) -> dict[Modality, Vectors]:
        """The sample of each modality that has one."""
        with self._lock:
            rows = self._db.execute(
                "SELECT modality, vector FROM samples WHERE target = ? ORDER BY modality, rank", (self._target,)
            ).fetchall()
        found: dict[Modality, list[npt.NDArray[np.float16]]] = {}
        for modality, vector in rows:
            found.setdefault(modality, []).append(np.frombuffer(vector, np.float16))
        return {modality: np.stack(each).astype(np.float32) for modality, each in found.items()}

    def clear(self) -> None:
        """Forget all nodes of this collection."""
        with self._transaction() as db:
            db.execute("DELETE FROM samples WHERE target = ?", (self._target,))

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _row(self, node: BaseNode, last: Mapping[str, bytes]) -> tuple[str, str, bytes, str, bytes] | None:
        """What is stored of a node; ``None`` when it cannot be among the first."""
        modality = node.metadata.get(MODALITY)
        if modality not in MODALITIES or node.embedding is None:
            return None
        rank = hashlib.sha256(node.node_id.encode("utf-8", "surrogatepass")).digest()
        if modality in last and rank > last[modality]:
            return None
        return self._target, modality, rank, node.node_id, np.asarray(node.embedding, np.float16).tobytes()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            with self._db:
                yield self._db


@dataclass(frozen=True)
class Calibration:
    """What a node of each modality scores that has nothing to do with the query; scores are counted from there.

    It is half the mean score of the query itself against the modality's sample, and half the mean score between the
    samples of the query's modality and of the node's. The first alone would punish what a collection is rich in: where
    most sounds are about what is asked for, they all score high, and should. The second alone knows nothing of the
    query. What differs between modalities is believed as far as the sample is large: ``n / (n + DOUBT)`` of it.

    A modality without a sample is taken for an average one, and without any sample scores stay raw cosines.

    Attributes:
        means: the mean vector of each modality's sample, shape (dimension,).
        unrelated: the mean cosine between samples of two modalities, of one modality between different nodes.
        belief: the believed share, 0 to 1.
    """

    means: Mapping[Modality, Vectors]
    unrelated: Mapping[tuple[Modality, Modality], float]
    belief: Mapping[Modality, float]

    @classmethod
    def of(cls, vectors: Mapping[Modality, Vectors]) -> Calibration:
        """From a sample of each modality, shape (nodes, dimension), as ``Samples.vectors`` gives it."""
        known = {modality: sample for modality, sample in vectors.items() if len(sample)}
        means = {modality: sample.mean(axis=0) for modality, sample in known.items()}
        unrelated = {(one, other): float(means[one] @ means[other]) for one in means for other in means if one != other}
        unrelated |= {(each, each): _mean_of_pairs(sample) for each, sample in known.items() if len(sample) > 1}
        return cls(means, unrelated, {each: len(sample) / (len(sample) + DOUBT) for each, sample in known.items()})

    def expected(self, query_modality: QueryModality, query_vector: npt.ArrayLike) -> dict[Modality, float]:
        """What a node of each modality scores by being of that modality; subtract it to calibrate.

        Args:
            query_modality: the query's modality, or those of its parts.
            query_vector: its vector, shape (dimension,), of unit length.
        """
        query = np.asarray(query_vector, np.float32)
        parts = (query_modality,) if isinstance(query_modality, str) else query_modality
        found: dict[Modality, float] = {}
        for modality, mean in self.means.items():
            own = float(mean @ query)
            usual = [self.unrelated[part, modality] for part in parts if (part, modality) in self.unrelated]
            found[modality] = (own + fmean(usual)) / 2 if usual else own
        common = fmean(found.values(), [self.belief[each] for each in found]) if found else 0.0
        return {each: common + self.belief.get(each, 0.0) * (found.get(each, common) - common) for each in MODALITIES}

    def scores(
        self,
        query_modality: QueryModality,
        query_vector: npt.ArrayLike,
        node_modality: Modality,
        raw: Sequence[float],
    ) -> list[float]:
        """Scores that can be compared across modalities, from the cosines ``raw`` of nodes of one modality.

        They lie in the range of cosines, in the same order, and an unrelated node has about 0. For several modalities
        ``expected`` is the cheaper way: it answers for all of them at once.
        """
        expected = self.expected(query_modality, query_vector)[node_modality] if raw else 0.0
        return [score - expected for score in raw]


def _mean_of_pairs(sample: Vectors) -> float:
    """The mean inner product of two different rows."""
    total, count = sample.sum(axis=0, dtype=np.float64), len(sample)
    own = float(np.square(sample, dtype=np.float64).sum())
    return (float(total @ total) - own) / (count * (count - 1))
