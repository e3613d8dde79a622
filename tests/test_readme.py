"""Every Python block and every command of the README runs, in order, in one folder, against the emulator."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from llama_index.core import Document, Settings, VectorStoreIndex
from llama_index.core.embeddings import MockEmbedding
from typer.testing import CliRunner

from llama_index_gemini_mm import GeminiMultimodalEmbedding, MediaIndex
from llama_index_gemini_mm.cli import app
from llama_index_gemini_mm.emulator import GeminiEmulator
from llama_index_gemini_mm.readers import formats

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """The folder a reader of the README would stand in."""
    shutil.copytree(ROOT / "examples" / "handbook", tmp_path / "handbook")
    shutil.copy(ROOT / "examples" / "query_spindle.jpg", tmp_path / "spindle.jpg")
    old = [Document(text="The tool change stops half-way."), Document(text="The coolant pump hums.")]
    VectorStoreIndex.from_documents(old, embed_model=MockEmbedding(8)).storage_context.persist(tmp_path / "old_index")
    return tmp_path


@pytest.fixture
def _gemini(emulator: GeminiEmulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A key in the environment, and the emulator where the service would be."""
    monkeypatch.setenv("GOOGLE_API_KEY", emulator.api_key)
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", emulator.base_url)
    yield
    Settings._embed_model = None


@pytest.mark.usefixtures("workplace", "_gemini")
def test_python_blocks() -> None:
    """As written, one after the other; an index opened by one block is let go before the next."""
    assert len(blocks("python")) >= 6
    for block in blocks("python"):
        names: dict[str, object] = {}
        exec(compile(block, "README.md", "exec"), names)
        for value in names.values():
            if isinstance(value, GeminiMultimodalEmbedding | MediaIndex):
                value.close()


@pytest.mark.usefixtures("workplace")
def test_commands() -> None:
    """Every gemini-mm line with --offline in it, as written."""
    lines = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("gemini-mm ")]
    assert len(lines) >= 4
    for line in lines:
        result = CliRunner().invoke(app, shlex.split(line)[1:], catch_exceptions=False)
        assert result.exit_code == 0, result.stderr
        assert result.stdout


def test_the_drop_in_example_has_eight_lines() -> None:
    """What is promised: not more than eight lines to drop it in."""
    assert len(blocks("python")[0].strip().splitlines()) <= 8


def test_every_format_is_in_the_table() -> None:
    """A reader without a row, or a suffix that no row names, would be a secret."""
    table = README.split("| format |")[1].split("\n\n")[0].lower()
    named = {"code": "source code", "notebook": "jupyter notebook"}
    for format_ in formats():
        assert named.get(format_.name, format_.name) in table


def test_the_make_targets_exist() -> None:
    """The first commands a reader types."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert f"\n{target}:" in makefile
