"""``gemini-mm estimate``: what indexing would cost, without a key and without a request."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from llama_index_gemini_mm import errors
from llama_index_gemini_mm.cli import app
from llama_index_gemini_mm.engine.cache import CACHE_FILE
from media_samples import png, wav


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A picture, a sound, a text and a broken file."""
    made = tmp_path / "files"
    made.mkdir()
    (made / "red.png").write_bytes(png("red"))
    (made / "tone.wav").write_bytes(wav(2.0, 440))
    (made / "words.txt").write_text("the bearing needs oil", encoding="utf-8")
    (made / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing behind it")
    return made


def run(*arguments: str | Path) -> Result:
    """One command in this process."""
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


def test_table(folder: Path) -> None:
    """Tokens and dollars by medium, the sum, the batch price, the time, the day of the prices, what was skipped."""
    done = run("estimate", folder, "--storage", "s", "--contents-per-minute", "2", "--tokens-per-minute", "100")
    assert done.exit_code == 0
    lines = done.stdout.splitlines()

    assert lines[0] == "3 contents to embed, 0 known already"
    rows = {line.split()[0]: line.split()[1:] for line in lines[1:5]}
    assert rows["image"] == ["258", "tokens", "$0.0001"]
    assert rows["audio"] == ["50", "tokens", "$0.0003"]
    total = int(rows["total"][0])
    assert total == 258 + 50 + int(rows["text"][0])
    assert "as a batch job $0.000" in lines[4]
    assert lines[5] == f"at least {total / 100:.1f} minutes at this quota"
    assert "prices as of 2026-" in lines[6]
    assert "broken.pdf: CorruptFile:" in lines[7]
    assert done.stderr == ""


def test_json_and_what_is_known_already(folder: Path) -> None:
    """After indexing everything is known; with another dimension, or by Gemini itself, nothing is."""
    command = ("estimate", folder, "--storage", "s", "--json")
    before = json.loads(run(*command, "--offline").stdout)
    assert list(before) == [
        *("contents", "tokens", "usd_by_modality", "usd", "usd_batch", "minutes", "cached", "skipped"),
        "prices_read_on",
    ]
    assert (before["contents"], before["cached"], before["minutes"]) == (3, 0, None)
    assert before["usd"] == pytest.approx(sum(before["usd_by_modality"].values()))
    assert before["usd_batch"] == pytest.approx(before["usd"] / 2)
    assert [each["error"] for each in before["skipped"]] == ["CorruptFile"]
    assert not Path("s", CACHE_FILE).exists()

    assert run("index", folder, "--storage", "s", "--offline").exit_code == 0
    after = json.loads(run(*command, "--offline").stdout)
    assert (after["contents"], after["cached"], after["usd"]) == (0, 3, 0)
    assert json.loads(run(*command, "--offline", "--dimensions", "768").stdout)["cached"] == 0
    assert json.loads(run(*command).stdout)["cached"] == 0


def test_no_such_folder() -> None:
    """One line and the exit code of its error."""
    done = run("estimate", "nowhere", "--storage", "s")

    assert done.exit_code == errors.SourceError.exit_code
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
