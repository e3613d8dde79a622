"""MediaRetriever over real stores: every kind of query, one place one result, words that find, context, both modes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import chromadb
import pytest
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle, TextNode
from llama_index.core.vector_stores.types import BasePydanticVectorStore
from llama_index.vector_stores.chroma import ChromaVectorStore
from llama_index.vector_stores.lancedb import LanceDBVectorStore
from llama_index.vector_stores.qdrant import QdrantVectorStore
from PIL import Image
from qdrant_client import QdrantClient
from retriever_support import HANDBOOK, Handbook

from llama_index_gemini_mm import MediaRetriever
from llama_index_gemini_mm.errors import ConfigurationError, SourceError
from llama_index_gemini_mm.inputs import PartLike
from llama_index_gemini_mm.queries import MediaQuery
from llama_index_gemini_mm.retriever import Place, Where
from llama_index_gemini_mm.retriever._places import same_place
from llama_index_gemini_mm.vector_store import (
    Found,
    QdrantMediaStore,
    Search,
    Space,
    Stamp,
    as_searchable,
    open_embedded,
    plan_named,
)
from media_samples import pdf, wav
from support import contents_of

GRINDING = HANDBOOK / "sounds" / "spindle_grinding.mp3"
BELT = HANDBOOK / "videos" / "belt_replacement.mp4"
DRIVE = HANDBOOK / "pictures" / "belt_drive.png"
MANUAL = HANDBOOK / "operators_manual.pdf"


MakeStore = Callable[[Path], BasePydanticVectorStore]


def nodes_of(places: Sequence[Place]) -> list[list[str]]:
    """The ids of the nodes of each place."""
    return [[match.node.node_id for match in place.matches] for place in places]


def names(places: Sequence[Place]) -> list[str]:
    return [place.best.metadata["file_name"] for place in places]


@pytest.mark.parametrize(
    ("parts", "file"),
    [
        pytest.param(("a rough grinding noise that swells",), "troubleshooting.docx", id="words"),
        pytest.param((GRINDING,), GRINDING.name, id="sound"),
        pytest.param((BELT,), BELT.name, id="film"),
        pytest.param((DRIVE,), DRIVE.name, id="picture"),
        pytest.param((MANUAL,), MANUAL.name, id="PDF"),
        pytest.param((DRIVE.read_bytes(),), DRIVE.name, id="bytes"),
        pytest.param((Image.open(DRIVE),), DRIVE.name, id="PIL image"),
        pytest.param(("toothed belt", DRIVE), DRIVE.name, id="words and picture"),
        pytest.param((GRINDING, "spindle", HANDBOOK / "pictures" / "spindle_cutaway.png"), GRINDING.name, id="a mix"),
    ],
)
async def test_every_kind_of_query(handbook: Handbook, parts: tuple[PartLike, ...], file: str) -> None:
    """What was given is found, in both modes alike, and the query's modalities are known."""
    retriever = handbook.retriever(similarity_top_k=3, calibration=handbook.calibration)

    places = retriever.search(*parts)

    assert names(places)[0] == file
    assert await retriever.asearch(*parts) == places
    query = handbook.model.query_bundle(*parts)
    assert places[0].best.explanation.query_modalities == query.contents[0].modalities
    assert [p.score for p in retriever.search(query)] == [p.score for p in places]


def test_the_face_of_llamaindex(handbook: Handbook) -> None:
    """Strings and bundles in, the best node of each place out, as it was stored and nothing more."""
    retriever = handbook.retriever(similarity_top_k=4, calibration=handbook.calibration)
    by_id = {node.node_id: node for node in handbook.nodes}

    found = retriever.retrieve("tool changer")

    assert isinstance(retriever, BaseRetriever)
    assert [(each.node.node_id, each.score) for each in found] == [
        (place.best.node.node_id, place.score) for place in retriever.search("tool changer")
    ]
    for each in found:
        stored = by_id[each.node.node_id]
        assert each.node.metadata == stored.metadata
        assert each.node.hash == stored.hash
        assert each.node.get_content(MetadataMode.LLM) == stored.get_content(MetadataMode.LLM)
    assert retriever.retrieve(QueryBundle("", image_path=str(DRIVE)))[0].node.metadata["file_name"] == DRIVE.name
    bare = QueryBundle("", embedding=handbook.model.query_bundle(DRIVE).embedding)
    assert retriever.retrieve(bare)[0].node.metadata["file_name"] == DRIVE.name


def test_embedding_strings_each_search(handbook: Handbook) -> None:
    """As LlamaIndex's query transformations make them: something is embedded in place of the words."""
    query = QueryBundle("xyzzy", custom_embedding_strs=["wear safety goggles", "smooth hum of a healthy spindle"])

    found = handbook.retriever(similarity_top_k=4, hybrid=False).search(query)

    assert {"spindle_normal.wav", "safety_training.pptx"} <= set(names(found))
    assert len(contents_of(handbook.emulator)) == 2


def test_a_long_query_is_searched_by_each_of_its_parts(handbook: Handbook) -> None:
    """A PDF longer than six pages: every node has the score of the part that lies nearest to it."""
    long = pdf(("spindle grinding noise",) * 6 + ("coolant puddle leak",) * 6)
    retriever = handbook.retriever(similarity_top_k=50, merge=False, ranking="raw")

    query = handbook.model.query_bundle(long)
    whole = {p.best.node.node_id: p.score for p in retriever.search(query)}
    parts = [
        {p.best.node.node_id: p.score for p in retriever.search(MediaQuery("", contents=[content]))}
        for content in query.contents
    ]

    assert len(parts) == 2
    assert whole == {node_id: max(part[node_id] for part in parts) for node_id in whole}
    assert len(whole) == len(handbook.nodes)


def test_a_long_recording_finds_what_is_in_it(handbook: Handbook) -> None:
    """Ten minutes, which one content cannot hold, are no error."""
    found = handbook.retriever(similarity_top_k=3).search(wav(600, 440, 8000, pauses=((60, 64), (400, 407))))

    assert len(found) == 3
    assert len(contents_of(handbook.emulator)) == 4


def test_film_and_sound_are_one_result(handbook: Handbook) -> None:
    """And a figure with the text around it; every node is reachable, and no two bests are of one place."""
    places = handbook.retriever(similarity_top_k=50).search("replace the belt, tool changer")

    assert sum(len(place.matches) for place in places) == len(handbook.nodes)
    film = next(place for place in places if place.best.metadata["file_name"] == BELT.name)
    assert {match.modality for match in film.matches} == {"video", "audio"}
    figure = next(p for p in places if p.best.node.get_content().startswith("3 Tool changer"))
    assert [m.node.get_content()[:8] for m in figure.matches] == ["3 Tool c", "Figure 2"]
    bests = [place.best.metadata for place in places]
    assert not any(same_place(one, other) for i, one in enumerate(bests) for other in bests[:i])


def test_merged_results_are_filled_up(handbook: Handbook, tmp_path: Path) -> None:
    """When the nearest hundred nodes are three places, more is fetched until there are as many as were asked for."""
    store = open_embedded(tmp_path / "many", "media", Stamp(Space.of(handbook.model), plan_named("accurate")))
    near, far = (handbook.model.get_text_embedding(text) for text in ("red alarm lamp", "zebra"))
    for number in range(120):
        start = number % 3 * 100
        data = {"modality": "audio", "file_path": "/a.wav", "start_seconds": start, "end_seconds": start + 60}
        store.add([TextNode(text="", metadata=data, embedding=near)])
    for number in range(5):
        store.add([TextNode(text="", metadata={"modality": "image", "file_path": f"/{number}.png"}, embedding=far)])

    retriever = MediaRetriever(store, handbook.model, similarity_top_k=8)
    places = retriever.search("red alarm lamp")

    assert [place.best.modality for place in places] == ["audio"] * 3 + ["image"] * 5
    assert [len(place.matches) for place in places[:3]] == [40, 40, 40]
    assert len(MediaRetriever(store, handbook.model, similarity_top_k=8, merge=False).search("red alarm lamp")) == 8
    store.close()


def test_quotas(handbook: Handbook) -> None:
    """At least so many places show a modality, where there are that many; the others stay in their order."""
    query, options = "hardness of the water", {"similarity_top_k": 4, "modalities": ["text", "audio", "video"]}

    plain = handbook.retriever(**options).search(query)
    found = handbook.retriever(**options, quotas={"audio": 2, "video": 1, "image": 3}).search(query)

    assert sum("audio" in place.modalities for place in plain) < 2
    assert len(found) == 4
    assert sum("audio" in place.modalities for place in found) >= 2
    assert sum("video" in place.modalities for place in found) >= 1
    assert not any("image" in place.modalities for place in found)
    assert nodes_of(found)[0] == nodes_of(plain)[0]


@pytest.mark.parametrize("number", ["E-0024", "B-0960", "SM-40", "T-0212", "HLP 32"])
def test_part_numbers_are_found(handbook: Handbook, number: str) -> None:
    """A query that only letters can answer; and no medium stands lower than without the search by words."""
    holding = [node for node in handbook.nodes if number in node.get_content()]
    assert holding

    options = {"similarity_top_k": 50, "merge": False, "calibration": handbook.calibration}
    dense = [p.best.node.node_id for p in handbook.retriever(**options, hybrid=False).search(f"order number {number}")]
    both = handbook.retriever(**options).search(f"order number {number}")

    texts = [place for place in both if place.best.modality == "text"]
    assert number in texts[0].best.node.get_content() + texts[1].best.node.get_content()
    for rank, place in enumerate(both):
        assert place.best.modality == "text" or rank <= dense.index(place.best.node.node_id)


def test_explanations(handbook: Handbook) -> None:
    """Raw and calibrated score, both ranks, and what found it; calibrated order differs from raw where it should."""
    options = {"similarity_top_k": 10, "merge": False}
    query = handbook.model.query_bundle("warning horn").embedding or []
    places = handbook.retriever(**options, calibration=handbook.calibration, hybrid=False).search("warning horn")

    for rank, place in enumerate(places, 1):
        why = place.best.explanation
        assert (why.stages, why.dense_rank, why.query_modalities) == (("dense",), rank, ("text",))
        vector = next(n for n in handbook.nodes if n.node_id == place.best.node.node_id).get_embedding()
        assert why.raw == pytest.approx(sum(a * b for a, b in zip(vector, query, strict=True)), abs=1e-5)
        assert why.calibrated == place.score
    raw = handbook.retriever(**options, calibration=handbook.calibration, ranking="raw").search("warning horn")
    assert [p.score for p in raw] == sorted((p.score for p in raw), reverse=True)
    assert all(p.best.explanation.calibrated is not None for p in raw)
    assert handbook.retriever().search("warning horn")[0].best.explanation.calibrated is None


def test_neighbours(handbook: Handbook) -> None:
    """The nodes before and after, in reading order, behind their node and without a score."""
    query = "setting the swing arm"

    (place,) = handbook.retriever(similarity_top_k=1, neighbours=2).search(query)
    flat = handbook.retriever(similarity_top_k=1, neighbours=1).retrieve(query)

    read = [node.node_id for node in handbook.nodes]
    at = read.index(place.best.node.node_id)
    assert place.best.node.get_content().startswith("3.1 Setting")
    assert [node.node_id for node in place.context] == [read[at - 2], read[at - 1], read[at + 1], read[at + 2]]
    assert [(n.node.node_id, n.score is None) for n in flat] == [
        (read[at], False),
        (read[at - 1], True),
        (read[at + 1], True),
    ]


def test_parents(handbook: Handbook) -> None:
    """The text that a figure, a page, a picture on a slide, and a figure in a section stand in."""
    retriever = handbook.retriever(similarity_top_k=50, parents=True, merge=False)
    around = {p.best.node.get_content()[:12]: [n.get_content()[:10] for n in p.context] for p in retriever.search("x")}

    assert around["Figure 2: To"] == ["3 Tool cha", "3.1 Settin"]
    assert around["Main switch "] == ["Lockout be"]
    assert around["Worn spindle"] == ["Symptom: A"]
    assert around["Coolant leak"] == []


def test_the_rest_of_a_section(handbook: Handbook, tmp_path: Path) -> None:
    """Of a chunk, the other chunks, in their order."""
    from llama_index_gemini_mm import MediaNodeParser, MediaReader, SplitOptions

    text = "\n\n".join(f"Rule {number}: the pump number {number} needs oil." for number in range(40))
    (tmp_path / "rules.txt").write_text(text, encoding="utf-8")
    store = handbook.model.media_store
    parser = MediaNodeParser(media_store=store, options=SplitOptions(chunk_size=64, chunk_overlap=0))
    nodes = handbook.model(parser(MediaReader(media_store=store).load_data(tmp_path / "rules.txt")))
    kept = open_embedded(tmp_path / "kept", "media", Stamp(Space.of(handbook.model), plan_named("accurate")))
    kept.add(list(nodes))

    (place,) = MediaRetriever(kept, handbook.model, similarity_top_k=1, parents=True).search("pump number 17")

    others = [node.node_id for node in nodes if node.node_id != place.best.node.node_id]
    assert len(others) > 3
    assert [node.node_id for node in place.context] == others
    kept.close()


class Waiting(QdrantMediaStore):
    """A store whose search ends only when the event loop has gone on meanwhile."""

    def search(self, searches: Sequence[Search]) -> list[list[Found]]:
        assert GOING_ON.wait(10), "the event loop was held up"
        return super().search(searches)


GOING_ON = threading.Event()


async def test_the_event_loop_is_not_held_up(handbook: Handbook) -> None:
    """The search runs in a thread."""
    store = Waiting(QdrantClient(":memory:"), "media", Stamp(Space.of(handbook.model), plan_named("accurate")))
    store.add(handbook.nodes)
    asyncio.get_running_loop().call_later(0.05, GOING_ON.set)

    found = await MediaRetriever(store, handbook.model, similarity_top_k=1).aretrieve("tool changer")

    assert len(found) == 1
    store.close()


def chroma(folder: Path) -> BasePydanticVectorStore:
    collection = chromadb.PersistentClient(str(folder)).create_collection("media", metadata={"hnsw:space": "cosine"})
    return ChromaVectorStore(chroma_collection=collection)


def lance(folder: Path) -> BasePydanticVectorStore:
    return LanceDBVectorStore(uri=str(folder))


def qdrant(folder: Path) -> BasePydanticVectorStore:
    return QdrantVectorStore("t", client=QdrantClient(":memory:"))


@pytest.mark.parametrize("make", [chroma, lance, qdrant])
async def test_stores_of_other_makers(handbook: Handbook, tmp_path: Path, make: MakeStore) -> None:
    """By raw scores or by ranks, since theirs need not be cosines; with filters, context, and in both modes."""
    store = make(tmp_path / "other")
    (as_searchable(store) if make is lance else store).add(handbook.nodes)
    alike = {"similarity_top_k": 5, "hybrid": False}

    for ranking in ("raw", "fusion"):
        theirs = MediaRetriever(store, handbook.model, ranking=ranking, **alike)
        ours = handbook.retriever(ranking=ranking, **alike)
        assert nodes_of(theirs.search(DRIVE)) == nodes_of(ours.search(DRIVE))
        assert nodes_of(await theirs.asearch(DRIVE)) == nodes_of(ours.search(DRIVE))
    calibrated = MediaRetriever(store, handbook.model, calibration=handbook.calibration, **alike)
    assert all(place.best.explanation.calibrated is None for place in calibrated.search(DRIVE))
    only = MediaRetriever(store, handbook.model, modalities=["audio"], where=Where(files=GRINDING))
    assert names(only.search("spindle")) == [GRINDING.name]
    found: list[NodeWithScore] = await only.aretrieve("spindle")
    assert [each.node.metadata["file_name"] for each in found] == [GRINDING.name]
    around = {"similarity_top_k": 1, "neighbours": 1, "hybrid": False}
    assert [[n.node_id for n in p.context] for p in MediaRetriever(store, handbook.model, **around).search(DRIVE)] == [
        [n.node_id for n in p.context] for p in handbook.retriever(**around).search(DRIVE)
    ]


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"similarity_top_k": 0}, "similarity_top_k=0"),
        ({"modalities": ["picture"]}, "picture"),
        ({"ranking": "best"}, "ranking='best'"),
        ({"quotas": {"picture": 1}}, "picture"),
        ({"quotas": {"audio": -1}}, "audio"),
        ({"neighbours": -1}, "neighbours=-1"),
    ],
)
def test_impossible_settings(handbook: Handbook, options: dict[str, object], what: str) -> None:
    """Refused when the retriever is made, with what would do."""
    with pytest.raises(ConfigurationError, match=what):
        handbook.retriever(**options)


def test_impossible_queries(handbook: Handbook) -> None:
    """A file that is not there, and parts beside a query that is made already."""
    with pytest.raises(SourceError, match="no such file"):
        handbook.retriever().search(Path("nowhere.png"))
    with pytest.raises(ConfigurationError, match="query_bundle"):
        handbook.retriever().search(handbook.model.query_bundle("a"), DRIVE)
