"""Against a server that fails, refuses, is too old, or holds something else by now; and the same over gRPC."""

from __future__ import annotations

import logging
import pickle
import time
from collections.abc import Callable, Iterator

import grpc
import pytest
from qdrant_client import grpc as wire

from llama_index_gemini_mm.errors import ConfigurationError, IndexMismatch, IndexUnavailable
from llama_index_gemini_mm.vector_store import QdrantMediaStore, Search, ServerOptions, open_server, qdrant
from qdrant_recorder import KEY, Failure, GrpcRecorder, Open, Recorder, recording_grpc
from store_support import SPACE, direction, media_node, stamp, where


def test_impossible_options() -> None:
    """Half a tenant, and no attempts."""
    with pytest.raises(ConfigurationError, match="tenant_key and tenant"):
        ServerOptions(tenant_key="customer")
    with pytest.raises(ConfigurationError, match="attempts=0"):
        ServerOptions(attempts=0)


@pytest.mark.parametrize("status", [0, 500, 503, 429])
def test_failures_that_pass(server: Recorder, open_store: Open, status: int) -> None:
    """A dropped connection, an error inside, too many requests: the same points are sent again."""
    store = open_store()
    server.failures = [Failure(status, times=2, path="points$")]

    store.add([media_node(1)])

    attempts = server.of("PUT", "/collections/media/points")
    assert len(attempts) == 3
    assert attempts[0].body == attempts[2].body
    assert [point["id"] for point in server.points] == [media_node(1).node_id]


def test_as_long_as_the_server_asks(server: Recorder, open_store: Open) -> None:
    """Retry-After is kept to."""
    store = open_store()
    server.failures = [Failure(429, times=1, path="points$", headers={"Retry-After": "1"})]
    started = time.monotonic()

    store.add([media_node(1)])

    assert time.monotonic() - started >= 1.0
    assert len(server.points) == 1


def test_failures_that_stay(server: Recorder, open_store: Open, caplog: pytest.LogCaptureFixture) -> None:
    """After the last attempt every call says where and why, in the server's words and without the key."""
    caplog.set_level(logging.DEBUG)
    store = open_store(options=ServerOptions(attempts=2))
    server.failures = [Failure(500, times=99, message="disk full", path="points")]
    calls: list[Callable[[], object]] = [
        lambda: store.add([media_node(1)]),
        lambda: store.search([Search(1, vector=direction(1))]),
        lambda: store.count(),
        lambda: store.get_nodes(["x"]),
        lambda: list(store.points()),
        lambda: store.delete("doc"),
    ]

    for call in calls:
        before = len(server.seen)
        with pytest.raises(IndexUnavailable, match=r"500.*disk full") as caught:
            call()
        assert len(server.seen) - before == 2
        assert server.url in str(caught.value)
        assert KEY not in str(caught.value) + repr(caught.value)
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    assert KEY not in caplog.text
    assert KEY not in repr(store)


def test_a_refusing_server(server: Recorder, open_store: Open) -> None:
    """A wrong key is told at once, and not tried again."""
    server.failures = [Failure(403, times=1, message="forbidden")]

    with pytest.raises(IndexUnavailable, match=r"403.*forbidden"):
        open_store()
    assert len(server.seen) == 1


def test_a_key_that_may_only_read(server: Recorder, open_store: Open) -> None:
    """Indexes cannot be made; searching goes on."""
    open_store()
    server.indexes.clear()
    server.failures = [Failure(403, times=99, path="index$")]

    assert open_store().count() == 0


def test_no_server() -> None:
    """Nobody listens there, which is told at once."""
    started = time.monotonic()

    with pytest.raises(IndexUnavailable, match=r"127\.0\.0\.1:9"):
        open_server("http://127.0.0.1:9", None, "media", stamp())
    assert time.monotonic() - started < 5


def test_a_server_too_old_for_the_plan(server: Recorder, open_store: Open) -> None:
    """What it needs, what the server is, and what works without."""
    server.version = "1.19.2"
    server.failures = [Failure(400, times=1, message="unknown variant `turbo8`", path="media$")]

    with pytest.raises(ConfigurationError, match=r"plan balanced needs Qdrant 1\.20.*is 1\.19\.2.*accurate"):
        open_store("balanced")


def test_another_refusal_of_a_collection(server: Recorder, open_store: Open) -> None:
    """It is passed on in the server's words."""
    server.failures = [Failure(400, times=1, message="Too many shards", path="media$")]

    with pytest.raises(IndexUnavailable, match=r"400.*Too many shards"):
        open_store("balanced")


def test_somebody_else_was_quicker(server: Recorder, open_store: Open) -> None:
    """Between looking and making: the other's collection is taken, if it fits."""
    open_store()
    server.failures = [Failure(409, times=1, message="already exists", path="media$")]
    server.hidden = True

    assert open_store().count() == 0
    assert len(server.of("PUT", "/collections/media")) == 2


def test_a_collection_without_a_stamp(server: Recorder, open_store: Open) -> None:
    """Nobody knows what its vectors are."""
    server.collection = {"vectors": {"size": 1024, "distance": "Cosine"}}

    with pytest.raises(IndexMismatch, match="unknown model"):
        open_store()


def test_another_plan(server: Recorder, open_store: Open) -> None:
    """The plans are named."""
    open_store("accurate")

    with pytest.raises(IndexMismatch, match="by the plan accurate, but the plan compact was asked for"):
        open_store("compact")


def test_the_collection_changes_under_us(server: Recorder, open_store: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """An alias was flipped to a collection of another model: told at the next check, write and search, in one line."""
    store = open_store()
    assert server.collection is not None
    server.collection["metadata"]["gemini_mm_space"]["model"] = "gemini-embedding-3"

    store.search([Search(1, vector=direction(1))])  # read a moment ago
    with pytest.raises(IndexMismatch) as caught:
        store.check()
    text = str(caught.value)
    assert text.startswith("this index holds 1024-dimensional vectors of gemini-embedding-3")
    assert f"but {SPACE} was asked for; use the settings" in text
    assert "\n" not in text

    monkeypatch.setattr(qdrant, "_CHECK_SECONDS", 0.0)
    for call in (
        lambda: store.search([Search(1, vector=direction(1))]),
        lambda: store.add([media_node(1)]),
        lambda: store.delete("doc"),
    ):
        with pytest.raises(IndexMismatch, match="gemini-embedding-3"):
            call()
    assert server.points == []


def test_the_stamp_is_not_read_all_the_time(server: Recorder, open_store: Open) -> None:
    """A hundred searches in a moment cost no further requests."""
    store = open_store()
    before = len(server.of("GET", "/collections/media"))

    for _ in range(20):
        store.search([Search(1, vector=direction(1))])

    assert len(server.of("GET", "/collections/media")) - before <= 1


@pytest.fixture
def over_grpc() -> Iterator[tuple[GrpcRecorder, QdrantMediaStore]]:
    """A store that speaks gRPC, and who listens."""
    with recording_grpc() as (recorder, port):
        options = ServerOptions(prefer_grpc=True, grpc_port=port)
        store = open_server("http://127.0.0.1:9", KEY, "media", stamp("balanced"), options)
        yield recorder, store
        store.close()


def test_the_same_over_grpc(over_grpc: tuple[GrpcRecorder, QdrantMediaStore]) -> None:
    """Making, writing, searching and deleting, without one REST request."""
    recorder, store = over_grpc
    node = media_node(2, "audio", words="spindle")

    store.add([node])
    (hits,) = store.search([Search(3, vector=direction(2), filters=where("modality", "audio"))])
    assert store.count() == 1
    store.delete("doc-2")

    (made,) = recorder.of(wire.CreateCollection)
    forms = made.vectors_config.params_map.map
    assert {name: form.size for name, form in forms.items()} == {"text-dense": 1024, "first-stage": 768}
    assert forms["text-dense"].hnsw_config.m == 0
    assert made.sparse_vectors_config.map["text-sparse-new"].modifier == wire.Modifier.Idf
    assert "gemini_mm_space" in made.metadata
    assert len(recorder.of(wire.CreateFieldIndexCollection)) == 6
    (upsert,) = recorder.of(wire.UpsertPoints)
    assert upsert.wait
    assert upsert.points[0].id.uuid == node.node_id
    (batch,) = recorder.of(wire.QueryBatchPoints)
    (query,) = batch.query_points
    assert (query.using, query.limit, query.prefetch[0].using, query.prefetch[0].limit) == (
        *("text-dense", 3),
        *("first-stage", 60),
    )
    assert [hit.node_id for hit in hits] == [node.node_id]
    assert hits[0].node.metadata == node.metadata
    (deleted,) = recorder.of(wire.DeletePoints)
    assert deleted.points.filter.must[0].field.key == "doc_id"


def test_grpc_failures(over_grpc: tuple[GrpcRecorder, QdrantMediaStore]) -> None:
    """Those that pass are tried again, the others told at once."""
    recorder, store = over_grpc
    recorder.codes = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED]

    store.add([media_node(1)])
    assert len(recorder.of(wire.UpsertPoints)) == 3
    assert len(recorder.points) == 1

    recorder.codes = [grpc.StatusCode.PERMISSION_DENIED]
    with pytest.raises(IndexUnavailable, match="PERMISSION_DENIED as told") as caught:
        store.count()
    assert KEY not in str(caught.value)
    assert len(recorder.of(wire.CountPoints)) == 1
