"""What every test may use: an emulator, a model that talks to it, and an environment without keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from llama_index_gemini_mm import GeminiMultimodalEmbedding, MediaStore
from llama_index_gemini_mm.emulator import GeminiEmulator

_SETTINGS = (
    "GOOGLE_API_KEY",
    "GEMINI_API_KEY",
    "GOOGLE_GENAI_USE_VERTEXAI",
    "GOOGLE_CLOUD_PROJECT",
    "GOOGLE_CLOUD_LOCATION",
    "GOOGLE_GEMINI_BASE_URL",
    "GEMINI_MM_STORAGE",
    "GEMINI_MM_PASSWORDS",
    "QDRANT_URL",
    "QDRANT_API_KEY",
)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No keys from outside, and relative paths end in the test's own folder."""
    for name in _SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def emulator() -> Iterator[GeminiEmulator]:
    """A running emulator."""
    with GeminiEmulator() as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> MediaStore:
    """An empty media store."""
    return MediaStore(tmp_path / "media")


@pytest.fixture
def model(emulator: GeminiEmulator, store: MediaStore) -> Iterator[GeminiMultimodalEmbedding]:
    """The embedding model over the emulator, 256 numbers a vector."""
    with GeminiMultimodalEmbedding(
        api_key=emulator.api_key, base_url=emulator.base_url, output_dimensionality=256, media_store=store
    ) as embedding:
        yield embedding
