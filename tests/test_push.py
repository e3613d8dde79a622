"""Push: every point of one collection in another, with real engines on both sides, and a recorder as server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from llama_index_gemini_mm.errors import IndexMismatch, IndexUnavailable
from llama_index_gemini_mm.push import PushProgress, push
from llama_index_gemini_mm.vector_store import (
    MediaVectorStore,
    PlanName,
    Point,
    Search,
    ServerOptions,
    open_embedded,
    open_local,
    open_server,
)
from qdrant_recorder import recording
from store_support import direction, media_node, plain, stamp

KINDS = ("text", "image", "audio", "video", "document")


@pytest.fixture
def source(tmp_path: Path) -> Iterator[MediaVectorStore]:
    """An embedded collection of twenty nodes of every medium."""
    store = open_embedded(tmp_path / "source", "media", stamp())
    store.add([media_node(number, KINDS[number % 5]) for number in range(20)])
    yield store
    store.close()


@pytest.fixture
def target(tmp_path: Path) -> Iterator[MediaVectorStore]:
    """An empty collection in another engine."""
    store = open_local(tmp_path / "target", "media", stamp())
    yield store
    store.close()


def everything(store: MediaVectorStore) -> dict[str, Point]:
    """All points by id."""
    return {point.id: point for batch in store.points() for point in batch}


def test_everything_arrives(source: MediaVectorStore, target: MediaVectorStore) -> None:
    """Ids, payloads, and every form of the vectors; searches give the same."""
    seen: list[PushProgress] = []

    report = push(source, target, seen.append, batch_size=8)

    assert (report.points, report.copied, report.present, report.others) == (20, 20, 0, 0)
    assert seen == [PushProgress(8, 20, 8), PushProgress(16, 20, 16), PushProgress(20, 20, 20)]
    before, after = everything(source), everything(target)
    assert before.keys() == after.keys()
    for key, point in before.items():
        assert after[key].payload == point.payload
        assert after[key].vectors["text-dense"] == pytest.approx(point.vectors["text-dense"], abs=1e-6)
        assert after[key].vectors["text-sparse-new"] == point.vectors["text-sparse-new"]
    search = Search(5, vector=direction(3))
    assert [hit.id for hit in target.search([search])[0]] == [hit.id for hit in source.search([search])[0]]
    assert list(report.as_dict()) == ["points", "copied", "present", "others", "seconds"]


def test_a_stopped_push_goes_on(source: MediaVectorStore, target: MediaVectorStore) -> None:
    """What is there already with the same content is not sent again; what changed is."""

    def stop(progress: PushProgress) -> None:
        if progress.done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        push(source, target, stop, batch_size=5)
    assert target.count() == 10
    source.add([media_node(0, "text", words="changed words")])

    report = push(source, target, batch_size=5)

    assert (report.points, report.present, report.copied) == (20, 20 - report.copied, report.copied)
    assert report.copied in (10, 11)  # the changed one may not have been sent before
    assert {key: plain(point.node) for key, point in everything(target).items()} == {
        key: plain(point.node) for key, point in everything(source).items()
    }
    assert push(source, target).copied == 0


def test_other_points_are_left_alone(source: MediaVectorStore, target: MediaVectorStore) -> None:
    """They are counted."""
    target.add([media_node(99)])

    report = push(source, target)

    assert report.others == 1
    assert target.count() == 21


@pytest.mark.parametrize("plan", ["balanced", "compact"])
def test_into_a_smaller_plan(source: MediaVectorStore, tmp_path: Path, plan: PlanName) -> None:
    """The shorter forms are made of the whole vectors, as if the nodes had been added."""
    pushed = open_embedded(tmp_path / "pushed", "media", stamp(plan))
    added = open_embedded(tmp_path / "added", "media", stamp(plan))
    added.add([media_node(number, KINDS[number % 5]) for number in range(20)])

    push(source, pushed)

    expected = everything(added)
    for key, point in everything(pushed).items():
        for name, numbers in expected[key].vectors.items():
            if name != "text-sparse-new":
                assert point.vectors[name] == pytest.approx(numbers, abs=0.01)
    pushed.close()
    added.close()


@pytest.mark.parametrize(("has", "wants"), [("compact", "balanced"), ("balanced", "accurate"), ("compact", "accurate")])
def test_into_a_plan_that_needs_more(tmp_path: Path, has: PlanName, wants: PlanName) -> None:
    """Longer or finer vectors than there are cannot be made."""
    source = open_local(tmp_path / "has", "media", stamp(has))
    target = open_local(tmp_path / "wants", "media", stamp(wants))

    with pytest.raises(IndexMismatch, match=f"stored by the plan {has}, but the plan {wants}"):
        push(source, target)
    source.close()
    target.close()


def test_into_another_space(source: MediaVectorStore, tmp_path: Path) -> None:
    """Nothing is written."""
    target = open_local(tmp_path / "target", "media", stamp(dimension=768))

    with pytest.raises(IndexMismatch, match=r"1024-dimensional.*but 768-dimensional"):
        push(source, target)
    assert target.count() == 0
    target.close()


def test_to_a_server(source: MediaVectorStore) -> None:
    """For a tenant: the points have ids of its own, and their payloads say whose they are; a second push sends none."""
    options = ServerOptions(tenant_key="customer", tenant="acme")
    with recording() as server:
        target = open_server(server.url, None, "media", stamp(), options)

        report = push(source, target)

        assert report.copied == 20
        nodes = everything(source)
        assert {point["id"] for point in server.points} == {target.id_of(key) for key in nodes}
        assert {point["payload"]["customer"] for point in server.points} == {"acme"}
        assert {point["payload"]["_node_content"] for point in server.points} == {
            point.node_content for point in nodes.values()
        }
        again = push(source, target)
        assert (again.copied, again.present) == (0, 20)
        assert len(server.of("PUT", "/collections/media/points")) == 1
        target.close()


def test_a_server_that_loses_points(source: MediaVectorStore) -> None:
    """The count is looked at in the end."""
    with recording() as server:
        target = open_server(server.url, None, "media", stamp())

        with pytest.raises(IndexUnavailable, match="holds 5 points after the push, and not 20"):
            push(source, target, lambda _: server.points.__delitem__(slice(5, None)))
        target.close()
