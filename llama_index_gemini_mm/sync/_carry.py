"""Carry over: a renamed file keeps its vectors, even where its name is part of what was embedded."""

from __future__ import annotations

from collections.abc import Sequence

from llama_index.core.schema import BaseNode, MetadataMode

from llama_index_gemini_mm.embedding import GeminiMultimodalEmbedding
from llama_index_gemini_mm.engine import EmbeddingCache
from llama_index_gemini_mm.engine.items import Vector
from llama_index_gemini_mm.media import MEDIA_REF, MODALITY


def carry_over(
    nodes: Sequence[BaseNode], former: Sequence[BaseNode], model: GeminiMultimodalEmbedding
) -> list[BaseNode]:
    """Give ``nodes`` the vectors of ``former`` ones of the same content; return those for which there is none.

    The cache is asked first, for the store may have kept a vector shorter or coarser than it was.
    """
    old = {_content(node): node for node in former}
    pairs = [(node, old[_content(node)]) for node in nodes if _content(node) in old]
    for (node, before), vector in zip(pairs, _cached([before for _, before in pairs], model), strict=True):
        stored = before.embedding
        whole = stored is not None and len(stored) == model.output_dimensionality
        node.embedding = vector or (stored if whole else None)
    return [node for node in nodes if node.embedding is None]


def _cached(nodes: Sequence[BaseNode], model: GeminiMultimodalEmbedding) -> list[Vector | None]:
    if model.embedding_cache is None or not nodes:
        return [None] * len(nodes)
    keys = [model.key_of(model.embed_text(node)) for node in nodes]
    with EmbeddingCache(model.embedding_cache) as cache:
        return cache.get_many(keys, model.output_dimensionality)


def _content(node: BaseNode) -> tuple[str, ...]:
    """What of a node decides its vector, but for the title, which may come from the name of the file."""
    keys = (MODALITY, MEDIA_REF)
    return (*(str(node.metadata.get(key)) for key in keys), node.get_content(MetadataMode.NONE))
