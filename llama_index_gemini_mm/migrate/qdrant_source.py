"""QdrantSource: a collection that LlamaIndex, LangChain or anyone keeps in Qdrant, read by scrolling.

LlamaIndex's own ``get_nodes`` ends at 9,999 nodes; scrolling does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from qdrant_client import QdrantClient, models

from llama_index_gemini_mm.errors import ConfigurationError
from llama_index_gemini_mm.migrate.records import Record, record_of
from llama_index_gemini_mm.migrate.sources import OldIndex, Vectors
from llama_index_gemini_mm.vector_store.plans import DENSE
from llama_index_gemini_mm.vector_store.server import Calls

_BATCH = 1000
"""Local mode sorts all ids for each batch, so few large ones are read."""
_ATTEMPTS = 5


class QdrantSource(OldIndex):
    """A collection of a Qdrant client, with one unnamed vector or with named ones.

    Args:
        client: a client of a server, or in local mode.
        collection: the collection; an alias is followed.
        title: what it is and where; made up when left out.
        owned: whether the client is closed with this.
        media_folder: where the media of a collection of this package lie.
        url: the server, to be named in errors.

    Raises:
        ConfigurationError: there is no such collection.
    """

    def __init__(
        self,
        client: QdrantClient,
        collection: str,
        title: str = "",
        *,
        owned: bool = False,
        media_folder: Path | None = None,
        url: str = "",
    ) -> None:
        self._call = Calls(url, _ATTEMPTS)
        if not client.collection_exists(collection):
            names = ", ".join(sorted(each.name for each in client.get_collections().collections)) or "none"
            raise ConfigurationError(f"there is no collection {collection!r} in Qdrant; there are: {names}")
        self.client, self.collection = client, collection
        self.title = title or f"Qdrant collection {collection}"
        self.media_folder = media_folder
        self._owned = owned
        self._using = _vector_name(client, collection)

    def count(self) -> int:
        """How many points there are."""
        return self._call(lambda: self.client.count(self.collection, exact=True)).count

    def records(self) -> Iterator[list[Record]]:
        """All points by id, without their vectors."""
        offset: Any = None
        while True:
            rows, offset = self._call(partial(self._page, offset))
            yield [record_of(str(row.id), row.payload or {}) for row in rows]
            if offset is None:
                return

    def _page(self, offset: Any) -> tuple[list[models.Record], Any]:
        return self.client.scroll(self.collection, limit=_BATCH, offset=offset, with_payload=True, with_vectors=False)

    def vectors(self, ids: Sequence[str]) -> Vectors:
        """The dense vectors."""
        wanted: Any = [_qdrant_id(each) for each in ids]
        named = True if self._using is None else [self._using]
        rows = self._call(lambda: self.client.retrieve(self.collection, wanted, with_payload=False, with_vectors=named))
        found = ((str(row.id), _plain(row.vector, self._using)) for row in rows)
        return {record_id: vector for record_id, vector in found if vector is not None}

    def search(self, vector: Sequence[float], limit: int) -> list[str]:
        """The nearest points."""
        found = self._call(
            lambda: self.client.query_points(
                self.collection, query=list(vector), using=self._using, limit=limit, with_payload=False
            )
        )
        return [str(point.id) for point in found.points]

    def drop(self) -> None:
        """Delete the collection."""
        self.client.delete_collection(self.collection)

    def close(self) -> None:
        """Close the client, if it was made for this."""
        if self._owned:
            self.client.close()


def _vector_name(client: QdrantClient, collection: str) -> str | None:
    """The dense vector to compare by: the only one, which may have no name, or LlamaIndex's own, or the first."""
    vectors = client.get_collection(collection).config.params.vectors
    if not isinstance(vectors, dict):
        return None
    names = sorted(vectors)
    return DENSE if DENSE in names else names[0] if names else None


def _plain(vector: Any, using: str | None) -> list[float] | None:
    if isinstance(vector, dict):
        vector = vector.get(using)
    return None if vector is None else list(vector)


def _qdrant_id(record_id: str) -> str | int:
    return int(record_id) if record_id.isdecimal() else record_id
