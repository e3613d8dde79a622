"""Every file of the corpus gives what its golden file says: found files, good and broken, and attacks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from corpus_outcome import CORPUS, GOLDEN, golden_files, outcomes
from llama_index_gemini_mm import MediaReader, MediaStore

BROKEN = (
    *("faulty", "truncated", "corrupted", "protected", "password", "no_extract", "Encrypted"),
    *("_crash-", "_bad_", "num_frames_zero", "false_aac", "cbrInfoTag", "testMP4_", "IWorksNPE", "OpenOfficeInAZip"),
)
"""What the names of those good files say that are broken or locked on purpose, or in which there is nothing: stumps,
silence, films without a track, drawings without a word."""
TRUTH: dict[str, dict[str, Any]] = {
    name: json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8")) for name in golden_files()
}


@pytest.mark.parametrize("name", golden_files())
def test_every_file_gives_what_its_golden_file_says(name: str, tmp_path: Path) -> None:
    reader = MediaReader(MediaStore(tmp_path))
    found = {path.relative_to(CORPUS).as_posix(): result for path, result in outcomes(reader, golden_files()[name])}

    assert found.keys() == TRUTH[name].keys()
    for file, expected in TRUTH[name].items():
        assert found[file] == expected, file


def good_files() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, files in TRUTH.items():
        if name.startswith("good"):
            yield from files.items()


@pytest.mark.parametrize(("file", "truth"), list(good_files()))
def test_good_files_are_read_and_broken_ones_named(file: str, truth: dict[str, Any]) -> None:
    """Only files that are broken on purpose may give no documents, and those say why in words."""
    if "counts" not in truth:
        assert ": " in truth["error"]
        assert any(word in file for word in BROKEN), truth
