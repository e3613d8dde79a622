"""``gemini-mm tune`` and ``gemini-mm stats``: what people and programs are shown, and the errors they meet."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from llama_index.core.schema import Node
from PIL import Image
from typer.testing import CliRunner

from llama_index_gemini_mm import errors, media
from llama_index_gemini_mm.cli import app
from llama_index_gemini_mm.storage_lock import StorageLock
from llama_index_gemini_mm.vector_store import Space, Stamp, open_embedded, plan_named


def run(*arguments: object, width: int = 80) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": str(width), "NO_COLOR": "1"})


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A storage folder with sixty nodes of three media."""
    folder = tmp_path_factory.mktemp("cli") / "storage"
    store = open_embedded(folder, "media", Stamp(Space("a-model", 1024, "retrieval", 1, 1), plan_named("accurate")))
    chance = np.random.default_rng(1)
    nodes = []
    for number in range(60):
        modality, mime = (("text", "text/plain"), ("image", "image/png"), ("video", "video/mp4"))[number % 3]
        node = media.build(Node, media.stable_id(str(number)), modality, "", {media.FILE_TYPE: mime})
        node.embedding = chance.standard_normal(1024).tolist()
        nodes.append(node)
    store.add(nodes)
    store.close()
    return folder


def test_tune_for_people(storage: Path) -> None:
    """Costs and recall of each plan, one recommendation, nothing wider than the terminal."""
    result = run("tune", "--storage", storage)

    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0] == "all 60 nodes, 1,024 numbers a vector, stored by the plan accurate"
    for plan in ("accurate", "balanced", "compact"):
        assert sum(line.startswith(f"{plan} ") and "█" in line and " ms " in line for line in lines) == 1
    for modality in ("image", "text", "video"):
        assert sum(line.split()[:3] == [modality, "20", "1.000"] for line in lines) == 1
    assert "Take balanced: it finds" in result.stdout or "Take accurate: it finds" in result.stdout


def test_tune_for_programs(storage: Path, tmp_path: Path) -> None:
    """One object, and a PNG when asked for."""
    result = run("tune", "--storage", storage, "--json", "--sample", 30, "--target", 0, "--plot", tmp_path / "p.png")

    shown = json.loads(result.stdout)
    assert (shown["points"], shown["sampled"], shown["recommended"]) == (60, 30, "compact")
    assert [row["plan"] for row in shown["rows"]] == ["accurate", "balanced", "compact"]
    with Image.open(tmp_path / "p.png") as picture:
        assert picture.format == "PNG"


def test_a_plot_without_its_library(storage: Path, tmp_path: Path) -> None:
    """Told at once, with what to install; without --plot nothing is missed."""
    program = "import sys; sys.modules['matplotlib'] = None\nfrom llama_index_gemini_mm.cli import main; main()"

    def without(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", program, "tune", "--storage", str(storage), "--sample", "10", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    refused = without("--plot", str(tmp_path / "p.png"))

    assert refused.returncode == errors.MissingDependency.exit_code
    assert "pip install 'llama-index-gemini-mm[plot]'" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
    assert without().returncode == 0


def test_stats_for_people(storage: Path) -> None:
    """Every fact on its line, and what each plan would take."""
    result = run("stats", "--storage", storage)

    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    for fact in (
        "engine        Qdrant Edge, collection media",
        "plan          accurate",
        "nodes         60: 20 image, 20 text, 20 video",
        "file types    20 image/png, 20 text/plain, 20 video/mp4",
    ):
        assert any(line.startswith(fact) for line in lines)
    assert "1024-dimensional vectors of a-model" in result.stdout
    assert any(line.split()[:5] == ["accurate", "(this", "one)", "253.4", "kB"] for line in lines)


def test_stats_for_programs(storage: Path) -> None:
    """One object with the agreed keys."""
    shown = json.loads(run("stats", "--storage", storage, "--json").stdout)

    assert list(shown) == [
        *("engine", "collection", "plan", "space", "points", "indexed"),
        *("modalities", "file_types", "files", "bytes", "plans"),
    ]
    assert shown["space"]["model"] == "a-model"
    assert shown["points"] == 60
    assert shown["bytes"]["vectors"] > 60 * 4096
    assert shown["plans"]["compact"] == {"disk_bytes": 60 * (768 + 96 + 128), "memory_bytes": 60 * (96 + 128)}


@pytest.mark.parametrize("command", ["tune", "stats"])
def test_no_index_there(tmp_path: Path, command: str) -> None:
    """One line, and nothing made by looking."""
    result = run(command, "--storage", tmp_path / "nowhere")

    assert result.exit_code == errors.ConfigurationError.exit_code
    assert "gemini-mm index" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("command", ["tune", "stats"])
def test_an_index_that_is_held(storage: Path, command: str) -> None:
    """One line that says by whom."""
    with StorageLock(storage):
        result = run(command, "--storage", storage)

    assert result.exit_code == errors.IndexLocked.exit_code
    assert len(result.stderr.strip().splitlines()) == 1
