"""Points: nodes in the form in which they are stored, the same in every engine and in LlamaIndex's own Qdrant store."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import orjson
from llama_index.core.schema import BaseNode, ImageNode, IndexNode, MetadataMode, Node, TextNode
from llama_index.core.vector_stores.types import MetadataFilters
from llama_index.core.vector_stores.utils import metadata_dict_to_node, node_to_metadata_dict

from llama_index_gemini_mm.sparse import SparseVector, document_vector
from llama_index_gemini_mm.vector_store.plans import DENSE, SPARSE, Plan

StoredForm = Sequence[float] | SparseVector
NODE_FIELDS = NODE_CONTENT, _KIND = "_node_content", "_node_type"
"""LlamaIndex's keys for the node as JSON and its class; the others in a payload repeat its metadata for filters."""
_KINDS: Mapping[str, type[BaseNode]] = {kind.class_name(): kind for kind in (Node, IndexNode, ImageNode)}
_NODE_IDS = uuid.UUID("6f1d0f9c-7a39-5a0e-9d3c-4f4d5f0b8c11")


@dataclass(frozen=True)
class Point:
    """A stored node: a UUID, its payload, and its vectors by name."""

    id: str
    payload: dict[str, Any]
    vectors: Mapping[str, StoredForm]

    @property
    def node(self) -> BaseNode:
        """The node, with its dense vector where that is at hand."""
        node = node_of(self.payload)
        dense = self.vectors.get(DENSE)
        if dense is not None and not isinstance(dense, SparseVector):
            node.embedding = list(dense)
        return node

    @property
    def node_content(self) -> str:
        """The whole node, as JSON."""
        return str(self.payload[NODE_CONTENT])

    @property
    def node_id(self) -> str:
        """The node's id, which is the point's own if that is a UUID and there are no tenants."""
        return _node_id(self.payload)


@dataclass(frozen=True)
class Search:
    """One search, by ``vector`` (as long as the space's vectors) or by ``sparse``.

    ``node_ids`` and ``doc_ids`` are those of LlamaIndex's nodes and documents; only these are searched.
    ``exact`` looks at every point at full precision; ``with_vectors`` brings the dense vectors along.
    ``fields`` are the keys of payloads that are wanted; all of them without.
    """

    limit: int
    vector: Sequence[float] | None = None
    sparse: SparseVector | None = None
    filters: MetadataFilters | None = None
    doc_ids: Sequence[str] = ()
    node_ids: Sequence[str] = ()
    exact: bool = False
    with_vectors: bool = False
    fields: Sequence[str] | None = None


class Row(Protocol):
    """A stored point as an engine gives it."""

    @property
    def id(self) -> Any:
        """A string, a number or a UUID."""

    @property
    def payload(self) -> dict[str, Any] | None:
        """All of it, or the fields that were asked for."""

    @property
    def vector(self) -> Any:
        """By name, those that were asked for."""


@dataclass(frozen=True)
class PlainRow:
    """A row of our own making."""

    id: str
    payload: dict[str, Any]
    vector: Mapping[str, Sequence[float]] | None = None


@dataclass(frozen=True, eq=False)
class Found:
    """A point that a search has found. Taking things out of an engine's row costs time, so that waits until asked."""

    score: float
    row: Row = field(repr=False)

    def __eq__(self, other: object) -> bool:
        """Whether it is the same point, with the same score and content."""
        if not isinstance(other, Found):
            return NotImplemented
        return (self.score, self.id, self.payload, self.vector) == (other.score, other.id, other.payload, other.vector)

    def __hash__(self) -> int:
        """By its id."""
        return hash(self.id)

    @cached_property
    def id(self) -> str:
        """The point's id."""
        return str(self.row.id)

    @cached_property
    def payload(self) -> dict[str, Any]:
        """What was asked for of it."""
        return self.row.payload or {}

    @cached_property
    def vector(self) -> Sequence[float] | None:
        """The dense vector, if it was asked for."""
        vectors = self.row.vector
        return vectors[DENSE] if vectors else None

    @property
    def node(self) -> BaseNode:
        """The node."""
        return node_of(self.row.payload or {})

    @property
    def node_id(self) -> str:
        """The node's id, which is the point's own if that is a UUID and there are no tenants."""
        return _node_id(self.payload)


def node_of(payload: Mapping[str, Any]) -> BaseNode:
    """The node of a payload, equal to LlamaIndex's ``metadata_dict_to_node`` in half its time."""
    try:
        content = orjson.loads(payload[NODE_CONTENT])
    except (KeyError, orjson.JSONDecodeError):
        return metadata_dict_to_node(dict(payload))  # which takes NaN, and says what is missing
    return _KINDS.get(payload.get(_KIND, ""), TextNode).model_validate(content)


def _node_id(payload: Mapping[str, Any]) -> str:
    return str(orjson.loads(payload[NODE_CONTENT])["id_"])


def point_id(node_id: str) -> str:
    """The id of a node's point: itself if it is a UUID, as ours are, else one made of it."""
    try:
        return str(uuid.UUID(node_id))
    except ValueError:
        return str(uuid.uuid5(_NODE_IDS, node_id))


def point_of(node: BaseNode, point_id: str, plan: Plan, dimension: int) -> Point:
    """A node as the point of that id: every form of its vector that the plan stores, and its words, sparse."""
    whole = np.asarray(node.get_embedding(), dtype=np.float32)
    vectors: dict[str, StoredForm] = {form.name: prefix(whole, form.size) for form in plan.stored(dimension)}
    words = document_vector(node.get_content(metadata_mode=MetadataMode.NONE))
    if words is not None:
        vectors[SPARSE] = words
    payload = node_to_metadata_dict(node, remove_text=False, flat_metadata=False)
    return Point(point_id, payload, vectors)


def prefix(vector: Sequence[float] | np.ndarray[Any, np.dtype[np.float32]], size: int) -> list[float]:
    """The first ``size`` numbers at unit length."""
    head = np.asarray(vector, dtype=np.float32)[:size]
    length = float(np.linalg.norm(head))
    return (head / length if length else head).tolist()  # type: ignore[no-any-return]
