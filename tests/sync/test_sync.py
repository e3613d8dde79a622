"""Sync on real parts: what is sent, stored and deleted, in which order, and what the report says."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores.types import VectorStoreQuery
from sync_support import Bench, Points, bench, embedded_bench, ids_of, paid, write_book

from llama_index_gemini_mm.emulator import Fault, GeminiEmulator
from llama_index_gemini_mm.errors import BudgetExceeded, QuotaExhausted
from llama_index_gemini_mm.readers import MediaReader
from llama_index_gemini_mm.sync import Change, Progress
from llama_index_gemini_mm.sync._flow import GROUP_NODES, MOST_NODES, NodeGate, Stopped
from media_samples import png


def test_a_first_sync(opened: Bench, folder: Path, emulator: GeminiEmulator) -> None:
    """Everything that can be read is stored with its vector, once; the report counts it."""
    report = opened.synchronizer().run(folder)
    points = opened.points()

    assert (report.files, report.indexed, report.unchanged, report.renamed, report.removed) == (40, 39, 0, 0, 0)
    assert [(Path(s.file).name, s.error) for s in report.skipped] == [("broken.png", "CorruptFile")]
    assert sum(report.nodes.values()) == len(points) == len(opened.stored)
    assert set(opened.stored) == points.keys()
    assert report.embedded == paid(emulator).total() == len(paid(emulator)) == len(points)
    assert {"text", "image", "audio"} <= report.nodes.keys()


def test_a_second_sync_does_nothing(opened: Bench, folder: Path, emulator: GeminiEmulator) -> None:
    """No request, no write; a touched file is known by its content, and by its time from then on."""
    opened.synchronizer().run(folder)
    before, opened.store.events[:] = opened.points(), []
    emulator.clear()
    os.utime(folder / "long.txt", (1, 1))

    report = opened.synchronizer().run(folder)

    assert (report.unchanged, report.indexed, report.embedded, len(report.skipped)) == (39, 0, 0, 1)
    assert opened.manifest.files()[str(folder / "long.txt")].mtime_ns == 1_000_000_000
    assert (emulator.requests, opened.store.events, opened.points()) == ([], [], before)


def test_new_vectors_are_stored_before_old_ones_are_deleted(opened: Bench, folder: Path) -> None:
    """A changed file is never without nodes."""
    opened.synchronizer().run(folder)
    path = folder / "long.txt"
    old_ids = set(opened.manifest.node_ids(str(path)))
    opened.store.events.clear()
    path.write_text("It is short now.", encoding="utf-8")

    opened.synchronizer().run(folder)

    (kept,) = opened.manifest.node_ids(str(path))
    assert [kind for kind, _ in opened.store.events] == ["add", "delete"]
    assert ids_of(opened.store.events, "add") == {kept}
    assert ids_of(opened.store.events, "delete") == old_ids - {kept} == set(opened.removed)
    assert opened.names()["long.txt"] == 1


def by_content(points: Points) -> dict[tuple[str, ...], tuple[float, ...]]:
    """Vectors by what they stand for, whatever the name of the file."""
    found = {}
    for payload, vector in points.values():
        content = payload["modality"], str(payload.get("media_ref")), payload["_node_content"]["text_resource"]["text"]
        found[content] = vector
    return found


@pytest.mark.parametrize("cache", ["cache kept", "cache lost"])
def test_a_renamed_file_keeps_its_vectors(storage: Path, folder: Path, emulator: GeminiEmulator, cache: str) -> None:
    """No request, though names are part of what is embedded; old points are gone, new ones have the new path."""
    with bench(storage, emulator) as opened:
        opened.synchronizer().run(folder)
        before = opened.points()
    if cache == "cache lost":
        for file in storage.glob("embeddings.sqlite3*"):
            file.unlink()
    emulator.clear()
    (folder / "other").mkdir()
    for old, new in (("long.txt", "other/longer.txt"), ("deep/red.png", "crimson.png"), ("manual.pdf", "manual 2.pdf")):
        (folder / old).rename(folder / new)

    with bench(storage, emulator) as opened:
        plan = opened.synchronizer().run(folder, dry_run=True)
        report = opened.synchronizer().run(folder)
        after = opened.points()

        assert emulator.requests == []
        assert (report.renamed, report.indexed, report.removed, report.embedded) == (3, 0, 0, 0)
        assert (plan.renamed, plan.indexed, plan.removed, plan.embedded) == (3, 0, 0, 0)
        assert Change(str(folder / "crimson.png"), "rename", str(folder / "deep" / "red.png")) in plan.plan
        assert opened.names()["longer.txt"] > 10
        assert not {"long.txt", "red.png", "manual.pdf"} & opened.names().keys()
        assert len(after) == len(before)
        former, kept = by_content(before), by_content(after)
        assert kept.keys() == former.keys()
        for content, vector in former.items():
            assert kept[content] == pytest.approx(vector, abs=1e-6)  # the store rounds what it takes in
        assert str(folder / "deep" / "red.png") not in opened.manifest.files()


def test_equal_contents_are_embedded_once(opened: Bench, tmp_path: Path, emulator: GeminiEmulator) -> None:
    """The same picture in many folders is sent once, even when they are in different groups under way together."""
    emulator_latency = Fault(hang=0.3)
    emulator.faults.add(emulator_latency, times=None)
    for number in range(2 * GROUP_NODES + 40):
        place = tmp_path / "files" / f"{number:04}"
        place.mkdir(parents=True)
        (place / "same.txt").write_text("The same words everywhere.", encoding="utf-8")
        if number % 100 == 0:
            (place / "logo.png").write_bytes(png("red"))

    report = opened.synchronizer().run(tmp_path / "files")

    assert report.nodes == {"text": 2 * GROUP_NODES + 40, "image": 6}
    assert list(paid(emulator).values()) == [1, 1]
    assert report.embedded == 2
    assert len(opened.points()) == 2 * GROUP_NODES + 46


def test_a_dry_run(opened: Bench, folder: Path, emulator: GeminiEmulator) -> None:
    """It says what the sync then does and what that costs; it sends and stores nothing."""
    opened.synchronizer().run(folder)
    (folder / "note 000.txt").write_text("Other words.", encoding="utf-8")
    (folder / "note 001.txt").unlink()
    (folder / "deep" / "tone 220.wav").rename(folder / "low.wav")
    (folder / "white.png").write_bytes(png("white"))
    (folder / "copy").mkdir()
    (folder / "copy" / "white.png").write_bytes(png("white"))
    emulator.clear()
    before, known = opened.points(), opened.manifest.files()

    plan = opened.synchronizer().run(folder, dry_run=True)

    assert plan.dry_run
    assert emulator.requests == []
    assert (opened.points(), opened.manifest.files()) == (before, known)
    assert {(Path(c.path).name, c.action) for c in plan.plan} == {
        ("note 000.txt", "index"),
        ("white.png", "index"),
        ("low.wav", "rename"),
        ("note 001.txt", "remove"),
    }
    assert json.dumps(plan.as_dict())
    done = opened.synchronizer().run(folder)
    for name in ("files", "indexed", "unchanged", "renamed", "removed", "skipped", "nodes", "embedded"):
        assert getattr(plan, name) == getattr(done, name), name
    assert plan.embedded == 2
    assert plan.usd == pytest.approx(done.usd, rel=0.2)
    assert plan.tokens >= done.tokens > 0


def test_a_dry_run_knows_how_long_the_quota_takes(storage: Path, folder: Path, emulator: GeminiEmulator) -> None:
    """Ten contents a minute and more than sixty to send: more than six minutes."""
    with bench(storage, emulator, contents_per_minute=10) as opened:
        plan = opened.synchronizer().run(folder, dry_run=True)

    assert plan.seconds == pytest.approx(6 * plan.embedded)
    assert plan.embedded > 60
    assert plan.usd > 0


def test_what_is_refused_costs_its_file_alone(opened: Bench, folder: Path, emulator: GeminiEmulator) -> None:
    """One refused picture: everything else is stored, and nothing is sent twice."""

    def holds_blue(record: Any) -> bool:
        return any(part.data == png("blue") for content in record.contents for part in content.parts)

    emulator.faults.add(Fault(status=400), times=None, match=holds_blue)

    report = opened.synchronizer().run(folder)

    assert {(Path(s.file).name, s.error) for s in report.skipped} == {
        ("broken.png", "CorruptFile"),
        ("blue.png", "InvalidRequest"),
    }
    assert report.indexed == 38
    assert opened.names()["blue.png"] == 0
    assert str(folder / "deep" / "blue.png") not in opened.manifest.files()


def test_single_nodes_are_left_out_by_choice(storage: Path, folder: Path, emulator: GeminiEmulator) -> None:
    """With a model that skips bad items the rest of their file is stored, and the report notes them."""

    def holds_the_seventh(record: Any) -> bool:
        return any("Sentence 700 " in content.text for content in record.contents)

    emulator.faults.add(Fault(status=400), times=None, match=holds_the_seventh)

    with bench(storage, emulator, on_item_error="skip") as opened:
        report = opened.synchronizer().run(folder / "long.txt")
        stored = opened.names()["long.txt"]

    assert (report.indexed, report.skipped) == (1, ())
    assert {(Path(n.file).name, n.error) for n in report.notes} == {("long.txt", "InvalidRequest")}
    assert stored == report.nodes["text"] > 10


def test_a_large_file_streams(opened: Bench, tmp_path: Path) -> None:
    """Groups are stored while others are read, and progress is told on the way."""
    path = write_book(tmp_path / "big.md", MOST_NODES + 100)
    seen: list[Progress] = []

    report = opened.synchronizer(on_progress=seen.append).run(path)

    adds = [ids for kind, ids in opened.store.events if kind == "add"]
    assert report.nodes["text"] > MOST_NODES
    assert {len(ids) for ids in adds[:-1]} == {GROUP_NODES}
    assert len(seen) >= len(adds)
    assert [p.done for p in seen] == [0] * (len(seen) - 1) + [1]
    assert [p.nodes for p in seen[: len(adds)]] == [sum(map(len, adds[: n + 1])) for n in range(len(adds))]
    assert opened.manifest.node_ids(str(path)) == [node_id for ids in adds for node_id in ids]


def test_a_large_file_that_is_refused_in_its_midst_leaves_nothing(
    opened: Bench, tmp_path: Path, emulator: GeminiEmulator
) -> None:
    """What was stored of it is deleted again, and the others stay."""
    write_book(tmp_path / "files.md", 2 * GROUP_NODES)
    (tmp_path / "small.txt").write_text("Small.", encoding="utf-8")

    def holds_a_late_word(record: Any) -> bool:
        return any("word400x" in content.text for content in record.contents)

    emulator.faults.add(Fault(status=400), times=None, match=holds_a_late_word)

    report = opened.synchronizer().run([tmp_path / "files.md", tmp_path / "small.txt"])

    assert [(Path(s.file).name, s.error) for s in report.skipped] == [("files.md", "InvalidRequest")]
    assert report.nodes == {"text": 1}
    assert opened.names() == {"small.txt": 1}
    assert len(ids_of(opened.store.events, "delete")) >= GROUP_NODES
    assert list(opened.manifest.files()) == [str(tmp_path / "small.txt")]


def test_memory_is_bounded_by_nodes(opened: Bench, tmp_path: Path, emulator: GeminiEmulator) -> None:
    """However slowly answers come, only so many nodes of a file are between reading and store; several groups are."""
    emulator.faults.add(Fault(hang=0.5), times=None)
    book = write_book(tmp_path / "big.md", 2 * MOST_NODES)
    between: list[int] = []
    taken = 0

    class Counting(MediaReader):
        def read_all(self, *args: Any, **kwargs: Any) -> Any:
            """Count each node as it is taken."""
            for source, outcome in super().read_all(*args, **kwargs):
                yield source, lambda note, outcome=outcome: counted(outcome(note))

    def counted(nodes: Any) -> Any:
        nonlocal taken
        for node in nodes:
            taken += 1
            between.append(taken - len(opened.stored))
            yield node

    run = opened.synchronizer()
    run._reader = Counting(opened.model.media_store)
    report = run.run(book)

    assert report.nodes["text"] == taken >= 2 * MOST_NODES
    assert 2 * GROUP_NODES < max(between) <= MOST_NODES + 1  # the one that waits to be let in


def test_the_gate_bounds_what_is_in_between() -> None:
    """Nobody gets in while it is full; who leaves lets the next one in; closing it turns away whoever waits."""
    gate = NodeGate(2)
    got_in = threading.Event()

    def third() -> None:
        gate.take()
        got_in.set()

    gate.take()
    gate.take()
    thread = threading.Thread(target=third)
    thread.start()
    assert not got_in.wait(0.1)
    gate.give(1)
    assert got_in.wait(5)
    thread.join()
    gate.close()
    with pytest.raises(Stopped):
        gate.take(0)


def test_a_fatal_error_ends_the_sync_and_keeps_what_is_paid(
    storage: Path, folder: Path, emulator: GeminiEmulator
) -> None:
    """The quota of the day ends; the next sync pays for the rest alone."""
    emulator.faults.add(Fault(status=429, quota="day"), times=None, after=1)
    with bench(storage, emulator) as opened, pytest.raises(QuotaExhausted):
        opened.synchronizer().run(folder)
    first = paid(emulator)
    emulator.faults.clear()
    emulator.clear()

    with bench(storage, emulator) as opened:
        report = opened.synchronizer().run(folder)
        assert report.indexed + report.unchanged == 39
        assert len(opened.points()) == sum(opened.names().values()) > 39
    assert first.total() > 0
    assert max(paid(emulator).values()) == 1


def test_a_budget_ends_the_sync(storage: Path, folder: Path, emulator: GeminiEmulator) -> None:
    """The error comes out as it is, and no thread is left behind."""
    before = set(threading.enumerate())
    with bench(storage, emulator, max_cost=0.000_001) as opened, pytest.raises(BudgetExceeded):
        opened.synchronizer().run(folder)

    assert emulator.requests == []
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
    assert not [t for t in threading.enumerate() if t.name.startswith("gemini-mm")]


def test_an_interrupt_ends_everything(opened: Bench, folder: Path, emulator: GeminiEmulator) -> None:
    """Ctrl-C while an answer is awaited: the sync ends at once, its thread too, and the next one goes on."""
    emulator.faults.add(Fault(hang=60), times=None)

    class Interrupting(MediaReader):
        def read_all(self, *args: Any, **kwargs: Any) -> Any:
            """Read two files, and be interrupted."""
            files = super().read_all(*args, **kwargs)
            yield next(files)
            yield next(files)
            raise KeyboardInterrupt

    media = folder / "deep"
    run = opened.synchronizer()
    run._reader = Interrupting(opened.model.media_store)
    with pytest.raises(KeyboardInterrupt):
        run.run(media)

    assert not [t for t in threading.enumerate() if t.name == "gemini-mm-sync"]
    emulator.faults.clear()
    assert opened.synchronizer().run(media).indexed == 7


def test_an_error_of_the_callback_comes_out(opened: Bench, folder: Path) -> None:
    """It ends the sync, and the caller sees it as it was raised."""

    def fail(_: Progress) -> None:
        raise LookupError("the bar is gone")

    with pytest.raises(LookupError, match="the bar is gone"):
        opened.synchronizer(on_progress=fail).run(folder)


def test_progress_is_told_by_one_thread(opened: Bench, folder: Path) -> None:
    """A call for each file, by the same thread; every number only grows and ends at the whole."""
    seen: list[tuple[Progress, int]] = []

    report = opened.synchronizer(on_progress=lambda p: seen.append((p, threading.get_ident()))).run(folder)

    states = [state for state, _ in seen]
    assert len({thread for _, thread in seen}) == 1
    assert [p.done for p in states] == list(range(1, 41))
    assert {p.total for p in states} == {40}
    assert [p.nodes for p in states] == sorted(p.nodes for p in states)
    assert [p.usd for p in states] == sorted(p.usd for p in states)
    assert (states[-1].nodes, states[-1].usd) == (sum(report.nodes.values()), pytest.approx(report.usd, abs=1e-6))


def test_searching_goes_on_while_syncing(storage: Path, folder: Path, emulator: GeminiEmulator) -> None:
    """Another thread of the process gets answers from what is stored so far."""
    found: list[int] = []
    stop = threading.Event()

    with embedded_bench(storage, emulator.base_url) as opened:
        vector = opened.model.get_query_embedding("bearings")

        def search() -> None:
            while not stop.is_set():
                hits = opened.store.query(VectorStoreQuery(query_embedding=vector, similarity_top_k=5))
                found.append(len(hits.nodes or []))

        def stored(_: Progress) -> None:
            count = len(found)
            while len(found) < count + 2 and thread.is_alive():
                stop.wait(0.005)

        thread = threading.Thread(target=search)
        thread.start()
        try:
            opened.synchronizer(on_progress=stored).run(folder)
        finally:
            stop.set()
            thread.join()
    assert found[-1] == 5
    assert len(found) >= 40


def test_files_of_an_unreadable_folder_are_not_removed(
    opened: Bench, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that cannot be listed for now is skipped by name; what is known of it stays."""
    opened.synchronizer().run(folder)
    scandir, deep = os.scandir, str(folder / "deep")

    def refused(path: Any = ".") -> Any:
        if str(path) == deep:  # root, whom tests may run as, is refused nothing by the system
            raise PermissionError(13, "Permission denied", deep)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    report = opened.synchronizer().run(folder)

    assert report.removed == 0
    assert deep in {skipped.file for skipped in report.skipped}
    assert opened.names()["red.png"] == 1


def test_a_removed_file_that_comes_back_is_indexed(opened: Bench, folder: Path) -> None:
    """With its old time and size: the list does not take it for unchanged."""
    opened.synchronizer().run(folder)
    path = folder / "note 003.txt"
    path.rename(folder.parent / "aside")
    assert opened.synchronizer().run(folder).removed == 1
    (folder.parent / "aside").rename(path)

    report = opened.synchronizer().run(folder)

    assert (report.indexed, report.embedded) == (1, 0)
    assert opened.names()["note 003.txt"] == 1


def test_a_vanished_file_is_skipped(opened: Bench, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link that leads nowhere any more, and a file that goes between the scan and the reading."""
    scan = MediaReader.scan

    def scanned(self: MediaReader, *args: Any) -> Any:
        found = list(scan(self, *args))
        (folder / "note 001.txt").unlink(missing_ok=True)
        return iter(found)

    monkeypatch.setattr(MediaReader, "scan", scanned)

    report = opened.synchronizer().run(folder)

    assert {(Path(s.file).name, s.reason) for s in report.skipped} >= {("note 001.txt", "no such file")}
    assert report.indexed == 38


def test_nodes_have_their_vectors_when_told_of(opened: Bench, folder: Path) -> None:
    """on_stored gets the nodes with the vectors that were stored."""
    vectors: dict[str, list[float]] = {}

    def keep(nodes: Any) -> None:
        vectors.update((node.node_id, node.embedding) for node in list[BaseNode](nodes))

    run = opened.synchronizer()
    run._keeper._on_stored = keep
    run.run(folder / "deep")

    points = opened.points()
    assert vectors.keys() == points.keys()
    for node_id, (_, vector) in points.items():
        assert vectors[node_id] == pytest.approx(vector, abs=1e-6)
