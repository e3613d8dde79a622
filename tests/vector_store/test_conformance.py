"""One suite for every engine: what is added is found, filtered, replaced, deleted and still there after reopening."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from llama_index.core.schema import Node
from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)

from llama_index_gemini_mm.errors import ConfigurationError, IndexMismatch
from llama_index_gemini_mm.sparse import query_vector
from llama_index_gemini_mm.vector_store import MediaVectorStore, Search, open_local
from store_support import ENGINES, OURS, AnyStore, Engine, direction, ids, media_node, plain, stamp, where

KINDS = ("text", "image", "audio", "video", "document")
OP = FilterOperator


@pytest.fixture(params=ENGINES, ids=lambda engine: engine.name)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Every engine."""
    return request.param


@pytest.fixture
def store(engine: Engine, tmp_path: Path) -> Iterator[AnyStore]:
    """An empty store."""
    yield from _opened(engine, tmp_path)


@pytest.fixture(params=OURS, ids=lambda engine: engine.name)
def ours(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AnyStore]:
    """An empty store of this package."""
    yield from _opened(request.param, tmp_path)


def _opened(engine: Engine, folder: Path) -> Iterator[AnyStore]:
    opened = engine.open(folder)
    yield opened
    if isinstance(opened, MediaVectorStore):
        opened.close()


def found(store: AnyStore, number: int, top_k: int = 1, **narrowed: object) -> list[str]:
    """Ids of the nodes nearest to the vector of one, by LlamaIndex's query."""
    query = VectorStoreQuery(query_embedding=direction(number), similarity_top_k=top_k, **narrowed)  # type: ignore[arg-type]
    return ids(store.query(query).nodes or [])


@pytest.fixture
def mixed(store: AnyStore) -> list[Node]:
    """A node of each medium, in the store."""
    nodes = [media_node(number, kind) for number, kind in enumerate(KINDS)]
    assert store.add(nodes) == ids(nodes)
    return nodes


def test_the_right_node_first(store: AnyStore, engine: Engine, mixed: list[Node]) -> None:
    """Each is found by its own vector, with the cosine as score where the engine gives it; others are far behind."""
    for number, node in enumerate(mixed):
        result = store.query(VectorStoreQuery(query_embedding=direction(number), similarity_top_k=5))

        assert (result.ids or [])[0] == node.node_id
        first, second = (result.similarities or [])[:2]
        assert first == pytest.approx(1.0, abs=0.01)
        if store.capabilities.cosine:
            assert abs(second) < 0.2
        assert len(result.nodes or []) == 5


def test_nodes_come_back_whole(store: AnyStore, mixed: list[Node]) -> None:
    """Media resources, metadata, relationships and templates are what they were."""
    for number, node in enumerate(mixed):
        (back,) = store.query(VectorStoreQuery(query_embedding=direction(number), similarity_top_k=1)).nodes or []

        assert type(back) is Node
        assert plain(back) == plain(node)


def test_search_and_query_agree(store: AnyStore, mixed: list[Node]) -> None:
    """Several searches at once give what each gives alone, with equal nodes."""
    results = store.search([Search(2, vector=direction(number)) for number in range(5)])

    assert [hits[0].node_id for hits in results] == ids(mixed)
    assert [[hit.node_id for hit in hits] for hits in results] == [found(store, number, 2) for number in range(5)]
    assert [plain(hits[0].node) for hits in results] == [plain(node) for node in mixed]


def test_the_same_id_replaces(store: AnyStore, mixed: list[Node]) -> None:
    """A node that is added again has its new words and its new vector, once."""
    changed = media_node(1, "image", words="other words")
    changed.embedding = direction(77)

    store.add([changed])

    assert len(store.get_nodes()) == 5
    assert found(store, 77) == [changed.node_id]
    (back,) = store.get_nodes([changed.node_id])
    assert back.get_content() == "other words"


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (where("modality", "image"), {1}),
        (where("page_start", 7), {4}),
        (where("page_start", 4, OP.GT), {4}),
        (where("page_start", 4, OP.GTE), {1, 4}),
        (where("end_seconds", 60.5, OP.LT), {2}),
        (where("end_seconds", 60.5, OP.LTE), {2, 3}),
        (where("modality", ["audio", "video"], OP.IN), {2, 3}),
        (
            MetadataFilters(
                filters=[
                    MetadataFilter(key="modality", value=["audio", "video"], operator=OP.IN),
                    MetadataFilter(key="start_seconds", value=10.0, operator=OP.GT),
                ]
            ),
            {3},
        ),
        (
            MetadataFilters(
                filters=[MetadataFilter(key="modality", value="text"), MetadataFilter(key="page_start", value=7)],
                condition=FilterCondition.OR,
            ),
            {0, 4},
        ),
    ],
    ids=str,
)
def test_filters_of_every_engine(
    store: AnyStore, mixed: list[Node], filters: MetadataFilters, expected: set[int]
) -> None:
    """Only what matches is found, in searches and in lists."""
    wanted = {mixed[number].node_id for number in expected}

    assert set(found(store, 0, 5, filters=filters)) == wanted
    assert set(ids(store.get_nodes(filters=filters))) == wanted


def _group(*filters: MetadataFilter | MetadataFilters, by: FilterCondition) -> MetadataFilters:
    return MetadataFilters(filters=list(filters), condition=by)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (where("modality", "image", OP.NE), {0, 2, 3, 4}),
        (where("page_start", 7, OP.NE), {1}),
        (where("start_seconds", 30.0), {3}),
        (where("start_seconds", 30.0, OP.NE), {2}),
        (where("start_seconds", [0.0, 30.0], OP.IN), {2, 3}),
        (where("start_seconds", [0.0], OP.NIN), {3}),
        (where("modality", ["text", "image"], OP.NIN), {2, 3, 4}),
        (where("modality", [], OP.IN), set()),
        (where("file_size", [1001, 1003], OP.IN), {1, 3}),
        (where("heading_path", "Wärme", OP.TEXT_MATCH), {1}),
        (where("container_path", None, OP.IS_EMPTY), {0, 1, 2, 4}),
        (where("created", "2024-05-01", OP.GTE), {1}),
        (
            _group(
                _group(MetadataFilter(key="page_start", value=4), where("modality", "audio"), by=FilterCondition.OR),
                _group(MetadataFilter(key="title", value="Title 2"), by=FilterCondition.NOT),
                by=FilterCondition.AND,
            ),
            {1},
        ),
    ],
    ids=str,
)
def test_all_filters_of_ours(ours: MediaVectorStore, filters: MetadataFilters, expected: set[int]) -> None:
    """What LlamaIndex's operators mean, in both engines, with fractions, dates and groups."""
    extra = [{"created": "2024-04-30T10:00:00"}, {"created": "2024-05-02"}, {}, {}, {}]
    nodes = [media_node(number, kind, **extra[number]) for number, kind in enumerate(KINDS)]
    ours.add(nodes)
    wanted = {nodes[number].node_id for number in expected}

    assert set(found(ours, 0, 5, filters=filters)) == wanted
    assert set(ids(ours.get_nodes(filters=filters))) == wanted
    assert ours.count(filters) == len(wanted)


def test_an_operator_nobody_knows(ours: MediaVectorStore) -> None:
    """It is named."""
    with pytest.raises(ConfigurationError, match="all"):
        found(ours, 0, filters=where("modality", ["a"], OP.ALL))


def test_among_given_documents(store: AnyStore, mixed: list[Node]) -> None:
    """A search among the nodes of some documents."""
    (hits,) = store.search([Search(5, vector=direction(0), doc_ids=["doc-1", "doc-3", "doc-99"])])

    assert {hit.node_id for hit in hits} == {mixed[1].node_id, mixed[3].node_id}


def test_among_given_nodes(ours: MediaVectorStore) -> None:
    """By ids of nodes, whatever they look like, and together with filters."""
    nodes = [media_node(number) for number in range(4)]
    nodes[2].id_ = "no UUID/at all"
    ours.add(nodes)

    assert set(found(ours, 0, 5, node_ids=[nodes[1].node_id, "no UUID/at all"])) == {nodes[1].node_id, "no UUID/at all"}
    assert found(ours, 0, 5, node_ids=["no UUID/at all"], filters=where("title", "Title 2")) == ["no UUID/at all"]
    assert found(ours, 0, 5, node_ids=["no UUID/at all"], doc_ids=["doc-1"]) == []


def test_deleting(store: AnyStore, mixed: list[Node]) -> None:
    """By document, by ids, by filter; what is not there does no harm; and all."""
    _text, image, audio, video, document = ids(mixed)

    store.delete("doc-0")
    store.delete("doc-99")
    assert set(ids(store.get_nodes())) == {image, audio, video, document}
    store.delete_nodes([image, "not-there"])
    assert set(ids(store.get_nodes())) == {audio, video, document}
    store.delete_nodes([audio, document], where("modality", ["audio", "video"], OP.IN))
    assert set(ids(store.get_nodes())) == {video, document}
    store.delete_nodes(filters=where("modality", "video"))
    assert ids(store.get_nodes()) == [document]
    store.delete_nodes([])
    assert store.count() == 1
    assert found(store, 4, 5) == [document]
    store.clear()
    assert store.count() == 0
    assert found(store, 4) == []
    store.add([media_node(1, "image")])
    assert found(store, 1) == [image]


def test_listing(store: AnyStore, mixed: list[Node]) -> None:
    """By ids, by filter, both, and no more than wanted."""
    assert [plain(n) for n in store.get_nodes([mixed[3].node_id])] == [plain(mixed[3])]
    assert set(ids(store.get_nodes([mixed[3].node_id, mixed[0].node_id, "not-there"]))) == {
        mixed[3].node_id,
        mixed[0].node_id,
    }
    assert ids(store.get_nodes([mixed[3].node_id, mixed[0].node_id], where("modality", "text"))) == [mixed[0].node_id]
    assert len(store.get_nodes(limit=2)) == 2
    assert store.get_nodes([]) == []
    assert [len(batch) for batch in store.points(vectors=False, batch_size=2)] == [2, 2, 1]


def test_nodes_bring_their_vectors_where_they_are_whole(ours: MediaVectorStore) -> None:
    """As the model gave them, or not at all."""
    ours.add([media_node(3)])

    (node,) = ours.get_nodes([media_node(3).node_id])

    if ours.stamp.plan.name == "compact":
        assert node.embedding is None
    else:
        tolerance = 1e-6 if ours.stamp.plan.name == "accurate" else 0.01
        assert node.embedding == pytest.approx(direction(3), abs=tolerance)


def test_reopening(engine: Engine, tmp_path: Path) -> None:
    """Everything is there, and more can be added: other media than before too."""
    for number, kind in enumerate(KINDS):
        for store in _opened(engine, tmp_path):
            store.add([media_node(number, kind)])
    for store in _opened(engine, tmp_path):
        assert store.count() == 5
        for number, kind in enumerate(KINDS):
            (node,) = store.query(VectorStoreQuery(query_embedding=direction(number), similarity_top_k=1)).nodes or []
            assert plain(node) == plain(media_node(number, kind))
        assert set(found(store, 0, 5, filters=where("start_seconds", 0.0, OP.GTE))) == {
            media_node(2).node_id,
            media_node(3).node_id,
        }


async def test_asynchronously(store: AnyStore) -> None:
    """The same, awaited."""
    nodes = [media_node(number, kind) for number, kind in enumerate(KINDS)]

    assert await store.async_add(nodes) == ids(nodes)
    result = await store.aquery(VectorStoreQuery(query_embedding=direction(2), similarity_top_k=1))
    assert result.ids == [nodes[2].node_id]
    assert ids(await store.aget_nodes([nodes[1].node_id])) == [nodes[1].node_id]
    await store.adelete("doc-2")
    await store.adelete_nodes([nodes[3].node_id])
    assert set(ids(await store.aget_nodes())) == {nodes[0].node_id, nodes[1].node_id, nodes[4].node_id}
    await store.aclear()
    assert store.count() == 0


def test_a_thousand_at_once(store: AnyStore) -> None:
    """One call, whatever the size of a write is."""
    nodes = [media_node(number) for number in range(1000)]

    store.add(nodes)

    assert store.count() == 1000
    assert found(store, 0) == [nodes[0].node_id]
    assert found(store, 999) == [nodes[999].node_id]
    assert sum(len(batch) for batch in store.points(vectors=False)) == 1000


def test_any_script(store: AnyStore) -> None:
    """Words, names and ids of documents in any script, quotes among them."""
    node = media_node(1, words="Spindel läuft heiß – 主轴过热 🔥 'quoted' \"twice\" \\")
    node.metadata["file_path"] = "/Büro/図面 A.pdf"
    node.relationships.clear()
    store.add([node])

    (back,) = store.query(VectorStoreQuery(query_embedding=direction(1), similarity_top_k=1)).nodes or []

    assert plain(back) == plain(node)
    assert len(store.get_nodes(filters=where("file_path", "/Büro/図面 A.pdf"))) == 1


def test_search_by_words(ours: MediaVectorStore) -> None:
    """BM25 over the words of every node that has some."""
    words = ["the spindle grinds", "oil for the bearing", "bearing XJ-900 and spindle", "nothing of that"]
    nodes = [media_node(number, words=text) for number, text in enumerate(words)]
    ours.add(nodes)
    query = VectorStoreQuery(query_str="xj900 spindle", mode=VectorStoreQueryMode.SPARSE, similarity_top_k=3)

    result = ours.query(query)

    assert result.ids == [nodes[2].node_id, nodes[0].node_id]
    assert (result.similarities or [])[0] > (result.similarities or [])[1] > 0
    by_title = Search(3, sparse=query_vector("bearing"), filters=where("title", "Title 1"))
    assert [hit.node_id for hit in ours.search([by_title])[0]] == [nodes[1].node_id]
    assert ours.query(VectorStoreQuery(query_str="…", mode=VectorStoreQueryMode.SPARSE, similarity_top_k=3)).ids == []


def test_exact_searches_and_vectors(ours: MediaVectorStore) -> None:
    """Looking at everything gives the true order; the stored vector comes along when it is asked for."""
    ours.add([media_node(number) for number in range(50)])
    plan = ours.stamp.plan

    (hits,) = ours.search([Search(50, vector=direction(7), exact=True, with_vectors=True)])
    (without,) = ours.search([Search(1, vector=direction(7))])

    assert len(hits) == 50
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert hits[0].node_id == media_node(7).node_id
    assert len(hits[0].vector or ()) == plan.size(1024)
    assert without[0].vector is None


def test_vectors_of_another_length(ours: MediaVectorStore) -> None:
    """Neither written nor searched; the error says what the index holds and what to do."""
    with pytest.raises(IndexMismatch, match=r"1024-dimensional vectors of gemini-embedding-2.*a vector of 5.*migrate"):
        ours.query(VectorStoreQuery(query_embedding=[1.0] * 5, similarity_top_k=1))
    with pytest.raises(IndexMismatch, match="a vector of 8 numbers"):
        ours.add([media_node(1, dimension=8)])
    assert ours.count() == 0


def test_unknown_modes(ours: MediaVectorStore) -> None:
    """They are refused, and not taken for another one."""
    with pytest.raises(ConfigurationError, match="mmr"):
        ours.query(VectorStoreQuery(query_embedding=direction(1), mode=VectorStoreQueryMode.MMR))


def test_llamaindex_opens_our_collections(tmp_path: Path) -> None:
    """Its own Qdrant store, with default arguments, finds the same nodes with the same scores."""
    from llama_index.vector_stores.qdrant import QdrantVectorStore

    ours = open_local(tmp_path, "media", stamp())
    nodes = [media_node(number, kind) for number, kind in enumerate(KINDS)]
    ours.add(nodes)
    theirs = QdrantVectorStore("media", client=ours.client)

    for number in range(5):
        query = VectorStoreQuery(query_embedding=direction(number), similarity_top_k=3)
        expected, result = ours.query(query), theirs.query(query)
        assert result.ids == expected.ids
        assert result.similarities == pytest.approx(expected.similarities)
        assert [plain(node) for node in result.nodes or []] == [plain(node) for node in expected.nodes or []]
    filtered = VectorStoreQuery(query_embedding=direction(0), similarity_top_k=5, filters=where("modality", "audio"))
    assert theirs.query(filtered).ids == [nodes[2].node_id]
    theirs.delete("doc-2")
    assert ours.count() == 4
    ours.close()
