"""Every file of the corpus gives what its golden file says: found files, good and broken, and attacks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from corpus_outcome import CORPUS, GOLDEN, PLACES, differences, golden_folders, outcomes
from llama_index_gemini_mm import MediaReader, MediaStore

BROKEN = (
    *("faulty", "truncated", "corrupted", "protected", "password", "no_extract", "Encrypted"),
    *("_crash-", "_bad_", "num_frames_zero", "false_aac", "cbrInfoTag", "testMP4_", "IWorksNPE", "OpenOfficeInAZip"),
)
"""What the names of those good files say that are broken or locked on purpose, or in which there is nothing: stumps,
silence, films without a track, drawings without a word."""
TRUTH: dict[str, dict[str, Any]] = {
    name: json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8")) for name in golden_folders()
}


@pytest.mark.parametrize("name", golden_folders())
def test_every_file_gives_what_its_golden_file_says(name: str, tmp_path: Path) -> None:
    reader = MediaReader(MediaStore(tmp_path), on_error="skip")

    found = outcomes(reader, golden_folders()[name], CORPUS)

    wrong = differences(found, TRUTH[name])
    assert not wrong, "\n".join(wrong)


def test_every_file_has_its_golden_file() -> None:
    files = {path.relative_to(CORPUS).as_posix() for place in PLACES for path in place.rglob("*") if path.is_file()}

    assert {file for told in TRUTH.values() for file in told} == files


def test_a_message_inside_another_is_always_the_same(tmp_path: Path) -> None:
    """It is written out anew to be read, and its hash stands in the documents."""
    file = CORPUS / "good" / "msg" / "tika__testMSG_att_msg.msg"
    once, again = ([d.model_dump() for d in MediaReader(tmp_path).load_data(file)] for _ in range(2))

    assert [each["metadata"]["container_path"] for each in once[1:]]
    assert once == again


def test_a_file_that_is_left_out_is_named_with_the_folder_of_the_outer_one(tmp_path: Path) -> None:
    file = CORPUS / "hard" / "eml" / "bad_base64.eml"
    reader = MediaReader(tmp_path, on_error="skip")

    reader.load_data(file)

    assert [each.file for each in reader.report.skipped] == [f"{file}!/food_vegetables__yam.png"]


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
