"""A storage folder, mixed files, and everything a sync needs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sync_support import Bench, bench, write_mixed

from llama_index_gemini_mm.emulator import GeminiEmulator


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    """The storage folder."""
    return tmp_path / "storage"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Mixed files."""
    return write_mixed(tmp_path / "files")


@pytest.fixture
def opened(storage: Path, emulator: GeminiEmulator) -> Iterator[Bench]:
    """What a sync needs."""
    with bench(storage, emulator) as made:
        yield made
