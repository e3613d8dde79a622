"""A sample of a collection: points as they are stored, and their vectors as one matrix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from llama_index_gemini_mm.media import MODALITY
from llama_index_gemini_mm.sparse import SparseVector
from llama_index_gemini_mm.vector_store import MediaVectorStore, Point
from llama_index_gemini_mm.vector_store.plans import DENSE, SPARSE, Plan
from llama_index_gemini_mm.vector_store.points import StoredForm, prefix

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Sample:
    """Points without their dense vectors, which are the rows of ``vectors``, at unit length, and their modalities."""

    points: list[Point]
    vectors: Matrix
    modalities: npt.NDArray[np.str_]

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return int(self.vectors.shape[1])

    def by_plan(self, plan: Plan) -> Iterator[Point]:
        """The points with the vectors that ``plan`` stores."""
        forms = plan.stored(self.dimension)
        for point, vector in zip(self.points, self.vectors, strict=True):
            dense: dict[str, StoredForm] = {form.name: prefix(vector, form.size) for form in forms}
            yield Point(point.id, point.payload, point.vectors | dense)  # type: ignore[operator]

    def queries(self, most: int) -> dict[str, npt.NDArray[np.intp]]:
        """Rows to search by: at most ``most`` of each modality."""
        return {str(name): np.flatnonzero(self.modalities == name)[:most] for name in np.unique(self.modalities)}


def draw(store: MediaVectorStore, size: int) -> Sample:
    """At most ``size`` points that have a vector.

    They are the first by id. Ids are hashes, so that these are as good as any choice by lot, and no other is read.
    """
    points: list[Point] = []
    rows: list[Matrix] = []
    for point in _points(store):
        if len(points) == size:
            break
        dense = point.vectors.get(DENSE)
        if dense is not None and not isinstance(dense, SparseVector):
            rows.append(np.asarray(dense, dtype=np.float32))
            points.append(Point(point.id, point.payload, _words(point.vectors)))
    vectors = np.stack(rows) if rows else np.zeros((0, store.stamp.space.dimension), np.float32)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return Sample(points, vectors, np.array([_modality(point.payload) for point in points], dtype=np.str_))


def _points(store: MediaVectorStore) -> Iterator[Point]:
    for batch in store.points():
        yield from batch


def _words(vectors: Mapping[str, StoredForm]) -> dict[str, StoredForm]:
    return {SPARSE: vectors[SPARSE]} if SPARSE in vectors else {}


def _modality(payload: Mapping[str, Any]) -> str:
    return str(payload.get(MODALITY, "text"))
