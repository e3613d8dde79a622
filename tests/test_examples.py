"""The examples run as a user would run them, without a key, and show what they promise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(name: str) -> str:
    """The output of one example."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_index_a_folder() -> None:
    """The seed case: one query finds the abnormal sound and the troubleshooting text that belongs to it."""
    output = run("01_index_a_folder.py")

    everything, recordings = output.split("in ('audio',)")
    assert "troubleshooting.docx" in everything
    assert "spindle_grinding.mp3" in everything
    assert "spindle_grinding.mp3" in recordings.splitlines()[1]
    assert "a second sync embeds 0 nodes" in output


def test_drop_in() -> None:
    """The belt is found, and the pipeline makes vectors."""
    output = run("02_drop_in.py")

    assert "belt" in output or "maintenance" in output
    assert "vectors of 3072 numbers" in output


def test_search_by_image() -> None:
    """The photographed drawing finds the drawing."""
    assert "spindle_cutaway.png" in run("03_search_by_image.py").splitlines()[3]


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("0*.py")), ids=lambda f: f.name)
def test_every_example_is_tested(file: Path) -> None:
    """No example without a test here."""
    assert file.name in Path(__file__).read_text(encoding="utf-8")
