"""A recorder in the place of a Qdrant server, and stores on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from llama_index_gemini_mm.vector_store import QdrantMediaStore, ServerOptions, open_server
from qdrant_recorder import KEY, Open, Recorder, recording
from store_support import stamp


@pytest.fixture
def server() -> Iterator[Recorder]:
    """A recorder in Qdrant's place."""
    with recording() as recorder:
        yield recorder


@pytest.fixture
def open_store(server: Recorder) -> Iterator[Open]:
    """Opens stores on the recorder, and closes them."""
    opened: list[QdrantMediaStore] = []

    def open_(plan: str = "accurate", options: ServerOptions | None = None) -> QdrantMediaStore:
        opened.append(open_server(server.url, KEY, "media", stamp(plan), options))  # type: ignore[arg-type]
        return opened[-1]

    yield open_
    for store in opened:
        store.close()
