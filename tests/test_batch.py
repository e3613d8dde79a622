"""BatchEmbedding over the emulator and the real SDK: submit, poll, collect, and every way in which that goes wrong."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.schema import BaseNode, ImageNode, TextNode

from llama_index_gemini_mm import BatchEmbedding, GeminiMultimodalEmbedding, MediaNodeParser, MediaReader, MediaStore
from llama_index_gemini_mm.batch import CollectReport, JobStatus
from llama_index_gemini_mm.emulator import FREE_TIER, Fault, GeminiEmulator, Quota
from llama_index_gemini_mm.engine import EmbeddingCache
from llama_index_gemini_mm.errors import (
    ApiError,
    AuthError,
    BudgetExceeded,
    ConfigurationError,
    InvalidRequest,
    LimitExceeded,
    MediaMissing,
    SourceError,
)
from media_samples import png, wav
from support import contents_of

CREATE, DOWNLOAD = "asyncBatchEmbedContent", "files.download"
SECONDS = 0.05
DIMENSION = 256


@pytest.fixture
def emulator() -> Iterator[GeminiEmulator]:
    with GeminiEmulator(batch_seconds=SECONDS) as running:
        yield running


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[EmbeddingCache]:
    with EmbeddingCache(tmp_path / "embeddings.sqlite3") as opened:
        yield opened


Make = Callable[..., GeminiMultimodalEmbedding]


@pytest.fixture
def make(emulator: GeminiEmulator, store: MediaStore) -> Make:
    """Makes models that talk to the emulator."""

    def made(server: GeminiEmulator = emulator, **settings: Any) -> GeminiMultimodalEmbedding:
        common: dict[str, Any] = {"api_key": "k", "output_dimensionality": DIMENSION, "max_retries": 2}
        return GeminiMultimodalEmbedding(
            **{**common, "base_url": server.base_url, "media_store": store, "timeout": 20, **settings}
        )

    return made


@pytest.fixture
def batch(make: Make, cache: EmbeddingCache, tmp_path: Path) -> Iterator[BatchEmbedding]:
    with BatchEmbedding(make(), tmp_path / "batches.sqlite3", cache) as opened:
        yield opened


def nodes_of(*texts: str) -> list[BaseNode]:
    """A node for each text; its id is its text."""
    return [TextNode(text=text, id_=text) for text in texts]


def names(count: int, start: int = 0) -> list[str]:
    return [f"item number {n}" for n in range(start, start + count)]


def finished(batch: BatchEmbedding) -> list[JobStatus]:
    """Poll until all that can end has ended."""
    for _ in range(400):
        jobs = batch.poll()
        if all(job.state not in ("pending", "running", "waiting", "sending") for job in jobs):
            return jobs
        time.sleep(SECONDS / 4)
    raise AssertionError(jobs)


def collected(batch: BatchEmbedding) -> CollectReport:
    finished(batch)
    return batch.collect()


def count(emulator: GeminiEmulator, route: str) -> int:
    return sum(request.route == route for request in emulator.requests)


def ordered(emulator: GeminiEmulator) -> list[str]:
    """The texts of all jobs that the emulator was sent."""
    return [c.text for request in emulator.requests if request.route == CREATE for c in request.contents]


def online(make: Make, nodes: Sequence[BaseNode]) -> list[list[float]]:
    """What these nodes get without a batch."""
    with make() as model:
        return [node.embedding or [] for node in model([node.model_copy() for node in nodes])]


def cached(make: Make, cache: EmbeddingCache, nodes: Sequence[BaseNode]) -> list[list[float]]:
    """What these nodes get from a model with the cache."""
    with make(embedding_cache=cache.path) as model:
        return [node.embedding or [] for node in model([node.model_copy() for node in nodes])]


def test_submit_poll_collect(
    batch: BatchEmbedding, make: Make, cache: EmbeddingCache, emulator: GeminiEmulator
) -> None:
    """Vectors of a batch are those of online calls, number by number, and are found without another request."""
    nodes = nodes_of(*names(300), "größe – 尺寸 – 🚲")

    [job] = batch.submit(nodes)
    report = collected(batch)

    assert (job.state, job.requests, job.collected) == ("pending", 301, False)
    assert job.name.startswith("batches/")
    assert job.usd == pytest.approx(job.tokens * 0.1e-6)
    assert (report.vectors, report.failed, report.problems, report.unfinished) == (301, [], [], 0)
    assert report.tokens > 301
    assert [(j.id, j.succeeded, j.failed, j.collected) for j in report.jobs] == [(job.id, 301, 0, True)]
    assert "title: none | text: größe – 尺寸 – 🚲" in ordered(emulator)
    expected = online(make, nodes)
    emulator.clear()
    assert cached(make, cache, nodes) == [pytest.approx(vector, abs=1e-7) for vector in expected]
    assert emulator.requests == []


def test_what_is_known_is_not_submitted(
    batch: BatchEmbedding, make: Make, cache: EmbeddingCache, emulator: GeminiEmulator
) -> None:
    """Neither what is cached, nor what is under way, nor equals twice; a second collection finds nothing."""
    cached(make, cache, nodes_of("cached"))
    emulator.clear()
    twins = [TextNode(text="new", id_="one"), TextNode(text="new", id_="two")]

    [job] = batch.submit([*nodes_of("cached"), *twins])
    again = batch.submit([*twins, TextNode(text="new", id_="three")])
    report = collected(batch)
    empty = batch.collect()
    after = batch.submit(twins)

    assert job.requests == 1
    assert again == after == []
    assert ordered(emulator) == ["title: none | text: new"]
    assert (report.vectors, len(report.jobs)) == (1, 1)
    assert (empty.vectors, empty.jobs) == (0, [])
    assert count(emulator, DOWNLOAD) == 1
    assert batch.poll() == []
    assert [each.id for each in batch.jobs] == [job.id]


def test_media(
    batch: BatchEmbedding,
    make: Make,
    cache: EmbeddingCache,
    emulator: GeminiEmulator,
    store: MediaStore,
    tmp_path: Path,
) -> None:
    """Pictures with captions and sounds go inline, those of other makers too, and are found under the same keys."""
    (tmp_path / "red.png").write_bytes(png("red"))
    (tmp_path / "tone.wav").write_bytes(wav(1.0))
    documents = MediaReader(store).load_data([tmp_path / "red.png", tmp_path / "tone.wav"])
    nodes = MediaNodeParser(media_store=store).get_nodes_from_documents(documents)
    nodes.append(ImageNode(text="a blue one", image_path=str(tmp_path / "blue.png"), id_="foreign"))
    (tmp_path / "blue.png").write_bytes(png("blue"))

    batch.submit(nodes)
    report = collected(batch)

    [order] = [request for request in emulator.requests if request.route == CREATE]
    assert sorted(p.mime_type for c in order.contents for p in c.parts if p.data) == ["audio/wav", *["image/png"] * 2]
    assert png("blue") in [p.data for c in order.contents for p in c.parts]
    assert (report.vectors, report.failed) == (3, [])
    expected = online(make, nodes)
    emulator.clear()
    assert cached(make, cache, nodes) == [pytest.approx(vector, abs=1e-7) for vector in expected]
    assert contents_of(emulator) == []


def test_jobs_stay_within_bounds(make: Make, cache: EmbeddingCache, emulator: GeminiEmulator, tmp_path: Path) -> None:
    """Requests are split by count and by bytes; an item above the bound has a job of its own."""
    long = "word " * 200
    with BatchEmbedding(make(), tmp_path / "a.sqlite3", cache, max_job_requests=3) as batch:
        by_count = batch.submit(nodes_of(*names(7)))
    with BatchEmbedding(make(), tmp_path / "b.sqlite3", cache, max_job_bytes=400) as batch:
        by_bytes = batch.submit(nodes_of("a", "b", "c", long, "d"))

    assert [job.requests for job in by_count] == [3, 3, 1]
    assert [job.requests for job in by_bytes] == [2, 1, 1, 1]
    assert ordered(emulator) == [f"title: none | text: {text}" for text in [*names(7), "a", "b", "c", long, "d"]]
    assert list((tmp_path / "a.jobs").iterdir()) == []


def test_jobs_above_the_enqueued_tokens_wait(
    make: Make, cache: EmbeddingCache, emulator: GeminiEmulator, tmp_path: Path
) -> None:
    """They lie on disk and are sent, even by another process, once earlier ones have ended."""
    text = "word " * 4000
    path = tmp_path / "batches.sqlite3"
    with BatchEmbedding(make(), path, cache, max_enqueued_tokens=8192) as batch:
        jobs = batch.submit(nodes_of(f"a {text}", f"b {text}", f"c {text}"))
        files = sorted(file.stem for file in (tmp_path / "batches.jobs").iterdir())

    assert [job.state for job in jobs] == ["pending", "waiting", "waiting"]
    assert files == sorted(job.id for job in jobs[1:])
    with BatchEmbedding(make(), path, cache, max_enqueued_tokens=8192) as batch:
        report = collected(batch)
    assert (report.vectors, [job.id for job in report.jobs]) == (3, [job.id for job in jobs])
    assert len(ordered(emulator)) == 3


def test_a_full_queue_on_the_server(make: Make, cache: EmbeddingCache, tmp_path: Path) -> None:
    """What the server has no room for waits while others are under way; with nothing under way it raises, and waits."""
    with (
        GeminiEmulator(batch_seconds=1.5, quota=Quota(enqueued_tokens=20)) as small,
        BatchEmbedding(make(small), tmp_path / "batches.sqlite3", cache, max_job_requests=1) as batch,
    ):
        jobs = batch.submit(nodes_of("word " * 5, "word " * 6))
        first = collected(batch)
        with pytest.raises(ApiError) as caught:
            batch.submit(nodes_of("word " * 30))
        [waiting] = [job for job in batch.jobs if not job.collected]
        batch.cancel(waiting.id)
        gone = batch.collect()

    assert [job.state for job in jobs] == ["pending", "waiting"]
    assert "429" in jobs[1].reason
    assert first.vectors == 2
    assert caught.value.code == 429
    assert waiting.state == "waiting"
    assert [problem.job.state for problem in gone.problems] == ["cancelled"]
    assert len(gone.problems[0].node_ids) == 1


def test_the_free_tier_has_no_batches(make: Make, cache: EmbeddingCache, tmp_path: Path) -> None:
    """The server's refusal is raised at once."""
    with (
        GeminiEmulator(quota=FREE_TIER) as free,
        BatchEmbedding(make(free), tmp_path / "batches.sqlite3", cache) as batch,
        pytest.raises(ApiError) as caught,
    ):
        batch.submit(nodes_of("a"))

    assert caught.value.status == "RESOURCE_EXHAUSTED"
    assert count(free, CREATE) == 1


def test_partial_failures(batch: BatchEmbedding, make: Make, cache: EmbeddingCache, emulator: GeminiEmulator) -> None:
    """Requests that fail, have no numbers, or are not answered are listed with their nodes; the others are kept."""
    emulator.faults.add(Fault(damage="too_few"), route=DOWNLOAD)
    batch.submit(nodes_of(*names(4)))
    one = collected(batch)
    [missing] = [node_id for failed in one.failed for node_id in failed.node_ids]
    emulator.faults.add(Fault(damage="nan_text"), route=DOWNLOAD)
    twins = [TextNode(text="other", id_="one"), TextNode(text="other", id_="two")]
    batch.submit([*nodes_of(*names(4)), *twins])
    two = collected(batch)

    assert (one.vectors, one.jobs[0].failed) == (3, 1)
    assert missing in names(4)
    assert "no answer" in one.failed[0].reason
    assert two.jobs[0].requests == 2
    assert (two.vectors, len(two.failed)) == (1, 1)
    assert "not finite" in two.failed[0].reason
    assert two.failed[0].node_ids in ((missing,), ("one", "two"))
    third = batch.submit([*nodes_of(*names(4)), *twins])
    assert [job.requests for job in third] == [1]


@pytest.mark.parametrize("damage", ["no_values", "wrong_dimension", "nan"])
def test_no_vector_is_trusted_unseen(batch: BatchEmbedding, emulator: GeminiEmulator, damage: Any) -> None:
    """Those that are no vectors of the right kind do not reach the cache."""
    emulator.faults.add(Fault(damage=damage), route=DOWNLOAD)
    batch.submit(nodes_of(*names(3)))

    report = collected(batch)

    assert (report.vectors, len(report.failed)) == (2, 1)


def test_results_twice_and_unasked_do_no_harm(batch: BatchEmbedding, emulator: GeminiEmulator) -> None:
    """A line that comes again counts once."""
    emulator.faults.add(Fault(damage="too_many"), route=DOWNLOAD)
    batch.submit(nodes_of(*names(3)))

    assert collected(batch).vectors == 3


@pytest.mark.parametrize("damage", ["cut_json", "empty"])
def test_a_cut_off_result_is_fetched_again(batch: BatchEmbedding, emulator: GeminiEmulator, damage: Any) -> None:
    """A broken download is repeated; one that stays broken leaves the job as it is, and other jobs are collected."""
    batch.submit(nodes_of("a"))
    emulator.faults.add(Fault(damage=damage), route=DOWNLOAD)
    first = collected(batch)
    batch.submit(nodes_of("b"))
    batch.submit(nodes_of("c"))
    emulator.faults.add(Fault(damage=damage), route=DOWNLOAD, times=3)
    second = collected(batch)
    third = batch.collect()

    assert first.vectors == 1
    assert (second.vectors, len(second.problems)) == (1, 1)
    assert second.problems[0].node_ids == ("b",)
    assert "collect again" in second.problems[0].remedy
    assert (third.vectors, third.problems) == (1, [])


def test_all_failed(batch: BatchEmbedding, emulator: GeminiEmulator) -> None:
    """A job in which every request failed lists them all, and they may be submitted again."""
    emulator.faults.add(Fault(damage="no_values"), route=DOWNLOAD, times=1)
    batch.submit(nodes_of("a"))

    report = collected(batch)

    assert (report.vectors, report.jobs[0].failed) == (0, 1)
    assert [failed.node_ids for failed in report.failed] == [("a",)]
    assert len(batch.submit(nodes_of("a"))) == 1


@pytest.mark.parametrize(
    ("outcome", "word"), [("FAILED", "failed"), ("EXPIRED", "48 hours"), ("CANCELLED", "cancelled")]
)
def test_jobs_that_do_not_succeed(batch: BatchEmbedding, emulator: GeminiEmulator, outcome: Any, word: str) -> None:
    """They are reported once with what to do; their nodes can be submitted again at once."""
    emulator.faults.add(Fault(outcome=outcome), route=CREATE)
    batch.submit(nodes_of("a", "b"))
    [job] = finished(batch)
    again = batch.submit(nodes_of("a"))
    report = collected(batch)

    assert job.state == outcome.lower()
    assert [(p.job.id, sorted(p.node_ids)) for p in report.problems] == [(job.id, ["a", "b"])]
    assert word in report.problems[0].remedy
    assert "submit its nodes again" in report.problems[0].remedy
    assert [each.requests for each in again] == [1]
    assert report.vectors == 1
    assert batch.collect().problems == []


def test_cancel(make: Make, cache: EmbeddingCache, tmp_path: Path) -> None:
    """A job can be ended; an unknown one cannot."""
    with (
        GeminiEmulator(batch_seconds=60) as slow,
        BatchEmbedding(make(slow), tmp_path / "batches.sqlite3", cache) as batch,
    ):
        [job] = batch.submit(nodes_of("a"))
        early = batch.collect()
        cancelled = batch.cancel(job.id)
        again = batch.cancel(job.id)
        with pytest.raises(ConfigurationError, match="nowhere"):
            batch.cancel("nowhere")

    assert early.unfinished == 1
    assert cancelled.state == again.state == "cancelled"
    assert count(slow, "batches.cancel") == 1


def test_files_are_deleted_afterwards(batch: BatchEmbedding, emulator: GeminiEmulator, make: Make) -> None:
    """Input files go; result files are tried, although the service refuses their long ids."""
    from llama_index_gemini_mm.engine.transport import Address, connect

    [job] = batch.submit(nodes_of("a"))
    collected(batch)

    deleted = [r.path.rpartition("/")[2] for r in emulator.requests if r.route == "files.delete"]
    assert deleted == [f"batch-{job.name.removeprefix('batches/')}", job.input_file.removeprefix("files/")]
    client = connect(Address("developer", api_key="k", base_url=emulator.base_url))
    assert [file.source.name for file in client.files.list()] == ["GENERATED"]  # type: ignore[union-attr]


@pytest.mark.parametrize("fault", [Fault(damage="lost_reply"), Fault(status=503), Fault(damage="reset")])
def test_a_doubtful_submit_is_looked_up(batch: BatchEmbedding, emulator: GeminiEmulator, fault: Fault) -> None:
    """When the answer is lost the job is looked for by its name before it is sent again, so there is one job."""
    emulator.faults.add(fault, route=CREATE)

    [job] = batch.submit(nodes_of("a"))
    report = collected(batch)

    made = fault.damage == "lost_reply"
    routes = [r.route for r in emulator.requests if r.route in (CREATE, "batches.list")]
    assert routes == ([CREATE, "batches.list"] if made else [CREATE, "batches.list", CREATE])
    assert job.name.startswith("batches/")
    assert (report.vectors, len(report.jobs)) == (1, 1)


def test_a_submit_of_unknown_fate_is_found_later(
    batch: BatchEmbedding, make: Make, cache: EmbeddingCache, emulator: GeminiEmulator, tmp_path: Path
) -> None:
    """The server takes the job and then nothing works any more: another process finds it and sends nothing twice."""
    emulator.faults.add(Fault(damage="lost_reply"), route=CREATE)
    emulator.faults.add(Fault(status=503), route="batches.list", times=2)
    with pytest.raises(ApiError) as caught:
        batch.submit(nodes_of("a"))
    [job] = batch.jobs
    batch.close()

    with BatchEmbedding(make(), tmp_path / "batches.sqlite3", cache) as other:
        again = other.submit(nodes_of("a"))
        report = collected(other)

    assert caught.value.retryable
    assert job.state == "sending"
    assert again == []
    assert count(emulator, CREATE) == 1
    assert (report.vectors, report.jobs[0].id) == (1, job.id)


def test_a_submit_that_never_arrived_is_sent_later(batch: BatchEmbedding, emulator: GeminiEmulator) -> None:
    """When the service does not know the job it is uploaded anew and sent, once."""
    emulator.faults.add(Fault(status=503), route=CREATE, times=3)
    with pytest.raises(ApiError):
        batch.submit(nodes_of("a"))

    report = collected(batch)

    assert report.vectors == 1
    assert count(emulator, "files.start") == 2
    assert count(emulator, CREATE) == 4


_KILLED = """
    import os, signal, sys
    from pathlib import Path
    from llama_index.core.schema import TextNode
    from llama_index_gemini_mm import BatchEmbedding, GeminiMultimodalEmbedding
    from llama_index_gemini_mm.engine.batch.jobs import BatchJobs

    url, moment = sys.argv[1:]
    die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    original = getattr(BatchJobs, moment.removeprefix("after "))

    def struck(self, *arguments):
        if moment.startswith("after "):
            original(self, *arguments)
        die()

    setattr(BatchJobs, moment.removeprefix("after "), struck)
    model = GeminiMultimodalEmbedding(api_key="k", base_url=url, output_dimensionality=256)
    batch = BatchEmbedding(model, "batches.sqlite3", "embeddings.sqlite3")
    batch.submit([TextNode(text="a", id_="a"), TextNode(text="b", id_="b")])
"""


@pytest.mark.parametrize("moment", ["upload", "after upload", "create", "after create"])
def test_a_killed_process_neither_loses_nor_repeats(
    make: Make, cache: EmbeddingCache, emulator: GeminiEmulator, tmp_path: Path, moment: str
) -> None:
    """Killed before or after the upload or the order: the next process ends with every vector and one job."""
    program = [sys.executable, "-c", textwrap.dedent(_KILLED), emulator.base_url, moment]
    done = subprocess.run(program, cwd=tmp_path, env=os.environ.copy(), capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr

    with BatchEmbedding(make(), tmp_path / "batches.sqlite3", cache) as batch:
        left = [job.state for job in batch.jobs]
        new = batch.submit(nodes_of("a", "b"))
        report = collected(batch)

    assert left == ["waiting" if "upload" in moment else "sending"]
    assert new == []
    assert (report.vectors, len(report.jobs)) == (2, 1)
    assert ordered(emulator) == ["title: none | text: a", "title: none | text: b"]
    assert list((tmp_path / "batches.jobs").iterdir()) == []


def test_a_node_that_cannot_be_embedded_stops_all(
    batch: BatchEmbedding, emulator: GeminiEmulator, tmp_path: Path
) -> None:
    """With its node id, before anything is sent, and what was written is cleared away."""
    with pytest.raises(LimitExceeded) as long:
        batch.submit([*nodes_of("a"), TextNode(text="word " * 9000, id_="long")])
    with pytest.raises(InvalidRequest) as empty:
        batch.submit([*nodes_of("a"), TextNode(text="  ", id_="empty")])
    with pytest.raises(MediaMissing) as missing:
        batch.submit([TextNode(text=f"media_ref: media://{'0' * 64}\n\nwords", id_="missing")])
    with pytest.raises(SourceError) as foreign:
        batch.submit([ImageNode(image_path=str(tmp_path / "gone.png"), id_="foreign")])

    found = [e.value.node_id for e in (long, empty, missing, foreign)]
    assert found == ["long", "empty", "missing", "foreign"]
    assert batch.jobs == []
    assert emulator.requests == []
    batch.poll()
    assert list((tmp_path / "batches.jobs").iterdir()) == []


def test_nodes_that_cannot_be_embedded_are_skipped(
    make: Make, cache: EmbeddingCache, emulator: GeminiEmulator, tmp_path: Path
) -> None:
    """By permission of the model they are left out and listed, each node of equals."""
    bad = [TextNode(text="", id_="one"), TextNode(text="", id_="two")]
    with BatchEmbedding(make(on_item_error="skip"), tmp_path / "batches.sqlite3", cache) as batch:
        [job] = batch.submit([*bad, *nodes_of("good")])

    assert job.requests == 1
    assert [(s.node_id, s.error) for s in batch.skipped] == [("one", "InvalidRequest"), ("two", "InvalidRequest")]


def test_long_texts(make: Make, cache: EmbeddingCache, emulator: GeminiEmulator, tmp_path: Path) -> None:
    """They are cut by permission, or counted by the service when that is asked for."""
    long = "word " * 9000
    seeming = "supercalifragilistic " * 2700 + "end"
    path = tmp_path / "batches.sqlite3"
    with BatchEmbedding(make(truncate=True), path, cache) as batch:
        batch.submit(nodes_of(long))
    with BatchEmbedding(make(exact_tokens=True), path, cache) as batch:
        batch.submit(nodes_of(seeming))

    cut, whole = ordered(emulator)
    assert len(cut) < len(long)
    assert whole == f"title: none | text: {seeming}"
    assert count(emulator, "countTokens") == 1


def test_max_cost(make: Make, cache: EmbeddingCache, emulator: GeminiEmulator, tmp_path: Path) -> None:
    """A submit that would pass the budget sends nothing; earlier ones count."""
    with BatchEmbedding(make(max_cost=4e-6), tmp_path / "batches.sqlite3", cache) as batch:
        batch.submit(nodes_of("one two three"))
        with pytest.raises(BudgetExceeded) as caught:
            batch.submit(nodes_of("word " * 30))
        jobs = batch.jobs

    assert caught.value.spent > 0
    assert len(jobs) == count(emulator, CREATE) == 1


def test_lost_jobs_and_results(batch: BatchEmbedding, emulator: GeminiEmulator) -> None:
    """A job that the service has forgotten, and results that have expired, are reported as lost."""
    emulator.faults.add(Fault(status=404), route="batches.get")
    batch.submit(nodes_of("a"))
    [job] = batch.poll()
    first = batch.collect()
    batch.submit(nodes_of("b"))
    finished(batch)
    emulator.faults.add(Fault(status=403), route=DOWNLOAD)
    second = batch.collect()
    emulator.faults.add(Fault(status=403), route=DOWNLOAD)
    batch.submit(nodes_of("c"))
    finished(batch)
    emulator.faults.add(Fault(status=404), route="batches.get")
    third = batch.collect()

    assert job.state == "lost"
    for report, node_id in ((first, "a"), (second, "b"), (third, "c")):
        assert [(p.job.state, p.node_ids) for p in report.problems] == [("lost", (node_id,))]


def test_lost_requests(make: Make, cache: EmbeddingCache, emulator: GeminiEmulator, tmp_path: Path) -> None:
    """A waiting job whose requests were removed from disk is lost, and others go on."""
    text = "word " * 4000
    with BatchEmbedding(make(), tmp_path / "b.sqlite3", cache, max_enqueued_tokens=8192) as batch:
        batch.submit(nodes_of(f"a {text}", f"b {text}", f"c {text}"))
        for file in (tmp_path / "b.jobs").iterdir():
            file.unlink()
        report = collected(batch)

    assert report.vectors == 1
    assert [problem.node_ids for problem in report.problems] == [(f"b {text}",), (f"c {text}",)]


def test_a_wrong_key_is_no_loss(batch: BatchEmbedding, emulator: GeminiEmulator) -> None:
    """With a key that is refused nothing is marked as lost."""
    batch.submit(nodes_of("a"))
    finished(batch)
    emulator.faults.add(Fault(status=403), route=DOWNLOAD)
    emulator.faults.add(Fault(status=403), route="batches.get")
    with pytest.raises(AuthError):
        batch.collect()

    assert batch.collect().vectors == 1


def test_a_service_that_stays_away(batch: BatchEmbedding, emulator: GeminiEmulator) -> None:
    """When asking how jobs stand fails for good, that is raised, and the jobs stay as they are."""
    batch.submit(nodes_of("a"))
    emulator.faults.add(Fault(status=503), route="batches.get", times=3)

    with pytest.raises(ApiError) as caught:
        batch.poll()

    assert caught.value.code == 503
    assert collected(batch).vectors == 1


def test_a_refused_order_is_a_failed_job(batch: BatchEmbedding, emulator: GeminiEmulator) -> None:
    """A 400 for the whole job is in its status and in the report; a refused key keeps the job waiting."""
    emulator.faults.add(Fault(status=400), route=CREATE)
    [failed] = batch.submit(nodes_of("a"))
    emulator.faults.add(Fault(status=403), route=CREATE)
    with pytest.raises(AuthError):
        batch.submit(nodes_of("b"))
    report = collected(batch)

    assert failed.state == "failed"
    assert "400" in failed.reason
    assert report.vectors == 1
    assert [problem.node_ids for problem in report.problems] == [("a",)]


@pytest.mark.parametrize("route", ["files.start", "files.chunk", "batches.get", DOWNLOAD])
def test_passing_failures_are_borne(batch: BatchEmbedding, emulator: GeminiEmulator, route: str) -> None:
    """A 503 or a minute's quota on any other call costs a short wait."""
    emulator.faults.add(
        Fault(status=503) if route != "batches.get" else Fault(status=429, retry_seconds=0.1), route=route
    )

    batch.submit(nodes_of("a"))

    assert collected(batch).vectors == 1


def test_an_upload_that_breaks_off_is_repeated(batch: BatchEmbedding, emulator: GeminiEmulator) -> None:
    """The SDK gives up with a ValueError; the upload starts anew."""
    emulator.faults.add(Fault(damage="empty_object"), route="files.start")
    emulator.faults.add(Fault(damage="no_upload_status"), route="files.chunk", times=0)

    batch.submit(nodes_of("a"))

    assert collected(batch).vectors == 1


def test_one_at_a_time(batch: BatchEmbedding, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one process works on the journal another is told to wait, and works afterwards."""
    monkeypatch.setattr("llama_index_gemini_mm.engine.batch.journal._WAIT_SECONDS", 0.1)
    holder = sqlite3.connect(f"{batch._journal.path}.lock", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(ConfigurationError, match="another process"):
        batch.submit(nodes_of("a"))
    holder.close()

    assert len(batch.submit(nodes_of("a"))) == 1


def test_bad_settings(make: Make, cache: EmbeddingCache, tmp_path: Path) -> None:
    """Vertex, no cache, impossible bounds, a journal that is none: one line each."""
    path = tmp_path / "batches.sqlite3"
    (tmp_path / "text").write_text("not a database, and long enough to be taken for one" * 30, encoding="utf-8")
    with pytest.raises(ConfigurationError, match="Vertex AI has no Batch API"):
        BatchEmbedding(make(vertexai=True, project="p", api_key=None), path, cache)
    with pytest.raises(ConfigurationError, match="cache="):
        BatchEmbedding(make(), path)
    for bounds in ({"max_job_bytes": 0}, {"max_job_bytes": 2**40}, {"max_job_requests": 0}, {"max_enqueued_tokens": 9}):
        with pytest.raises(ConfigurationError, match=next(iter(bounds))):
            BatchEmbedding(make(), path, cache, **bounds)
    with pytest.raises(ConfigurationError, match="journal"):
        BatchEmbedding(make(), tmp_path / "text", cache)


def test_other_dimensions_and_a_client_of_ones_own(
    make: Make, cache: EmbeddingCache, emulator: GeminiEmulator, tmp_path: Path
) -> None:
    """Jobs of several dimensions share a journal; a given client is used and stays open; the cache may be a path."""
    from llama_index_gemini_mm.engine.transport import Address, connect

    client = connect(Address("developer", api_key="k", base_url=emulator.base_url))
    path = tmp_path / "batches.sqlite3"
    with BatchEmbedding(make(client=client, output_dimensionality=128), path, tmp_path / "embeddings.sqlite3") as batch:
        batch.submit(nodes_of("a"))
    with BatchEmbedding(make(embedding_cache=cache.path), path) as batch:
        [job] = batch.submit(nodes_of("a"))
        report = collected(batch)

    assert job.dimension == 256
    assert sorted(each.dimension for each in report.jobs) == [128, 256]
    assert report.vectors == 2
    assert client.models.get(model="gemini-embedding-2").name == "models/gemini-embedding-2"


def test_no_secret_is_written(batch: BatchEmbedding, tmp_path: Path) -> None:
    """The journal holds keys and node ids, no text and no API key."""
    batch.submit([TextNode(text="a secret text", id_="node-1")])

    with sqlite3.connect(tmp_path / "batches.sqlite3") as db:
        dump = json.dumps([str(row) for table in ("jobs", "items") for row in db.execute(f"SELECT * FROM {table}")])
    assert "node-1" in dump
    assert "secret" not in dump
