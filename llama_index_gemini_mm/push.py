"""Push: copy a collection into another, from a folder to a server for instance, without embedding anything again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from llama_index_gemini_mm.errors import IndexMismatch, IndexUnavailable
from llama_index_gemini_mm.sparse import SparseVector
from llama_index_gemini_mm.vector_store.base import MediaVectorStore
from llama_index_gemini_mm.vector_store.plans import DENSE, SPARSE
from llama_index_gemini_mm.vector_store.points import Point, StoredForm, prefix
from llama_index_gemini_mm.vector_store.space import REMEDY


@dataclass(frozen=True)
class PushProgress:
    """How far it is: points looked at out of all, and how many of them were copied."""

    done: int
    total: int
    copied: int


@dataclass(frozen=True)
class PushReport:
    """What was done: ``points`` of the source is the sum of ``copied`` and ``present``.

    ``present`` were in the target already, with the same content. ``others`` are the target's points that the source
    does not have; they are left alone.
    """

    points: int
    copied: int
    present: int
    others: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


def push(
    source: MediaVectorStore,
    target: MediaVectorStore,
    on_progress: Callable[[PushProgress], None] | None = None,
    batch_size: int = 256,
) -> PushReport:
    """Copy all points, with their payloads and every form of their vectors. A push that was stopped goes on.

    Args:
        source: it must not change meanwhile.
        target: of the same space; of the same plan, or of one whose vectors can be made of the source's.
        on_progress: called after each batch.
        batch_size: points read and written together.

    Raises:
        IndexMismatch: another space, or a plan that needs longer or finer vectors than the source has.
        IndexUnavailable: the target's server fails, or holds another number of points in the end than it was given.
    """
    started = time.monotonic()
    target.check()
    _require_fit(source, target)
    total, held = source.count(), target.count()
    done = copied = added = 0
    for batch in source.points(batch_size=batch_size):
        moved = [_moved(point, target) for point in batch]
        existing = {point.id: point for point in target.fetch([point.id for point in moved])}
        new = [point for point in moved if not _is_same(point, existing.get(point.id))]
        if new:
            target.put(new)
        done, copied, added = done + len(batch), copied + len(new), added + len(batch) - len(existing)
        if on_progress:
            on_progress(PushProgress(done, total, copied))
    _require_count(target, held + added)
    return PushReport(done, copied, done - copied, held + added - done, round(time.monotonic() - started, 3))


def _require_fit(source: MediaVectorStore, target: MediaVectorStore) -> None:
    target.stamp.space.require(source.stamp.space)
    has, wants, dimension = source.stamp.plan, target.stamp.plan, source.stamp.space.dimension
    if wants.size(dimension) > has.size(dimension) or (wants.exact and not has.exact):
        raise IndexMismatch(f"the plan {wants.name}", f"vectors stored by the plan {has.name}", REMEDY)


def _moved(point: Point, target: MediaVectorStore) -> Point:
    return replace(point, id=target.id_of(point.node_id), vectors=_forms(point.vectors, target))


def _forms(vectors: Mapping[str, StoredForm], target: MediaVectorStore) -> dict[str, StoredForm]:
    """The forms that the target's plan stores, made of the source's dense vector."""
    dense: Any = vectors[DENSE]
    forms: dict[str, StoredForm] = {
        form.name: _prefix(dense, form.size) for form in target.stamp.plan.stored(target.stamp.space.dimension)
    }
    words = vectors.get(SPARSE)
    return {**forms, SPARSE: words} if isinstance(words, SparseVector) else forms


def _prefix(dense: Sequence[float], size: int) -> Sequence[float]:
    """The very numbers, where all are wanted."""
    return dense if size == len(dense) else prefix(dense, size)


def _is_same(point: Point, existing: Point | None) -> bool:
    """By the node, which stands in the payload as a whole: of one space, equal nodes have equal vectors."""
    return existing is not None and existing.node_content == point.node_content


def _require_count(target: MediaVectorStore, expected: int) -> None:
    found = target.count()
    if found != expected:
        reason = f"it holds {found} points after the push, and not {expected}; push again"
        raise IndexUnavailable(target.collection_name, reason)
