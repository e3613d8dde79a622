"""Text, pictures, sounds, films and documents in one LlamaIndex index, through ``gemini-embedding-2``.

files ── MediaReader ──▶ Documents ── MediaNodeParser ──▶ Nodes ── GeminiMultimodalEmbedding ──▶ vectors
  ── one Qdrant collection ── MediaRetriever ──▶ NodeWithScore            MediaIndex does all of it
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from llama_index_gemini_mm.batch import BatchEmbedding
    from llama_index_gemini_mm.embedding import GeminiMultimodalEmbedding
    from llama_index_gemini_mm.engine.items import Part
    from llama_index_gemini_mm.errors import GeminiMMError
    from llama_index_gemini_mm.index import MediaIndex
    from llama_index_gemini_mm.media_store import MediaStore
    from llama_index_gemini_mm.modalities import SplitOptions
    from llama_index_gemini_mm.node_parser import MediaNodeParser
    from llama_index_gemini_mm.query_engine import MediaQueryEngine
    from llama_index_gemini_mm.readers import MediaReader, ReaderOptions, media_file_extractor
    from llama_index_gemini_mm.retriever import MediaRetriever, Where
    from llama_index_gemini_mm.vector_store import ServerOptions
    from llama_index_gemini_mm.vector_store.edge import EdgeVectorStore

_HOMES = {
    "MediaReader": "readers",
    "ReaderOptions": "readers",
    "media_file_extractor": "readers",
    "MediaStore": "media_store",
    "MediaNodeParser": "node_parser",
    "SplitOptions": "modalities",
    "Part": "engine.items",
    "GeminiMultimodalEmbedding": "embedding",
    "BatchEmbedding": "batch",
    "EdgeVectorStore": "vector_store.edge",
    "ServerOptions": "vector_store",
    "MediaRetriever": "retriever",
    "Where": "retriever",
    "MediaQueryEngine": "query_engine",
    "MediaIndex": "index",
    "GeminiMMError": "errors",
}

__all__ = [
    "BatchEmbedding",
    "EdgeVectorStore",
    "GeminiMMError",
    "GeminiMultimodalEmbedding",
    "MediaIndex",
    "MediaNodeParser",
    "MediaQueryEngine",
    "MediaReader",
    "MediaRetriever",
    "MediaStore",
    "Part",
    "ReaderOptions",
    "ServerOptions",
    "SplitOptions",
    "Where",
    "__version__",
    "media_file_extractor",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that ``import llama_index_gemini_mm`` itself costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
