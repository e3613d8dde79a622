"""Plans: in which forms a vector is stored, and how it is searched. What a plan costs and finds is in the README.

A vector of 3,072 float32 takes 12 KiB. A prefix of it is a good vector too (Matryoshka), and 8 bits a number lose next
to nothing; so a search can look at something small first, and at something exact last.

Both small forms are Qdrant's TurboQuant, which rotates a vector before it rounds its numbers. ``turbo8`` keeps 8 bits
of each and nothing beside them, where ``int8`` is a copy next to an original of 16 or 32. ``turbo1`` keeps one, as
``binary`` does; but binary takes the signs of the numbers as they are, and misses much of what turbo1 finds in the
same bytes where the first numbers weigh most, as in Matryoshka vectors. A server needs Qdrant 1.20 for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from llama_index_gemini_mm.errors import ConfigurationError

DENSE = "text-dense"
"""LlamaIndex's name for the vector of a node, whatever its medium, so that its own store opens our collections."""
SPARSE = "text-sparse-new"
"""LlamaIndex's name for the sparse one."""
FIRST = "first-stage"
"""The short vector that finds the candidates."""

PlanName = Literal["accurate", "balanced", "compact"]
Datatype = Literal["float32", "turbo8"]
Quantization = Literal["turbo1"]

_BYTES: Mapping[str | None, float] = MappingProxyType({"float32": 4, "turbo8": 1, "turbo1": 1 / 8, None: 0})
"""Of a number."""


@dataclass(frozen=True)
class Graph:
    """Parameters of the graph (HNSW) by which vectors are searched. Twice as many links found no more in any plan.

    ``m`` are the links of a vector, twice as many on the lowest level; ``ef_construct`` is how many neighbours are
    looked at when one is added. Fewer kilobytes of vectors than ``full_scan`` are searched without it.
    """

    m: int = 16
    ef_construct: int = 100
    full_scan: int = 10_000

    @property
    def bytes(self) -> int:
        """Of a vector: its links on the lowest level, next to which the others are few."""
        return 2 * self.m * 4


GRAPH = Graph()


@dataclass(frozen=True)
class StoredVector:
    """One form of a node's vector: its first ``size`` numbers.

    ``searched`` says whether a graph is built over it; ``on_disk`` that it is read when it is needed.
    ``quantization`` is a smaller copy that stays in memory.
    """

    name: str
    size: int
    datatype: Datatype = "float32"
    quantization: Quantization | None = None
    on_disk: bool = False
    searched: bool = True

    @property
    def disk_bytes(self) -> float:
        """What it takes on disk: its numbers, their copy, its links in the graph."""
        return self.size * (_BYTES[self.datatype] + _BYTES[self.quantization]) + self._links

    @property
    def memory_bytes(self) -> float:
        """What of it is kept in memory."""
        kept = _BYTES[self.quantization] if self.on_disk else _BYTES[self.datatype] + _BYTES[self.quantization]
        return self.size * kept + self._links

    @property
    def _links(self) -> int:
        return GRAPH.bytes if self.searched else 0


@dataclass(frozen=True)
class Plan:
    """How vectors are stored and searched.

    Args:
        name: what it is called in options and stamps.
        dense: the form that decides the score; its ``size`` is an upper bound.
        first: the form that finds the candidates, if it is another one.
        candidates: how many times as many candidates as results are found first, and scored again.
    """

    name: PlanName
    dense: StoredVector
    first: StoredVector | None = None
    candidates: int = 1

    def stored(self, dimension: int) -> tuple[StoredVector, ...]:
        """The forms that are stored for vectors of ``dimension`` numbers.

        A short vector needs no first stage; then it is searched itself, and so kept in memory.
        """
        first = self.first_stage(dimension)
        dense = replace(self.dense, size=self.size(dimension))
        if first is None:
            return (replace(dense, searched=True, on_disk=dense.on_disk and dense.quantization is not None),)
        return (dense, first)

    def first_stage(self, dimension: int) -> StoredVector | None:
        """The form that finds the candidates of such vectors, if it is another one."""
        return self.first if self.first and self.first.size < min(dimension, self.dense.size) else None

    def size(self, dimension: int) -> int:
        """Numbers in the dense vector that is stored."""
        return min(dimension, self.dense.size)

    def disk_bytes(self, dimension: int) -> float:
        """What the vectors of one node take on disk; its words and metadata come on top."""
        return sum(form.disk_bytes for form in self.stored(dimension))

    def memory_bytes(self, dimension: int) -> float:
        """What of the vectors of one node is kept in memory."""
        return sum(form.memory_bytes for form in self.stored(dimension))

    @property
    def exact(self) -> bool:
        """Whether the vector is stored as the model gave it."""
        return self.dense.datatype == "float32"


PLANS: Mapping[PlanName, Plan] = MappingProxyType(
    {
        plan.name: plan
        for plan in (
            Plan("accurate", StoredVector(DENSE, 3072)),
            Plan(
                "balanced",
                StoredVector(DENSE, 3072, datatype="turbo8", on_disk=True, searched=False),
                first=StoredVector(FIRST, 768, datatype="turbo8"),
                candidates=20,
            ),
            Plan(
                "compact",
                StoredVector(DENSE, 768, datatype="turbo8", quantization="turbo1", on_disk=True),
                candidates=8,
            ),
        )
    }
)
DEFAULT_PLAN: PlanName = "accurate"


def plan_named(name: str) -> Plan:
    """The plan of that name; raises ``ConfigurationError``."""
    for plan in PLANS.values():
        if plan.name == name:
            return plan
    raise ConfigurationError(f"plan {name!r} is unknown; use one of {', '.join(PLANS)}")
