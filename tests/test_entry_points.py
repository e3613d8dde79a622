"""A file gives the same documents whichever way it comes in, and the same reason when it cannot be read."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from llama_index.core import SimpleDirectoryReader
from llama_index.core.schema import Document
from moto.server import ThreadedMotoServer
from typer.testing import CliRunner

from corpus_outcome import CORPUS, GOLDEN, line
from llama_index_gemini_mm import MediaReader, MediaStore, media, media_file_extractor
from llama_index_gemini_mm.cli import app
from llama_index_gemini_mm.errors import SourceError
from llama_index_gemini_mm.source import Source

EACH = 2
HARD = ("exif6.jpg", "exe_as.png", "random.pdf", "zero.mp3", "xxe.docx", "attachments.eml", "s51.ac3", "enc_rc4_40.pdf")
KINDS = sorted(path for path in GOLDEN.glob("good_*.json"))


def _sample() -> dict[str, dict[str, Any]]:
    """Some good files of each kind, and some hard ones, with what their golden files say."""
    found: dict[str, dict[str, Any]] = {}
    for kind in KINDS:
        truth = json.loads(kind.read_text(encoding="utf-8"))
        readable = [name for name, expected in truth.items() if "documents" in expected and "notes" not in expected]
        found |= {name: truth[name] for name in readable[:: max(1, len(readable) // EACH)][:EACH]}
    hard = json.loads((GOLDEN / "hard.json").read_text(encoding="utf-8"))
    return found | {name: hard[name] for name in hard if Path(name).name in HARD}


SAMPLE = _sample()
LINKING = ("good/md/", "good/html/")
"""Their pictures lie beside them, where bytes and URLs do not reach."""
READABLE = {name: truth for name, truth in SAMPLE.items() if "error" not in truth}
SELF_CONTAINED = {name: truth for name, truth in READABLE.items() if not name.startswith(LINKING)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The sample in a folder of its own, as in the corpus, with what lies beside the files that link."""
    for name in SAMPLE:
        target = tmp_path / "sample" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(CORPUS / name, target)
    return tmp_path / "sample"


def lines_by_file(documents: Iterable[Document], root: str) -> dict[str, list[str]]:
    """What the documents say, by the file they come from, as golden files have it."""
    found: dict[str, list[str]] = defaultdict(list)
    for document in documents:
        name = str(document.metadata[media.FILE_PATH]).removeprefix(root).lstrip("/")
        found[name].append(line(document.metadata, document.get_content()))
    return found


def agree(found: dict[str, list[str]], expected: dict[str, dict[str, Any]]) -> None:
    """Each file gave the documents of its golden file, of which that shows the first ones."""
    assert found.keys() == expected.keys()
    for name, truth in expected.items():
        assert found[name][: len(truth["documents"])] == truth["documents"], name
        assert len(found[name]) == sum(truth["counts"].values()), name


def files_of(names: Iterable[str], folder: Path) -> list[str | Path]:
    return [folder / name for name in names]


def test_load_data(folder: Path, store: MediaStore) -> None:
    reader = MediaReader(store, on_error="skip")

    agree(lines_by_file(reader.load_data(folder), str(folder)), READABLE)

    left_out = {s.file.removeprefix(f"{folder}/"): f"{s.error}: {s.reason}" for s in reader.report.skipped}
    assert left_out == {name: truth["error"] for name, truth in SAMPLE.items() if "error" in truth}


def test_lazy_load_data(folder: Path, store: MediaStore) -> None:
    documents = MediaReader(store).lazy_load_data(files_of(READABLE, folder))

    agree(lines_by_file(documents, str(folder)), READABLE)


def test_aload_data(folder: Path, store: MediaStore) -> None:
    documents = asyncio.run(MediaReader(store).aload_data(files_of(READABLE, folder)))

    agree(lines_by_file(documents, str(folder)), READABLE)


def test_in_this_process(folder: Path, store: MediaStore) -> None:
    documents = MediaReader(store, workers=0).load_data(files_of(READABLE, folder))

    agree(lines_by_file(documents, str(folder)), READABLE)


def test_simple_directory_reader_in_two_processes(folder: Path, store: MediaStore) -> None:
    extractor = media_file_extractor(store)
    reader = SimpleDirectoryReader(input_files=files_of(READABLE, folder), file_extractor=extractor)

    agree(lines_by_file(reader.load_data(num_workers=2), str(folder)), READABLE)


def test_bytes(store: MediaStore) -> None:
    sources = [Source.of_bytes((CORPUS / name).read_bytes(), name) for name in SELF_CONTAINED]

    agree(lines_by_file(MediaReader(store).load_data(sources), ""), SELF_CONTAINED)


@pytest.fixture
def memory(folder: Path) -> Iterator[str]:
    """The sample in fsspec's memory."""
    files = fsspec.filesystem("memory")
    files.put(f"{folder}/", "/sample/", recursive=True)
    yield "memory://sample"
    files.rm("/sample", recursive=True)


@pytest.fixture
def bucket(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The sample in a bucket of a local server that speaks S3."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    told = {"key": "k", "secret": "s", "client_kwargs": {"endpoint_url": f"http://{host}:{port}"}}
    monkeypatch.setitem(fsspec.config.conf, "s3", told)
    files = fsspec.filesystem("s3", skip_instance_cache=True)
    files.mkdir("corpus")
    files.put(f"{folder}/", "corpus/sample/", recursive=True)
    yield "s3://corpus/sample"
    server.stop()


@pytest.mark.parametrize("place", ["memory", "bucket"])
def test_urls(place: str, store: MediaStore, request: pytest.FixtureRequest) -> None:
    """A folder behind fsspec, and files in it one by one; a store that lies there as well."""
    url = str(request.getfixturevalue(place))
    reader = MediaReader(store, on_error="skip")

    found = lines_by_file(reader.load_data(url), url.replace("memory://", "memory:///"))

    agree({name: lines for name, lines in found.items() if name in SELF_CONTAINED}, SELF_CONTAINED)
    one = next(name for name in SELF_CONTAINED if name.startswith("good/docx"))
    there = MediaReader(f"{url}-media").load_data(f"{url}/{one}")
    assert [line(d.metadata, d.get_content()) for d in there] == found[one]


def test_the_command_line(folder: Path, tmp_path: Path) -> None:
    storage = str(tmp_path / "storage")
    done = CliRunner().invoke(
        app,
        ["index", str(folder), "--storage", storage, "--offline", "--json", "--dimensions", "128"],
    )
    report = json.loads(done.stdout)

    assert done.exit_code == 0
    left_out = {
        Path(s["file"]).relative_to(folder).as_posix(): f"{s['error']}: {s['reason']}" for s in report["skipped"]
    }
    expected = {name: truth["error"] for name, truth in SAMPLE.items() if "error" in truth}
    assert left_out == expected
    assert report["indexed"] == len(READABLE)
    counts = {name for truth in READABLE.values() for name in truth["counts"]}
    assert set(report["nodes"]) == counts


def test_one_file_that_cannot_be_read_is_raised(store: MediaStore) -> None:
    name, truth = next((name, truth) for name, truth in SAMPLE.items() if "error" in truth)

    with pytest.raises(SourceError, match=r".") as caught:
        MediaReader(store).load_data(CORPUS / name)

    assert f"{type(caught.value).__name__}: {caught.value.reason}" == truth["error"]
    assert os.fspath(CORPUS / name) in str(caught.value)
