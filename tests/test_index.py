"""MediaIndex end to end on real files: sync, search, reopen, and every way in which that can go wrong."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from llama_index.core import VectorStoreIndex
from llama_index.core.vector_stores.types import FilterOperator, MetadataFilter, MetadataFilters

from llama_index_gemini_mm import GeminiMultimodalEmbedding, MediaIndex, MediaRetriever, SplitOptions
from llama_index_gemini_mm.emulator import Fault, GeminiEmulator
from llama_index_gemini_mm.errors import (
    AuthError,
    ConfigurationError,
    IndexLocked,
    IndexMismatch,
    QuotaExhausted,
    SourceError,
)
from llama_index_gemini_mm.sync import Progress
from media_samples import png, wav
from support import contents_of, media_sent

RED, BLUE, TONE = png("red"), png("blue"), wav(1.0, 440)
Open = Callable[..., AbstractContextManager[MediaIndex]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures, a sound and a text, one of them in a folder of its own."""
    made = tmp_path / "files"
    (made / "deep").mkdir(parents=True)
    (made / "blue.png").write_bytes(BLUE)
    (made / "deep" / "red.png").write_bytes(RED)
    (made / "tone.wav").write_bytes(TONE)
    (made / "words.txt").write_text("the bearing needs oil", encoding="utf-8")
    return made


@pytest.fixture
def open_index(emulator: GeminiEmulator, tmp_path: Path) -> Open:
    """MediaIndex.open on one storage folder, each time as a new process would."""

    def opened(dimension: int = 256, service: str = "gemini", **options: object) -> MediaIndex:
        model = GeminiMultimodalEmbedding(
            api_key=emulator.api_key,
            base_url=emulator.base_url,
            output_dimensionality=dimension,
            media_store=tmp_path / "storage" / "media",
            max_retries=0,
            service=service,
        )
        return MediaIndex.open(tmp_path / "storage", embed_model=model, **options)

    return opened


@pytest.fixture
def index(open_index: Open) -> Iterator[MediaIndex]:
    """An empty index."""
    with open_index() as opened:
        yield opened


def names(index: MediaIndex) -> list[str]:
    """The file names of all stored points."""
    return sorted(n.metadata["file_name"] for n in index.vector_store.get_nodes())


def test_first_sync(index: MediaIndex, folder: Path, emulator: GeminiEmulator) -> None:
    """Everything is read, embedded with its own bytes, stored, and counted."""
    report = index.sync(folder)

    assert (report.files, report.indexed, report.unchanged, report.removed, report.skipped) == (4, 4, 0, 0, ())
    assert report.nodes == {"image": 2, "audio": 1, "text": 1}
    assert report.embedded == 4
    assert report.tokens >= 2 * 258 + 25
    assert report.usd > 0
    assert sorted(media_sent(emulator)) == sorted([("image/png", RED), ("image/png", BLUE), ("audio/wav", TONE)])
    assert names(index) == ["blue.png", "red.png", "tone.wav", "words.txt"]


def test_a_second_sync_costs_nothing(index: MediaIndex, folder: Path, emulator: GeminiEmulator) -> None:
    """Neither unchanged files nor touched ones are sent again."""
    index.sync(folder)
    emulator.clear()
    os.utime(folder / "blue.png", (1, 1))

    report = index.sync(folder)

    assert (report.indexed, report.unchanged, report.embedded, report.usd) == (0, 4, 0, 0.0)
    assert emulator.requests == []


def test_changed_and_removed_files(index: MediaIndex, folder: Path, emulator: GeminiEmulator) -> None:
    """A changed file is replaced, a removed one deleted, the others are left alone."""
    index.sync(folder)
    emulator.clear()
    green = png("green")
    (folder / "blue.png").write_bytes(green)
    (folder / "words.txt").unlink()

    report = index.sync(folder)

    assert (report.indexed, report.unchanged, report.removed) == (1, 2, 1)
    assert media_sent(emulator) == [("image/png", green)]
    assert names(index) == ["blue.png", "red.png", "tone.wav"]
    assert index.search(image=green, top_k=1)[0].file_path == str(folder / "blue.png")


def test_a_file_that_shrinks_leaves_no_old_nodes(index: MediaIndex, folder: Path) -> None:
    """A long text became short: the nodes of its former end are gone."""
    text = folder / "words.txt"
    text.write_text("The bearing needs oil every week. " * 1000, encoding="utf-8")
    assert index.sync(folder).nodes["text"] > 3

    text.write_text("short now", encoding="utf-8")
    index.sync(folder)

    assert names(index).count("words.txt") == 1


def test_other_folders_are_not_touched(index: MediaIndex, folder: Path, tmp_path: Path) -> None:
    """Syncing one folder deletes nothing that came from another, not even one whose name begins alike."""
    other = tmp_path / "files-2"
    other.mkdir()
    (other / "green.png").write_bytes(png("green"))
    index.sync([folder, other])

    assert index.sync(folder).removed == 0
    assert index.sync(folder / "deep").removed == 0
    assert "green.png" in names(index)


def test_a_folder_that_is_not_there_deletes_nothing(index: MediaIndex, folder: Path, tmp_path: Path) -> None:
    """An unmounted disk is an error, and not a thousand removed files."""
    index.sync(folder)
    folder.rename(tmp_path / "unmounted")

    with pytest.raises(SourceError, match="no such file or folder"):
        index.sync(folder)
    assert len(names(index)) == 4


def test_one_bad_file_stops_no_other(index: MediaIndex, folder: Path) -> None:
    """Broken, locked and unknown files are in the report by name, class and reason."""
    (folder / "broken.png").write_bytes(RED[:40])
    (folder / "empty.pdf").write_bytes(b"")
    (folder / "program.bin").write_bytes(bytes(range(256)) * 8)

    report = index.sync(folder)

    assert report.indexed == 4
    assert {(Path(s.file).name, s.error) for s in report.skipped} == {
        ("broken.png", "CorruptFile"),
        ("empty.pdf", "CorruptFile"),
        ("program.bin", "UnsupportedFormat"),
    }
    assert all(s.reason and s.file not in s.reason for s in report.skipped)
    assert report.files == report.indexed + report.unchanged + len(report.skipped)


def test_one_refused_node_costs_its_file_alone(index: MediaIndex, folder: Path, emulator: GeminiEmulator) -> None:
    """When the service refuses a group, the files are tried one by one."""

    def holds_blue(record: object) -> bool:
        return any(p.data == BLUE for c in record.contents for p in c.parts)  # type: ignore[attr-defined]

    emulator.faults.add(Fault(status=400), times=None, match=holds_blue)

    report = index.sync(folder)

    assert report.indexed == 3
    assert [(Path(s.file).name, s.error) for s in report.skipped] == [("blue.png", "InvalidRequest")]
    emulator.faults.clear()
    assert index.sync(folder).indexed == 1


def test_what_was_stored_before_the_quota_ended_stays(
    open_index: Open, tmp_path: Path, emulator: GeminiEmulator
) -> None:
    """A fatal error ends the sync; the next one goes on behind the last stored group."""
    many = tmp_path / "many"
    many.mkdir()
    for number in range(600):
        (many / f"{number:03}.txt").write_text(f"note number {number}", encoding="utf-8")
    emulator.faults.add(Fault(status=429, quota="day"), times=None, after=3)
    with open_index() as index:
        with pytest.raises(QuotaExhausted):
            index.sync(many)
        stored = len(names(index))
    assert 0 < stored < 600

    emulator.faults.clear()
    emulator.clear()
    with open_index() as index:
        report = index.sync(many)

    assert report.unchanged + report.indexed == 600
    assert report.unchanged >= stored - 1  # the end of the last file may not have been written down
    assert len(contents_of(emulator)) <= 600 - stored


def test_search_by_everything(index: MediaIndex, folder: Path, tmp_path: Path) -> None:
    """Words, a picture by path, bytes or both, a sound; each hit says where it is."""
    index.sync(folder)

    by_words = index.search("bearing oil", top_k=1)[0]
    assert (by_words.modality, by_words.title, by_words.text) == ("text", "words", "the bearing needs oil")
    assert by_words.file_path == str(folder / "words.txt")
    assert index.search(image=folder / "blue.png", top_k=1)[0].file_path == str(folder / "blue.png")
    assert index.search(image=str(folder / "blue.png"), top_k=1)[0].file_path == str(folder / "blue.png")
    assert index.search("red", image=RED, top_k=1)[0].file_path == str(folder / "deep" / "red.png")
    by_sound = index.search(audio=TONE, top_k=1)[0]
    assert (by_sound.modality, by_sound.start_seconds, by_sound.end_seconds) == ("audio", 0.0, 1.0)
    assert by_sound.media_ref is not None
    assert by_sound.media_ref.startswith("media://")


def test_hits_as_plain_values(index: MediaIndex, folder: Path) -> None:
    """The keys that machines rely on, in their order."""
    index.sync(folder)

    (hit,) = index.search("red", top_k=1)

    assert list(hit.as_dict()) == [
        *("score", "modality", "file_path", "page_label", "bbox", "start_seconds", "end_seconds"),
        *("title", "text", "media_ref", "node_id", "node_ids"),
    ]


def test_modalities_and_filters(index: MediaIndex, folder: Path) -> None:
    """Only what was asked for comes back, with both conditions at once too."""
    index.sync(folder)
    red = MetadataFilters(filters=[MetadataFilter(key="file_name", value="red.png", operator=FilterOperator.EQ)])

    assert {h.modality for h in index.search("bearing oil", modalities=["image"])} == {"image"}
    assert {h.modality for h in index.search("oil", modalities=["audio", "text"])} == {"audio", "text"}
    assert len(index.search("oil", filters=red)) == 1
    assert index.search("oil", modalities=["text"], filters=red) == []


def test_impossible_searches(index: MediaIndex) -> None:
    """Nothing asked, an unknown medium, no results wanted."""
    with pytest.raises(ConfigurationError, match="search for something"):
        index.search("")
    with pytest.raises(ConfigurationError, match="'picture' is unknown"):
        index.search("x", modalities=["picture"])  # type: ignore[list-item]
    with pytest.raises(ConfigurationError, match="at least 1"):
        index.search("x", top_k=0)
    assert index.search("an empty index") == []


async def test_the_retriever(index: MediaIndex, folder: Path) -> None:
    """as_retriever is a LlamaIndex retriever in both modes."""
    index.sync(folder)
    retriever = index.as_retriever(similarity_top_k=2, modalities=["image"])

    assert isinstance(retriever, MediaRetriever)
    hits = retriever.retrieve("red")
    assert [h.node.metadata["modality"] for h in hits] == ["image", "image"]
    assert [h.node_id for h in await retriever.aretrieve("red")] == [h.node_id for h in hits]
    bundle = await index.embed_model.aquery_bundle(BLUE)
    assert (await retriever.aretrieve(bundle))[0].node.metadata["file_name"] == "blue.png"


async def test_the_vector_store_index(index: MediaIndex, folder: Path) -> None:
    """The collection as a LlamaIndex index, sync and async."""
    index.sync(folder)

    inner = index.vector_store_index

    assert isinstance(inner, VectorStoreIndex)
    assert inner.as_retriever(similarity_top_k=1).retrieve("bearing oil")[0].node.metadata["modality"] == "text"
    hits = await inner.as_retriever(similarity_top_k=1).aretrieve("bearing oil")
    assert hits[0].node.metadata["file_name"] == "words.txt"


def test_reopen(open_index: Open, folder: Path, emulator: GeminiEmulator) -> None:
    """A new opening finds what the former one stored, and embeds only the query."""
    with open_index() as index:
        index.sync(folder)
    emulator.clear()

    with open_index() as index:
        assert index.search(image=BLUE, top_k=1)[0].file_path == str(folder / "blue.png")
        assert index.sync(folder).embedded == 0

    assert len(contents_of(emulator)) == 1


def test_progress(index: MediaIndex, folder: Path) -> None:
    """One call a file; the numbers only grow and end at the whole."""
    seen: list[Progress] = []

    index.sync(folder, on_progress=seen.append)

    assert [p.done for p in seen] == [1, 2, 3, 4]
    assert {p.total for p in seen} == {4}


def test_urls(index: MediaIndex) -> None:
    """A folder behind fsspec is synced like a local one."""
    import fsspec

    with fsspec.open("memory://handbook/a/red.png", "wb") as stream:
        stream.write(RED)

    assert index.sync("memory://handbook").indexed == 1
    assert index.sync("memory://handbook").unchanged == 1
    assert index.search(image=RED, top_k=1)[0].file_path == "memory:///handbook/a/red.png"


def test_another_dimension_is_a_mismatch(open_index: Open, folder: Path) -> None:
    """The error says what the index holds and what was asked for."""
    with open_index() as index:
        index.sync(folder)

    with pytest.raises(IndexMismatch, match="256-dimensional") as caught:
        open_index(dimension=128)
    assert "128-dimensional" in caught.value.expected
    with open_index() as index:
        assert len(names(index)) == 4


def test_vectors_of_the_stand_in_are_not_mixed_with_geminis(open_index: Open, folder: Path) -> None:
    """An index made offline is not opened for the real service."""
    with open_index(service="stand-in") as index:
        index.sync(folder)

    with pytest.raises(IndexMismatch, match="stand-in"):
        open_index()


def test_a_second_opening_is_told_at_once(index: MediaIndex, open_index: Open) -> None:
    """An embedded index belongs to one at a time."""
    with pytest.raises(IndexLocked, match="qdrant_url"):
        open_index()


def test_a_lost_collection_is_filled_again(open_index: Open, folder: Path, tmp_path: Path) -> None:
    """Someone deleted the vectors but not the list of files: nothing is taken for unchanged."""
    import shutil

    with open_index() as index:
        index.sync(folder)
    shutil.rmtree(tmp_path / "storage" / "edge")

    with open_index() as index:
        assert index.sync(folder).indexed == 4


def test_two_collections_in_one_storage(open_index: Open, folder: Path) -> None:
    """Each has its own list of files."""
    with open_index() as index:
        index.sync(folder)
    with open_index(collection="other") as index:
        assert index.sync(folder).indexed == 4


def test_impossible_storages(tmp_path: Path, open_index: Open) -> None:
    """A file in the folder's place, and a name no collection can have."""
    (tmp_path / "storage").write_text("not a folder", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="is a file"):
        open_index()
    with pytest.raises(ConfigurationError, match="collection"):
        open_index(collection="a/b")


def test_without_a_key(tmp_path: Path) -> None:
    """Told before anything is made on disk."""
    with pytest.raises(AuthError, match="GOOGLE_API_KEY"):
        MediaIndex.open(tmp_path / "new")
    assert not (tmp_path / "new" / "edge").exists()


def test_split_options(open_index: Open, tmp_path: Path) -> None:
    """How finely sound is cut is the caller's choice."""
    sound = tmp_path / "long.wav"
    sound.write_bytes(wav(20.0, 440, 8000))
    fine = SplitOptions(audio_segment_seconds=5, audio_overlap_seconds=1)

    with open_index(split_options=fine) as index:
        assert index.sync(sound).nodes["audio"] >= 4
        hits = index.search(audio=wav(2.0, 440), modalities=["audio"])
    assert all((h.end_seconds or 0) - (h.start_seconds or 0) <= 5.001 for h in hits)


def test_a_query_longer_than_the_limits(index: MediaIndex, folder: Path, emulator: GeminiEmulator) -> None:
    """A recording that is longer than one content may be is cut, and finds what any part of it is like."""
    index.sync(folder)
    emulator.clear()

    hits = index.search(audio=wav(200, 440, 8000), top_k=1)

    assert len(contents_of(emulator)) == 2
    assert hits[0].file_path == str(folder / "tone.wav")
