"""OldIndex: what a migration needs of the index it comes from. Nothing here writes, but for ``drop``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores.types import BasePydanticVectorStore, VectorStoreQuery

from llama_index_gemini_mm.errors import ConfigurationError
from llama_index_gemini_mm.migrate.records import Record, record_of
from llama_index_gemini_mm.sparse import SparseVector
from llama_index_gemini_mm.vector_store import MediaVectorStore, Search
from llama_index_gemini_mm.vector_store.plans import DENSE

Vectors = Mapping[str, Sequence[float]]
"""Vectors by the id of their record."""


class OldIndex(ABC):
    """An index of any maker, to be read.

    Attributes:
        title: what it is and where, for people.
        media_folder: where its media lie, if it is one of this package's.
    """

    title: str
    media_folder: Path | None = None

    @abstractmethod
    def count(self) -> int:
        """How many records there are."""

    @abstractmethod
    def records(self) -> Iterator[list[Record]]:
        """All records, in batches, in a stable order."""

    @abstractmethod
    def vectors(self, ids: Sequence[str]) -> Vectors:
        """The stored vectors of these records, as far as there are any."""

    @abstractmethod
    def search(self, vector: Sequence[float], limit: int) -> list[str]:
        """The ids of the nearest records, best first."""

    def drop(self) -> None:
        """Delete the index for good. Raises ``ConfigurationError`` where that is not this package's to do."""
        raise ConfigurationError(
            f"{self.title} is not deleted from here; delete it yourself when you no longer need it"
        )

    def close(self) -> None:  # noqa: B027  # most have nothing to let go of
        """Let go of what was opened."""


class MediaSource(OldIndex):
    """A collection of this package in an embedded engine.

    Args:
        store: the collection.
        title: what it is and where.
        media_folder: where its media lie.
        owned: whether the store is closed with this.
    """

    def __init__(
        self, store: MediaVectorStore, title: str, media_folder: Path | None = None, *, owned: bool = False
    ) -> None:
        self.title, self.media_folder = title, media_folder
        self._store = store
        self._owned = owned

    def count(self) -> int:
        """How many points there are."""
        return self._store.count()

    def records(self) -> Iterator[list[Record]]:
        """All points, without their vectors."""
        for batch in self._store.points(vectors=False):
            yield [record_of(point.id, point.payload) for point in batch]

    def vectors(self, ids: Sequence[str]) -> Vectors:
        """The dense vectors, as far as the collection's plan stores them."""
        dense = {point.id: point.vectors.get(DENSE) for point in self._store.fetch(ids, vectors=True)}
        return {id_: self._store.as_query(v) for id_, v in dense.items() if v and not isinstance(v, SparseVector)}

    def search(self, vector: Sequence[float], limit: int) -> list[str]:
        """The nearest points."""
        return [found.id for found in self._store.search([Search(limit, vector=vector)])[0]]

    def close(self) -> None:
        """Close the collection, once, if it was opened for this."""
        owned, self._owned = self._owned, False
        if owned:
            self._store.close()


class StoreSource(OldIndex):
    """Any LlamaIndex vector store that stores text, through ``get_nodes``: all nodes are in memory at once.

    Raises:
        ConfigurationError: a store that cannot list its nodes.
    """

    def __init__(self, store: BasePydanticVectorStore) -> None:
        self.title = type(store).__name__
        self._store = store
        self._nodes = {node.node_id: node for node in _all_nodes(store)}

    def count(self) -> int:
        """How many nodes there are."""
        return len(self._nodes)

    def records(self) -> Iterator[list[Record]]:
        """All nodes, in one batch."""
        yield [Record(node_id, node) for node_id, node in self._nodes.items()]

    def vectors(self, ids: Sequence[str]) -> Vectors:
        """The embeddings of the nodes that came with one."""
        nodes = ((each, self._nodes[each]) for each in ids if each in self._nodes)
        return {node_id: [*map(float, node.embedding)] for node_id, node in nodes if node.embedding is not None}

    def search(self, vector: Sequence[float], limit: int) -> list[str]:
        """The nearest nodes, by the store's own query."""
        found = self._store.query(VectorStoreQuery(query_embedding=list(vector), similarity_top_k=limit))
        return list(found.ids or [node.node_id for node in found.nodes or []])


def _all_nodes(store: Any) -> Sequence[BaseNode]:
    if not store.stores_text:
        raise ConfigurationError(
            f"{type(store).__name__} stores no text; migrate the folder its docstore was persisted to instead"
        )
    try:
        return store.get_nodes(node_ids=None)  # type: ignore[no-any-return]
    except NotImplementedError as error:
        raise ConfigurationError(f"{type(store).__name__} cannot list its nodes, so they cannot be migrated") from error
