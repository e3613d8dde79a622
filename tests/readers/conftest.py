"""What the readers' tests share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from llama_index.core.schema import Document
from reader_samples import Read

from llama_index_gemini_mm import MediaReader, MediaStore, ReaderOptions
from llama_index_gemini_mm.source import Source


@pytest.fixture
def read(tmp_path: Path, store: MediaStore) -> Read:
    """Write bytes under a file name and read the file."""

    def _read(name: str, data: bytes, **options: Any) -> list[Document]:
        path = tmp_path / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return MediaReader(store, ReaderOptions(**options), workers=0).load_data(path)

    return _read


@pytest.fixture
def read_bytes(store: MediaStore) -> Read:
    """Read bytes that lie in no file."""

    def _read(name: str, data: bytes, **options: Any) -> list[Document]:
        return MediaReader(store, ReaderOptions(**options), workers=0).load_data(Source.of_bytes(data, name))

    return _read
