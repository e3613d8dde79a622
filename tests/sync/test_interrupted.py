"""A sync that ended half way, and files that changed before the next one: nothing is left over, nothing is missed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sync_support import Bench, assert_same, write_book

from llama_index_gemini_mm.emulator import GeminiEmulator
from llama_index_gemini_mm.sync import Progress
from llama_index_gemini_mm.sync._flow import GROUP_NODES


class Interruption(Exception):
    """Stands for a kill right after a group was stored."""


def interrupt(_: Progress) -> None:
    """End the sync at its first sign of progress."""
    raise Interruption


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A file of several groups."""
    (tmp_path / "files").mkdir()
    return write_book(tmp_path / "files" / "book.md", 3 * GROUP_NODES)


def half_stored(opened: Bench, book: Path) -> int:
    """Sync until the first group is stored; how many points there are."""
    with pytest.raises(Interruption):
        opened.synchronizer(on_progress=interrupt).run(book.parent)
    return len(opened.points())


def test_orphans_are_deleted(opened: Bench, book: Path) -> None:
    """A file that went away before it was ever finished leaves nothing in the store."""
    assert half_stored(opened, book) == GROUP_NODES
    assert not opened.manifest.files()[str(book)].finished
    book.unlink()

    report = opened.synchronizer().run(book.parent)

    assert report.removed == 1
    assert opened.points() == {}
    assert opened.manifest.files() == {}
    assert len(opened.removed) == GROUP_NODES


def test_a_half_stored_version_that_changed_again(opened: Bench, book: Path) -> None:
    """Only the last version is stored at the end, whatever was begun before."""
    book.write_text("the,first\nversion,1\n", encoding="utf-8")
    opened.synchronizer().run(book.parent)
    write_book(book, 3 * GROUP_NODES)
    assert half_stored(opened, book) >= GROUP_NODES
    book.write_text("the,third\nversion,3\n", encoding="utf-8")

    report = opened.synchronizer().run(book.parent)

    assert (report.indexed, len(opened.points())) == (1, 1)
    ((payload, _),) = opened.points().values()
    assert "third" in payload["_node_content"]["text_resource"]["text"]
    assert opened.manifest.node_ids(str(book)) == list(opened.points())


def test_a_half_stored_version_that_was_taken_back(opened: Bench, book: Path) -> None:
    """The old version comes back with its old time and size: it is not taken for unchanged."""
    state = book.stat()
    opened.synchronizer().run(book.parent)
    expected, content = opened.points(), book.read_bytes()
    book.write_bytes(content.replace(b"bearing", b"grinder"))
    half_stored(opened, book)
    between = opened.points().values()
    book.write_bytes(content)
    os.utime(book, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert sum("grinder" in payload["_node_content"]["text_resource"]["text"] for payload, _ in between) == GROUP_NODES

    report = opened.synchronizer().run(book.parent)

    assert (report.indexed, report.unchanged, report.embedded) == (1, 0, 0)
    assert_same(opened.points(), expected)


def test_a_rename_that_was_interrupted(opened: Bench, book: Path, emulator: GeminiEmulator) -> None:
    """It is still a rename the next time, and still costs nothing."""
    opened.synchronizer().run(book.parent)
    count = len(opened.points())
    new = book.rename(book.with_name("renamed.md"))
    emulator.clear()
    assert half_stored(opened, new) == count + GROUP_NODES

    report = opened.synchronizer().run(new.parent)

    assert (report.renamed, report.indexed, report.removed) == (1, 0, 0)
    assert emulator.requests == []
    assert opened.names() == {"renamed.md": count}


def test_other_folders_keep_what_is_unfinished(opened: Bench, book: Path, tmp_path: Path) -> None:
    """A sync of another folder does not touch it; one of its own folder does."""
    stored = half_stored(opened, book)
    other = tmp_path / "other"
    other.mkdir()

    assert opened.synchronizer().run(other).removed == 0
    assert len(opened.points()) == stored
    assert opened.synchronizer().run(book.parent).indexed == 1
    assert len(opened.points()) > stored
