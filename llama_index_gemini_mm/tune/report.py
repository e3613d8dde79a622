"""What a tuning has found: a row a plan, and the plan to take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from llama_index_gemini_mm.vector_store import PlanName


@dataclass(frozen=True)
class PlanRow:
    """One plan on the sample.

    Args:
        plan: its name.
        recall: share of the true nearest ten that it finds, over all queries.
        recall_by_modality: the same by the modality of the query.
        disk_bytes: what its folder takes, by node: vectors, graph, words, metadata.
        memory_bytes: what of a node's vectors stays in memory.
        median_ms: milliseconds of a search.
        p95_ms: the same of the slowest in twenty.
    """

    plan: PlanName
    recall: float
    recall_by_modality: Mapping[str, float]
    disk_bytes: float
    memory_bytes: float
    median_ms: float
    p95_ms: float

    @property
    def worst(self) -> tuple[str, float]:
        """The modality that is found least well, and its recall."""
        return min(self.recall_by_modality.items(), key=lambda item: item[1])


@dataclass(frozen=True)
class TuneReport:
    """What each plan would find, take and cost.

    Args:
        points: nodes in the index.
        sampled: nodes that were tried.
        queries: how many of them were searched by, by modality.
        dimension: numbers in a vector that the index holds.
        stored_plan: the plan it is stored by.
        target: the recall that a plan must reach in every modality to be recommended.
        rows: one a plan.
        recommended: the plan to take.
        reason: why, in a sentence.
        note: what to know of the reference when the index is stored by a plan that loses something.
    """

    points: int
    sampled: int
    queries: Mapping[str, int]
    dimension: int
    stored_plan: PlanName
    target: float
    rows: tuple[PlanRow, ...]
    recommended: PlanName
    reason: str
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self) | {"rows": [asdict(row) for row in self.rows]}


def recommend(rows: Sequence[PlanRow], target: float) -> tuple[PlanName, str]:
    """The plan that takes the least room among those that reach ``target`` in every modality, and why.

    When none does, the one that finds most.
    """
    enough = [row for row in rows if row.worst[1] >= target]
    if not enough:
        best = max(rows, key=lambda row: row.worst[1])
        modality, recall = best.worst
        return (
            best.plan,
            f"no plan finds {target:.2f} of the nearest in every medium; it finds {recall:.3f} ({modality})",
        )
    taken = min(enough, key=lambda row: row.disk_bytes)
    largest = max(row.disk_bytes for row in rows)
    reason = f"it finds {taken.worst[1]:.3f} or more of the nearest in every medium"
    if taken.disk_bytes < largest:
        reason += f" and takes {taken.disk_bytes / largest:.0%} of the largest plan's room"
    left_out = [row for row in rows if row.disk_bytes < taken.disk_bytes]
    if left_out:
        next_smaller = max(left_out, key=lambda row: row.disk_bytes)
        modality, recall = next_smaller.worst
        reason += f"; {next_smaller.plan}, which is smaller, finds {recall:.3f} ({modality})"
    return taken.plan, reason
