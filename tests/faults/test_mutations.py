"""Thousands of damaged files: every one is read or named, and nothing else happens."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from mutations import mutants

from llama_index_gemini_mm import MediaReader, MediaStore
from llama_index_gemini_mm.errors import SourceError
from llama_index_gemini_mm.sandbox import Bounds, shared
from llama_index_gemini_mm.source import Source

CORPUS = Path(__file__).parent.parent / "corpus"
SHARES, EACH = 8, 275
"""The work in shares, for processes of the test run to do side by side: 2,200 files."""
UNFORESEEN = ("reading it failed (", "reading it crashed", "nothing came out of it within", "computing took too long")
"""How the reasons begin that no reader gave: an exception that nobody expected, a crash, a hang."""


def sources(share: int) -> Iterator[tuple[Source, str | None]]:
    """Damaged files of all kinds, made as they are read."""
    files = sorted(p for name in ("good", "own") for p in (CORPUS / name).rglob("*") if p.is_file())
    mine = files[share % SHARES :: SHARES]
    for name, data in mutants(mine, EACH, seed=20261128 + share):
        yield Source.of_bytes(data, name), None


@pytest.mark.timeout(600)
@pytest.mark.parametrize("share", range(SHARES))
def test_damaged_files_are_read_or_named(share: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    shared().close()  # workers that stand idle from before have their folders elsewhere
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    reader = MediaReader(MediaStore(tmp_path / "media"), bounds=Bounds(memory_bytes=2 * 2**30, seconds=20))
    became: Counter[str] = Counter()
    unforeseen: list[str] = []
    for source, documents in reader.read_all(sources(share)):
        try:
            notes: list[SourceError] = []
            count = sum(1 for _ in documents(notes.append))
        except SourceError as error:
            became[type(error).__name__] += 1
            if error.reason.startswith(UNFORESEEN):
                unforeseen.append(f"{source.name}: {error.reason}")
        else:
            became["read"] += 1
            assert count or notes
    shared().close()

    assert became.total() == EACH
    assert became["read"] > EACH / 10
    assert not unforeseen
    assert not list(temporary.iterdir())
