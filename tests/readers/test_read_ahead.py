"""Reading ahead of whoever takes the files."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from llama_index.core.schema import BaseNode

from llama_index_gemini_mm.errors import CorruptFile, SourceError
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers import MediaReader
from llama_index_gemini_mm.source import Source


def sources(folder: Path, count: int) -> list[tuple[Source, str | None]]:
    """Small texts, each with its number in it."""
    for number in range(count):
        (folder / f"{number:03}.txt").write_text(f"This is sheet {number}.", "utf-8")
    return [(Source.of(path), str(folder)) for path in sorted(folder.glob("*.txt"))]


def watched(each: list[tuple[Source, str | None]], begun: list[str]) -> Iterator[tuple[Source, str | None]]:
    """These, noted when they are asked for."""
    for source, root in each:
        begun.append(source.name)
        yield source, root


def texts(nodes: Iterator[BaseNode]) -> list[str]:
    return [node.get_content() for node in nodes]


def note(error: SourceError) -> None:
    raise error


class Slowly:
    """Takes its time over one file."""

    def __init__(self, name: str, seconds: float) -> None:
        self._name, self._seconds = name, seconds

    def __call__(self, nodes: list[BaseNode]) -> list[BaseNode]:
        if nodes[0].metadata["file_name"] == self._name:
            time.sleep(self._seconds)
        return nodes


def test_others_are_read_while_the_first_one_takes_long(tmp_path: Path, store: MediaStore) -> None:
    """They come in their order, and at once when the first one is there."""
    given, begun = sources(tmp_path, 30), list[str]()
    reader = MediaReader(store, workers=2)
    list(reader.lazy_load_data(tmp_path))  # so that both workers have started

    with closing(reader.read_all(watched(given, begun), then=Slowly("000.txt", 3.0))) as files:
        contents = []
        for number, (_, outcome) in enumerate(files):
            contents += texts(outcome(note))
            if number == 0:
                assert len(begun) >= 25
                started = time.monotonic()
    assert contents == [f"This is sheet {number}." for number in range(30)]
    assert time.monotonic() - started < 2


def test_not_all_is_read_ahead(tmp_path: Path, store: MediaStore) -> None:
    """A folder of a million files is not held in memory."""
    given, begun = sources(tmp_path, 60), list[str]()

    with closing(MediaReader(store, workers=1).read_all(watched(given, begun))) as files:
        _, outcome = next(files)
        assert texts(outcome(note)) == ["This is sheet 0."]
        time.sleep(1.5)
        assert 10 < len(begun) < 25


def test_stopping_early_ends_what_was_begun(tmp_path: Path, store: MediaStore) -> None:
    """No thread is left, and the next files are read."""
    given, begun = sources(tmp_path, 60), list[str]()
    reader = MediaReader(store, workers=2)

    with closing(reader.read_all(watched(given, begun), then=Slowly("002.txt", 60))) as files:
        next(files)
        next(files)

    assert "gemini-mm-read" not in {thread.name for thread in threading.enumerate()}
    assert len(begun) < 60
    assert len(reader.load_data(tmp_path)) == 60


def test_a_listing_that_fails(tmp_path: Path, store: MediaStore) -> None:
    """What came before is read; then the error is raised."""
    (first, *_) = sources(tmp_path, 1)

    def listed() -> Iterator[tuple[Source, str | None]]:
        yield first
        raise PermissionError("not for you")

    with closing(MediaReader(store, workers=2).read_all(listed())) as files:
        _, outcome = next(files)
        assert texts(outcome(note)) == ["This is sheet 0."]
        with pytest.raises(PermissionError, match="not for you"):
            next(files)


def test_a_bad_file_among_others(tmp_path: Path, store: MediaStore) -> None:
    """It costs itself, wherever it stands, though it was read long before."""
    given = sources(tmp_path, 20)
    (tmp_path / "005.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    given.insert(5, (Source.of(tmp_path / "005.png"), str(tmp_path)))

    read, failed = [], []
    with closing(MediaReader(store, workers=2).read_all(given)) as files:
        for source, outcome in files:
            try:
                read += texts(outcome(note))
            except CorruptFile:
                failed.append(source.name)

    assert failed == ["005.png"]
    assert read == [f"This is sheet {number}." for number in range(20)]
