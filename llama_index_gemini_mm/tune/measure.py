"""Try each plan on a sample of the user's own index."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from llama_index_gemini_mm.errors import ConfigurationError, MissingDependency
from llama_index_gemini_mm.tune.report import PlanRow, TuneReport, recommend
from llama_index_gemini_mm.tune.sample import Matrix, Sample, draw
from llama_index_gemini_mm.vector_store import PLANS, MediaVectorStore, Plan, Search, Space, Stamp
from llama_index_gemini_mm.vector_store.edge_files import current_shard, disk_bytes

SAMPLE = 20_000
TARGET = 0.95
_NEAREST = 10
_QUERIES = 200
"""Of each modality."""
_UPLOAD = 256
_WARM_UP = 20
_AS_NEAR = 1e-6
"""Scores this close are equal: twins of a node have the same vector, and either may be found."""


@dataclass(frozen=True)
class _Truth:
    """Exact scores of some queries against the whole sample, and the score of each one's last true neighbour."""

    rows: npt.NDArray[np.intp]
    scores: Matrix
    last: Matrix
    nearest: int

    @classmethod
    def of(cls, vectors: Matrix, rows: npt.NDArray[np.intp]) -> _Truth:
        scores = vectors[rows] @ vectors.T
        scores[np.arange(len(rows)), rows] = -np.inf
        nearest = min(_NEAREST, len(vectors) - 1)
        last = -np.partition(-scores, nearest - 1, axis=1)[:, nearest - 1]
        return cls(rows, scores, last, nearest)

    def recall(self, query: int, found: Iterable[int]) -> float:
        """Share of the true neighbours of a query among the rows found, without itself."""
        others = list(islice((row for row in found if row != self.rows[query]), self.nearest))
        return int((self.scores[query, others] >= self.last[query] - _AS_NEAR).sum()) / self.nearest


def tune(
    store: MediaVectorStore,
    *,
    sample: int = SAMPLE,
    target: float = TARGET,
    on_plan: Callable[[str], None] | None = None,
) -> TuneReport:
    """Measure what each plan would find, take and cost on the vectors of an index.

    A sample of it is stored by each plan in a temporary folder, and searched by up to 200 of its own nodes of each
    modality. The reference is an exact search among the sample's vectors as the index holds them.

    Args:
        store: an index with nodes in it; it is only read.
        sample: how many nodes to try at most.
        target: the recall at 10 that a plan must reach in every modality to be recommended.
        on_plan: called with the name of each plan before it is tried.

    Raises:
        ConfigurationError: fewer than two nodes have a vector.
        MissingDependency: the embedded engine is not installed.
    """
    drawn = draw(store, sample)
    if len(drawn.points) < 2:
        raise ConfigurationError("there is nothing to tune: the index holds fewer than two vectors; index files first")
    queries = drawn.queries(_QUERIES)
    truths = {modality: _Truth.of(drawn.vectors, rows) for modality, rows in queries.items()}
    space = replace(store.stamp.space, dimension=drawn.dimension)
    rows = []
    for plan in PLANS.values():
        if on_plan:
            on_plan(plan.name)
        rows.append(_try(plan, space, drawn, truths))
    recommended, reason = recommend(rows, target)
    return TuneReport(
        points=store.count(),
        sampled=len(drawn.points),
        queries={modality: len(rows) for modality, rows in queries.items()},
        dimension=drawn.dimension,
        stored_plan=store.stamp.plan.name,
        target=target,
        rows=tuple(rows),
        recommended=recommended,
        reason=reason,
        note=_note(store.stamp, drawn.dimension),
    )


def _try(plan: Plan, space: Space, sample: Sample, truths: Mapping[str, _Truth]) -> PlanRow:
    with tempfile.TemporaryDirectory(prefix="gemini-mm-tune-") as folder:
        trial = _stored(Path(folder), Stamp(space, plan), sample)
        try:
            places = {point.id: row for row, point in enumerate(sample.points)}
            for _ in islice(_searched(trial, sample, truths, places), _WARM_UP):
                pass
            results = list(_searched(trial, sample, truths, places))
            disk = disk_bytes(current_shard(Path(folder)) / "segments") / len(sample.points)
        finally:
            trial.close()
    recalls = {modality: statistics.fmean(r for m, r, _ in results if m == modality) for modality in truths}
    times = [seconds * 1000 for _, _, seconds in results]
    return PlanRow(
        plan=plan.name,
        recall=statistics.fmean(recall for _, recall, _ in results),
        recall_by_modality=recalls,
        disk_bytes=disk,
        memory_bytes=plan.memory_bytes(space.dimension),
        median_ms=statistics.median(times),
        p95_ms=float(np.percentile(times, 95)),
    )


def _stored(folder: Path, stamp: Stamp, sample: Sample) -> MediaVectorStore:
    """The sample in ``folder``, by the plan of ``stamp``."""
    try:
        from llama_index_gemini_mm.vector_store.edge import EdgeVectorStore
    except ImportError as error:
        how = "it has no package for this platform; tune on another machine"
        raise MissingDependency("tune", "qdrant-edge-py", how=how) from error
    trial = EdgeVectorStore(folder, "tune", stamp, optimize_from=1)
    points = sample.by_plan(stamp.plan)
    while batch := list(islice(points, _UPLOAD)):
        trial.put(batch)
    trial.optimize()
    return trial


def _searched(
    trial: MediaVectorStore, sample: Sample, truths: Mapping[str, _Truth], places: Mapping[str, int]
) -> Iterator[tuple[str, float, float]]:
    """Modality, recall and seconds of each search; by turns of modality, so that none finds everything warm."""
    longest = max(len(truth.rows) for truth in truths.values())
    for number in range(longest):
        for modality, truth in truths.items():
            if number < len(truth.rows):
                vector = sample.vectors[truth.rows[number]].tolist()
                started = time.perf_counter()
                (found,) = trial.search([Search(truth.nearest + 1, vector=vector)])
                seconds = time.perf_counter() - started
                yield modality, truth.recall(number, (places[each.id] for each in found)), seconds


def _note(stamp: Stamp, held: int) -> str:
    if stamp.plan.exact:
        return ""
    numbers = f"{held:,} of {stamp.space.dimension:,} numbers" if held < stamp.space.dimension else "its numbers"
    return (
        f"the index is stored by the plan {stamp.plan.name}, so the reference is what that keeps: {numbers}, "
        "rounded to 8 bits; to compare with the model's own vectors, tune an index stored by the plan accurate"
    )
