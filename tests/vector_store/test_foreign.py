"""Other LlamaIndex stores behind an index: a sync and searches on real ones, and what is said about their limits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores import SimpleVectorStore
from llama_index.core.vector_stores.types import BasePydanticVectorStore, VectorStoreQuery, VectorStoreQueryResult
from llama_index.vector_stores.qdrant import QdrantVectorStore
from qdrant_client import QdrantClient

from llama_index_gemini_mm import GeminiMultimodalEmbedding, MediaIndex
from llama_index_gemini_mm import media as keys
from llama_index_gemini_mm.errors import ConfigurationError, IndexMismatch, SyncUnderWay
from llama_index_gemini_mm.sparse import query_vector
from llama_index_gemini_mm.storage_lock import StorageLock
from llama_index_gemini_mm.vector_store import Capabilities, ForeignStore, Search, as_searchable, open_local
from llama_index_gemini_mm.vector_store.lance import COLUMNS
from media_samples import png, wav
from store_support import ENGINES, direction, ids, media_node

OTHERS = [engine for engine in ENGINES if not engine.ours]


@pytest.mark.parametrize("engine", OTHERS, ids=lambda engine: engine.name)
def test_an_index_on_another_store(engine: Any, tmp_path: Path, model: GeminiMultimodalEmbedding) -> None:
    """Mixed media go in, in any order; words and media find them; changed and removed files are followed."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "words.txt").write_text("the bearing needs oil", "utf-8")
    store = engine.open(tmp_path).store

    def opened() -> MediaIndex:
        return MediaIndex.open(tmp_path / "storage", vector_store=store, embed_model=model)

    index = opened()
    index.sync(folder)
    (folder / "red.png").write_bytes(png("red"))
    (folder / "tone.wav").write_bytes(wav(1.0, 440))
    assert index.sync(folder).nodes == {"image": 1, "audio": 1}

    hit = index.search(image=png("red"), top_k=1)[0]
    assert (hit.modality, Path(hit.file_path or "").name) == ("image", "red.png")
    assert hit.node.image_resource is not None
    sound = index.search(audio=wav(1.0, 440), modalities=["audio"])[0]
    assert (sound.start_seconds, sound.end_seconds) == (0.0, 1.0)
    assert [hit.modality for hit in index.search("bearing oil", modalities=["text"])] == ["text"]

    (folder / "words.txt").write_text("the spindle grinds", "utf-8")
    (folder / "tone.wav").unlink()
    report = index.sync(folder)
    assert (report.indexed, report.removed) == (1, 1)
    texts = {node.metadata["file_name"]: node.get_content() for node in as_searchable(store).get_nodes()}
    assert texts.keys() == {"words.txt", "red.png"}
    assert texts["words.txt"] == "the spindle grinds"


def test_the_stamp_is_kept_beside_it(tmp_path: Path, model: GeminiMultimodalEmbedding) -> None:
    """A foreign store has no place for it, so it stands in the storage folder, and is checked."""
    store = SimpleVectorStore()
    MediaIndex.open(tmp_path / "storage", vector_store=store, embed_model=model)
    other = model.model_copy(update={"output_dimensionality": 128})

    with pytest.raises(IndexMismatch, match="256-dimensional"):
        MediaIndex.open(tmp_path / "storage", vector_store=store, embed_model=other)


@pytest.fixture(params=OTHERS, ids=lambda engine: engine.name)
def other(request: pytest.FixtureRequest, tmp_path: Path) -> ForeignStore:
    """A foreign store with a node."""
    opened = request.param.open(tmp_path)
    opened.add([media_node(1)])
    return opened


def test_what_it_cannot(other: ForeignStore) -> None:
    """It says so beforehand, and refuses instead of doing something else."""
    vector = direction(1)

    assert other.capabilities == Capabilities(sparse=False, exact=False, vectors=False, cosine=False)
    for search, what in (
        (Search(1, sparse=query_vector("word")), "by words"),
        (Search(1, vector=vector, exact=True), "exactly"),
        (Search(1, vector=vector, with_vectors=True), "vectors along"),
        (Search(1, vector=vector, node_ids=["x"]), "among given nodes"),
    ):
        with pytest.raises(ConfigurationError, match=f"VectorStore cannot .*{what}"):
            other.search([search])


class Blind(BasePydanticVectorStore):
    """A store that only finds, as some services are."""

    stores_text: bool = True

    @property
    def client(self) -> None:
        return None

    def add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:
        return ids(nodes)

    def delete(self, ref_doc_id: str, **kwargs: Any) -> None: ...

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        return VectorStoreQueryResult(nodes=[], similarities=[], ids=[])


def test_stores_that_cannot_list() -> None:
    """Counting and listing are refused by the store's name; searching works."""
    store = as_searchable(Blind())

    for call in (store.count, lambda: list(store.points()), store.get_nodes):
        with pytest.raises(ConfigurationError, match="Blind cannot list"):
            call()
    assert store.search([Search(3, vector=direction(1))]) == [[]]


def test_ours_stay_themselves(tmp_path: Path) -> None:
    """Nothing is wrapped twice, nor without need."""
    from store_support import stamp

    ours = open_local(tmp_path, "media", stamp())
    wrapped = as_searchable(SimpleVectorStore())

    assert as_searchable(ours) is ours
    assert as_searchable(wrapped) is wrapped
    assert ours.capabilities == Capabilities()
    ours.close()


def test_lance_has_a_column_for_every_key() -> None:
    """A key that media.py learns must be one that LanceDB takes."""
    not_keys = {keys.HEADING_SEPARATOR}
    known = {
        value for name, value in vars(keys).items() if name.isupper() and isinstance(value, str) and name[0] != "_"
    }

    assert known - not_keys == set(COLUMNS)


def test_llamaindexs_own_qdrant_store(tmp_path: Path, model: GeminiMultimodalEmbedding) -> None:
    """It makes its collection when the first node comes; until then it counts as empty."""
    words = tmp_path / "words.txt"
    words.write_text("the bearing needs oil", encoding="utf-8")
    store = QdrantVectorStore("t", client=QdrantClient(":memory:"))
    with MediaIndex.open(tmp_path / "s", vector_store=store, embed_model=model) as index:
        assert index.search("oil") == []
        assert index.sync(words).indexed == 1
        assert index.search("oil")[0].file_path == str(words)
    store.clear()
    with MediaIndex.open(tmp_path / "s", vector_store=store, embed_model=model) as index:
        assert index.sync(words).indexed == 1


def test_two_syncs_of_one_storage(tmp_path: Path, model: GeminiMultimodalEmbedding) -> None:
    """The second is told what is going on; searches are let in."""
    (tmp_path / "words.txt").write_text("the bearing needs oil", "utf-8")
    with MediaIndex.open(tmp_path / "s", vector_store=SimpleVectorStore(), embed_model=model) as index:
        with StorageLock(tmp_path / "s"), pytest.raises(SyncUnderWay, match="a second sync waits"):
            index.sync(tmp_path / "words.txt")
        assert index.sync(tmp_path / "words.txt").indexed == 1
