"""LanceDB behind an index: its tables have fixed columns, and media of different kinds have different metadata."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.schema import BaseNode, MediaResource, Node, NodeRelationship, RelatedNodeInfo
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryResult,
)

from llama_index_gemini_mm import media
from llama_index_gemini_mm.vector_store.base import MediaVectorStore
from llama_index_gemini_mm.vector_store.foreign import ForeignStore

LANCE = "LanceDBVectorStore"
"""LlamaIndex's class for it, which need not be installed."""
_WORDS = (
    *(media.MODALITY, media.MEDIA_REF, media.MIME_TYPE, media.TITLE, media.FILE_PATH, media.FILE_NAME),
    *(media.FILE_TYPE, media.SOURCE_SHA256, media.PAGE_LABEL, media.BBOX, media.SHEET, media.HEADING_PATH),
    *(media.CONTAINER_PATH, media.AUTHOR, media.CREATED, media.KEYWORDS, media.LANGUAGE, media.SENDER),
    *(media.RECIPIENTS, media.CHAPTER, media.THUMBNAIL_REF),
)
_WHOLE_NUMBERS = (*(media.FILE_SIZE, media.PAGE_START, media.PAGE_END, media.SLIDE, media.LINE_START, media.LINE_END),)
_FRACTIONS = (media.START_SECONDS, media.END_SECONDS, media.LATITUDE, media.LONGITUDE)
COLUMNS: Mapping[str, Any] = {
    **dict.fromkeys(_WORDS, "-"),
    **dict.fromkeys(_WHOLE_NUMBERS, 1),
    **dict.fromkeys(_FRACTIONS, 0.5),
    media.HIDDEN: True,
}
"""Every metadata key of a node, with a value of its type."""


class LanceStore(ForeignStore):
    """LlamaIndex's ``LanceDBVectorStore``, with a column for every key a node may have.

    The table gets them from a first node that has all keys and is deleted at once; every other node has the keys it
    lacks as ``None``, and loses them on its way back. Other keys than ``COLUMNS`` LanceDB refuses.
    """

    def __init__(self, store: BasePydanticVectorStore) -> None:
        super().__init__(store)

    def add(self, nodes: Sequence[BaseNode], **add_kwargs: Any) -> list[str]:
        """Store nodes with their embeddings, in the place of those with the same ids; returns their ids."""
        if nodes and not self._exists:
            self._make_table(len(nodes[0].get_embedding()))
        super().add([_padded(node) for node in nodes])
        return [node.node_id for node in nodes]

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """Delete the nodes of a document."""
        if self._exists:
            self._table.delete(f"doc_id = {_quoted(ref_doc_id)}")

    def clear(self) -> None:
        """Delete all nodes."""
        self.delete_nodes([node.node_id for node in self._nodes(None)])

    def _nodes(self, filters: MetadataFilters | None, node_ids: list[str] | None = None) -> list[BaseNode]:
        if not self._exists:
            return []
        store: Any = self._store
        nodes = store.get_nodes(filters=filters) if node_ids is None else store.get_nodes(where=_among(node_ids))
        return [_bare(node) for node in nodes]

    def _delete_ids(self, node_ids: list[str]) -> None:
        if self._exists:
            self._table.delete(_among(node_ids))

    def _query(self, query: VectorStoreQuery) -> VectorStoreQueryResult:
        result = VectorStoreQueryResult(nodes=[], similarities=[], ids=[])
        if self._exists:
            with contextlib.suppress(Warning):  # which it raises when nothing is found
                result = super()._query(query)
        result.nodes = [_bare(node) for node in result.nodes or []]
        return result

    @property
    def _exists(self) -> bool:
        from llama_index.vector_stores.lancedb.base import TableNotFoundError

        try:
            return self._table is not None
        except TableNotFoundError:
            return False

    @property
    def _table(self) -> Any:
        """LanceDB's own, for ids in LlamaIndex's conditions stand in quotes that its SQL takes for names."""
        return self._store.table  # type: ignore[attr-defined]

    def _make_table(self, dimension: int) -> None:
        first = Node(
            id_=str(uuid.uuid4()),
            text_resource=MediaResource(text="-"),
            metadata=dict(COLUMNS),
            relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id="-")},
            embedding=[1.0] * dimension,
        )
        self._store.add([first])
        self._delete_ids([first.node_id])


def as_searchable(store: BasePydanticVectorStore) -> MediaVectorStore | ForeignStore:
    """A store with our ``search``: itself if it has one."""
    if isinstance(store, MediaVectorStore | ForeignStore):
        return store
    return LanceStore(store) if type(store).__name__ == LANCE else ForeignStore(store)


def _among(node_ids: Sequence[str]) -> str:
    return f"id in ({', '.join(map(_quoted, node_ids))})"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _padded(node: BaseNode) -> BaseNode:
    return node.model_copy(update={"metadata": {**dict.fromkeys(COLUMNS), **node.metadata}})


def _bare(node: BaseNode) -> BaseNode:
    node.metadata = {key: value for key, value in node.metadata.items() if value is not None}
    return node
