"""The handbook of the examples in a store, and how its calibration is made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from llama_index.core.schema import BaseNode

from llama_index_gemini_mm import GeminiMultimodalEmbedding, MediaRetriever
from llama_index_gemini_mm.calibration import Calibration
from llama_index_gemini_mm.emulator import GeminiEmulator
from llama_index_gemini_mm.vector_store import MediaVectorStore

HANDBOOK = Path(__file__).parents[2] / "examples" / "handbook"


@dataclass(frozen=True)
class Handbook:
    """The store, the nodes it holds, and the model and emulator that made their vectors."""

    store: MediaVectorStore
    nodes: list[BaseNode]
    model: GeminiMultimodalEmbedding
    emulator: GeminiEmulator
    calibration: Calibration

    def retriever(self, **options: object) -> MediaRetriever:
        """A retriever over the store."""
        return MediaRetriever(self.store, self.model, **options)  # type: ignore[arg-type]


def calibration_of(nodes: list[BaseNode]) -> Calibration:
    """From the vectors of all nodes."""
    vectors: dict[str, list[list[float]]] = {}
    for node in nodes:
        vectors.setdefault(node.metadata["modality"], []).append(node.get_embedding())
    return Calibration.of({key: np.array(each, np.float32) for key, each in vectors.items()})  # type: ignore[misc]
