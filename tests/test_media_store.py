"""The media store: by hash, once, and honest about what has gone or changed."""

from __future__ import annotations

import hashlib
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import pytest

from llama_index_gemini_mm import MediaStore
from llama_index_gemini_mm.errors import CorruptFile, MediaMissing
from llama_index_gemini_mm.media import MediaRef
from llama_index_gemini_mm.media_store import DEFAULT_ROOT, as_media_store
from llama_index_gemini_mm.source import Source
from media_samples import png

DATA = png("red")
SHA = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A file outside the store."""
    path = tmp_path / "red.png"
    path.write_bytes(DATA)
    return path


def blobs(store: MediaStore) -> list[bytes]:
    """The bytes the store keeps itself."""
    return [p.read_bytes() for p in Path(store.root).glob("*/*") if p.suffix != ".json"]


def test_an_original_is_recorded_and_not_copied(store: MediaStore, picture: Path) -> None:
    """Only where it lies is written down; its bytes are read from there."""
    assert store.add_file(picture, "image/png") == SHA
    assert blobs(store) == []
    assert store.local_path(SHA) == picture
    assert store.read(MediaRef(SHA)) == DATA
    assert store.entry(MediaRef(SHA)).mime_type == "image/png"


def test_a_copy_outlives_the_file(store: MediaStore, picture: Path) -> None:
    """With copy=True the file may go."""
    store.add_file(picture, "image/png", copy=True)
    picture.unlink()

    assert store.read(MediaRef(SHA)) == DATA


def test_extracted_bytes_are_kept_once(store: MediaStore) -> None:
    """Twice the same bytes are one blob, with a path to show them from."""
    assert store.add_bytes(DATA, "image/png") == store.add_bytes(DATA, "image/png") == SHA
    assert blobs(store) == [DATA]
    path = store.local_path(SHA)
    assert path is not None
    assert path.read_bytes() == DATA


def test_bytes_are_not_forgotten_for_an_original(store: MediaStore, picture: Path) -> None:
    """Content that is kept stays kept when a file with the same content is recorded and then goes."""
    store.add_bytes(DATA, "image/png")
    store.add_file(picture, "image/png")
    picture.unlink()

    assert store.read(MediaRef(SHA)) == DATA


def test_a_file_that_moved_is_recorded_anew(store: MediaStore, picture: Path, tmp_path: Path) -> None:
    """The same content at another place is found there."""
    store.add_file(picture, "image/png")
    moved = picture.rename(tmp_path / "moved.png")
    store.add_file(moved, "image/png")

    assert store.read(MediaRef(SHA)) == DATA
    assert store.local_path(SHA) == moved


def test_a_file_that_is_gone(store: MediaStore, picture: Path) -> None:
    """MediaMissing names the path."""
    store.add_file(picture, "image/png")
    picture.unlink()

    with pytest.raises(MediaMissing, match="gone") as caught:
        store.open(MediaRef(SHA))
    assert caught.value.path == str(picture)


def test_a_file_that_changed(store: MediaStore, picture: Path) -> None:
    """Other bytes at the same place are never taken for the old ones, even at the same size."""
    store.add_file(picture, "image/png")
    picture.write_bytes(DATA[:-1] + b"x")

    with pytest.raises(MediaMissing, match="changed"):
        store.read(MediaRef(SHA))


def test_a_file_that_was_only_touched(store: MediaStore, picture: Path) -> None:
    """Another time with the same content is no change."""
    store.add_file(picture, "image/png")
    os.utime(picture, (1, 1))

    assert store.read(MediaRef(SHA)) == DATA
    assert store.entry(MediaRef(SHA)).mtime_ns == 1_000_000_000


def test_unknown_content(store: MediaStore) -> None:
    """A reference from another store is named as such."""
    with pytest.raises(MediaMissing, match="not in this media store"):
        store.cut(MediaRef("0" * 64))
    assert store.local_path("0" * 64) is None


def test_a_blob_that_is_gone(store: MediaStore) -> None:
    """Someone emptied the folder: the reference says so."""
    store.add_bytes(DATA, "image/png")
    (Path(store.root) / SHA[:2] / SHA).unlink()

    with pytest.raises(MediaMissing, match="gone from the media store"):
        store.open(MediaRef(SHA))


def test_content_that_cannot_be_decoded(store: MediaStore, tmp_path: Path) -> None:
    """A broken original is named by its path, a broken blob by its reference."""
    broken = tmp_path / "broken.png"
    broken.write_bytes(DATA[:30])
    ref = MediaRef(store.add_file(broken, "image/png"))
    with pytest.raises(CorruptFile, match=r"broken\.png"):
        store.cut(ref)

    blob = MediaRef(store.add_bytes(b"nonsense", "application/zip"))
    with pytest.raises(CorruptFile, match="cannot be uploaded"):
        store.cut(blob)


def test_a_shared_store_behind_a_url(picture: Path) -> None:
    """Any fsspec filesystem serves; there is no local path, but the bytes are there for every machine."""
    store = MediaStore("memory://shared/media")
    sha256 = store.add_bytes(DATA, "image/png")

    assert fsspec.filesystem("memory").exists(f"/shared/media/{sha256[:2]}/{sha256}")
    assert store.local_path(sha256) is None
    assert MediaStore("memory://shared/media").cut(MediaRef(sha256)) == (DATA, "image/png")


def test_an_original_behind_a_url(store: MediaStore) -> None:
    """A file on remote storage is recorded by its URL and read from there."""
    with fsspec.open("memory://remote/red.png", "wb") as stream:
        stream.write(DATA)
    sha256 = store.add_source(Source.of("memory://remote/red.png"), "image/png")

    assert blobs(store) == []
    assert store.local_path(sha256) is None
    assert store.read(MediaRef(sha256)) == DATA


def test_many_writers(store: MediaStore) -> None:
    """Writers of the same content do not disturb one another, and leave no drafts behind."""
    with ThreadPoolExecutor(8) as pool:
        hashes = set(pool.map(lambda _: MediaStore(store.root).add_bytes(DATA, "image/png"), range(50)))

    assert hashes == {SHA}
    assert sorted(p.name for p in Path(store.root).glob("*/*")) == [SHA, f"{SHA}.json"]


def test_a_store_is_a_value(store: MediaStore) -> None:
    """Equal by place, picklable, and silent about where it is."""
    assert pickle.loads(pickle.dumps(store)) == store
    assert hash(MediaStore(store.root)) == hash(store)
    assert store != MediaStore("elsewhere")
    assert store.root not in repr(store)


def test_the_option_takes_a_store_or_a_place(store: MediaStore) -> None:
    """None means the shared default."""
    assert as_media_store(store) is store
    assert as_media_store(store.root) == store
    assert as_media_store(None).root == DEFAULT_ROOT
