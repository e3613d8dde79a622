"""The matrix of paths through LlamaIndex: on each of them the bytes of the media reach the model.

The proof is the emulator's log: what arrived is compared with what was in the files, byte for byte.
"""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from llama_index.core import Settings, SimpleDirectoryReader, StorageContext, VectorStoreIndex, load_index_from_storage
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.indices.multi_modal import MultiModalVectorStoreIndex
from llama_index.core.ingestion import DocstoreStrategy, IngestionCache, IngestionPipeline
from llama_index.core.schema import (
    Document,
    ImageDocument,
    ImageNode,
    MediaResource,
    MetadataMode,
    Node,
    NodeRelationship,
    QueryBundle,
    TextNode,
)
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.vector_stores import SimpleVectorStore
from llama_index.vector_stores.qdrant import QdrantVectorStore
from qdrant_client import QdrantClient

from llama_index_gemini_mm import (
    GeminiMultimodalEmbedding,
    MediaNodeParser,
    MediaReader,
    MediaStore,
    media_file_extractor,
)
from llama_index_gemini_mm.emulator import GeminiEmulator
from media_samples import png, wav
from support import contents_of, media_sent

RED, BLUE = png("red"), png("blue")
TONE = wav(1.0, 440)
Model = GeminiMultimodalEmbedding


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures, a sound and a text."""
    made = tmp_path / "files"
    made.mkdir()
    (made / "blue.png").write_bytes(BLUE)
    (made / "red.png").write_bytes(RED)
    (made / "tone.wav").write_bytes(TONE)
    (made / "words.txt").write_text("the bearing needs oil", encoding="utf-8")
    return made


@pytest.fixture
def documents(folder: Path, store: MediaStore) -> list[Document]:
    """What our reader makes of the folder."""
    return MediaReader(media_store=store).load_data(folder)


@pytest.fixture
def nodes(documents: list[Document], store: MediaStore) -> list[Node]:
    """What our parser makes of the documents."""
    return MediaNodeParser(media_store=store).get_nodes_from_documents(documents)


def qdrant() -> QdrantVectorStore:
    return QdrantVectorStore("t", client=QdrantClient(":memory:"))


def context() -> StorageContext:
    return StorageContext.from_defaults(vector_store=qdrant())


def everything_was_sent(emulator: GeminiEmulator) -> None:
    """Each medium once, with its own bytes and type, and the words once."""
    assert sorted(media_sent(emulator)) == sorted([("image/png", RED), ("image/png", BLUE), ("audio/wav", TONE)])
    assert [c.text for c in contents_of(emulator) if "bearing needs oil" in c.text] == [
        "title: words | text: the bearing needs oil"
    ]
    assert len(contents_of(emulator)) == 4


def found(index: VectorStoreIndex, model: Model, query: QueryBundle | str) -> str:
    """The file name of the nearest node."""
    return index.as_retriever(similarity_top_k=1).retrieve(query)[0].node.metadata["file_name"]


def each_finds_itself(index: VectorStoreIndex, model: Model) -> None:
    """A picture, a sound and a text are found by themselves."""
    assert found(index, model, model.query_bundle(RED)) == "red.png"
    assert found(index, model, model.query_bundle(BLUE)) == "blue.png"
    assert found(index, model, model.query_bundle(TONE)) == "tone.wav"
    assert found(index, model, "bearing oil") == "words.txt"


def test_constructor(nodes: list[Node], model: Model, emulator: GeminiEmulator) -> None:
    """VectorStoreIndex(nodes)."""
    index = VectorStoreIndex(nodes, embed_model=model, storage_context=context())

    everything_was_sent(emulator)
    each_finds_itself(index, model)


async def test_constructor_asynchronously(nodes: list[Node], model: Model, emulator: GeminiEmulator) -> None:
    """VectorStoreIndex(nodes, use_async=True), in a running loop's thread."""
    index = await asyncio.to_thread(
        VectorStoreIndex, nodes, embed_model=model, use_async=True, vector_store=SimpleVectorStore()
    )

    everything_was_sent(emulator)
    assert len(index.vector_store.data.embedding_dict) == 4


def test_from_documents_with_our_parser(
    documents: list[Document], model: Model, emulator: GeminiEmulator, store: MediaStore
) -> None:
    """from_documents(transformations=[MediaNodeParser()])."""
    parser = MediaNodeParser(media_store=store)
    index = VectorStoreIndex.from_documents(
        documents, embed_model=model, transformations=[parser], storage_context=context()
    )

    everything_was_sent(emulator)
    each_finds_itself(index, model)


def test_from_documents_with_parser_and_model(
    documents: list[Document], model: Model, emulator: GeminiEmulator, store: MediaStore
) -> None:
    """The model as the last transformation: nothing is embedded twice."""
    steps = [MediaNodeParser(media_store=store), model]
    VectorStoreIndex.from_documents(documents, embed_model=model, transformations=steps, storage_context=context())

    everything_was_sent(emulator)


def test_from_documents_with_the_default_splitter(
    documents: list[Document], model: Model, emulator: GeminiEmulator
) -> None:
    """Without any parser of ours, SentenceSplitter makes TextNodes, and the media are embedded all the same."""
    index = VectorStoreIndex.from_documents(documents, embed_model=model, storage_context=context())

    everything_was_sent(emulator)
    each_finds_itself(index, model)


def test_settings(documents: list[Document], model: Model, emulator: GeminiEmulator, store: MediaStore) -> None:
    """Settings.embed_model and Settings.transformations, as in the README."""
    Settings.embed_model, Settings.transformations = model, [MediaNodeParser(media_store=store)]
    try:
        index = VectorStoreIndex.from_documents(documents, storage_context=context())
        everything_was_sent(emulator)
        each_finds_itself(index, model)
    finally:
        Settings._embed_model = Settings._transformations = None


def test_insert(documents: list[Document], model: Model, emulator: GeminiEmulator) -> None:
    """index.insert, one document at a time."""
    index = VectorStoreIndex([], embed_model=model, storage_context=context())
    for document in documents:
        index.insert(document)

    everything_was_sent(emulator)
    each_finds_itself(index, model)


def test_insert_nodes(nodes: list[Node], model: Model, emulator: GeminiEmulator) -> None:
    """index.insert_nodes."""
    index = VectorStoreIndex([], embed_model=model, storage_context=context())
    index.insert_nodes(nodes)

    everything_was_sent(emulator)
    each_finds_itself(index, model)


async def test_ainsert_nodes(nodes: list[Node], model: Model, emulator: GeminiEmulator) -> None:
    """index.ainsert_nodes."""
    index = VectorStoreIndex([], embed_model=model, vector_store=SimpleVectorStore())
    await index.ainsert_nodes(nodes)

    everything_was_sent(emulator)


def test_refresh_embeds_only_what_changed(
    folder: Path, documents: list[Document], model: Model, emulator: GeminiEmulator, store: MediaStore
) -> None:
    """refresh_ref_docs: nothing for the same files, touched or not; one picture for the one that changed."""
    index = VectorStoreIndex.from_documents(documents, embed_model=model)
    everything_was_sent(emulator)
    emulator.clear()

    (folder / "red.png").touch()
    assert index.refresh_ref_docs(MediaReader(media_store=store).load_data(folder)) == [False] * 4
    assert contents_of(emulator) == []

    green = png("green")
    (folder / "red.png").write_bytes(green)
    changed = MediaReader(media_store=store).load_data(folder)
    assert index.refresh_ref_docs(changed) == [False, True, False, False]
    assert media_sent(emulator) == [("image/png", green)]


def pipeline(model: Model, store: MediaStore, **parts: object) -> IngestionPipeline:
    return IngestionPipeline(transformations=[MediaNodeParser(media_store=store), model], **parts)


def test_pipeline_run(documents: list[Document], model: Model, emulator: GeminiEmulator, store: MediaStore) -> None:
    """IngestionPipeline.run into Qdrant."""
    vector_store = qdrant()
    pipeline(model, store, vector_store=vector_store).run(documents=documents)

    everything_was_sent(emulator)
    each_finds_itself(VectorStoreIndex.from_vector_store(vector_store, embed_model=model), model)


async def test_pipeline_arun(
    documents: list[Document], model: Model, emulator: GeminiEmulator, store: MediaStore
) -> None:
    """IngestionPipeline.arun."""
    made = await pipeline(model, store).arun(documents=documents)

    everything_was_sent(emulator)
    assert all(len(node.embedding or []) == 256 for node in made)


def test_pipeline_in_two_processes(
    documents: list[Document], model: Model, emulator: GeminiEmulator, store: MediaStore
) -> None:
    """run(num_workers=2): the model is pickled into workers, and the caller's own still works afterwards."""
    made = pipeline(model, store).run(documents=documents, num_workers=2)

    everything_was_sent(emulator)
    assert all(len(node.embedding or []) == 256 for node in made)
    assert len(model.get_text_embedding("still alive")) == 256


def test_pipeline_cache(documents: list[Document], model: Model, emulator: GeminiEmulator, store: MediaStore) -> None:
    """A second run with the same cache embeds nothing, whatever the operational settings; another dimension does."""
    cache = IngestionCache()
    first = pipeline(model, store, cache=cache).run(documents=documents)
    everything_was_sent(emulator)
    emulator.clear()

    same_space = model.model_copy(update={"timeout": 5.0, "embed_batch_size": 3})
    again = pipeline(same_space, store, cache=cache).run(documents=documents)
    assert contents_of(emulator) == []
    assert [n.embedding for n in again] == [n.embedding for n in first]

    other = Model(api_key=emulator.api_key, base_url=emulator.base_url, output_dimensionality=128, media_store=store)
    assert len(pipeline(other, store, cache=cache).run(documents=documents)[0].embedding or []) == 128
    assert len(contents_of(emulator)) == 4


def test_the_red_picture_does_not_get_the_blue_ones_vector(
    folder: Path, model: Model, emulator: GeminiEmulator, store: MediaStore
) -> None:
    """With one cache, two pictures alike in all but their bytes keep their own vectors."""
    cache, vectors = IngestionCache(), []
    for name in ("red.png", "blue.png"):
        documents = MediaReader(media_store=store).load_data(folder / name)
        vectors += [n.embedding for n in pipeline(model, store, cache=cache).run(documents=documents)]

    assert media_sent(emulator) == [("image/png", RED), ("image/png", BLUE)]
    assert vectors[0] != vectors[1]


def test_equal_pictures_in_a_new_place_are_told_apart_by_content(
    tmp_path: Path, model: Model, emulator: GeminiEmulator, store: MediaStore
) -> None:
    """The same path with another picture is another key."""
    cache, path = IngestionCache(), tmp_path / "same.png"
    for data in (RED, BLUE):
        path.write_bytes(data)
        pipeline(model, store, cache=cache).run(documents=MediaReader(media_store=store).load_data(path))

    assert media_sent(emulator) == [("image/png", RED), ("image/png", BLUE)]


@pytest.mark.parametrize(
    ("strategy", "sent", "points"),
    [
        (DocstoreStrategy.UPSERTS, 1, 4),
        (DocstoreStrategy.UPSERTS_AND_DELETE, 1, 3),
        (DocstoreStrategy.DUPLICATES_ONLY, 1, 5),
    ],
)
def test_docstore_strategies(
    folder: Path,
    model: Model,
    emulator: GeminiEmulator,
    store: MediaStore,
    strategy: DocstoreStrategy,
    sent: int,
    points: int,
) -> None:
    """A second run with one file changed and one gone embeds the changed one alone, and keeps the right points."""
    vector_store, docstore = qdrant(), SimpleDocumentStore()
    parts = {"vector_store": vector_store, "docstore": docstore, "docstore_strategy": strategy, "disable_cache": True}
    pipeline(model, store, **parts).run(documents=MediaReader(media_store=store).load_data(folder))
    everything_was_sent(emulator)
    emulator.clear()

    green = png("green")
    (folder / "red.png").write_bytes(green)
    (folder / "words.txt").unlink()
    pipeline(model, store, **parts).run(documents=MediaReader(media_store=store).load_data(folder))

    assert media_sent(emulator) == [("image/png", green)]
    assert len(contents_of(emulator)) == sent
    assert vector_store.client.count("t").count == points


def test_persist_and_reload(nodes: list[Node], model: Model, emulator: GeminiEmulator, tmp_path: Path) -> None:
    """After a reload the nodes still have their media, and embedding them again sends the same bytes."""
    VectorStoreIndex(nodes, embed_model=model).storage_context.persist(str(tmp_path / "kept"))
    index = load_index_from_storage(StorageContext.from_defaults(persist_dir=str(tmp_path / "kept")), embed_model=model)
    each_finds_itself(index, model)
    emulator.clear()

    reloaded = list(index.docstore.docs.values())
    assert {type(n) for n in reloaded} == {Node}
    assert sorted(n.hash for n in reloaded) == sorted(n.hash for n in nodes)
    model(reloaded)
    everything_was_sent(emulator)


def test_nodes_come_back_from_qdrant_whole(nodes: list[Node], model: Model, emulator: GeminiEmulator) -> None:
    """From the collection alone: class, media path, MIME type, source; and no bytes in the payload."""
    vector_store = qdrant()
    VectorStoreIndex(nodes, embed_model=model, storage_context=StorageContext.from_defaults(vector_store=vector_store))
    back = {n.node_id: n for n in vector_store.get_nodes()}

    assert back.keys() == {n.node_id for n in nodes}
    for node in nodes:
        twin = back[node.node_id]
        assert type(twin) is Node
        assert (twin.image_resource, twin.audio_resource) == (node.image_resource, node.audio_resource)
        assert twin.metadata == node.metadata
        assert twin.relationships[NodeRelationship.SOURCE].node_id == node.ref_doc_id
        assert len(twin.model_dump_json(exclude={"embedding"})) < 4000
    emulator.clear()
    model(list(back.values()))
    everything_was_sent(emulator)


def test_pickle(model: Model, nodes: list[Node], emulator: GeminiEmulator) -> None:
    """Model and nodes survive pickling together, and the original keeps working."""
    twin, copies = pickle.loads(pickle.dumps((model, nodes)))

    twin(copies)

    everything_was_sent(emulator)
    assert len(model.get_text_embedding("hello")) == 256
    twin.close()


@pytest.mark.parametrize("with_our_parser", [True, False])
def test_simple_directory_reader(
    folder: Path, model: Model, emulator: GeminiEmulator, store: MediaStore, with_our_parser: bool
) -> None:
    """SimpleDirectoryReader with our extractor, then our parser or the default one."""
    reader = SimpleDirectoryReader(
        str(folder), file_extractor=media_file_extractor(media_store=store), raise_on_error=True
    )
    steps = [MediaNodeParser(media_store=store)] if with_our_parser else None
    index = VectorStoreIndex.from_documents(
        reader.load_data(), embed_model=model, transformations=steps, storage_context=context()
    )

    everything_was_sent(emulator)
    each_finds_itself(index, model)


def test_no_query_is_poisoned_by_a_point_without_text(folder: Path, model: Model, store: MediaStore) -> None:
    """Even un-split documents put into Qdrant can be read back: their text is "" and never missing."""
    documents = MediaReader(media_store=store).load_data(folder)
    vector_store = qdrant()
    vector_store.add(list(model(documents)))
    index = VectorStoreIndex.from_vector_store(vector_store, embed_model=model)

    assert len(index.as_retriever(similarity_top_k=4).retrieve("anything")) == 4


def test_a_query_with_an_image_path_is_answered_by_our_retriever(
    nodes: list[Node], folder: Path, model: Model, emulator: GeminiEmulator
) -> None:
    """LlamaIndex's own retriever ignores image_path and returns arbitrary nodes; MediaRetriever sends the picture."""
    from llama_index_gemini_mm import MediaRetriever

    vector_store = qdrant()
    vector_store.add(list(model(nodes)))
    emulator.clear()

    retriever = MediaRetriever(vector_store, model, similarity_top_k=1)
    hits = retriever.retrieve(QueryBundle("", image_path=str(folder / "blue.png")))

    assert hits[0].node.metadata["file_name"] == "blue.png"
    assert media_sent(emulator) == [("image/png", BLUE)]


FOREIGN: dict[str, Callable[[Path], object]] = {
    "ImageNode with a path": lambda f: ImageNode(image_path=str(f / "red.png"), image_mimetype="image/png"),
    "ImageNode with base64": lambda f: ImageNode(
        image=MediaResource(data=RED).data.decode(), image_mimetype="image/png"
    ),
    "Node with a path": lambda f: Node(image_resource=MediaResource(path=f / "red.png", mimetype="image/png")),
    "Node with bytes": lambda _: Node(image_resource=MediaResource(data=RED, mimetype="image/png")),
}


@pytest.mark.parametrize("make", FOREIGN.values(), ids=FOREIGN.keys())
def test_media_of_other_makers_in_a_pipeline(
    make: Callable[[Path], object], folder: Path, model: Model, emulator: GeminiEmulator
) -> None:
    """As a pipeline step the model embeds the media of any node, not the empty string."""
    (node,) = model([make(folder)])  # type: ignore[list-item]

    assert media_sent(emulator) == [("image/png", RED)]
    assert node.embedding == model.get_image_embedding(str(folder / "red.png"))


def test_image_documents_of_other_readers(
    folder: Path, model: Model, emulator: GeminiEmulator, store: MediaStore
) -> None:
    """Our parser takes in the ImageDocument that LlamaIndex's own readers make of a picture."""
    path = str(folder / "red.png")
    documents = [ImageDocument(image_path=path, image_mimetype="image/png", metadata={"file_path": path})]

    VectorStoreIndex.from_documents(
        documents, embed_model=model, transformations=[MediaNodeParser(media_store=store)], storage_context=context()
    )

    assert media_sent(emulator) == [("image/png", RED)]


def test_in_a_multi_modal_vector_store_index(folder: Path, model: Model, emulator: GeminiEmulator) -> None:
    """As image_embed_model of LlamaIndex's two-store index."""
    node = ImageNode(image_path=str(folder / "red.png"), metadata={"file_name": "red.png"})
    index = MultiModalVectorStoreIndex(
        [node, TextNode(text="words")], embed_model=model, image_embed_model=model, is_image_to_text=False
    )

    assert media_sent(emulator) == [("image/png", RED)]
    hits = index.as_retriever(image_similarity_top_k=1).image_to_image_retrieve(str(folder / "red.png"))
    assert hits[0].node.node_id == node.node_id


def test_batches_of_strings_are_not_fused(model: Model, emulator: GeminiEmulator) -> None:
    """The classic trap: three texts are three contents and three different vectors."""
    vectors = model.get_text_embedding_batch(["one", "two", "three"])

    assert len({tuple(v) for v in vectors}) == 3
    assert [len(r.contents) for r in emulator.requests] == [3]


def test_queries_and_documents_have_different_vectors(model: Model) -> None:
    """The same words as a query and as a document are embedded with different prefixes."""
    assert model.get_query_embedding("oil") != model.get_text_embedding("oil")


def test_class_relations(model: Model) -> None:
    """It is a BaseEmbedding with a serialisation id of its own."""
    assert isinstance(model, BaseEmbedding)
    assert model.class_name() == "GeminiMultimodalEmbedding"
    assert {"api_key", "base_url", "timeout", "media_store", "client"} & model.to_dict().keys() == set()


def test_the_embedded_text_of_a_media_node_holds_its_reference(nodes: list[Node]) -> None:
    """What the fast path and the default splitter rely on."""
    for node in nodes:
        text = node.get_content(metadata_mode=MetadataMode.EMBED)
        assert text.startswith("media_ref: media://") or node.metadata["modality"] == "text"
