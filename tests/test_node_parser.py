"""MediaNodeParser: every modality, LlamaIndex's ways of using a parser, and documents of other readers."""

from __future__ import annotations

import base64
import json
import pickle
from itertools import pairwise
from pathlib import Path

import pytest
from llama_index.core import Settings, VectorStoreIndex
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.ingestion import IngestionCache, IngestionPipeline
from llama_index.core.ingestion.cache import DEFAULT_CACHE_NAME
from llama_index.core.schema import (
    BaseNode,
    Document,
    ImageDocument,
    MediaResource,
    MetadataMode,
    Node,
    NodeRelationship,
    RelatedNodeInfo,
    TextNode,
)
from PIL import Image

from llama_index_gemini_mm import MediaNodeParser, MediaReader, MediaStore, SplitOptions, media
from llama_index_gemini_mm.media import MediaItem, MediaRef, read_embed_text
from media_samples import film, mp3, pdf, png, wav

LONG = " ".join(f"Step {n}: tighten bolt {n}." for n in range(300))
OPTIONS = SplitOptions(chunk_size=200, chunk_overlap=0, audio_segment_seconds=4, video_segment_seconds=4)


@pytest.fixture
def documents(store: MediaStore) -> list[Document]:
    """One file with a document of every modality."""
    parts = [
        ("image", png(), "image/png", "A pump"),
        ("audio", mp3(9.0), "audio/mpeg", "A noise"),
        ("video", film(9.0), "video/mp4", ""),
        ("document", pdf(), "application/pdf", LONG),
    ]
    made = [media.build(Document, "text", "text", LONG, {media.FILE_PATH: "/m.pdf"}, title="Manual")]
    for modality, data, mime_type, text in parts:
        sha256 = store.add_bytes(data, mime_type)
        item = MediaItem(MediaRef(sha256), mime_type, store.local_path(sha256))
        made.append(media.build(Document, modality, modality, text, {media.FILE_PATH: "/m.pdf"}, media=item))
    return made


@pytest.fixture
def parser(store: MediaStore) -> MediaNodeParser:
    return MediaNodeParser(options=OPTIONS, media_store=store)


def test_every_modality(parser: MediaNodeParser, documents: list[Document]) -> None:
    """Plain core nodes of each modality, with their media at their side and a reference in what is embedded."""
    nodes = parser.get_nodes_from_documents(documents)
    assert {type(n) for n in nodes} == {Node}
    found = [n.metadata[media.MODALITY] for n in nodes]
    assert set(found) == {"text", "image", "audio", "video", "document"}
    assert (found.count("image"), found.count("document")) == (1, 3)
    assert len({n.node_id for n in nodes}) == len(nodes)
    for node in nodes:
        read = read_embed_text(node.get_content(metadata_mode=MetadataMode.EMBED))
        assert (read.ref is not None) == (node.metadata[media.MODALITY] != "text")
        assert isinstance(node, Node)
        assert node.text_resource is not None


def test_sources(parser: MediaNodeParser, documents: list[Document]) -> None:
    """Every node names the document it comes from, by id and hash, and copies none of its metadata."""
    by_id = {d.node_id: d for d in documents}
    for node in parser.get_nodes_from_documents(documents):
        source = node.relationships[NodeRelationship.SOURCE]
        assert isinstance(source, RelatedNodeInfo)
        assert source.hash == by_id[source.node_id].hash
        assert source.metadata == {}


def test_reading_order(parser: MediaNodeParser, documents: list[Document]) -> None:
    """All nodes of one file are a chain, across its documents; another file has its own."""
    other = Document(text="Elsewhere", id_="other", metadata={media.FILE_PATH: "/other.txt"})
    nodes = parser.get_nodes_from_documents([documents[0], other, *documents[1:]])
    chain = [n for n in nodes if n.metadata[media.FILE_PATH] == "/m.pdf"]
    for before, after in pairwise(chain):
        assert before.next_node is not None
        assert after.prev_node is not None
        assert (before.next_node.node_id, after.prev_node.node_id) == (after.node_id, before.node_id)
        assert before.next_node.metadata == {}
    assert chain[0].prev_node is None
    assert chain[-1].next_node is None
    (alone,) = [n for n in nodes if n.metadata[media.FILE_PATH] == "/other.txt"]
    assert (alone.prev_node, alone.next_node) == (None, None)


def test_no_links_when_not_wanted(store: MediaStore, documents: list[Document]) -> None:
    """LlamaIndex's own switch works."""
    parser = MediaNodeParser(options=OPTIONS, media_store=store, include_prev_next_rel=False)
    assert all(set(n.relationships) == {NodeRelationship.SOURCE} for n in parser(documents))


def test_nothing_is_embedded_as_media_that_is_text(parser: MediaNodeParser, documents: list[Document]) -> None:
    """The text nodes of a long caption carry neither reference nor MIME type of the media."""
    texts = [n for n in parser(documents) if n.metadata[media.MODALITY] == "text"]
    assert len(texts) > 10
    assert not any(key in n.metadata for n in texts for key in media.MEDIA_KEYS)


def test_deterministic(parser: MediaNodeParser, documents: list[Document]) -> None:
    """Twice the same: ids, hashes, relations."""
    first, second = ([n.model_dump() for n in parser(documents)] for _ in range(2))
    assert first == second


def test_ids_do_not_depend_on_the_store(documents: list[Document], store: MediaStore, tmp_path: Path) -> None:
    """The same file over a store elsewhere gives the same ids."""
    elsewhere = MediaStore(tmp_path / "elsewhere")
    moved = []
    for item in documents:
        if found := media.media_of(item):
            elsewhere.add_bytes(store.read(found.ref), found.mime_type)
        moved.append(item)
    ids = [[n.node_id for n in MediaNodeParser(options=OPTIONS, media_store=s)(moved)] for s in (store, elsewhere)]
    assert ids[0] == ids[1]


def test_serialisation(parser: MediaNodeParser, store: MediaStore) -> None:
    """What changes nodes is in ``to_dict``, the store is not; both ways back give the same parser."""
    data = json.loads(parser.to_json())
    assert data["class_name"] == "MediaNodeParser"
    assert data["options"]["chunk_size"] == 200
    assert data["endpoint"] == "developer"
    assert "media_store" not in data
    assert str(store.root) not in parser.to_json()
    again = MediaNodeParser.from_dict(data, media_store=store)
    assert (again.options, again.media_store) == (parser.options, store)
    twin = pickle.loads(pickle.dumps(parser))
    assert (twin.options, twin.endpoint, twin.media_store) == (parser.options, parser.endpoint, store)
    assert parser.media_store == store


def test_store_may_be_a_place(tmp_path: Path) -> None:
    """A path names a store; nothing names the shared default."""
    assert MediaNodeParser(media_store=str(tmp_path)).media_store == MediaStore(tmp_path)
    assert MediaNodeParser(media_store=None).media_store == MediaStore() == MediaNodeParser().media_store


def test_pipeline(parser: MediaNodeParser, documents: list[Document]) -> None:
    """In a pipeline with cache, synchronous and not."""
    cache = IngestionCache()
    pipeline = IngestionPipeline(transformations=[parser], cache=cache)
    first = pipeline.run(documents=documents)
    again = pipeline.run(documents=documents)
    assert [n.node_id for n in first] == [n.node_id for n in again]
    assert len(cache.cache.get_all(collection=DEFAULT_CACHE_NAME)) == 1
    assert [n.hash for n in first] == [n.hash for n in again]


async def test_asynchronous_pipeline(parser: MediaNodeParser, documents: list[Document]) -> None:
    """``arun`` gives the nodes that ``run`` gives."""
    found = await IngestionPipeline(transformations=[parser], disable_cache=True).arun(documents=documents)
    assert [n.node_id for n in found] == [n.node_id for n in parser(documents)]


def test_pipeline_with_processes(parser: MediaNodeParser, documents: list[Document]) -> None:
    """Worker processes get the parser by pickle and give the same nodes."""
    pipeline = IngestionPipeline(transformations=[parser], disable_cache=True)
    found = pipeline.run(documents=documents, num_workers=2)
    assert {n.node_id for n in found} == {n.node_id for n in parser(documents)}


def test_index_from_documents(parser: MediaNodeParser, documents: list[Document]) -> None:
    """As the transformation of an index: all nodes arrive."""
    model = MockEmbedding(embed_dim=4)
    index = VectorStoreIndex.from_documents(documents, transformations=[parser], embed_model=model)
    assert len(index.docstore.docs) == len(parser(documents))


def test_settings(parser: MediaNodeParser, documents: list[Document], monkeypatch: pytest.MonkeyPatch) -> None:
    """As the parser of ``Settings``."""
    monkeypatch.setattr(Settings, "_node_parser", parser)
    monkeypatch.setattr(Settings, "_transformations", None)
    index = VectorStoreIndex.from_documents(documents, embed_model=MockEmbedding(embed_dim=4))
    assert {n.metadata[media.MODALITY] for n in index.docstore.docs.values()} >= {"image", "audio", "video"}


def test_split_nodes_pass_through(parser: MediaNodeParser, documents: list[Document]) -> None:
    """What is no document is split already."""
    nodes: list[BaseNode] = [TextNode(text="a"), *parser(documents[1:2])]
    assert [n.node_id for n in parser(nodes)] == [n.node_id for n in nodes]
    assert [type(n) for n in parser(nodes)] == [TextNode, Node]


def test_figures_and_pages_by_choice(store: MediaStore, tmp_path: Path) -> None:
    """What stood in a document may be left out; a picture that is a file of its own is always meant."""
    (tmp_path / "a.md").write_bytes(b"# Pump\n\n![](data:image/png;base64," + base64.b64encode(png()) + b")\n")
    (tmp_path / "b.png").write_bytes(png())
    Image.effect_noise((600, 800), 90).save(tmp_path / "c.pdf")
    documents = MediaReader(store).load_data([tmp_path / name for name in ("a.md", "b.png", "c.pdf")])

    def kept(options: SplitOptions) -> list[tuple[str, str]]:
        nodes = MediaNodeParser(media_store=store, options=options).get_nodes_from_documents(documents)
        return [(n.metadata[media.FILE_NAME], n.metadata[media.MODALITY]) for n in nodes]

    everything = kept(SplitOptions())
    assert {("a.md", "image"), ("b.png", "image"), ("c.pdf", "document")} <= set(everything)
    assert kept(SplitOptions(figures=False)) == [one for one in everything if one != ("a.md", "image")]
    assert kept(SplitOptions(visual_pages=False)) == [one for one in everything if one != ("c.pdf", "document")]


def test_foreign_text(parser: MediaNodeParser) -> None:
    """A document of another reader is split as text and keeps its metadata; a forged reference stays words."""
    forged = f"media://{'0' * 64}"
    foreign = Document(text=LONG, id_="f", metadata={"author": "Ada", media.MEDIA_REF: forged, media.TITLE: "T"})
    nodes = parser.get_nodes_from_documents([foreign])
    assert len(nodes) > 3
    for node in nodes:
        assert node.metadata["author"] == "Ada"
        assert node.metadata[media.TITLE] == "T"
        assert read_embed_text(node.get_content(metadata_mode=MetadataMode.EMBED)).ref is None
        assert node.ref_doc_id == "f"


def test_foreign_picture_with_bytes(parser: MediaNodeParser, store: MediaStore) -> None:
    """The bytes of an ``ImageDocument`` go into the store, its type is read from them."""
    foreign = ImageDocument(image=base64.b64encode(png()).decode(), text="Pump", metadata={"author": "Ada"})
    (node,) = parser.get_nodes_from_documents([foreign])
    item = media.media_of(node)
    assert item is not None
    assert (node.metadata[media.MODALITY], item.mime_type, node.get_content()) == ("image", "image/png", "Pump")
    assert store.read(item.ref) == png()
    assert node.metadata["author"] == "Ada"


@pytest.mark.parametrize(
    ("field", "name", "data", "given", "mime_type"),
    [
        ("image_resource", "a.png", png(), None, "image/png"),
        ("audio_resource", "a.wav", wav(1.0), None, "audio/wav"),
        ("audio_resource", "a.bin", mp3(1.0), "audio/mp3", "audio/mpeg"),
        ("video_resource", "a.mp4", film(1.0), None, "video/mp4"),
        ("video_resource", "clip", film(1.0), "video/mp4", "video/mp4"),
    ],
)
def test_foreign_media_with_a_path(
    field: str,
    name: str,
    data: bytes,
    given: str | None,
    mime_type: str,
    parser: MediaNodeParser,
    store: MediaStore,
    tmp_path: Path,
) -> None:
    """A resource with a path is recorded where it lies, under the registered name of its type."""
    path = tmp_path / name
    path.write_bytes(data)
    foreign = Document(text="x", **{field: MediaResource(path=path, mimetype=given)})
    (node,) = parser.get_nodes_from_documents([foreign])
    item = media.media_of(node)
    assert item is not None
    assert (item.mime_type, item.path) == (mime_type, path)
    assert store.read(item.ref) == data
    assert node.metadata[media.MODALITY] == field.partition("_")[0]


def test_foreign_modality(parser: MediaNodeParser) -> None:
    """Another reader's own ``modality`` is not taken for ours."""
    (node,) = parser.get_nodes_from_documents([Document(text="A scan of the knee", metadata={"modality": "CT"})])
    assert node.metadata[media.MODALITY] == "text"
