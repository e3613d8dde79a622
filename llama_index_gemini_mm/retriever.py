"""MediaRetriever: a query of words, media or both; nodes of any medium with their scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.callbacks import CallbackManager
from llama_index.core.schema import NodeWithScore, QueryBundle
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryResult,
)

from llama_index_gemini_mm.embedding import GeminiMultimodalEmbedding
from llama_index_gemini_mm.errors import ConfigurationError
from llama_index_gemini_mm.limits import MODALITIES, Modality
from llama_index_gemini_mm.media import MODALITY


class MediaRetriever(BaseRetriever):
    """Finds nodes of every medium by text, by media, or by both.

    ``retrieve`` takes a string, the result of ``embed_model.query_bundle(…)``, or a ``QueryBundle`` with ``image_path``
    (which LlamaIndex's own retriever ignores, and then returns arbitrary nodes).

    Args:
        vector_store: any LlamaIndex vector store.
        embed_model: the model its vectors were made with.
        similarity_top_k: how many nodes to return.
        modalities: only nodes of these; all when empty.
        filters: further conditions on metadata; all must hold.
    """

    def __init__(
        self,
        vector_store: BasePydanticVectorStore,
        embed_model: GeminiMultimodalEmbedding,
        *,
        similarity_top_k: int = 10,
        modalities: Sequence[Modality] = (),
        filters: MetadataFilters | None = None,
        callback_manager: CallbackManager | None = None,
    ) -> None:
        if similarity_top_k < 1:
            raise ConfigurationError(f"similarity_top_k={similarity_top_k}: at least 1")
        self._vector_store = vector_store
        self._embed_model = embed_model
        self._top_k = similarity_top_k
        self._filters = _all_of(modalities, filters)
        super().__init__(callback_manager=callback_manager)

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        embedding = query_bundle.embedding
        if embedding is None:
            embedding = self._embed_model.query_bundle(*_parts(query_bundle)).embedding
        return _scored(self._vector_store.query(self._query(query_bundle, embedding)))

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        embedding = query_bundle.embedding
        if embedding is None:
            embedding = (await self._embed_model.aquery_bundle(*_parts(query_bundle))).embedding
        return _scored(await self._vector_store.aquery(self._query(query_bundle, embedding)))

    def _query(self, query_bundle: QueryBundle, embedding: list[float] | None) -> VectorStoreQuery:
        return VectorStoreQuery(
            query_embedding=embedding,
            query_str=query_bundle.query_str,
            similarity_top_k=self._top_k,
            filters=self._filters,
        )


def _parts(query_bundle: QueryBundle) -> list[str | Path]:
    parts: list[str | Path] = [query_bundle.query_str] if query_bundle.query_str else []
    return [*parts, Path(query_bundle.image_path)] if query_bundle.image_path else parts


def _all_of(modalities: Sequence[Modality], filters: MetadataFilters | None) -> MetadataFilters | None:
    unknown = [m for m in modalities if m not in MODALITIES]
    if unknown:
        raise ConfigurationError(f"modality {unknown[0]!r} is unknown; use one of {', '.join(MODALITIES)}")
    if not modalities:
        return filters
    wanted = MetadataFilter(key=MODALITY, value=list(modalities), operator=FilterOperator.IN)
    return MetadataFilters(filters=[wanted, filters] if filters else [wanted])


def _scored(result: VectorStoreQueryResult) -> list[NodeWithScore]:
    nodes, scores = result.nodes or [], result.similarities or []
    return [NodeWithScore(node=node, score=score) for node, score in zip(nodes, scores, strict=True)]
