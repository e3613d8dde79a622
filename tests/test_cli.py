"""The command line as people and machines use it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from llama_index_gemini_mm import __version__, errors
from llama_index_gemini_mm.cli import app
from llama_index_gemini_mm.cli.console import STAND_IN
from media_samples import pdf, png, wav

RED, BLUE = png("red"), png("blue")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures, a sound, a text and a broken file."""
    made = tmp_path / "files"
    made.mkdir()
    (made / "blue.png").write_bytes(BLUE)
    (made / "red.png").write_bytes(RED)
    (made / "tone.wav").write_bytes(wav(1.0, 440))
    (made / "words.txt").write_text("the bearing needs oil", encoding="utf-8")
    (made / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing behind it")
    return made


def run(*arguments: str | Path) -> Result:
    """One command in this process."""
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


def test_index_and_search(folder: Path) -> None:
    """Index, index again, search in a new process by words and by picture."""
    first = run("index", folder, "--storage", "s", "--offline")
    assert first.exit_code == 0
    assert "5 files: 4 indexed, 0 unchanged, 0 removed, 1 skipped" in first.stdout
    assert "nodes: 1 audio, 2 image, 1 text" in first.stdout
    assert "broken.pdf" in first.stdout
    assert "CorruptFile" in first.stdout

    again = run("index", folder, "--storage", "s", "--offline")
    assert "0 indexed, 4 unchanged" in again.stdout
    assert "embedded 0" in again.stdout

    found = run("search", "bearing oil", "--storage", "s", "--offline")
    assert found.exit_code == 0
    assert "words.txt" in found.stdout.splitlines()[1]
    by_picture = run("search", "--image", folder / "blue.png", "--modality", "image", "--storage", "s", "--offline")
    assert "blue.png" in by_picture.stdout.splitlines()[1]


def test_a_stored_index_is_searched_by_a_new_process(folder: Path, tmp_path: Path) -> None:
    """Two real processes, one after the other, and nothing but JSON on stdout."""
    command = [sys.executable, "-m", "llama_index_gemini_mm.cli"]
    options = ["--storage", "s", "--offline", "--json"]

    indexed = subprocess.run([*command, "index", str(folder), *options], capture_output=True, text=True, check=True)
    found = subprocess.run([*command, "search", "bearing oil", *options], capture_output=True, text=True, check=True)

    assert json.loads(indexed.stdout)["indexed"] == 4
    assert json.loads(found.stdout)[0]["file_path"] == str(folder / "words.txt")
    assert indexed.stderr.strip() == found.stderr.strip() == STAND_IN
    assert str(tmp_path) not in indexed.stderr


def test_json_of_index(folder: Path) -> None:
    """One object with the agreed keys."""
    report = json.loads(run("index", folder, "--storage", "s", "--offline", "--json").stdout)

    assert list(report) == [
        *("files", "indexed", "unchanged", "renamed", "removed", "skipped", "notes", "nodes"),
        *("embedded", "tokens", "usd", "seconds", "dry_run", "plan"),
    ]
    assert report["nodes"] == {"image": 2, "audio": 1, "text": 1}
    assert report["skipped"] == [
        {"file": str(folder / "broken.pdf"), "error": "CorruptFile", "reason": report["skipped"][0]["reason"]}
    ]


def test_json_of_search(folder: Path) -> None:
    """A list of hits with the agreed keys."""
    run("index", folder, "--storage", "s", "--offline")

    hits = json.loads(run("search", "red", "--top", "2", "--storage", "s", "--offline", "--json").stdout)

    assert len(hits) == 2
    assert list(hits[0]) == [
        *("score", "modality", "file_path", "page_label", "bbox", "start_seconds", "end_seconds"),
        *("title", "text", "media_ref", "node_id", "node_ids"),
    ]


def test_a_dry_run_stores_nothing(folder: Path) -> None:
    """It says what would be done and cost; the index that follows does that."""
    told = json.loads(run("index", folder, "--storage", "s", "--offline", "--dry-run", "--json").stdout)
    assert run("search", "red", "--storage", "s", "--offline").stdout == "nothing found\n"
    done = json.loads(run("index", folder, "--storage", "s", "--offline", "--json").stdout)

    assert (told["dry_run"], done["dry_run"]) == (True, False)
    same = ("files", "indexed", "skipped", "nodes", "embedded")
    assert {key: told[key] for key in same} == {key: done[key] for key in same}
    assert {(Path(each["path"]).name, each["action"]) for each in told["plan"]} >= {("words.txt", "index")}


def test_passwords_from_a_file_and_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never on the command line itself, where others could read them."""
    folder = tmp_path / "locked"
    folder.mkdir()
    (folder / "locked.pdf").write_bytes(pdf(password="secret"))
    (tmp_path / "words").write_text("wrong\nsecret\n", encoding="utf-8")

    refused = run("index", folder, "--storage", "s", "--offline")
    assert "--password-file" in refused.stdout
    opened = run("index", folder, "--storage", "s", "--offline", "--password-file", tmp_path / "words")
    assert "1 indexed" in opened.stdout
    monkeypatch.setenv("GEMINI_MM_PASSWORDS", "secret")
    assert "1 indexed" in run("index", folder, "--storage", "t", "--offline").stdout


def test_what_stands_around(tmp_path: Path) -> None:
    """Neighbours come along in the JSON, and nothing of them without asking."""
    (tmp_path / "long.txt").write_text("The bearing needs oil every week. " * 1000, encoding="utf-8")
    run("index", tmp_path / "long.txt", "--storage", "s", "--offline", "--dimensions", "256")
    asked = ("search", "bearing", "--top", "1", "--storage", "s", "--offline", "--json")

    (alone,), (around,) = json.loads(run(*asked).stdout), json.loads(run(*asked, "--neighbours", "1").stdout)

    assert "context" not in alone
    assert around["context"]
    assert all("bearing" in each["text"] for each in around["context"])


def test_looking_for_an_index_makes_none(folder: Path) -> None:
    """A name that is not there, or an address that is none, is an error and not an empty answer."""
    run("index", folder / "words.txt", "--storage", "s", "--offline", "--dimensions", "256")

    other = run("search", "oil", "--storage", "s", "--offline", "--collection", "other")
    assert (other.exit_code, "no index 'other'" in other.stderr) == (errors.ConfigurationError.exit_code, True)
    assert not Path("s/edge/other").exists()
    address = run("push", "--to", "ftp://somewhere", "--storage", "s")
    assert (address.exit_code, "no address" in address.stderr) == (errors.ConfigurationError.exit_code, True)


def test_settings_are_those_of_the_index(folder: Path) -> None:
    """Dimension and plan are given once; afterwards the index knows them, and says so when others are asked for."""
    run("index", folder, "--storage", "s", "--offline", "--dimensions", "256", "--plan", "compact")

    found = run("search", "red", "--top", "1", "--storage", "s", "--offline", "--explain")
    assert "red.png" in found.stdout
    assert "cosine" in found.stdout
    other = run("search", "red", "--storage", "s", "--offline", "--dimensions", "768")
    assert (other.exit_code, "768-dimensional" in other.stderr) == (errors.IndexMismatch.exit_code, True)


def test_the_stand_in_is_named_once_and_not_in_the_results(folder: Path) -> None:
    """On stderr, so that pipes stay clean."""
    result = run("index", folder, "--storage", "s", "--offline")

    assert result.stderr.count("stand-in") == 1
    assert "stand-in" not in result.stdout


def test_demo() -> None:
    """Six searches, each with the right first hit."""
    result = run("demo", "--json")

    assert result.exit_code == 0
    shown = json.loads(result.stdout)
    assert {s["query"]: s["right"] for s in shown["searches"]} == {
        "text → text": True,
        "text → image": True,
        "text → audio": True,
        "text → video": True,
        "text → document": True,
        "image → image": True,
    }
    assert shown["index"]["skipped"] == []
    assert shown["index"]["nodes"].keys() == {"text", "image", "audio", "video", "document"}


def test_demo_for_people() -> None:
    """A mark, a place and a score for each."""
    result = run("demo")

    assert result.stdout.count("✓") == 6
    assert "page 5" in result.stdout
    assert "0:00–0:08" in result.stdout


def code_of(error: type[errors.GeminiMMError]) -> int:
    return error.exit_code


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("index", "nowhere", "--storage", "s", "--offline"), errors.SourceError, "no such file or folder"),
        (("index", "files", "--storage", "s"), errors.AuthError, "GOOGLE_API_KEY"),
        (("index", "files/broken.pdf", "--storage", "s", "--offline"), errors.CorruptFile, "broken.pdf"),
        (("index", "files", "--storage", "files/words.txt", "--offline"), errors.ConfigurationError, "is a file"),
        (("index", "files", "--storage", "s", "--offline", "--dimensions", "64"), errors.LimitExceeded, "768"),
        (("search", "x", "--storage", "s", "--offline"), errors.ConfigurationError, "gemini-mm index"),
    ],
)
def test_bad_input(folder: Path, arguments: tuple[str, ...], error: type[errors.GeminiMMError], words: str) -> None:
    """One clear line, the error's own exit code, no traceback."""
    result = run(*arguments)

    assert result.exit_code == code_of(error)
    assert words in result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.replace(STAND_IN, "").strip().splitlines()) <= 1


def test_bad_input_to_search(folder: Path) -> None:
    """Nothing asked, a missing picture, an unknown medium, another dimension."""
    run("index", folder, "--storage", "s", "--offline")
    common = ("--storage", "s", "--offline")

    assert run("search", *common).exit_code == code_of(errors.ConfigurationError)
    assert run("search", "--image", "nowhere.png", *common).exit_code == code_of(errors.SourceError)
    assert run("search", "x", "--modality", "smell", *common).exit_code == code_of(errors.ConfigurationError)
    mismatch = run("search", "x", "--dimensions", "768", *common)
    assert mismatch.exit_code == code_of(errors.IndexMismatch)
    assert "3072-dimensional" in mismatch.stderr


def test_version_and_help() -> None:
    """Both answer, and help names every command."""
    assert run("--version").stdout.strip() == __version__
    for command in ("index", "search", "demo", "emulate"):
        assert command in run("--help").stdout
        assert run(command, "--help").exit_code == 0


def test_emulate() -> None:
    """The server announces where it is, answers the SDK, and ends cleanly at Ctrl-C."""
    from google import genai

    command = [sys.executable, "-m", "llama_index_gemini_mm.cli", "emulate", "--port", "0"]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert server.stdout is not None
        first = server.stdout.readline()
        url = next(word for word in first.split() if word.startswith("http"))
        client = genai.Client(api_key="any", http_options={"base_url": url})
        reply = client.models.embed_content(model="gemini-embedding-2", contents="hello")
        assert len(reply.embeddings[0].values) == 3072  # type: ignore[index,arg-type]
        server.send_signal(signal.SIGINT)
        _, complaints = server.communicate(timeout=20)
        assert "Traceback" not in complaints
        assert server.returncode in (0, 130)
    finally:
        server.kill()
        server.wait()


def test_a_taken_port() -> None:
    """One line, not a traceback."""
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = run("emulate", "--port", taken.getsockname()[1])

    assert result.exit_code == code_of(errors.ConfigurationError)
    assert "port" in result.stderr


def test_help_is_quick() -> None:
    """--help takes at most twice the time of importing typer and rich alone: the best of ten, run in turn."""
    alone = ("-c", "import typer, rich.console, rich.table, rich.progress")
    asked = ("-m", "llama_index_gemini_mm.cli", "--help")
    times: dict[tuple[str, ...], list[float]] = {alone: [], asked: []}
    for _ in range(10):
        for arguments, taken in times.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
            taken.append(time.perf_counter() - start)

    assert min(times[asked]) <= 2 * min(times[alone])
