"""One embedding engine: items in, checked vectors out. Knows neither LlamaIndex nor any file.

inputs ─ keys ─ cache ─▶ missing ones ─ load ─ prefixes ─ checks ─▶ batches ─ pacing ─ transport ─▶ Reply ─ checks
  ─▶ vectors, kept in the cache, and what they cost
"""

from __future__ import annotations

from llama_index_gemini_mm.engine.cache import EmbeddingCache
from llama_index_gemini_mm.engine.core import Deferred, EmbeddingEngine, EngineSettings, Input
from llama_index_gemini_mm.engine.items import EmbedItem, Part, Role, Vector
from llama_index_gemini_mm.engine.keys import Key, KeySpace
from llama_index_gemini_mm.engine.prices import Prices
from llama_index_gemini_mm.engine.retry import Patience
from llama_index_gemini_mm.engine.usage import Usage

__all__ = [
    "Deferred",
    "EmbedItem",
    "EmbeddingCache",
    "EmbeddingEngine",
    "EngineSettings",
    "Input",
    "Key",
    "KeySpace",
    "Part",
    "Patience",
    "Prices",
    "Role",
    "Usage",
    "Vector",
]
