"""``gemini-mm cache``: what people and programs are shown, and what is left on disk."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from llama_index_gemini_mm import errors
from llama_index_gemini_mm.cli import app
from llama_index_gemini_mm.engine.cache import CACHE_FILE, EmbeddingCache


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["cache", *map(str, arguments)])


def fill(storage: Path, vectors: int) -> None:
    with EmbeddingCache(storage / CACHE_FILE) as cache:
        cache.put_many((hashlib.sha256(bytes([n])).digest(), [float(n)] * 768) for n in range(vectors))


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    """A storage folder with a hundred cached vectors."""
    fill(tmp_path / "s", 100)
    return tmp_path / "s"


def test_stats_for_people(storage: Path) -> None:
    """How many, how large, and when."""
    result = run("stats", "--storage", storage)

    assert result.exit_code == 0
    assert "100 vectors, 307.2 kB" in result.stdout
    assert "last used between 20" in result.stdout


def test_stats_for_programs(storage: Path) -> None:
    """One object with the agreed keys."""
    shown = json.loads(run("stats", "--storage", storage, "--json").stdout)

    assert list(shown) == ["entries", "bytes", "file_bytes", "oldest_use", "newest_use"]
    assert (shown["entries"], shown["bytes"]) == (100, 100 * 768 * 4)
    assert shown["file_bytes"] >= (storage / CACHE_FILE).stat().st_size


def test_clear(storage: Path) -> None:
    """The vectors are gone, the file is small, and a second time there is nothing to remove."""
    assert run("clear", "--storage", storage).stdout.startswith("removed 100 vectors, ")

    assert (storage / CACHE_FILE).stat().st_size < 200_000
    assert run("clear", "--storage", storage, "--json").stdout.split()[1:3] == ['"removed":', "0,"]
    assert "0 vectors" in run("stats", "--storage", storage).stdout


def test_clear_for_programs(storage: Path) -> None:
    """How many and how much."""
    shown = json.loads(run("clear", "--storage", storage, "--json").stdout)

    assert shown["removed"] == 100
    assert shown["freed_bytes"] > 100_000


@pytest.mark.parametrize("command", ["stats", "clear"])
def test_no_cache_there(tmp_path: Path, command: str) -> None:
    """One line, the exit code of a wrong setting, and no file made by looking."""
    result = run(command, "--storage", tmp_path / "nowhere")

    assert result.exit_code == errors.ConfigurationError.exit_code
    assert "no embedding cache" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("command", ["stats", "clear"])
def test_a_damaged_cache(storage: Path, command: str) -> None:
    """Said in one line, with what to do."""
    (storage / CACHE_FILE).write_bytes(b"no database" * 1000)

    result = run(command, "--storage", storage)

    assert result.exit_code == errors.ConfigurationError.exit_code
    assert "delete it" in result.stderr
    assert "Traceback" not in result.stderr


def test_help() -> None:
    """The group is listed, and so are its commands."""
    assert "cache" in CliRunner().invoke(app, ["--help"]).stdout
    for command in ("stats", "clear"):
        assert command in run("--help").stdout
        assert "--storage" in run(command, "--help").stdout
