"""MediaVectorStore: LlamaIndex's face of an engine, which supplies a few small methods."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)

from llama_index_gemini_mm.errors import ConfigurationError, IndexMismatch
from llama_index_gemini_mm.sparse import query_vector
from llama_index_gemini_mm.vector_store.points import NODE_FIELDS, Found, Point, Search, point_id, point_of, prefix
from llama_index_gemini_mm.vector_store.space import REMEDY, Stamp

UPLOAD = 256
"""Points in one write."""


@dataclass(frozen=True)
class StoreInfo:
    """What an engine holds: points, those in its graph, and bytes on disk (0 where they cannot be known)."""

    engine: str
    points: int
    indexed: int
    disk_bytes: int


@dataclass(frozen=True)
class Capabilities:
    """What a store can do besides finding the nearest nodes.

    Attributes:
        sparse: search by words.
        exact: look at every vector at full precision.
        vectors: bring the dense vectors along.
        cosine: scores are cosines; otherwise they have the store's own scale, and only their order counts.
    """

    sparse: bool = True
    exact: bool = True
    vectors: bool = True
    cosine: bool = True


@dataclass(frozen=True)
class _Sizes:
    """Numbers in a vector as it is given, in the dense one that is stored, and in that of the first stage; 0 is none.

    Reckoned once for all searches.
    """

    given: int
    dense: int
    first: int

    @classmethod
    def of(cls, stamp: Stamp) -> _Sizes:
        given = stamp.space.dimension
        first = stamp.plan.first_stage(given)
        return cls(given, stamp.plan.size(given), first.size if first else 0)


class MediaVectorStore(BasePydanticVectorStore):
    """A collection of nodes of every medium, stored by a plan and stamped with the space of its vectors.

    ``query`` knows the modes ``DEFAULT`` and ``SPARSE``; hybrid search and fairness between media are the work of
    ``MediaRetriever``.
    """

    stores_text: bool = True
    flat_metadata: bool = False
    collection_name: str
    _stamp: Stamp = PrivateAttr()
    _sizes: _Sizes = PrivateAttr()

    def __init__(self, collection_name: str, stamp: Stamp) -> None:
        super().__init__(collection_name=collection_name)  # type: ignore[call-arg]  # pydantic's own constructor
        self._stamp = stamp
        self._sizes = _Sizes.of(stamp)

    @property
    def stamp(self) -> Stamp:
        """The space of the vectors, and the plan they are stored by."""
        return self._stamp

    @property
    def capabilities(self) -> Capabilities:
        """Everything."""
        return Capabilities()

    def check(self) -> None:
        """Make sure that the collection still holds this space; where others can change it, ask.

        Raises:
            IndexMismatch: it holds another one now.
        """

    def id_of(self, node_id: str) -> str:
        """The id of the point in which a node is stored."""
        return point_id(node_id)

    # What an engine supplies.

    @abstractmethod
    def put(self, points: Sequence[Point]) -> None:
        """Write points; those with the same id are replaced. Durable when this returns."""

    @abstractmethod
    def search(self, searches: Sequence[Search]) -> list[list[Found]]:
        """Run searches together; best first."""

    @abstractmethod
    def points(
        self, filters: MetadataFilters | None = None, *, vectors: bool = True, batch_size: int = 256
    ) -> Iterator[list[Point]]:
        """All points, in batches, in a stable order."""

    @abstractmethod
    def fetch(self, ids: Sequence[str], *, vectors: bool = False) -> list[Point]:
        """The points with these ids that exist."""

    @abstractmethod
    def count(self, filters: MetadataFilters | None = None) -> int:
        """How many points there are."""

    @abstractmethod
    def _delete(
        self, filters: MetadataFilters | None = None, doc_ids: Sequence[str] = (), point_ids: Sequence[str] = ()
    ) -> None:
        """Delete what matches all of these; without any, everything."""

    @abstractmethod
    def info(self) -> StoreInfo:
        """What is held."""

    @abstractmethod
    def optimize(self) -> None:
        """Bring what was written into the form that is searched fastest, if that pays. Searches go on meanwhile."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything."""

    def as_query(self, stored: Sequence[float]) -> list[float]:
        """A stored dense vector as one to search by: of what the plan has left out, nothing is asked."""
        return [*stored, *[0.0] * (self._stamp.space.dimension - len(stored))]

    # LlamaIndex's face.

    def add(self, nodes: Sequence[BaseNode], **add_kwargs: Any) -> list[str]:
        """Store nodes with their embeddings; returns their ids.

        Raises:
            IndexMismatch: embeddings of another length than this collection's.
        """
        for start in range(0, len(nodes), UPLOAD):
            self.put([self._point(node) for node in nodes[start : start + UPLOAD]])
        return [node.node_id for node in nodes]

    async def async_add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:
        """``add`` in a thread."""
        return await asyncio.to_thread(self.add, nodes)

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """Delete the nodes of a document."""
        self._delete(doc_ids=[ref_doc_id])

    async def adelete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """``delete`` in a thread."""
        await asyncio.to_thread(self.delete, ref_doc_id)

    def delete_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None, **delete_kwargs: Any
    ) -> None:
        """Delete nodes by id, by filter, or those of these ids that match the filter; without either, nothing."""
        if node_ids or (filters and filters.filters):
            self._delete(filters, point_ids=[*map(self.id_of, node_ids or ())])

    async def adelete_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None, **delete_kwargs: Any
    ) -> None:
        """``delete_nodes`` in a thread."""
        await asyncio.to_thread(self.delete_nodes, node_ids, filters)

    def clear(self) -> None:
        """Delete all nodes."""
        self._delete()

    async def aclear(self) -> None:
        """``clear`` in a thread."""
        await asyncio.to_thread(self.clear)

    def get_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None, limit: int | None = None
    ) -> list[BaseNode]:
        """Nodes by id or filter, or all; at most ``limit``. With embeddings, if the plan stores them at full length."""
        wanted = None if node_ids is None else dict.fromkeys(map(self.id_of, node_ids))
        whole = self._stamp.plan.size(self._stamp.space.dimension) == self._stamp.space.dimension
        if wanted is not None and filters is None:
            found = {point.id: point for point in self.fetch(list(wanted), vectors=whole)}
            return [found[each].node for each in wanted if each in found][:limit]
        nodes: list[BaseNode] = []
        for batch in self.points(filters, vectors=whole):
            nodes += [point.node for point in batch if wanted is None or point.id in wanted]
            if limit is not None and len(nodes) >= limit:
                return nodes[:limit]
        return nodes

    async def aget_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None, limit: int | None = None
    ) -> list[BaseNode]:
        """``get_nodes`` in a thread."""
        return await asyncio.to_thread(self.get_nodes, node_ids, filters, limit)

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """LlamaIndex's query; similarities are cosines, or BM25 scores in the mode ``SPARSE``.

        Raises:
            ConfigurationError: a mode that is neither ``DEFAULT`` nor ``SPARSE``.
        """
        search = _search_of(query)
        found = self.search([search])[0] if search is not None else []
        nodes = [each.node for each in found]
        return VectorStoreQueryResult(
            nodes=nodes, similarities=[each.score for each in found], ids=[node.node_id for node in nodes]
        )

    async def aquery(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """``query`` in a thread."""
        return await asyncio.to_thread(self.query, query)

    def _point(self, node: BaseNode) -> Point:
        self._require_length(len(node.get_embedding()))
        return point_of(node, self.id_of(node.node_id), self._stamp.plan, self._stamp.space.dimension)

    def _vectors_of(self, search: Search) -> tuple[list[float], list[float] | None]:
        """A query's vector as long as the stored ones, and the short one of the first stage, where there is one."""
        vector, sizes = search.vector or (), self._sizes
        self._require_length(len(vector))
        near = prefix(vector, sizes.first) if sizes.first and not search.exact else None
        return list(vector) if sizes.dense == sizes.given else prefix(vector, sizes.dense), near

    def _require_length(self, given: int) -> None:
        if given != self._sizes.given:
            raise IndexMismatch(f"a vector of {given} numbers", str(self._stamp.space), REMEDY)


def _search_of(query: VectorStoreQuery) -> Search | None:
    """``None`` when the query has no words to search by."""
    if query.mode == VectorStoreQueryMode.SPARSE:
        sparse = query_vector(query.query_str or "")
        limit = query.sparse_top_k or query.similarity_top_k
        return replace(_among(query), limit=limit, vector=None, sparse=sparse) if sparse else None
    if query.mode != VectorStoreQueryMode.DEFAULT:
        raise ConfigurationError(f"query mode {query.mode.value!r} is unknown here; MediaRetriever searches hybrid")
    return _among(query)


def _among(query: VectorStoreQuery) -> Search:
    return Search(
        query.similarity_top_k,
        vector=query.query_embedding,
        filters=query.filters,
        doc_ids=query.doc_ids or (),
        node_ids=query.node_ids or (),
        fields=NODE_FIELDS,
    )
