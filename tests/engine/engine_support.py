"""An engine over the emulator, with short pauses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from llama_index_gemini_mm.emulator import GeminiEmulator
from llama_index_gemini_mm.engine import (
    EmbeddingCache,
    EmbeddingEngine,
    EmbedItem,
    EngineSettings,
    KeySpace,
    Part,
    Patience,
)
from llama_index_gemini_mm.engine.transport import Address, Transport, connect
from llama_index_gemini_mm.limits import DEVELOPER_API, MODEL

ROUTE = "batchEmbedContents"
DIMENSION = 128
IMPATIENT = Patience(max_retries=3, first_wait=0.01)


def make(
    emulator: GeminiEmulator,
    *,
    timeout: float = 20.0,
    model: str = MODEL,
    task: str = "retrieval",
    cache: EmbeddingCache | None = None,
    patience: Patience = IMPATIENT,
    **settings: Any,
) -> EmbeddingEngine:
    """An engine whose vectors have 128 numbers."""
    address = Address("developer", api_key=emulator.api_key, base_url=emulator.base_url, timeout=timeout)
    space = KeySpace(model, DIMENSION, task, 1, 1)
    return EmbeddingEngine(
        lambda: Transport(connect(address), model, DIMENSION),
        space,
        replace(EngineSettings(limits=DEVELOPER_API, patience=patience), **settings),
        cache,
    )


def texts(count: int, start: int = 0) -> list[EmbedItem]:
    """Items that are all different."""
    return [EmbedItem((Part(text=f"item number {n}"),)) for n in range(start, start + count)]


def picture(data: bytes) -> EmbedItem:
    """An item of one picture."""
    return EmbedItem((Part(data=data, mime_type="image/png", tokens=258),))


def sizes(emulator: GeminiEmulator) -> list[int]:
    """How many contents each request held."""
    return [len(r.contents) for r in emulator.requests if r.contents]
