"""One embedding engine: items in, checked vectors out. Knows neither LlamaIndex nor any file.

EmbedItem ─ prefixes ─ packing ─▶ batches ─ retry ─ transport ─▶ Reply ─ checks ─▶ vectors, and what they cost
"""

from __future__ import annotations

from llama_index_gemini_mm.engine.core import EmbeddingEngine, EngineSettings
from llama_index_gemini_mm.engine.items import EmbedItem, Part, Role, Vector
from llama_index_gemini_mm.engine.usage import Usage

__all__ = ["EmbedItem", "EmbeddingEngine", "EngineSettings", "Part", "Role", "Usage", "Vector"]
