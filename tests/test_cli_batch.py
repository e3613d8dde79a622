"""``gemini-mm batch``: folders through the Batch API, step by step and all at once."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from llama_index_gemini_mm import errors
from llama_index_gemini_mm.cli import app
from llama_index_gemini_mm.emulator import Fault, GeminiEmulator
from media_samples import png, wav
from support import contents_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A picture, a sound, a text and a broken file."""
    made = tmp_path / "files"
    made.mkdir()
    (made / "red.png").write_bytes(png("red"))
    (made / "tone.wav").write_bytes(wav(1.0, 440))
    (made / "words.txt").write_text("the bearing needs oil", encoding="utf-8")
    (made / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing behind it")
    return made


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[GeminiEmulator]:
    """One that runs beside the commands, with the variables set that it tells people to set."""
    with GeminiEmulator(batch_seconds=0.1) as running:
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", running.base_url)
        monkeypatch.setenv("GOOGLE_API_KEY", "offline")
        yield running


def run(*arguments: str | Path) -> Result:
    """One command in this process."""
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


def test_step_by_step(folder: Path, emulator: GeminiEmulator) -> None:
    """Submit, look, collect, index: nothing is embedded twice, and no step is repeated."""
    submitted = run("batch", "submit", folder, "--storage", "s")
    again = run("batch", "submit", folder, "--storage", "s")
    looked = run("batch", "status", "--storage", "s")
    time.sleep(0.15)
    collected = run("batch", "collect", "--storage", "s")
    nothing = run("batch", "status", "--storage", "s")
    emulator.clear()
    indexed = run("index", folder, "--storage", "s", "--json")

    assert "3 nodes: 3 submitted in 1 jobs" in submitted.stdout
    assert "broken.pdf: CorruptFile" in submitted.stdout
    assert "3 nodes: 0 submitted in 0 jobs" in again.stdout
    assert "3 requests" in looked.stdout
    assert "batches/" in looked.stdout
    assert "collected 3 vectors from 1 jobs" in collected.stdout
    assert nothing.stdout == "no jobs under way\n"
    assert [r.exit_code for r in (submitted, again, looked, collected, nothing, indexed)] == [0] * 6
    report = json.loads(indexed.stdout)
    assert (report["indexed"], report["embedded"]) == (3, 0)
    assert contents_of(emulator) == []


def test_all_at_once_without_a_key(folder: Path) -> None:
    """Offline submit waits and collects, and index finds everything."""
    done = run("batch", "submit", folder, "--storage", "s", "--offline", "--json")
    indexed = run("index", folder, "--storage", "s", "--offline", "--json")

    shown = json.loads(done.stdout)
    assert shown["nodes"] == 3
    assert [job["requests"] for job in shown["jobs"]] == [3]
    assert [each["error"] for each in shown["skipped"]] == ["CorruptFile"]
    assert shown["collected"]["vectors"] == 3
    assert json.loads(indexed.stdout)["embedded"] == 0


def test_for_machines(folder: Path, emulator: GeminiEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step prints JSON; the address may be an option; collect can wait."""
    monkeypatch.delenv("GOOGLE_GEMINI_BASE_URL")
    monkeypatch.setattr("llama_index_gemini_mm.cli.batch._POLL_SECONDS", 0.05)
    common = ("--storage", "s", "--json", "--base-url", emulator.base_url)

    submitted = json.loads(run("batch", "submit", folder, *common).stdout)
    looked = json.loads(run("batch", "status", *common).stdout)
    collected = json.loads(run("batch", "collect", "--wait", *common).stdout)

    assert [job["id"] for job in submitted["jobs"]] == [job["id"] for job in looked]
    assert collected["vectors"] == 3
    assert collected["jobs"][0]["collected"] is True


def test_what_went_wrong(folder: Path, emulator: GeminiEmulator) -> None:
    """Failed requests and jobs are named with what to do; a collection without any vector is an error."""
    emulator.faults.add(Fault(outcome="FAILED"), route="asyncBatchEmbedContent")
    run("batch", "submit", folder, "--storage", "s")
    time.sleep(0.15)
    failed = run("batch", "collect", "--storage", "s")
    emulator.faults.add(Fault(damage="no_values"), route="files.download")
    run("batch", "submit", folder, "--storage", "s")
    time.sleep(0.15)
    partly = run("batch", "collect", "--storage", "s")

    assert failed.exit_code == 1
    assert "failed, 3 nodes: the job failed as a whole; submit its nodes again" in failed.stdout
    assert partly.exit_code == 0
    assert "collected 2 vectors" in partly.stdout
    assert partly.stdout.count("no numbers for content") == 1


def test_skipped_nodes_are_named(tmp_path: Path, emulator: GeminiEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that cannot be embedded is in the list, and the others are submitted."""
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.txt").write_text("words", encoding="utf-8")
    (tmp_path / "files" / "b.png").write_bytes(png("blue"))
    monkeypatch.setattr("llama_index_gemini_mm.modalities.image.TOKENS_PER_IMAGE", 9000)

    result = run("batch", "submit", "files", "--storage", "s")

    assert "2 nodes: 1 submitted in 1 jobs" in result.stdout
    assert "LimitExceeded" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("status",), errors.ConfigurationError, "gemini-mm batch submit"),
        (("collect",), errors.ConfigurationError, "gemini-mm batch submit"),
        (("submit", "nowhere", "--offline"), errors.SourceError, "nowhere"),
        (("submit", "files"), errors.AuthError, "GOOGLE_API_KEY"),
    ],
)
def test_bad_input(folder: Path, arguments: tuple[str, ...], error: type[errors.GeminiMMError], words: str) -> None:
    """One line, the error's own exit code, and no journal where there was none."""
    result = run("batch", *arguments, "--storage", "s")

    assert result.exit_code == error.exit_code
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    if arguments[0] != "submit":
        assert not Path("s").exists()


def test_help() -> None:
    """It says how the steps fit together, and how to try them without a key."""
    shown = run("batch", "--help").stdout

    for word in ("submit", "status", "collect", "emulate", "--offline"):
        assert word in shown
