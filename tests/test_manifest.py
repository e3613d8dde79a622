"""The list of files: what it keeps, for whom, that it is on disk, and what it says of files that are in between."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from llama_index_gemini_mm.manifest import FileRecord, Manifest

A = FileRecord("/a.png", 10, 123, "ff")
B = FileRecord("/b.png", 20, 0, "ee")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The SQLite file."""
    return tmp_path / "m.sqlite3"


@pytest.fixture
def manifest(path: Path) -> Iterator[Manifest]:
    """An empty list."""
    opened = Manifest(path, "embedded/media")
    yield opened
    opened.close()


def test_records_come_back_in_another_process(manifest: Manifest, path: Path) -> None:
    """Put, replaced, removed; read by a second connection while the first is open."""
    changed = FileRecord("/b.png", 21, 1, "dd")
    manifest.begin({"/a.png": {"n2": 1, "n1": 0}})
    manifest.finish([A, B])
    manifest.finish([changed])
    second = Manifest(path, "embedded/media")

    assert second.files() == {"/a.png": A, "/b.png": changed}
    assert second.node_ids("/a.png") == ["n1", "n2"]
    second.remove(["/b.png", "/a.png"])
    assert manifest.files() == {}
    assert manifest.node_ids("/a.png") == []
    second.close()


def test_a_file_is_unfinished_from_its_first_new_node_on(manifest: Manifest) -> None:
    """Old and new nodes are both listed until the stale ones are said to be gone."""
    manifest.begin({"/a.png": {"old": 0, "kept": 1}})
    manifest.finish([A])
    assert manifest.files()["/a.png"].finished

    manifest.begin({"/a.png": {"kept": 0, "new": 1}})
    between = manifest.files()["/a.png"]
    assert not between.finished
    assert (between.size, between.sha256) != (A.size, A.sha256)
    assert set(manifest.node_ids("/a.png")) == {"old", "kept", "new"}

    manifest.finish([A], {"/a.png": ["old"]})
    assert manifest.files()["/a.png"] == A
    assert manifest.node_ids("/a.png") == ["kept", "new"]


def test_a_file_about_to_be_deleted_is_unfinished(manifest: Manifest) -> None:
    """Its nodes stay listed until it is removed."""
    manifest.begin({"/a.png": {"n": 0}})
    manifest.finish([A, B])

    manifest.suspend(["/a.png"])

    assert not manifest.files()["/a.png"].finished
    assert manifest.files()["/b.png"] == B
    assert manifest.node_ids("/a.png") == ["n"]


def test_what_is_not_finished_is_on_disk(manifest: Manifest, path: Path) -> None:
    """The journal is of use only if another process finds it, with nothing closed before."""
    manifest.begin({"/a.png": {"n": 0}, "/b.png": {"m": 0}})

    with sqlite3.connect(path) as other:
        assert other.execute("SELECT count(*) FROM nodes").fetchone() == (2,)


def test_a_failed_write_changes_nothing(manifest: Manifest) -> None:
    """All or nothing, and the list can be used afterwards."""
    with pytest.raises(sqlite3.Error):
        manifest.begin({"/a.png": {"n": 0}, "/b.png": {"m": {}}})  # type: ignore[dict-item]

    assert manifest.files() == {}
    manifest.finish([A])
    assert manifest.files() == {"/a.png": A}


def test_targets_are_kept_apart(path: Path) -> None:
    """Clearing one collection's list leaves the other's."""
    one, two = (Manifest(path, name) for name in ("one", "two"))
    one.begin({"/a.png": {"n": 0}})
    two.begin({"/a.png": {"n": 0}})
    two.finish([B])

    one.clear()

    assert one.files() == {}
    assert one.node_ids("/a.png") == []
    assert two.node_ids("/a.png") == ["n"]
    assert two.files()["/b.png"] == B
    one.close()
    two.close()


def test_a_list_of_the_first_version_is_taken_over(path: Path) -> None:
    """It had the ids as JSON in one table."""
    with sqlite3.connect(path) as old:
        old.execute(
            "CREATE TABLE files (target TEXT NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER "
            "NOT NULL, sha256 TEXT NOT NULL, node_ids TEXT NOT NULL, PRIMARY KEY (target, path)) WITHOUT ROWID"
        )
        old.execute(
            "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?)", ("t", "/a.png", 10, 123, "ff", json.dumps(["x", "y"]))
        )

    for _ in range(2):
        manifest = Manifest(path, "t")
        assert manifest.files() == {"/a.png": A}
        assert manifest.node_ids("/a.png") == ["x", "y"]
        manifest.close()
