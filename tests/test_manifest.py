"""The list of files: what it keeps, for whom, and that it is on disk."""

from __future__ import annotations

from pathlib import Path

from llama_index_gemini_mm.manifest import FileRecord, Manifest

A = FileRecord("/a.png", 10, 123, "ff", ("n1", "n2"))
B = FileRecord("/b.png", 20, 0, "ee")


def test_records_come_back_in_another_process(tmp_path: Path) -> None:
    """Put, replaced, removed; read by a second connection while the first is open."""
    first = Manifest(tmp_path / "m.sqlite3", "embedded/media")
    first.put(A)
    first.put(B)
    first.put(FileRecord("/b.png", 21, 1, "dd", ("n3",)))
    second = Manifest(tmp_path / "m.sqlite3", "embedded/media")

    assert second.files() == {"/a.png": A, "/b.png": FileRecord("/b.png", 21, 1, "dd", ("n3",))}
    second.remove("/b.png")
    assert first.files() == {"/a.png": A}
    first.close()
    second.close()


def test_targets_are_kept_apart(tmp_path: Path) -> None:
    """Clearing one collection's list leaves the other's."""
    one, two = (Manifest(tmp_path / "m.sqlite3", name) for name in ("one", "two"))
    one.put(A)
    two.put(B)

    one.clear()

    assert (one.files(), two.files()) == ({}, {"/b.png": B})
