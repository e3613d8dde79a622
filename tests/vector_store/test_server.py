"""Against a server: what is sent to it, field by field."""

from __future__ import annotations

from typing import Any

import pytest

from llama_index_gemini_mm.sparse import document_vector, query_vector
from llama_index_gemini_mm.vector_store import Search, ServerOptions
from llama_index_gemini_mm.vector_store.points import prefix
from qdrant_recorder import KEY, Open, Recorder
from store_support import direction, ids, media_node, where

TENANTS = ServerOptions(tenant_key="customer", tenant="acme")


def sent(server: Recorder, method: str, path: str) -> Any:
    """The body of the one request with this method and path."""
    (request,) = server.of(method, path)
    return request.body


GRAPH = {"m": 16, "ef_construct": 100, "full_scan_threshold": 10_000}
FORMS = {
    "accurate": {
        "text-dense": {
            "size": 1024,
            "distance": "Cosine",
            "datatype": "float32",
            "hnsw_config": GRAPH,
            "on_disk": False,
        }
    },
    "balanced": {
        "text-dense": {
            "size": 1024,
            "distance": "Cosine",
            "datatype": "turbo8",
            "hnsw_config": {**GRAPH, "m": 0},
            "on_disk": True,
        },
        "first-stage": {
            "size": 768,
            "distance": "Cosine",
            "datatype": "turbo8",
            "hnsw_config": GRAPH,
            "on_disk": False,
        },
    },
    "compact": {
        "text-dense": {
            "size": 768,
            "distance": "Cosine",
            "datatype": "turbo8",
            "hnsw_config": GRAPH,
            "quantization_config": {"turbo": {"always_ram": True, "bits": "bits1"}},
            "on_disk": True,
        }
    },
}


@pytest.mark.parametrize("plan", FORMS)
def test_a_collection_is_made(server: Recorder, open_store: Open, plan: str) -> None:
    """Every form of the plan, sparse vectors with IDF, the stamp, and nothing else; the key is in the header alone."""
    open_store(plan)

    assert sent(server, "PUT", "/collections/media") == {
        "vectors": FORMS[plan],
        "sparse_vectors": {"text-sparse-new": {"modifier": "idf"}},
        "metadata": {
            "gemini_mm_space": {
                "model": "gemini-embedding-2",
                "dimension": 1024,
                "task": "retrieval",
                "prefix_version": 1,
                "preprocessing_version": 1,
                "service": "gemini",
                "plan": plan,
            }
        },
    }
    assert {each.api_key for each in server.seen} == {KEY}
    assert KEY not in str([(each.path, each.query, each.body) for each in server.seen])


def test_payload_indexes(server: Recorder, open_store: Open) -> None:
    """Those that searches filter by, those that were asked for, and the tenant's; each once."""
    options = ServerOptions(
        payload_indexes={"author": "keyword", "created": "datetime"}, tenant_key="customer", tenant="acme"
    )
    open_store(options=options)
    open_store(options=options)

    asked = [each.body for each in server.of("PUT", "/collections/media/index")]
    assert {each["field_name"]: each["field_schema"] for each in asked} == {
        "modality": "keyword",
        "file_path": "keyword",
        "doc_id": "keyword",
        "page_start": "integer",
        "start_seconds": "float",
        "end_seconds": "float",
        "author": "keyword",
        "created": "datetime",
        "customer": {"type": "keyword", "is_tenant": True},
    }
    assert len(asked) == 9


def test_shards_and_copies(server: Recorder, open_store: Open) -> None:
    """The options of a cluster are those of Qdrant's own names."""
    options = ServerOptions(shard_number=6, replication_factor=2, write_consistency_factor=1, on_disk_payload=True)

    open_store(options=options)

    made = sent(server, "PUT", "/collections/media")
    assert {key: made[key] for key in made.keys() - {"vectors", "sparse_vectors", "metadata"}} == {
        "shard_number": 6,
        "replication_factor": 2,
        "write_consistency_factor": 1,
        "on_disk_payload": True,
    }


@pytest.mark.parametrize("plan", FORMS)
def test_points(server: Recorder, open_store: Open, plan: str) -> None:
    """An id, the payload that LlamaIndex's own store writes, each form of the vector, and the words."""
    node = media_node(3, "image", words="spindle grease")
    words = document_vector("spindle grease")
    assert words is not None
    vector = direction(3)

    open_store(plan).add([node])

    (request,) = server.of("PUT", "/collections/media/points")
    assert request.query == "wait=true"
    (point,) = request.body["points"]
    assert point["id"] == node.node_id
    assert point["payload"]["modality"] == "image"
    assert point["payload"]["doc_id"] == "doc-3"
    assert point["payload"]["_node_type"] == "Node"
    expected = {
        "accurate": {"text-dense": vector},
        "balanced": {"text-dense": vector, "first-stage": prefix(vector, 768)},
        "compact": {"text-dense": prefix(vector, 768)},
    }[plan]
    sparse = {"indices": list(words.indices), "values": list(words.values)}
    assert point["vector"].pop("text-sparse-new") == sparse
    assert point["vector"] == {name: pytest.approx(numbers, abs=1e-6) for name, numbers in expected.items()}


def test_no_request_is_too_large(server: Recorder, open_store: Open) -> None:
    """A server takes 32 MiB; long vectors go in more requests."""
    open_store("balanced").add([media_node(number) for number in range(300)])

    requests = server.of("PUT", "/collections/media/points")
    assert sum(len(each.body["points"]) for each in requests) == 300
    assert max(len(str(each.body)) for each in requests) < 20 * 2**20


def test_searches(server: Recorder, open_store: Open) -> None:
    """One request for all: in two stages, filtered in the first, exact in one, and by words."""
    store = open_store("balanced")
    vector, words = direction(1), query_vector("grease")
    assert words is not None
    audio = where("modality", "audio")

    store.search(
        [
            Search(10, vector=vector, filters=audio, doc_ids=["d"]),
            Search(5, vector=vector, exact=True, with_vectors=True, filters=audio),
            Search(7, sparse=words),
        ]
    )

    staged, exact, by_words = sent(server, "POST", "/collections/media/points/query/batch")["searches"]
    match = {"must": [{"key": "modality", "match": {"value": "audio"}}]}
    condition = {"must": [{"key": "doc_id", "match": {"any": ["d"]}}, match]}
    (first,) = staged.pop("prefetch")
    assert first.pop("query") == pytest.approx(prefix(vector, 768), abs=1e-6)
    assert first == {"using": "first-stage", "limit": 200, "filter": condition}
    assert staged.pop("query")["nearest"] == pytest.approx(vector, abs=1e-6)
    assert staged == {"using": "text-dense", "limit": 10, "with_payload": True}
    assert exact.pop("query")["nearest"] == pytest.approx(vector, abs=1e-6)
    assert exact == {
        "using": "text-dense",
        "limit": 5,
        "filter": match,
        "params": {"exact": True, "quantization": {"ignore": True}},
        "with_payload": True,
        "with_vector": ["text-dense"],
    }
    assert by_words == {
        "query": {"nearest": {"indices": list(words.indices), "values": [1.0]}},
        "using": "text-sparse-new",
        "limit": 7,
        "with_payload": True,
    }


def test_a_quantized_search_is_rescored(server: Recorder, open_store: Open) -> None:
    """The compact plan looks at one bit a number first, and at eight for the best of those."""
    open_store("compact").search([Search(10, vector=direction(1), node_ids=["x"])])

    (search,) = sent(server, "POST", "/collections/media/points/query/batch")["searches"]
    assert len(search["query"]["nearest"]) == 768
    assert search["params"] == {"quantization": {"rescore": True, "oversampling": 8.0}}
    assert len(search["filter"]["must"][0]["has_id"][0]) == 36


def test_reading_and_deleting(server: Recorder, open_store: Open) -> None:
    """Scroll, retrieve, count and delete."""
    store = open_store()
    node = media_node(1)
    store.add([node])

    assert ids(store.get_nodes()) == ids(store.get_nodes([node.node_id])) == [node.node_id]
    assert store.count(where("page_start", 3, "<")) == 1  # type: ignore[arg-type]
    store.delete("doc-1")
    store.delete_nodes([node.node_id], where("modality", "text"))
    store.clear()

    assert sent(server, "POST", "/collections/media/points/scroll") == {
        "limit": 256,
        "with_payload": True,
        "with_vector": True,
    }
    assert sent(server, "POST", "/collections/media/points") == {
        "ids": [node.node_id],
        "with_payload": True,
        "with_vector": True,
    }
    bound = {"must": [{"key": "page_start", "range": {"lt": 3}}]}
    assert sent(server, "POST", "/collections/media/points/count") == {"filter": bound, "exact": True}
    deletions = server.of("POST", "/collections/media/points/delete")
    assert {each.query for each in deletions} == {"wait=true"}
    assert [each.body for each in deletions] == [
        {"filter": {"must": [{"key": "doc_id", "match": {"any": ["doc-1"]}}]}},
        {
            "filter": {
                "must": [
                    {"has_id": [node.node_id]},
                    {"must": [{"key": "modality", "match": {"value": "text"}}]},
                ]
            }
        },
        {"filter": {}},
    ]


def test_tenants_are_kept_apart(server: Recorder, open_store: Open) -> None:
    """The tenant is written on every point and asked for in every request; the same node has a point for each."""
    store = open_store(options=TENANTS)
    own = {"key": "customer", "match": {"value": "acme"}}
    node = media_node(1)

    store.add([node])
    store.search([Search(3, vector=direction(1), filters=where("modality", "text"), node_ids=[node.node_id])])
    store.count()
    list(store.points())
    store.delete("doc-1")
    store.clear()

    (point,) = server.points
    assert point["payload"]["customer"] == "acme"
    assert point["id"] == store.id_of(node.node_id) != node.node_id
    (search,) = sent(server, "POST", "/collections/media/points/query/batch")["searches"]
    assert search["filter"]["must"][0] == own
    assert search["filter"]["must"][1]["must"][0] == {"has_id": [point["id"]]}
    for path in ("count", "scroll"):
        assert sent(server, "POST", f"/collections/media/points/{path}")["filter"] == {"must": [own]}
    one, everything = server.of("POST", "/collections/media/points/delete")
    assert one.body["filter"]["must"][0] == own
    assert everything.body == {"filter": {"must": [own]}}
    assert ids(store.get_nodes([node.node_id])) == [node.node_id]
    server.points[0]["payload"]["customer"] = "other"
    assert store.get_nodes([node.node_id]) == []
