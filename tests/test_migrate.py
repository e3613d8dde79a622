"""Migration of real old indexes of every kind, over the emulator: what arrives, what is paid, what survives."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.schema import (
    BaseNode,
    Document,
    ImageNode,
    IndexNode,
    MediaResource,
    MetadataMode,
    Node,
    NodeRelationship,
    RelatedNodeInfo,
    TextNode,
)
from llama_index.core.vector_stores import SimpleVectorStore
from llama_index.vector_stores.qdrant import QdrantVectorStore
from qdrant_client import QdrantClient, models

from llama_index_gemini_mm import (
    GeminiMultimodalEmbedding,
    MediaIndex,
    MediaNodeParser,
    MediaReader,
    MediaRetriever,
    MediaStore,
)
from llama_index_gemini_mm.emulator import Fault, GeminiEmulator
from llama_index_gemini_mm.errors import (
    BudgetExceeded,
    ConfigurationError,
    IndexLocked,
    IndexMismatch,
    IndexUnavailable,
)
from llama_index_gemini_mm.migrate import (
    Migration,
    MigrationProgress,
    MigrationReport,
    open_migration,
    source_in,
    source_of,
)
from llama_index_gemini_mm.storage_lock import StorageLock
from llama_index_gemini_mm.vector_store import MediaVectorStore, Space, Stamp, open_embedded, plan_named
from llama_index_gemini_mm.vector_store.aliases import Aliases
from llama_index_gemini_mm.vector_store.points import point_id
from media_samples import png, wav
from qdrant_recorder import Recorder, Request
from support import contents_of, media_sent

DIMENSION = 256
Make = Callable[..., GeminiMultimodalEmbedding]


class AnyEmbedding(BaseEmbedding):
    """Some LlamaIndex embedding of another maker: a few numbers drawn from a hash of the text."""

    size: int = 12

    def _get_text_embedding(self, text: str) -> list[float]:
        digest = hashlib.shake_128(text.encode()).digest(self.size)
        return [byte / 128 - 1 for byte in digest]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


@pytest.fixture
def make(emulator: GeminiEmulator, tmp_path: Path) -> Make:
    """Makes models that talk to the emulator and keep media in the storage."""

    def made(**settings: Any) -> GeminiMultimodalEmbedding:
        common: dict[str, Any] = {
            "api_key": "k",
            "base_url": emulator.base_url,
            "output_dimensionality": DIMENSION,
            "media_store": tmp_path / "storage" / "media",
            "max_retries": 1,
        }
        return GeminiMultimodalEmbedding(**{**common, **settings})

    return made


def notes(count: int, start: int = 0) -> list[TextNode]:
    """Chained nodes of one document, with metadata of which the model saw a part."""
    made = [
        TextNode(
            id_=str(point_id(f"note-{n}")),
            text=f"note {n}: bearing {n * 7} needs oil",
            metadata={"page_label": str(n), "secret": "x"},
            excluded_embed_metadata_keys=["secret"],
        )
        for n in range(start, start + count)
    ]
    for before, after in zip([None, *made], [*made, None], strict=False):
        if after is not None:
            after.relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id="handbook", hash="h")
        if before is not None and after is not None:
            after.relationships[NodeRelationship.PREVIOUS] = RelatedNodeInfo(node_id=before.node_id)
    return made


def in_qdrant(folder: Path, nodes: Sequence[BaseNode], model: BaseEmbedding, name: str = "docs") -> None:
    """A collection in local mode, as LlamaIndex makes it."""
    client = QdrantClient(path=str(folder))
    store = QdrantVectorStore(name, client=client)
    VectorStoreIndex(list(nodes), embed_model=model, storage_context=StorageContext.from_defaults(vector_store=store))
    client.close()


def in_memory(nodes: Sequence[BaseNode]) -> QdrantVectorStore:
    """An open Qdrant store, with some vector for each node."""
    store = QdrantVectorStore("docs", client=QdrantClient(":memory:"))
    model = AnyEmbedding()
    texts = [node.get_content(metadata_mode=MetadataMode.EMBED) for node in nodes]
    vectors = model.get_text_embedding_batch(texts)
    store.add([n.model_copy(update={"embedding": vector}) for n, vector in zip(nodes, vectors, strict=True)])
    return store


def stored(store: MediaVectorStore) -> dict[str, BaseNode]:
    """Every node of a collection, with its vector."""
    return {point.node.node_id: point.node for batch in store.points() for point in batch}


def hashes(folder: Path) -> dict[str, str]:
    """The content of every file in a folder, but for locks."""
    files = (file for file in folder.rglob("*") if file.is_file() and file.name != ".lock")
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def vectors_of(model: GeminiMultimodalEmbedding, nodes: Sequence[BaseNode]) -> list[Any]:
    """What the model gives these nodes by itself."""
    copies = [node.model_copy() for node in nodes]
    return [pytest.approx(node.embedding, abs=1e-6) for node in model(copies)]


def test_from_the_official_embedding(make: Make, emulator: GeminiEmulator, tmp_path: Path) -> None:
    """gemini-embedding-001 through LlamaIndex's own class: everything arrives, in the new space, and is found."""
    google_genai = pytest.importorskip(
        "llama_index.embeddings.google_genai", reason="it asks for google-genai 2: make test-matrix has both"
    )
    old_model = google_genai.GoogleGenAIEmbedding(
        "gemini-embedding-001",
        api_key="k",
        http_options={"base_url": emulator.base_url},
        embedding_config={"output_dimensionality": 768},
    )
    nodes = notes(60)
    in_qdrant(tmp_path / "old", nodes, old_model)
    before = hashes(tmp_path / "old")
    assert {c.task_type for c in contents_of(emulator)} == {"RETRIEVAL_DOCUMENT"}
    emulator.clear()
    model = make()

    with open_migration(tmp_path / "old", to=tmp_path / "storage", embed_model=model) as job:
        report = job.run()
        sent = [c.text for c in contents_of(emulator)]
        found = stored(job.store)
        comparison = job.compare(sample=30, old_embed_model=old_model)
        hit = MediaRetriever(job.store, model, similarity_top_k=1, modalities=["text"]).retrieve("bearing 273")[0]

    assert (report.records, report.stored, report.embedded, report.skipped) == (60, 60, 60, [])
    assert report.complete
    assert sorted(sent) == sorted(f"title: none | text: page_label: {n}\n\n{node.text}" for n, node in enumerate(nodes))
    assert found.keys() == {node.node_id for node in nodes}
    for node in nodes:
        new = found[node.node_id]
        assert new.get_content() == node.text
        assert new.metadata == {**node.metadata, "modality": "text"}
        assert new.relationships == node.relationships
        assert new.ref_doc_id == "handbook"
        assert new.get_content(metadata_mode=MetadataMode.EMBED) == node.get_content(metadata_mode=MetadataMode.EMBED)
    assert [found[node.node_id].embedding for node in nodes] == vectors_of(make(), nodes)
    assert hit.node.get_content() == nodes[39].text
    assert hashes(tmp_path / "old") == before
    neighbours, words = comparison.measures
    assert comparison.sampled == neighbours.asked == words.asked == 30
    assert neighbours.old is not None
    assert neighbours.new is not None
    assert neighbours.old.recall == neighbours.new.recall == 1.0
    assert words.new is not None
    assert words.old is not None
    assert min(words.old.recall, words.new.recall) > 0.9
    assert words.overlap is not None
    assert 0 < words.overlap <= 1


def test_the_emulator_has_the_older_model_for_text(emulator: GeminiEmulator, make: Make) -> None:
    """In another space, led by task_type, at unit length only when whole; media and its batches are refused."""
    from google import genai
    from google.genai import types

    client = genai.Client(api_key="k", http_options={"base_url": emulator.base_url})  # type: ignore[arg-type]

    def embed(size: int, task: str) -> list[float]:
        config = types.EmbedContentConfig(output_dimensionality=size, task_type=task)
        made = client.models.embed_content(model="gemini-embedding-001", contents=[["bearing oil"]], config=config)
        assert made.embeddings
        return made.embeddings[0].values or []

    whole, short = embed(3072, "RETRIEVAL_DOCUMENT"), embed(768, "RETRIEVAL_DOCUMENT")
    question = embed(3072, "RETRIEVAL_QUERY")
    new = make(output_dimensionality=3072).get_text_embedding("bearing oil")

    def cosine(a: Sequence[float], b: Sequence[float]) -> float:
        return sum(x * y for x, y in zip(a, b, strict=True))

    assert cosine(whole, whole) == pytest.approx(1.0)
    assert short == pytest.approx(whole[:768])
    assert cosine(short, short) < 0.5
    assert 0.8 < cosine(whole, question) < 0.99
    assert abs(cosine(whole, new)) < 0.2
    with pytest.raises(genai.errors.ClientError, match="text only"):
        client.models.embed_content(
            model="gemini-embedding-001", contents=types.Part.from_bytes(data=png("red"), mime_type="image/png")
        )


def test_any_embedding_and_payloads_of_others(make: Make, tmp_path: Path) -> None:
    """Named vectors, numbers as ids, LangChain's payload, bare texts, and what has no text at all."""
    client = QdrantClient(path=str(tmp_path / "old"))
    params = models.VectorParams(size=3, distance=models.Distance.COSINE)
    client.create_collection("mixed", vectors_config={"dense": params})
    payloads: list[dict[str, Any]] = [
        {"page_content": "a page from LangChain", "metadata": {"source": "a.pdf", "page": 3}},
        {"document": "a bare text", "lang": "en"},
        {"picture": "x.png"},
        {"_node_content": "{broken", "text": "text beside broken content"},
        {"_node_content": "{broken"},
    ]
    points = [
        models.PointStruct(id=n, vector={"dense": [n, 1.0, 0.5]}, payload=payload)
        for n, payload in enumerate(payloads, 1)
    ]
    client.upsert("mixed", points)
    client.close()

    with open_migration(tmp_path / "old", to=tmp_path / "storage", embed_model=make()) as job:
        report = job.run()
        found = stored(job.store)
        comparison = job.compare(sample=10)

    assert {node_id: node.get_content() for node_id, node in found.items()} == {
        "1": "a page from LangChain",
        "2": "a bare text",
        "4": "text beside broken content",
    }
    assert found["1"].metadata == {"source": "a.pdf", "page": 3, "modality": "text"}
    assert found["2"].metadata == {"lang": "en", "modality": "text"}
    assert [(s.node_id, s.error) for s in report.skipped] == [("3", "NoNode"), ("5", "NoNode")]
    assert "neither _node_content nor a text" in report.skipped[0].reason
    assert "_node_content cannot be read" in report.skipped[1].reason
    assert report.finished
    assert not report.complete
    assert comparison.sampled == 3
    assert any("embedding model" in note for note in comparison.notes)


def test_more_than_llamaindex_would_list(make: Make, tmp_path: Path) -> None:
    """Scrolling goes on where get_nodes ends."""
    client = QdrantClient(":memory:")
    params = models.VectorParams(size=2, distance=models.Distance.COSINE)
    client.create_collection("many", vectors_config=params)
    payload = {"text": "all alike"}
    client.upload_points("many", (models.PointStruct(id=n, vector=[1.0, n], payload=payload) for n in range(10_050)))

    source = source_of(QdrantVectorStore("many", client=client))

    ids = [record.id for batch in source.records() for record in batch]
    assert (len(ids), len({*ids}), source.count()) == (10_050, 10_050, 10_050)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("maker", ["chroma", "lancedb", "persisted", "simple"])
def test_other_stores(make: Make, tmp_path: Path, maker: str) -> None:
    """Chroma, LanceDB and persisted folders are known by their files; all nodes, and a comparison, come out."""
    nodes = notes(25)
    folder = tmp_path / "old"
    _build(maker, folder, nodes)

    with open_migration(folder, to=tmp_path / "storage", embed_model=make()) as job:
        report = job.run()
        found = stored(job.store)
        comparison = job.compare(sample=10)

    assert (report.records, report.stored, report.complete) == (25, 25, True)
    assert {node_id: node.get_content() for node_id, node in found.items()} == {n.node_id: n.text for n in nodes}
    assert {node.ref_doc_id for node in found.values()} == {"handbook"}
    assert found[nodes[4].node_id].metadata["page_label"] == "4"
    neighbours = comparison.measures[0]
    assert (neighbours.asked, neighbours.old and neighbours.old.recall) == (10, 1.0)
    assert neighbours.overlap is not None
    assert 0 < neighbours.overlap < 1


def _build(maker: str, folder: Path, nodes: Sequence[BaseNode]) -> None:
    context = StorageContext.from_defaults()
    if maker == "chroma":
        import chromadb
        from chromadb.config import Settings
        from llama_index.vector_stores.chroma import ChromaVectorStore

        client = chromadb.PersistentClient(str(folder), Settings(anonymized_telemetry=False))
        collection = client.create_collection("docs", metadata={"hnsw:space": "cosine"})
        context = StorageContext.from_defaults(vector_store=ChromaVectorStore(chroma_collection=collection))
    if maker == "lancedb":
        from llama_index.vector_stores.lancedb import LanceDBVectorStore

        context = StorageContext.from_defaults(vector_store=LanceDBVectorStore(uri=str(folder), table_name="docs"))
    VectorStoreIndex(list(nodes), embed_model=AnyEmbedding(), storage_context=context)
    if maker in ("persisted", "simple"):
        # A pipeline's docstore holds the documents as well, which are not what was embedded.
        context.docstore.add_documents([Document(text="the whole document", id_="whole")])
        context.persist(str(folder))


def test_open_stores(make: Make, tmp_path: Path) -> None:
    """A store is taken as it is; one without text is refused with what to do."""
    import chromadb
    from llama_index.vector_stores.chroma import ChromaVectorStore

    collection = chromadb.EphemeralClient().create_collection("docs")
    chroma = ChromaVectorStore(chroma_collection=collection)
    context = StorageContext.from_defaults(vector_store=chroma)
    VectorStoreIndex(notes(5), embed_model=AnyEmbedding(), storage_context=context)

    with open_migration(chroma, to=tmp_path / "storage", embed_model=make()) as job:
        assert job.run().stored == 5
        job.flip()
        with pytest.raises(ConfigurationError, match="delete it yourself"):
            job.drop_old(job.run())
    with pytest.raises(ConfigurationError, match="stores no text"):
        source_of(SimpleVectorStore())


def test_media_of_others(make: Make, emulator: GeminiEmulator, tmp_path: Path) -> None:
    """Pictures by path and by bytes and a sound are embedded themselves; a lost file is reported."""
    for name in ("red", "lost"):
        (tmp_path / f"{name}.png").write_bytes(png("red"))
    (tmp_path / "tone.wav").write_bytes(wav(1.0))
    import base64

    nodes: list[BaseNode] = [
        ImageNode(id_=point_id("a"), text="a red one", image_path=str(tmp_path / "red.png"), metadata={"album": "x"}),
        ImageNode(id_=point_id("b"), text="", image=base64.b64encode(png("blue")).decode(), metadata={"album": "y"}),
        Node(
            id_=point_id("c"),
            text_resource=MediaResource(text="a tone"),
            audio_resource=MediaResource(path=tmp_path / "tone.wav", mimetype="audio/wav"),
        ),
        ImageNode(id_=point_id("d"), text="lost", image_path=str(tmp_path / "lost.png")),
        IndexNode(id_=point_id("e"), text="see there", index_id="there"),
    ]
    in_qdrant(tmp_path / "old", nodes, AnyEmbedding())
    (tmp_path / "lost.png").unlink()
    model = make()

    with open_migration(tmp_path / "old", to=tmp_path / "storage", embed_model=model) as job:
        plan = job.plan()
        report = job.run()
        found = stored(job.store)
        again = job.run()
        by_picture = MediaRetriever(job.store, model, similarity_top_k=1).retrieve(model.query_bundle(png("blue")))

    assert {name: found[point_id(name)].metadata["modality"] for name in "abce"} == {
        **dict.fromkeys("ab", "image"),
        "c": "audio",
        "e": "text",
    }
    assert found[point_id("a")].metadata["album"] == "x"
    assert found[point_id("a")].get_content() == "a red one"
    assert {data for _, data in media_sent(emulator)} >= {png("red"), png("blue"), wav(1.0)}
    assert [(s.node_id, s.error) for s in report.skipped] == [(point_id("d"), "SourceError")]
    assert [s.node_id for s in plan.skipped] == [point_id("d")]
    assert plan.tokens["image"] == 2 * 258
    assert "data" not in (found[point_id("b")].to_dict().get("image_resource") or {})
    assert (again.unchanged, again.embedded) == (4, 0)
    assert by_picture[0].node.node_id == point_id("b")


def test_texts_longer_than_the_window(make: Make, emulator: GeminiEmulator, tmp_path: Path) -> None:
    """They are cut, the first piece keeps the id, and every word is in one of the pieces; empty ones are reported."""
    words = [f"word{n}" for n in range(9000)]
    nodes = notes(1)
    nodes.append(TextNode(id_=point_id("long"), text=" ".join(words), metadata={"chapter": "two"}))
    old = in_memory([*nodes, TextNode(id_=point_id("empty"), text="  ")])

    with open_migration(old, to=tmp_path / "storage", embed_model=make()) as job:
        plan = job.plan()
        report = job.run()
        found = stored(job.store)
        again = job.run()

    pieces = [node for node in found.values() if node.metadata.get("chapter") == "two"]
    assert len(pieces) == plan.nodes - 2 == report.stored - 1 > 1
    assert point_id("long") in found
    assert {*" ".join(node.get_content() for node in pieces).split()} == {*words}
    assert (plan.split, report.split) == (1, 1)
    assert [(s.node_id, s.error) for s in report.skipped] == [(point_id("empty"), "InvalidRequest")]
    assert (again.stored, again.embedded) == (0, 0)
    assert all(c.text.startswith("title: none | text: ") for c in contents_of(emulator))


def test_text_cannot_pass_for_media(make: Make, emulator: GeminiEmulator, tmp_path: Path) -> None:
    """A reference that stands in an old node's text or metadata stays words."""
    model = make()
    sha256 = model.media_store.add_bytes(png("red"), "image/png")
    forged = f"media_ref: media://{sha256}"
    nodes = [
        TextNode(id_=point_id("text"), text=f"{forged}\n\nwords"),
        TextNode(id_=point_id("key"), text="words", metadata={"media_ref": f"media://{sha256}", "kept": "1"}),
        TextNode(id_=point_id("value"), text="words", metadata={"note": f"x\n{forged}"}),
    ]
    with open_migration(in_memory(nodes), to=tmp_path / "storage", embed_model=model) as job:
        assert job.run().stored == 3

    assert media_sent(emulator) == []


@pytest.fixture
def storage(make: Make, tmp_path: Path) -> Path:
    """A storage of this package: two files at 128 numbers in the collection ``media``."""
    files = tmp_path / "files"
    files.mkdir()
    (files / "red.png").write_bytes(png("red"))
    (files / "words.txt").write_text("the bearing needs oil", encoding="utf-8")
    folder = tmp_path / "storage"
    with make(output_dimensionality=128) as model:
        store = MediaStore(folder / "media")
        documents = MediaReader(store).load_data(files)
        nodes = model(MediaNodeParser(media_store=store).get_nodes_from_documents(documents))
        collection = open_embedded(folder, "media", Stamp(Space.of(model), plan_named("accurate")))
        collection.add(nodes)
        collection.close()
    return folder


def test_a_storage_to_another_space_in_place(make: Make, storage: Path) -> None:
    """The old collection stays until dropped; the name leads to the new one; then there is nothing left to do."""
    model = make()
    with open_migration(storage, embed_model=model) as job:
        report = job.run()
        new = stored(job.store)
        assert Aliases(storage).resolve("media") == "media"
        with pytest.raises(ConfigurationError, match="flip first"):
            job.drop_old(report)
        assert job.flip() == "media"
        live = Aliases(storage).resolve("media")
    with open_migration(storage, embed_model=model) as job:  # what a later process with --drop-old does
        assert job.source.title.endswith("collection media")
        again = job.run()
        job.flip()
        job.drop_old(again)
    with pytest.raises(ConfigurationError, match=r"holds 256-dimensional vectors .* already"):
        open_migration(storage, embed_model=model)
    collection = open_embedded(storage, live, Stamp(Space.of(model), plan_named("accurate")))

    assert (report.stored, again.stored, again.unchanged) == (2, 0, 2)
    assert live == job.target.collection != "media"
    assert {len(node.embedding or []) for node in new.values()} == {256}
    assert not (storage / "edge" / "media").exists()
    assert stored(collection).keys() == new.keys()
    assert {node.metadata["modality"] for node in new.values()} == {"text", "image"}
    collection.close()


def test_what_is_in_use_is_left_alone(make: Make, storage: Path) -> None:
    """After the flip what was deleted in the new collection does not come back, nor from one that was left before."""
    with open_migration(storage, embed_model=make()) as job:
        job.run()
        job.flip()
        second = job.target.collection
        gone = sorted(stored(job.store))[0]
        job.store.delete_nodes([gone])
        again = job.run()
        assert (again.stored, job.store.count()) == (0, 1)
    with open_migration(storage, embed_model=make()) as job:
        assert job.run().complete
        assert job.store.count() == 1
    with open_migration(storage, embed_model=make(output_dimensionality=128)) as job:
        assert job.run().stored == 1
        job.flip()
        third = job.target.collection
        assert [*stored(job.store)] != [gone]
    with open_migration(storage, embed_model=make()) as job:
        assert job.run().stored == 1
        assert job.store.count() == 1
        fourth = job.target.collection

    assert len({"media", second, third, fourth}) == 4


def test_an_index_goes_on_after_its_migration(make: Make, tmp_path: Path, emulator: GeminiEmulator) -> None:
    """The same files are unchanged for it, searches are in the new space, and the old settings are a mismatch."""
    files = tmp_path / "files"
    files.mkdir()
    (files / "red.png").write_bytes(png("red"))
    (files / "words.txt").write_text("the bearing needs oil", encoding="utf-8")
    with MediaIndex.open(tmp_path / "storage", embed_model=make(output_dimensionality=128)) as index:
        index.sync(files)
    with pytest.raises(IndexMismatch, match="gemini-mm migrate"):
        MediaIndex.open(tmp_path / "storage", embed_model=make())

    with open_migration(tmp_path / "storage", embed_model=make()) as job:
        assert job.run().stored == 2
        job.flip()
    emulator.clear()

    with MediaIndex.open(tmp_path / "storage", embed_model=make()) as index:
        report = index.sync(files)
        assert contents_of(emulator) == []
        hits = index.search(image=png("red"), top_k=1, modalities=["image"])
    assert (report.unchanged, report.indexed) == (2, 0)
    assert hits[0].file_path == str(files / "red.png")
    with pytest.raises(IndexMismatch, match="256-dimensional"):
        MediaIndex.open(tmp_path / "storage", embed_model=make(output_dimensionality=128))


def test_a_storage_to_another_folder(make: Make, storage: Path, tmp_path: Path, emulator: GeminiEmulator) -> None:
    """Its media are known there as well, so they can be embedded, cut and shown."""
    emulator.clear()
    model = make(media_store=tmp_path / "other" / "media")

    with open_migration(storage, to=tmp_path / "other", embed_model=model) as job:
        report = job.run()
        assert job.flip() == "media"
        with pytest.raises(ConfigurationError, match="delete it yourself"):
            job.drop_old(report)

    assert (report.stored, report.skipped) == (2, [])
    assert [data for _, data in media_sent(emulator)] == [png("red")]
    assert (storage / "edge" / "media").exists()


def test_a_collection_of_the_same_name_in_another_space(make: Make, storage: Path, tmp_path: Path) -> None:
    """It is not hidden by a foreign index; the foreign one may join a collection of the same space."""
    in_qdrant(tmp_path / "old", notes(3), AnyEmbedding())

    with pytest.raises(IndexMismatch, match="128-dimensional"):
        open_migration(tmp_path / "old", to=storage, embed_model=make())
    with open_migration(tmp_path / "old", to=storage, embed_model=make(output_dimensionality=128)) as job:
        job.run()
        assert job.store.count() == 5
    with open_migration(tmp_path / "old", to=storage, embed_model=make(), name="other") as job:
        assert job.run().stored == 3


def test_dropping_a_foreign_collection(make: Make, tmp_path: Path) -> None:
    """Qdrant's and Chroma's collections are deleted, but not while anything is in them alone."""
    in_qdrant(tmp_path / "old", notes(3), AnyEmbedding())
    _build("chroma", tmp_path / "chroma", notes(3))
    bad = in_memory([*notes(2), TextNode(id_=point_id("empty"), text=" ")])

    for folder in ("old", "chroma"):
        with open_migration(tmp_path / folder, to=tmp_path / "storage", embed_model=make()) as job:
            report = job.run()
            job.flip()
            job.drop_old(report)
        with pytest.raises(ConfigurationError, match="holds no collection"):
            source_in(tmp_path / folder)
    with open_migration(bad, to=tmp_path / "storage", embed_model=make()) as job:
        report = job.run()
        job.flip()
        with pytest.raises(ConfigurationError, match="1 records could not be migrated"):
            job.drop_old(report)
    assert bad.client.count("docs").count == 3


def test_what_changed_meanwhile(make: Make, tmp_path: Path, emulator: GeminiEmulator) -> None:
    """The old index stays in use: a later run takes over what is new and what is not the same any more."""
    client = QdrantClient(":memory:")
    store = QdrantVectorStore("docs", client=client)
    store.add([node.model_copy(update={"embedding": [1.0, 2.0]}) for node in notes(10)])
    model = make()
    with open_migration(store, to=tmp_path / "storage", embed_model=model) as job:
        job.run()
    emulator.clear()

    changed = notes(11)[4:5] + notes(11)[10:]
    changed[0].text = "another text"
    store.add([node.model_copy(update={"embedding": [1.0, 2.0]}) for node in changed])
    with open_migration(store, to=tmp_path / "storage", embed_model=make()) as job:
        report = job.run()
        found = stored(job.store)

    assert (report.stored, report.unchanged, report.embedded) == (2, 9, 2)
    assert found[changed[0].node_id].get_content() == "another text"
    assert len(contents_of(emulator)) == 2


def test_beside_the_old_one_on_a_qdrant_client(make: Make, tmp_path: Path) -> None:
    """A collection that bears the name keeps it until it is dropped; an alias is moved at once."""
    client = QdrantClient(":memory:")
    store = QdrantVectorStore("docs", client=client)
    store.add([node.model_copy(update={"embedding": [1.0, 2.0]}) for node in notes(10)])

    def migrated(dimension: int) -> Migration:
        return open_migration(store, storage=tmp_path / "storage", embed_model=make(output_dimensionality=dimension))

    with migrated(256) as job:
        first = job.run()
        second_name = job.target.collection
        assert job.flip() == "docs-current"
        assert job.flip() == "docs-current"
    before = _aliases(client)
    with migrated(256) as job:
        report = job.run()
        assert job.flip() == "docs-current"
        job.drop_old(report)
    dropped = _aliases(client)
    with migrated(128) as job:  # the name is an alias now
        assert job.source.title == f"client, collection {second_name}"
        moved = job.run()
        third_name = job.target.collection
        assert job.flip() == "docs"
    after = _aliases(client)
    with migrated(128) as job:
        report = job.run()
        job.drop_old(report)
    with pytest.raises(ConfigurationError, match="already"):
        migrated(128)

    assert (first.stored, report.unchanged, moved.stored) == (10, 10, 10)
    assert before == {"docs-current": second_name}
    assert dropped == {"docs-current": second_name, "docs": second_name}
    assert after["docs"] == third_name
    assert [each.name for each in client.get_collections().collections] == [third_name]
    assert client.count("docs").count == 10


class SmallServer(Recorder):
    """Qdrant's REST over local mode: the requests are a real client's, the answers real collections'."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = QdrantClient(":memory:")

    def answer(self, request: Request) -> Any:
        """What Qdrant would answer, as far as a migration asks."""
        _, first, name, *rest = f"{request.path}///".split("/")
        done = {"operation_id": 0, "status": "completed"}
        match request.method, first, name, "/".join(rest).strip("/"):
            case "GET", "aliases", *_:
                return self.kept.get_aliases().model_dump(mode="json")
            case "POST", "collections", "aliases", _:
                change = models.ChangeAliasesOperation.model_validate(request.body)
                return self.kept.update_collection_aliases(change.actions)
            case "GET", "collections", "", _:
                return self.kept.get_collections().model_dump(mode="json")
            case "GET", "collections", _, "exists":
                return {"exists": self.kept.collection_exists(name)}
            case "GET", "collections", _, "":
                return self.kept.get_collection(name).model_dump(mode="json")
            case "DELETE", "collections", _, "":
                return self.kept.delete_collection(name)
            case "PUT", "collections", _, "":
                new = models.CreateCollection.model_validate(request.body)
                vectors, sparse = new.vectors, new.sparse_vectors
                return self.kept.create_collection(
                    name, vectors_config=vectors, sparse_vectors_config=sparse, metadata=new.metadata
                )
            case "PUT", "collections", _, "points":
                self.kept.upsert(name, models.PointsList.model_validate(request.body).points)
                return done
            case "POST", "collections", _, str(path) if path.startswith("points"):
                return self._read(name, path, request.body)
        return done

    def _read(self, name: str, path: str, body: Any) -> Any:
        match path:
            case "points":
                vectors, payload = body.get("with_vector"), body.get("with_payload")
                rows = self.kept.retrieve(name, body["ids"], with_vectors=vectors, with_payload=payload)
                return [row.model_dump(mode="json") for row in rows]
            case "points/count":
                return {"count": self.kept.count(name).count}
            case "points/scroll":
                rows, offset = self.kept.scroll(name, limit=body["limit"], offset=body.get("offset"))
                return {"points": [row.model_dump(mode="json") for row in rows], "next_page_offset": offset}
            case "points/query":
                one = models.QueryRequest.model_validate(body)
                return self.kept.query_batch_points(name, [one])[0].model_dump(mode="json")
            case _:
                searches = models.QueryRequestBatch.model_validate(body).searches
                return [each.model_dump(mode="json") for each in self.kept.query_batch_points(name, searches)]


@pytest.fixture
def server() -> Iterator[SmallServer]:
    """One in a thread of its own."""
    running = SmallServer()
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield running
    running.shutdown()
    running.server_close()
    thread.join()


def test_on_a_server(make: Make, tmp_path: Path, server: SmallServer) -> None:
    """A new collection with its stamp beside the old one, and the alias moved in one request."""
    QdrantVectorStore("docs", client=server.kept).add(
        [node.model_copy(update={"embedding": [1.0, float(n)]}) for n, node in enumerate(notes(30))]
    )

    def migrated(dimension: int) -> tuple[MigrationReport, str, str]:
        model = make(output_dimensionality=dimension)
        with open_migration(server.url, qdrant_api_key="k", storage=tmp_path / "s", embed_model=model) as job:
            report = job.run()
            measured = job.compare(sample=5)
            alias = job.flip()
            job.drop_old(report)
            assert measured.measures[0].asked == 5
            return report, alias, job.target.collection

    first, first_alias, first_name = migrated(256)
    server.seen.clear()
    with open_migration(
        server.url, collection="docs", storage=tmp_path / "s", embed_model=make(output_dimensionality=128)
    ) as job:
        second = job.run()
        assert job.flip() == "docs"

    assert (first.stored, first.complete, first_alias) == (30, True, "docs-current")
    assert (second.stored, server.kept.count("docs").count) == (30, 30)
    [made] = server.of("PUT", "/collections/docs-128-[0-9a-f]+")
    assert made.body["metadata"]["gemini_mm_space"]["dimension"] == 128
    [moved] = server.of("POST", "/collections/aliases")
    assert moved.body == {
        "actions": [
            {"delete_alias": {"alias_name": "docs"}},
            {"create_alias": {"collection_name": job.target.collection, "alias_name": "docs"}},
        ]
    }
    assert sorted(each.name for each in server.kept.get_collections().collections) == sorted(
        [first_name, job.target.collection]
    )
    (writes,) = {each.path for each in server.seen if each.method == "PUT" and each.path.endswith("/points")}
    assert writes == f"/collections/{job.target.collection}/points"


def test_from_a_server_into_a_folder(make: Make, tmp_path: Path, server: SmallServer) -> None:
    """The server is only read."""
    QdrantVectorStore("docs", client=server.kept).add(
        [node.model_copy(update={"embedding": [1.0, float(n)]}) for n, node in enumerate(notes(3))]
    )

    with open_migration(server.url, to=tmp_path / "storage", embed_model=make()) as job:
        assert job.run().stored == 3

    assert {request.method for request in server.seen} == {"GET", "POST"}
    assert server.of("POST", "/collections/aliases") == []


def _aliases(client: QdrantClient) -> dict[str, str]:
    return {each.alias_name: each.collection_name for each in client.get_aliases().aliases}


def test_plan(make: Make, tmp_path: Path, emulator: GeminiEmulator) -> None:
    """Nodes, tokens and both prices, before anything is sent or made; what is known costs nothing."""
    old = in_memory(notes(700))

    with open_migration(old, to=tmp_path / "storage", embed_model=make()) as job:
        before = job.plan()
        assert emulator.requests == []
        assert not (tmp_path / "storage" / "edge").exists()
        job.run()
        after = job.plan()

    assert (before.records, before.nodes, before.contents, before.cached) == (700, 700, 700, 0)
    assert before.usd == pytest.approx(before.tokens["text"] * 0.2e-6)
    assert before.usd_batch == pytest.approx(before.usd / 2)
    assert (after.contents, after.cached, after.usd) == (0, 700, 0.0)


def test_money(make: Make, tmp_path: Path, emulator: GeminiEmulator) -> None:
    """When it runs out, what was embedded is kept and not paid again."""
    old = in_memory(notes(1200))

    with open_migration(old, to=tmp_path / "storage", embed_model=make(max_cost=0.004)) as job:
        whole = job.plan().usd
        with pytest.raises(BudgetExceeded):
            job.run()
        assert 0 < job.store.count() < 1200
    with open_migration(old, to=tmp_path / "storage", embed_model=make()) as job:
        job.run()
        assert job.store.count() == 1200

    assert whole > 0.004
    assert max(Counter(c.text for c in contents_of(emulator)).values()) == 1


def test_in_a_thread_with_progress_and_cancel(make: Make, tmp_path: Path) -> None:
    """Cancelled after its first group, and taken up again by another run."""
    old = in_memory(notes(1100))
    seen: list[MigrationProgress] = []
    reports: list[MigrationReport] = []

    with open_migration(old, to=tmp_path / "storage", embed_model=make()) as job:

        def on_progress(state: MigrationProgress) -> None:
            seen.append(state)
            job.cancel()

        job.on_progress = on_progress
        thread = threading.Thread(target=lambda: reports.append(job.run()))
        thread.start()
        thread.join()
        job.on_progress = seen.append
        rest = job.run()

    [first] = reports
    assert (first.cancelled, first.finished, first.stored) == (True, False, 512)
    assert (rest.cancelled, rest.unchanged, rest.stored) == (False, 512, 588)
    assert [(p.done, p.total) for p in seen] == [(512, 1100), (512, 1100), (1024, 1100), (1100, 1100)]
    assert seen[-1].usd > seen[0].usd > 0


_KILLED = """
    import sys
    from llama_index_gemini_mm import GeminiMultimodalEmbedding
    from llama_index_gemini_mm.migrate import open_migration

    url = sys.argv[1]
    model = GeminiMultimodalEmbedding(
        api_key="k", base_url=url, output_dimensionality=256, media_store="storage/media", max_concurrency=2
    )
    with open_migration("old", to="storage", embed_model=model) as job:
        job.run()
"""


def test_killed_at_any_point(make: Make, tmp_path: Path, emulator: GeminiEmulator) -> None:
    """Killed again and again it ends with the same points, and pays at most the requests in flight twice."""
    _build("persisted", tmp_path / "old", notes(1500))
    program = [sys.executable, "-c", textwrap.dedent(_KILLED), emulator.base_url]
    kills = 0
    for moment in (2, 6, 11):
        reached = threading.Event()

        def at_moment(_: object, moment: int = moment, reached: threading.Event = reached) -> bool:
            if sum(r.route == "batchEmbedContents" for r in emulator.requests) >= moment:
                reached.set()
            return False

        emulator.faults.add(Fault(), times=None, match=at_moment)
        process = subprocess.Popen(program, cwd=tmp_path, env=os.environ.copy())
        while process.poll() is None and not reached.wait(0.02):
            pass
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        emulator.faults.clear()

    with open_migration(tmp_path / "old", to=tmp_path / "storage", embed_model=make()) as job:
        report = job.run()
        survived = stored(job.store)
    sent = Counter(c.text for c in contents_of(emulator))
    model = make(embedding_cache=tmp_path / "storage" / "embeddings.sqlite3", media_store=tmp_path / "u" / "media")
    with open_migration(tmp_path / "old", to=tmp_path / "undisturbed", embed_model=model) as job:
        job.run()
        undisturbed = stored(job.store)

    assert kills == 3
    assert report.complete
    assert len(survived) == 1500
    assert survived == undisturbed
    assert len(sent) == 1500
    assert sum(sent.values()) - 1500 <= kills * 2 * 100


@pytest.fixture
def slow_batches() -> Iterator[GeminiEmulator]:
    """An emulator whose batch jobs take a moment."""
    with GeminiEmulator(batch_seconds=0.3) as running:
        yield running


def test_batch(make: Make, tmp_path: Path, slow_batches: GeminiEmulator) -> None:
    """Submitted once, stored by a later run from the cache, at half the price and without another request."""
    old = in_memory(notes(40))

    def run(*, wait: bool = False) -> tuple[MigrationReport, int]:
        model = make(base_url=slow_batches.base_url)
        with open_migration(old, to=tmp_path / "storage", embed_model=model) as job:
            return job.run(batch=True, wait=wait, poll_seconds=0.05), job.store.count()

    first, at_first = run()
    second, _ = run()
    third, at_last = run(wait=True)
    fourth, _ = run()

    assert (first.waiting, first.stored, at_first, first.finished) == (40, 0, 0, False)
    assert first.usd > 0
    assert (second.waiting + second.stored, second.usd) == (40, 0.0)
    assert (third.waiting, at_last, third.complete) == (0, 40, True)
    assert (fourth.unchanged, fourth.usd) == (40, 0.0)
    routes = Counter(request.route for request in slow_batches.requests)
    assert (routes["asyncBatchEmbedContent"], routes["batchEmbedContents"]) == (1, 0)
    ordered = [c.text for r in slow_batches.requests if r.route == "asyncBatchEmbedContent" for c in r.contents]
    assert len(ordered) == len({*ordered}) == 40


def test_batch_with_nodes_that_cannot_be_embedded(make: Make, tmp_path: Path, slow_batches: GeminiEmulator) -> None:
    """They are reported, before the job or after it, and the others arrive."""
    old = in_memory([*notes(5), *(TextNode(id_=point_id(name), text=" ") for name in ("one", "two"))])
    slow_batches.faults.add(Fault(damage="nan_text"), route="files.download")

    model = make(base_url=slow_batches.base_url)
    with open_migration(old, to=tmp_path / "storage", embed_model=model) as job:
        report = job.run(batch=True, wait=True, poll_seconds=0.05)

    errors = Counter(each.error for each in report.skipped)
    assert errors == {"InvalidRequest": 2, "BatchFailed": 1}
    assert (report.stored, report.waiting, report.records) == (4, 0, 7)
    assert report.finished
    assert not report.complete


def test_comparison_of_equal_indexes(make: Make, storage: Path, tmp_path: Path) -> None:
    """The same model twice overlaps wholly, own questions included; without the old model these are not asked."""
    in_qdrant(tmp_path / "old", notes(40), make())

    with open_migration(tmp_path / "old", to=tmp_path / "new", embed_model=make()) as job:
        job.run()
        with_model = job.compare(sample=15, questions=["which bearing"], old_embed_model=make())
        without = job.compare(sample=15, questions=["which bearing"])

    assert [measure.name for measure in with_model.measures] == ["neighbours", "own words", "your questions"]
    assert [measure.overlap for measure in with_model.measures] == pytest.approx([1.0] * 3)
    assert with_model.notes == ()
    assert without.measures[0] == with_model.measures[0]
    assert (without.measures[1].old, without.measures[1].new) == (None, with_model.measures[1].new)
    assert (without.measures[2].asked, len(without.notes)) == (0, 2)
    assert without.as_dict()["measures"][0]["old"] == {"recall": 1.0, "mean_rank": 1.0}


def test_places_without_an_index(make: Make, tmp_path: Path) -> None:
    """Each tells what is wrong and what would be right."""
    (tmp_path / "empty").mkdir()
    in_qdrant(tmp_path / "two", notes(1), AnyEmbedding(), "a")
    in_qdrant(tmp_path / "two", notes(1), AnyEmbedding(), "b")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "docstore.json").write_text("{", encoding="utf-8")

    with pytest.raises(ConfigurationError, match="is no folder"):
        source_in(tmp_path / "nowhere")
    with pytest.raises(ConfigurationError, match="holds no index that is known"):
        source_in(tmp_path / "empty")
    with pytest.raises(ConfigurationError, match="name one of a, b"):
        source_in(tmp_path / "two")
    with pytest.raises(ConfigurationError, match="no collection 'c' in Qdrant; there are: a, b"):
        source_in(tmp_path / "two", "c")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        source_in(tmp_path / "broken")
    with pytest.raises(IndexUnavailable, match=r"127\.0\.0\.1:9"):
        open_migration("http://127.0.0.1:9", embed_model=make(), storage=tmp_path / "storage")


def test_locked_places(make: Make, storage: Path, tmp_path: Path) -> None:
    """A local index that is open elsewhere, and a storage that somebody holds."""
    in_qdrant(tmp_path / "old", notes(1), AnyEmbedding())
    client = QdrantClient(path=str(tmp_path / "old"))
    with pytest.raises(IndexLocked, match="old"):
        source_in(tmp_path / "old")
    client.close()
    with StorageLock(storage), pytest.raises(IndexLocked, match="storage"):
        open_migration(storage, embed_model=make())
    with StorageLock(tmp_path / "new"), pytest.raises(IndexLocked, match="new"):
        open_migration(tmp_path / "old", to=tmp_path / "new", embed_model=make())
    with StorageLock(storage):  # what failed to open holds nothing
        source_in(tmp_path / "old").close()


def test_aliases(tmp_path: Path) -> None:
    """A name stands for itself until it is pointed elsewhere; former collections are remembered until they are gone."""
    aliases = Aliases(tmp_path / "s")
    assert (aliases.resolve("media"), aliases.former("media")) == ("media", [])

    aliases.point("media", "media-2", "media")
    aliases.point("media", "media-3", "media-2")

    again = Aliases(tmp_path / "s")
    assert (again.resolve("media"), again.former("media")) == ("media-3", ["media", "media-2"])
    again.point("media", "media", "media-3")
    again.forget("media", "media-2")
    assert (aliases.resolve("media"), aliases.former("media")) == ("media", ["media-3"])
    (tmp_path / "s" / "collections.json").write_text("[", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        aliases.resolve("media")
