"""The handbook of the examples in an embedded store, made once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from retriever_support import HANDBOOK, Handbook, calibration_of

from llama_index_gemini_mm import GeminiMultimodalEmbedding, MediaNodeParser, MediaReader
from llama_index_gemini_mm.emulator import GeminiEmulator
from llama_index_gemini_mm.vector_store import Space, Stamp, open_embedded, plan_named


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Handbook]:
    """Read, split, embed and store the handbook."""
    folder = tmp_path_factory.mktemp("handbook")
    with (
        GeminiEmulator() as emulator,
        GeminiMultimodalEmbedding(
            api_key=emulator.api_key,
            base_url=emulator.base_url,
            output_dimensionality=256,
            media_store=folder / "media",
        ) as model,
    ):
        documents = MediaReader(media_store=model.media_store).load_data(HANDBOOK)
        nodes = [*model(MediaNodeParser(media_store=model.media_store)(documents))]
        store = open_embedded(folder, "media", Stamp(Space.of(model), plan_named("accurate")))
        store.add(nodes)
        yield Handbook(store, nodes, model, emulator, calibration_of(nodes))
        store.close()


@pytest.fixture
def handbook(made: Handbook) -> Handbook:
    """The handbook, with an empty log of requests."""
    made.emulator.clear()
    return made
