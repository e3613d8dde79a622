"""Plans: which forms are stored for vectors of any length, what they take, and that the engine makes and finds them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from llama_index.core.schema import Node

from llama_index_gemini_mm import media
from llama_index_gemini_mm.errors import ConfigurationError
from llama_index_gemini_mm.vector_store import PLANS, PlanName, Search, Space, Stamp, plan_named
from llama_index_gemini_mm.vector_store.edge import EdgeVectorStore
from llama_index_gemini_mm.vector_store.edge_files import current_shard, disk_bytes
from llama_index_gemini_mm.vector_store.plans import DENSE, FIRST, GRAPH

LENGTHS = (3072, 1536, 768, 256, 128)


def filled(folder: Path, plan: PlanName, vectors: np.ndarray) -> EdgeVectorStore:
    """A collection of these vectors, stored by a plan and optimized."""
    stamp = Stamp(Space("a-model", vectors.shape[1], "retrieval", 1, 1), PLANS[plan])
    store = EdgeVectorStore(folder, "plans", stamp, optimize_from=1)
    nodes = [media.build(Node, media.stable_id(str(n)), "text", "", {}) for n in range(len(vectors))]
    for node, vector in zip(nodes, vectors.tolist(), strict=True):
        node.embedding = vector
    store.add(nodes)
    store.optimize()
    return store


def unit(count: int, dimension: int) -> np.ndarray:
    vectors = np.random.default_rng(3).standard_normal((count, dimension), dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("plan", "dimension", "forms"),
    [
        ("accurate", 3072, [(DENSE, 3072, "float32", True)]),
        ("accurate", 256, [(DENSE, 256, "float32", True)]),
        ("balanced", 3072, [(DENSE, 3072, "turbo8", False), (FIRST, 768, "turbo8", True)]),
        ("balanced", 1536, [(DENSE, 1536, "turbo8", False), (FIRST, 768, "turbo8", True)]),
        ("balanced", 768, [(DENSE, 768, "turbo8", True)]),
        ("balanced", 128, [(DENSE, 128, "turbo8", True)]),
        ("compact", 3072, [(DENSE, 768, "turbo8", True)]),
        ("compact", 256, [(DENSE, 256, "turbo8", True)]),
    ],
)
def test_forms(plan: PlanName, dimension: int, forms: list[tuple[str, int, str, bool]]) -> None:
    """A form is never longer than the vector, and one of them always has the graph."""
    stored = PLANS[plan].stored(dimension)

    assert [(form.name, form.size, form.datatype, form.searched) for form in stored] == forms


def test_what_a_vector_takes() -> None:
    """By arithmetic: numbers, their small copies, links; in memory, what is not read from disk."""
    links = 2 * GRAPH.m * 4

    assert PLANS["accurate"].disk_bytes(3072) == PLANS["accurate"].memory_bytes(3072) == 3072 * 4 + links
    assert PLANS["balanced"].disk_bytes(3072) == 3072 + 768 + links
    assert PLANS["balanced"].memory_bytes(3072) == 768 + links
    assert PLANS["balanced"].memory_bytes(512) == 512 + links  # searched without a first stage
    assert PLANS["compact"].disk_bytes(3072) == 768 + 768 / 8 + links
    assert PLANS["compact"].memory_bytes(3072) == 768 / 8 + links


@pytest.mark.parametrize("plan", PLANS)
def test_what_a_vector_takes_on_disk(tmp_path: Path, plan: PlanName) -> None:
    """What 4,000 vectors more make the folder grow by is what the arithmetic says, within a fifth."""
    sizes = []
    for count in (1000, 5000):
        filled(tmp_path / str(count), plan, unit(count, 1024)).close()
        shard = current_shard(tmp_path / str(count))
        forms = [place for name in (DENSE, FIRST) for place in shard.glob(f"segments/*/vector_*-{name}")]
        sizes.append(sum(map(disk_bytes, forms)))

    assert (sizes[1] - sizes[0]) / 4000 == pytest.approx(PLANS[plan].disk_bytes(1024), rel=0.2)


@pytest.mark.parametrize("dimension", LENGTHS)
@pytest.mark.parametrize("plan", PLANS)
def test_vectors_of_any_length_are_found(tmp_path: Path, plan: PlanName, dimension: int) -> None:
    """Each vector finds itself first, at a cosine of 1, whatever the plan makes of it."""
    vectors = unit(300, dimension)
    store = filled(tmp_path, plan, vectors)

    found = store.search([Search(3, vector=vector) for vector in vectors[:50].tolist()])
    store.close()

    assert [hits[0].id for hits in found] == [media.stable_id(str(n)) for n in range(50)]
    assert all(hits[0].score == pytest.approx(1.0, abs=0.01) for hits in found)


def test_the_small_copy_is_made(tmp_path: Path) -> None:
    """``compact`` has one that stays in memory, and no other plan needs one."""
    made = {}
    for plan in PLANS:
        filled(tmp_path / plan, plan, unit(300, 256)).close()
        made[plan] = bool([*current_shard(tmp_path / plan).glob("segments/*/*/quantized*")])

    assert made == {"accurate": False, "balanced": False, "compact": True}


def test_an_unknown_plan() -> None:
    """Named with those that exist."""
    with pytest.raises(ConfigurationError, match="accurate, balanced, compact"):
        plan_named("tiny")
