"""Any other LlamaIndex vector store in the place of ours: the same searches, as far as it can do them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryResult,
)
from llama_index.core.vector_stores.utils import node_to_metadata_dict

from llama_index_gemini_mm.errors import ConfigurationError
from llama_index_gemini_mm.vector_store.base import Capabilities
from llama_index_gemini_mm.vector_store.filters import DOCUMENT_ID
from llama_index_gemini_mm.vector_store.plans import DENSE
from llama_index_gemini_mm.vector_store.points import Found, PlainRow, Point, Search, point_id

_AT_ONCE = 256
"""Nodes in one call of the other store."""


class Searchable(Protocol):
    """What a retriever needs of a store."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do besides finding the nearest nodes."""
        ...

    def search(self, searches: Sequence[Search]) -> list[list[Found]]:
        """The best of each search, best first."""
        ...


class ForeignStore(BasePydanticVectorStore):
    """Another LlamaIndex vector store, written to and searched like ours.

    It finds the nearest nodes, by its own measure, among those of a filter or of documents. Everything else its
    ``capabilities`` deny, and it raises ``ConfigurationError``. Nodes with the same id are replaced, which not every
    store does by itself.

    Args:
        store: it stays the caller's to close.
    """

    stores_text: bool = True
    flat_metadata: bool = False
    _store: BasePydanticVectorStore = PrivateAttr()

    def __init__(self, store: BasePydanticVectorStore) -> None:
        super().__init__(stores_text=store.stores_text)
        self._store = store

    @classmethod
    def class_name(cls) -> str:
        """LlamaIndex's serialisation id."""
        return "ForeignStore"

    @property
    def client(self) -> Any:
        """The other store's."""
        return self._store.client

    @property
    def store(self) -> BasePydanticVectorStore:
        """The other store."""
        return self._store

    @property
    def capabilities(self) -> Capabilities:
        """Only the nearest nodes; a score says no more than the order."""
        return Capabilities(sparse=False, exact=False, vectors=False, cosine=False)

    def search(self, searches: Sequence[Search]) -> list[list[Found]]:
        """Run searches, one after the other.

        Raises:
            ConfigurationError: a search by words, an exact one, one that wants vectors, or one among given nodes.
        """
        return [self._search(each) for each in searches]

    def count(self, filters: MetadataFilters | None = None) -> int:
        """How many nodes there are, by looking at all of them.

        Raises:
            ConfigurationError: the store cannot list its nodes.
        """
        return len(self._nodes(filters))

    def points(
        self, filters: MetadataFilters | None = None, *, vectors: bool = True, batch_size: int = 256
    ) -> Iterator[list[Point]]:
        """All nodes as points, in batches.

        Raises:
            ConfigurationError: the store cannot list its nodes, or gives no vectors with them.
        """
        nodes = self._nodes(filters)
        for start in range(0, len(nodes), batch_size):
            yield [self._point(node, vectors) for node in nodes[start : start + batch_size]]

    def add(self, nodes: Sequence[BaseNode], **add_kwargs: Any) -> list[str]:
        """Store nodes with their embeddings, in the place of those with the same ids; returns their ids."""
        self.delete_nodes([node.node_id for node in nodes])
        for start in range(0, len(nodes), _AT_ONCE):
            self._store.add(list(nodes[start : start + _AT_ONCE]))
        return [node.node_id for node in nodes]

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """Delete the nodes of a document."""
        self._store.delete(ref_doc_id)

    def delete_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None, **delete_kwargs: Any
    ) -> None:
        """Delete nodes by id, or those that match a filter if the store can list them."""
        if filters is not None:
            wanted = None if node_ids is None else set(node_ids)
            matching = [node.node_id for node in self._nodes(filters)]
            node_ids = [each for each in matching if wanted is None or each in wanted]
        if not self._is_made:
            return
        for start in range(0, len(node_ids or ()), _AT_ONCE):
            self._delete_ids((node_ids or [])[start : start + _AT_ONCE])

    def clear(self) -> None:
        """Delete all nodes."""
        self._store.clear()

    def get_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None, limit: int | None = None
    ) -> list[BaseNode]:
        """Nodes by id or filter, or all; at most ``limit``.

        Raises:
            ConfigurationError: the store cannot list its nodes.
        """
        if node_ids is not None and not node_ids:
            return []
        wanted = None if node_ids is None or filters is None else set(node_ids)
        nodes = self._nodes(filters, node_ids if filters is None else None)
        return [node for node in nodes if wanted is None or node.node_id in wanted][:limit]

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """The other store's answer; similarities have its own scale."""
        return self._query(query)

    async def aquery(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """``query`` in a thread."""
        return await asyncio.to_thread(self.query, query)

    async def async_add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:
        """``add`` in a thread."""
        return await asyncio.to_thread(self.add, nodes)

    def _delete_ids(self, node_ids: list[str]) -> None:
        self._store.delete_nodes(node_ids)

    def _query(self, query: VectorStoreQuery) -> VectorStoreQueryResult:
        return self._store.query(query)

    def _search(self, search: Search) -> list[Found]:
        self._refuse_what_it_cannot(search)
        if not self._is_made:
            return []
        query = VectorStoreQuery(
            query_embedding=list(search.vector or ()), similarity_top_k=search.limit, filters=_narrowed(search)
        )
        result = self._query(query)
        nodes, scores = result.nodes or [], result.similarities or []
        return [
            Found(float(score), PlainRow(point_id(node.node_id), _payload(node)))
            for node, score in zip(nodes, scores, strict=True)
        ]

    def _refuse_what_it_cannot(self, search: Search) -> None:
        wishes = {
            "search by words": search.sparse,
            "search exactly": search.exact,
            "bring vectors along": search.with_vectors,
            "search among given nodes": search.node_ids,
        }
        for wish in (name for name, wanted in wishes.items() if wanted):
            raise ConfigurationError(f"{self._name} cannot {wish}; keep the index in Qdrant, or do without")

    def _nodes(self, filters: MetadataFilters | None, node_ids: list[str] | None = None) -> list[BaseNode]:
        if type(self._store).get_nodes is BasePydanticVectorStore.get_nodes:
            raise ConfigurationError(f"{self._name} cannot list its nodes; keep the index in Qdrant, or do without")
        return self._store.get_nodes(node_ids=node_ids, filters=filters) if self._is_made else []

    def _point(self, node: BaseNode, vectors: bool) -> Point:
        if vectors and node.embedding is None:
            raise ConfigurationError(f"{self._name} lists its nodes without their vectors; ask for vectors=False")
        return Point(point_id(node.node_id), _payload(node), {DENSE: node.get_embedding()} if vectors else {})

    @property
    def _is_made(self) -> bool:
        """LlamaIndex's Qdrant store makes its collection when the first node comes, and fails at all else before."""
        return bool(getattr(self._store, "_collection_initialized", True))

    @property
    def _name(self) -> str:
        return type(self._store).__name__


def _narrowed(search: Search) -> MetadataFilters | None:
    if not search.doc_ids:
        return search.filters
    of_documents = MetadataFilter(key=DOCUMENT_ID, value=list(search.doc_ids), operator=FilterOperator.IN)
    return MetadataFilters(filters=[of_documents, search.filters] if search.filters else [of_documents])


def _payload(node: BaseNode) -> dict[str, object]:
    return node_to_metadata_dict(node, remove_text=False, flat_metadata=False)
