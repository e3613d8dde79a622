"""Gemini when there is a key in the environment, else the emulator with its stand-in model."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llama_index_gemini_mm import GeminiMultimodalEmbedding
from llama_index_gemini_mm.emulator import GeminiEmulator

HANDBOOK = Path(__file__).parent / "handbook"
QUERY_PICTURE = Path(__file__).parent / "query_spindle.jpg"


@contextmanager
def embed_model(storage: str) -> Iterator[GeminiMultimodalEmbedding]:
    """An embedding model that keeps its media in ``storage``."""
    if os.environ.get("GOOGLE_API_KEY") or os.environ.get("GEMINI_API_KEY"):
        yield GeminiMultimodalEmbedding(media_store=f"{storage}/media")
        return
    print("No key found: a stand-in model computes the vectors, and the ranking is not Gemini's.\n")
    with GeminiEmulator() as emulator:
        yield GeminiMultimodalEmbedding(
            api_key=emulator.api_key, base_url=emulator.base_url, media_store=f"{storage}/media"
        )
