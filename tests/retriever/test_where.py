"""Conditions on files, folders, times and pages, as the engines apply them before they rank."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llama_index.core.schema import BaseNode, NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores.types import FilterOperator, MetadataFilter, MetadataFilters
from retriever_support import HANDBOOK, Handbook

from llama_index_gemini_mm import GeminiMultimodalEmbedding, MediaRetriever
from llama_index_gemini_mm.errors import ConfigurationError
from llama_index_gemini_mm.retriever import Where
from llama_index_gemini_mm.vector_store import MediaVectorStore, Space, Stamp, open_embedded, open_local, plan_named

Metadata = Mapping[str, Any]
DECK = HANDBOOK / "safety_training.pptx"


def on_page(data: Metadata, first: int, last: int) -> bool:
    start, end = data.get("page_start", data.get("slide")), data.get("page_end", data.get("slide"))
    return start is not None and end is not None and start <= last and end >= first


CASES: list[tuple[Where, Callable[[Metadata], bool]]] = [
    (Where(files=DECK), lambda d: d["file_path"] == str(DECK)),
    (Where(files=[DECK, str(HANDBOOK / "troubleshooting.docx")]), lambda d: d["file_name"].endswith(("pptx", "docx"))),
    (Where(folder=HANDBOOK / "sounds"), lambda d: "/sounds/" in d["file_path"]),
    (Where(folder=f"{HANDBOOK}/sounds/"), lambda d: "/sounds/" in d["file_path"]),
    (Where(seconds=(6.5, 7.5)), lambda d: d.get("start_seconds", 99) <= 7.5 and d.get("end_seconds", -1) >= 6.5),
    (Where(pages=3), lambda d: on_page(d, 3, 3)),
    (Where(pages=(4, 5)), lambda d: on_page(d, 4, 5)),
    (Where(page_label="6"), lambda d: d.get("page_label") == "6"),
    (Where(files=HANDBOOK / "operators_manual.pdf", pages=2), lambda d: d.get("page_start") == 2),
    (Where(folder=HANDBOOK / "nowhere"), lambda d: False),
]


@pytest.fixture(params=["edge", "local mode"])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, model: GeminiMultimodalEmbedding
) -> Iterator[MediaVectorStore]:
    """An empty store in each engine."""
    opened = open_embedded if request.param == "edge" else open_local
    made = opened(tmp_path / "store", "media", Stamp(Space.of(model), plan_named("accurate")))
    yield made
    made.close()


@pytest.mark.parametrize(("where", "holds"), CASES, ids=lambda v: repr(v) if isinstance(v, Where) else "")
def test_where(where: Where, holds: Callable[[Metadata], bool], store: MediaVectorStore, handbook: Handbook) -> None:
    """Exactly the nodes that stand there are found, and no others."""
    store.add(handbook.nodes)

    found = MediaRetriever(store, handbook.model, similarity_top_k=100, where=where, merge=False).search("machine")

    assert {place.best.node.node_id for place in found} == {n.node_id for n in handbook.nodes if holds(n.metadata)}


def test_a_folder_is_no_beginning_of_a_name(store: MediaVectorStore, model: GeminiMultimodalEmbedding) -> None:
    """Neither folders whose names begin alike nor folders of the same name elsewhere; and top_k is still filled."""
    inside = ["/a/b/c/1.txt", "/a/b/2.txt"]
    others = [f"{folder}/{number}.txt" for folder in ("/a/b-2", "/x/a/b") for number in range(40)]
    store.add([node(path, far=path in inside) for path in others + inside])

    found = MediaRetriever(store, model, similarity_top_k=2, where=Where(folder="/a/b"), hybrid=False).search("pump")

    assert {place.best.metadata["file_path"] for place in found} == {*inside}


def test_filters_come_before_ranking(handbook: Handbook) -> None:
    """The one node asked for is the farthest of all, and is found first."""
    manual = Where(files=HANDBOOK / "operators_manual.pdf")
    filters = MetadataFilters(filters=[MetadataFilter(key="bbox", value="0.2606", operator=FilterOperator.TEXT_MATCH)])
    query = HANDBOOK / "sounds" / "spindle_grinding.mp3"

    nearest = handbook.retriever(similarity_top_k=1, where=manual).search(query)
    (found,) = handbook.retriever(
        similarity_top_k=1, where=manual, modalities=["image"], filters=filters, calibration=handbook.calibration
    ).search(query)

    assert (found.best.modality, found.best.metadata["page_label"]) == ("image", "1")
    assert json.loads(found.best.metadata["bbox"])[0][1] == 0.2606
    assert nearest[0].best.node.node_id != found.best.node.node_id


def test_nodes_of_other_makers_count_as_text(store: MediaVectorStore, model: GeminiMultimodalEmbedding) -> None:
    """Without a modality they are found in every ranking, unless other modalities are asked for."""
    plain = TextNode(text="a pump", id_="plain", embedding=model.get_text_embedding("a pump"))
    store.add([plain])
    by_vector = {"ranking": "fusion", "hybrid": False}

    assert [p.best.node.text for p in MediaRetriever(store, model, **by_vector).search("pump")] == ["a pump"]
    assert [p.best.modality for p in MediaRetriever(store, model).search("pump")] == ["text"]
    assert MediaRetriever(store, model, modalities=["image"], ranking="fusion").search("pump") == []


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"seconds": (9.0, 3.0)}, "seconds"),
        ({"pages": (5, 2)}, "pages"),
    ],
)
def test_a_range_that_ends_before_it_begins(options: Any, what: str) -> None:
    """Refused, by name."""
    with pytest.raises(ConfigurationError, match=what):
        Where(**options)


def node(path: str, *, far: bool) -> BaseNode:
    """A text in a file; a ``far`` one lies away from every query."""
    vector = np.random.default_rng(len(path)).normal(size=256)
    vector = np.abs(vector) * (-1 if far else 1)
    made = TextNode(text="a pump", metadata={"file_path": path, "modality": "text"}, id_=path)
    made.embedding = (vector / np.linalg.norm(vector)).tolist()
    made.relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id=path)
    return made
