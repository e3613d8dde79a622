"""Sources: the same face over paths, URLs and bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import fsspec
import pytest

from llama_index_gemini_mm.errors import SourceError
from llama_index_gemini_mm.source import HEAD_BYTES, Source

DATA = b"0123456789" * 2000


def sources(folder: Path) -> list[Source]:
    path = folder / "A.TXT"
    path.write_bytes(DATA)
    with fsspec.open("memory://box/A.TXT", "wb") as stream:
        stream.write(DATA)
    return [
        Source.of(path),
        Source.of(str(path)),
        Source.of(f"file://{path}"),
        Source.of("memory://box/A.TXT"),
        Source.of_bytes(DATA, "A.TXT"),
    ]


def test_every_kind_of_source_gives_the_same_facts(tmp_path: Path) -> None:
    """Name, suffix, size, hash, head and bytes do not depend on where the bytes lie."""
    for source in sources(tmp_path):
        assert (source.name, source.suffix, source.size) == ("A.TXT", ".txt", len(DATA))
        assert source.sha256 == hashlib.sha256(DATA).hexdigest()
        assert source.head == DATA[:HEAD_BYTES]
        assert source.read() == DATA
        with source.open() as stream:
            stream.seek(5)
            assert stream.read(3) == b"567"


def test_only_files_on_this_disk_have_a_local_path(tmp_path: Path) -> None:
    """A URL and bytes have none."""
    local = [source.local_path for source in sources(tmp_path)]

    assert local == [tmp_path / "A.TXT"] * 3 + [None, None]


def test_content_inside_a_container_is_named_after_its_place() -> None:
    """The name is that of the inner file, the location that of the outer one."""
    source = Source("mail.eml", b"x", container_path="mail.eml!/a/report.PDF")

    assert (source.name, source.suffix, source.location) == ("report.PDF", ".pdf", "mail.eml")


def test_a_missing_file_is_a_source_error(tmp_path: Path) -> None:
    """With the path and a plain reason."""
    with pytest.raises(SourceError, match="no such file") as caught:
        Source.of(tmp_path / "nowhere").read()

    assert caught.value.path == str(tmp_path / "nowhere")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """The operating system's reason is kept."""
    with pytest.raises(SourceError, match="directory"):
        Source.of(tmp_path).read()


def test_bytes_are_not_shown() -> None:
    """A source in a log shows its name and not its content."""
    assert "0123" not in repr(Source.of_bytes(DATA, "a"))
