"""Sources that lie in folders: Chroma's, and what LlamaIndex persists of a storage context."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.vector_stores import SimpleVectorStore
from llama_index.core.vector_stores.types import VectorStoreQuery

from llama_index_gemini_mm.errors import ConfigurationError
from llama_index_gemini_mm.migrate.records import Record, record_of
from llama_index_gemini_mm.migrate.sources import OldIndex, Vectors

DOCSTORE_FILE = "docstore.json"
_VECTOR_STORES = "*vector_store.json"
_BATCH = 1000


class ChromaSource(OldIndex):
    """A Chroma collection.

    Args:
        client: a Chroma client, to delete the collection with; ``None`` when that is not wanted.
        collection: the collection.
        title: what it is and where.
    """

    def __init__(self, client: Any, collection: Any, title: str = "") -> None:
        self.title = title or f"Chroma collection {collection.name}"
        self._client, self._collection = client, collection

    def count(self) -> int:
        """How many entries there are."""
        return int(self._collection.count())

    def records(self) -> Iterator[list[Record]]:
        """All entries, without their vectors."""
        offset = 0
        while True:
            page = self._collection.get(limit=_BATCH, offset=offset, include=["documents", "metadatas"])
            rows = list(zip(page["ids"], page["metadatas"], page["documents"], strict=True))
            if not rows:
                return
            yield [record_of(str(each), metadata or {}, text or "") for each, metadata, text in rows]
            offset += len(rows)

    def vectors(self, ids: Sequence[str]) -> Vectors:
        """The stored embeddings."""
        page = self._collection.get(ids=list(ids), include=["embeddings"])
        return {each: [*map(float, vector)] for each, vector in zip(page["ids"], page["embeddings"], strict=True)}

    def search(self, vector: Sequence[float], limit: int) -> list[str]:
        """The nearest entries."""
        found = self._collection.query(query_embeddings=[list(vector)], n_results=limit, include=[])
        return [str(each) for each in found["ids"][0]]

    def drop(self) -> None:
        """Delete the collection."""
        if self._client is None:
            super().drop()
        self._client.delete_collection(self._collection.name)


class PersistedSource(OldIndex):
    """A folder that ``storage_context.persist`` has written: a docstore, and perhaps simple vector stores.

    Nodes are those that a vector store there has a vector of; all of the docstore when the vectors are elsewhere. Both
    files are read into memory whole, as LlamaIndex does.
    """

    def __init__(self, folder: Path) -> None:
        self.title = f"LlamaIndex storage in {folder}"
        try:
            self._docstore = SimpleDocumentStore.from_persist_path(str(folder / DOCSTORE_FILE))
            files = sorted(folder.glob(_VECTOR_STORES))
            self._stores = [SimpleVectorStore.from_persist_path(str(file)) for file in files]
        except (OSError, ValueError, KeyError) as error:
            raise ConfigurationError(f"{self.title} cannot be read: {error}") from error
        with_vectors = dict.fromkeys(each for store in self._stores for each in store.data.embedding_dict)
        self._ids = list(with_vectors or self._docstore.docs)

    def count(self) -> int:
        """How many nodes there are."""
        return len(self._ids)

    def records(self) -> Iterator[list[Record]]:
        """All nodes."""
        for start in range(0, len(self._ids), _BATCH):
            yield [self._record(node_id) for node_id in self._ids[start : start + _BATCH]]

    def vectors(self, ids: Sequence[str]) -> Vectors:
        """The vectors of the simple vector stores."""
        tables = [store.data.embedding_dict for store in self._stores]
        return {each: table[each] for table in tables for each in ids if each in table}

    def search(self, vector: Sequence[float], limit: int) -> list[str]:
        """The nearest nodes of the vector store whose vectors are as long as this one."""
        query = VectorStoreQuery(query_embedding=list(vector), similarity_top_k=limit)
        for store in self._stores:
            if any(len(each) == len(vector) for each in store.data.embedding_dict.values()):
                return list(store.query(query).ids or [])
        return []

    def _record(self, node_id: str) -> Record:
        node = self._docstore.get_document(node_id, raise_error=False)
        reason = "" if node is not None else f"{DOCSTORE_FILE} has no node of this id, only its vector is there"
        return Record(node_id, node, reason)
