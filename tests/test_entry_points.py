"""Every file gives the same documents whichever way it comes in, and the same reason when it cannot be read.

Each way is gone once, with all files together. ``load_data`` of folders is in ``test_corpus``.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import fsspec
import pytest
from llama_index.core import SimpleDirectoryReader
from moto.server import ThreadedMotoServer
from typer.testing import CliRunner

from corpus_outcome import CORPUS, PLACES, Outcome, by_file, differences, truth
from llama_index_gemini_mm import MediaReader, MediaStore, media, media_file_extractor
from llama_index_gemini_mm.cli import app
from llama_index_gemini_mm.cli._session import Target, opened
from llama_index_gemini_mm.errors import SourceError
from llama_index_gemini_mm.readers import ReadReport
from llama_index_gemini_mm.source import Source

TRUTH = truth()
LINKING = (".md", ".html")
"""Their pictures lie beside them, where bytes and URLs do not reach, and drawings count as theirs when read alone."""
SUFFIXLESS = "hard/wrong_ext/png_no_extension"
"""Which ``SimpleDirectoryReader`` decodes itself: it asks no reader about a file without a suffix."""


@pytest.fixture
def skipping(store: MediaStore) -> MediaReader:
    return MediaReader(store, on_error="skip")


def agree(found: dict[str, Outcome], expected: dict[str, Outcome]) -> None:
    """Each file gave what its golden file says."""
    wrong = differences(found, expected)
    assert not wrong, "\n".join([f"{len(wrong)} of {len(expected)} files differ", *wrong[:20]])


def test_lazy_load_data(skipping: MediaReader) -> None:
    report = ReadReport()

    documents = skipping.lazy_load_data(PLACES, report=report)

    agree(by_file(documents, report.skipped, str(CORPUS)), TRUTH)


def test_aload_data(skipping: MediaReader) -> None:
    documents = asyncio.run(skipping.aload_data(PLACES))

    agree(by_file(documents, skipping.report.skipped, str(CORPUS)), TRUTH)


def test_in_this_process(store: MediaStore) -> None:
    reader = MediaReader(store, on_error="skip", workers=0)

    documents = reader.load_data(PLACES)

    agree(by_file(documents, reader.report.skipped, str(CORPUS)), TRUTH)


def test_simple_directory_reader_in_two_processes(store: MediaStore) -> None:
    """Its files come one by one, and it keeps no report."""
    files = [CORPUS / name for name in TRUTH if name != SUFFIXLESS]
    reader = SimpleDirectoryReader(input_files=files, file_extractor=media_file_extractor(store, on_error="skip"))

    documents = reader.load_data(num_workers=2)

    told = {name: _but(told, "error", "notes") for name, told in TRUTH.items() if "counts" in told}
    agree(_alone(by_file(documents, (), str(CORPUS))), _alone(_but(told, SUFFIXLESS)))


def test_bytes(skipping: MediaReader) -> None:
    documents = skipping.load_data(Source.of_bytes((CORPUS / name).read_bytes(), name) for name in TRUTH)

    agree(_alone(by_file(documents, skipping.report.skipped, "")), _alone(TRUTH))


@pytest.fixture
def memory() -> Iterator[str]:
    """The corpus in fsspec's memory."""
    files = fsspec.filesystem("memory")
    for place in PLACES:
        files.put(f"{place}/", f"/corpus/{place.name}/", recursive=True)
    yield "memory:///corpus"
    files.rm("/corpus", recursive=True)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The corpus in a bucket of a local server that speaks S3."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    told = {"key": "k", "secret": "s", "client_kwargs": {"endpoint_url": f"http://{host}:{port}"}}
    monkeypatch.setitem(fsspec.config.conf, "s3", told)
    files = fsspec.filesystem("s3", skip_instance_cache=True)
    files.mkdir("corpus")
    for place in PLACES:
        files.put(f"{place}/", f"corpus/{place.name}/", recursive=True)
    yield "s3://corpus"
    server.stop()


@pytest.mark.parametrize("place", ["memory", "bucket"])
def test_urls(place: str, skipping: MediaReader, request: pytest.FixtureRequest) -> None:
    """Folders behind fsspec, and a file with a store that lies there as well."""
    url = str(request.getfixturevalue(place))

    documents = skipping.load_data(f"{url}/{folder.name}" for folder in PLACES)

    agree(_alone(by_file(documents, skipping.report.skipped, url)), _alone(TRUTH))
    one = next(name for name in TRUTH if name.startswith("good/docx"))
    there = MediaReader(f"{url}/media").load_data(f"{url}/{one}")
    agree(by_file(there, (), url), {one: TRUTH[one]})


def test_the_command_line(tmp_path: Path) -> None:
    """The report names each file that is left out; of the others each medium is one node, and text one or more."""
    named = [*map(str, PLACES), "--storage", str(tmp_path / "storage"), "--offline", "--dimensions", "128"]
    done = CliRunner().invoke(app, ["index", "--json", *named])
    assert done.exit_code == 0, done.stderr
    report = json.loads(done.stdout)

    left_out = {_below(each["file"]): {"error": f"{each['error']}: {each['reason']}"} for each in report["skipped"]}
    assert (
        differences(left_out, {name: {"error": told["error"]} for name, told in TRUTH.items() if "error" in told}) == []
    )
    assert (report["files"], report["indexed"]) == (len(TRUTH), len(TRUTH) - len(left_out))
    assert len(report["notes"]) == sum(len(told.get("notes", ())) for told in TRUTH.values())
    stored = _stored(tmp_path / "storage")
    assert report["nodes"] == dict(sum(stored.values(), Counter()))
    counts = {name: told["counts"] for name, told in TRUTH.items() if "counts" in told and name not in left_out}
    assert {name: _but(found, "text") for name, found in stored.items()} == {
        name: _but(expected, "text") for name, expected in counts.items()
    }
    assert [name for name, expected in counts.items() if stored[name]["text"] < expected.get("text", 0)] == []


def test_one_file_that_cannot_be_read_is_raised(store: MediaStore) -> None:
    name, told = next((name, told) for name, told in TRUTH.items() if "error" in told)

    with pytest.raises(SourceError, match=r".") as caught:
        MediaReader(store).load_data(CORPUS / name)

    assert f"{type(caught.value).__name__}: {caught.value.reason}" == told["error"]
    assert os.fspath(CORPUS / name) in str(caught.value)


def _but(found: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """A mapping without some keys."""
    return {key: value for key, value in found.items() if key not in names}


def _alone(found: Mapping[str, Outcome]) -> dict[str, Outcome]:
    """The same without the pictures of files that link to them."""
    return {name: _without_pictures(told) if name.endswith(LINKING) else told for name, told in found.items()}


def _without_pictures(told: Outcome) -> Outcome:
    lines = [each for each in told.get("documents", ()) if not each.startswith("image")]
    return _but(told, "documents", "counts") | {"documents": lines, "counts": _but(told.get("counts", {}), "image")}


def _below(file: str) -> str:
    return Path(file).relative_to(CORPUS).as_posix()


def _stored(storage: Path) -> dict[str, Counter[str]]:
    """The nodes of each file by modality."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    with opened(Target(storage), offline=True) as index:
        for node in index.vector_store.get_nodes():
            found[_below(node.metadata[media.FILE_PATH])][node.metadata[media.MODALITY]] += 1
    return found
