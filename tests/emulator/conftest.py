"""One emulator and one SDK client for most tests; those that need settings of their own start their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from google import genai

from emulator_client import Post, developer_client, poster
from llama_index_gemini_mm.emulator import GeminiEmulator


@pytest.fixture(scope="session")
def shared_emulator() -> Iterator[GeminiEmulator]:
    with GeminiEmulator() as emulator:
        yield emulator


@pytest.fixture
def emulator(shared_emulator: GeminiEmulator) -> GeminiEmulator:
    """The shared emulator, with an empty log and no faults."""
    shared_emulator.clear()
    shared_emulator.faults.clear()
    return shared_emulator


@pytest.fixture
def client(emulator: GeminiEmulator) -> genai.Client:
    """The SDK on the Developer API."""
    return developer_client(emulator)


@pytest.fixture
def post(emulator: GeminiEmulator) -> Post:
    """Raw JSON to a method of the model."""
    return poster(emulator)
