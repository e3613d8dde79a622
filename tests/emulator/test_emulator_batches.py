"""The Batch API through the real SDK: jobs of both kinds, their states, results, bounds and failures."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import numpy as np
import pytest
from google import genai
from google.genai import errors, types

from emulator_client import MODEL, blob, content, developer_client, embed, error_of
from emulator_samples import plain_png
from llama_index_gemini_mm.emulator import FREE_TIER, Fault, GeminiEmulator, Quota
from llama_index_gemini_mm.emulator.batches import BatchService
from llama_index_gemini_mm.emulator.files import FileStore, utc_now
from llama_index_gemini_mm.emulator.model import StandInModel
from llama_index_gemini_mm.emulator.replies import Refusal

pytestmark = pytest.mark.filterwarnings("ignore:batches.create_embeddings")
SECONDS = 0.05


class SettableClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def emulator() -> Iterator[GeminiEmulator]:
    """One whose jobs are done at once, or nearly."""
    with GeminiEmulator(batch_seconds=SECONDS) as running:
        yield running


def line(key: str, *parts: dict[str, Any], **options: Any) -> bytes:
    """One request of an input file, as the documentation writes it."""
    request = {"output_dimensionality": 256, "content": {"parts": list(parts)}, **options}
    return json.dumps({"key": key, "request": request}).encode() + b"\n"


def upload(client: genai.Client, data: bytes) -> str:
    """Upload an input file."""
    return client.files.upload(file=io.BytesIO(data), config={"mime_type": "jsonl"}).name


def create(client: genai.Client, data: bytes, name: str = "") -> types.BatchJob:
    """A job over an input file of these lines."""
    source = {"file_name": upload(client, data)}
    return client.batches.create_embeddings(model=MODEL, src=source, config={"display_name": name} if name else None)


def ended(client: genai.Client, job: types.BatchJob) -> types.BatchJob:
    """The job at its end."""
    for _ in range(2000):
        job = client.batches.get(name=job.name)
        if job.done:
            return job
        time.sleep(SECONDS / 5)
    raise AssertionError(job.state)


def results(client: genai.Client, job: types.BatchJob) -> list[dict[str, Any]]:
    """The lines of the result file."""
    return [json.loads(each) for each in client.files.download(file=job.dest.file_name).splitlines()]


def texts(count: int) -> bytes:
    return b"".join(line(f"k{n}", {"text": f"text number {n}"}) for n in range(count))


@pytest.mark.parametrize("version", ["v1", "v1beta"])
def test_a_file_of_requests(emulator: GeminiEmulator, version: str) -> None:
    """Every line is answered under its key, in another order, with the vector of an online call."""
    client = developer_client(emulator, api_version=version)
    png = plain_png()
    data = texts(9) + line("picture ü", {"text": "caption"}, blob(png, "image/png"))

    job = ended(client, create(client, data, "ten"))

    assert (job.state.name, job.display_name) == ("JOB_STATE_SUCCEEDED", "ten")
    assert job.dest.file_name == f"files/batch-{job.name.removeprefix('batches/')}"
    assert len(job.name.removeprefix("batches/")) == 36
    lines = results(client, job)
    sent = [*(f"k{n}" for n in range(9)), "picture ü"]
    assert sorted(each["key"] for each in lines) == sorted(sent)
    assert [each["key"] for each in lines] != sent
    by_key = {each["key"]: each["response"]["embedding"]["values"] for each in lines}
    online = embed(client, content("text number 4"), content("caption", (png, "image/png")), output_dimensionality=256)
    assert np.array_equal(by_key["k4"], online[0])
    assert np.array_equal(by_key["picture ü"], online[1])
    assert next(each["response"]["tokenCount"] for each in lines if each["key"] == "k4") == "3"
    order = next(request for request in emulator.requests if request.route == "asyncBatchEmbedContent")
    assert order.path.startswith(f"/{version}/models/")
    assert [each.text for each in order.contents] == [*(f"text number {n}" for n in range(9)), "caption"]
    assert order.contents[9].parts[1].data == png


def test_requests_in_the_body(emulator: GeminiEmulator) -> None:
    """A list of strings is one request each; the answers stand in the job, in order."""
    client = developer_client(emulator)
    source = {"inlined_requests": {"contents": ["a bike", "a boat"], "config": {"output_dimensionality": 256}}}

    job = ended(client, client.batches.create_embeddings(model=MODEL, src=source))

    vectors = [each.response.embedding.values for each in job.dest.inlined_embed_content_responses]
    assert np.array_equal(vectors, embed(client, content("a bike"), content("a boat"), output_dimensionality=256))


def test_states_follow_the_clock() -> None:
    """PENDING for half of the time, RUNNING for the rest, then SUCCEEDED, with counts and times that fit."""
    clock = SettableClock()
    with GeminiEmulator(batch_seconds=100, clock=clock) as emulator:
        client = developer_client(emulator)
        url, headers = f"{emulator.base_url}/v1beta", {"x-goog-api-key": "k"}

        job = create(client, texts(3) + line("bad", {"text": ""}))
        first = httpx.get(f"{url}/{job.name}", headers=headers).json()
        clock.move(seconds=60)
        running = client.batches.get(name=job.name)
        clock.move(seconds=60)
        last = httpx.get(f"{url}/{job.name}", headers=headers).json()

    assert job.state.name == "JOB_STATE_PENDING"
    assert first["metadata"]["batchStats"] == {"requestCount": "4", "pendingRequestCount": "4"}
    assert "done" not in first
    assert running.state.name == "JOB_STATE_RUNNING"
    assert running.dest is None
    assert last["done"] is True
    assert last["metadata"]["batchStats"] == {
        "requestCount": "4",
        "successfulRequestCount": "3",
        "failedRequestCount": "1",
    }
    assert last["metadata"]["endTime"] > last["metadata"]["createTime"]


def test_a_job_expires_after_48_hours() -> None:
    """One that takes longer ends as EXPIRED, without results."""
    clock = SettableClock()
    with GeminiEmulator(batch_seconds=1e6, clock=clock) as emulator:
        client = developer_client(emulator)
        job = create(client, texts(1))
        clock.move(hours=48)

        job = client.batches.get(name=job.name)

    assert (job.state.name, job.dest) == ("JOB_STATE_EXPIRED", None)


def test_requests_fail_one_by_one(emulator: GeminiEmulator) -> None:
    """Empty text, a field nobody knows, a broken picture, a wrong dimension, an unknown file: their lines say so."""
    client = developer_client(emulator)
    uri = f"{emulator.base_url}/v1beta/files/nowhere"
    data = b"".join(
        [
            line("good", {"text": "good"}),
            line("empty", {"text": ""}),
            line("field", {"text": "x"}, colour="red"),
            line("picture", blob(b"no picture", "image/png")),
            line("dimension", {"text": "x"}, output_dimensionality=4),
            line("file", {"file_data": {"file_uri": uri, "mime_type": "image/png"}}),
            line("kind", blob(b"RIFF", "video/wav")),
        ]
    )

    job = ended(client, create(client, data))

    assert job.state.name == "JOB_STATE_SUCCEEDED"
    by_key = {each["key"]: each for each in results(client, job)}
    assert len(by_key["good"]["response"]["embedding"]["values"]) == 256
    for key in ("empty", "field", "picture", "dimension"):
        assert by_key[key]["error"]["code"] == 3
        assert by_key[key]["error"]["message"]
    assert by_key["file"]["error"]["code"] == 7
    assert by_key["kind"]["response"]["embedding"] == {}


def test_all_requests_may_fail(emulator: GeminiEmulator) -> None:
    """The job still succeeds; in the SDK such inlined answers stand in another field."""
    client = developer_client(emulator)
    source = {"inlined_requests": {"contents": ["", ""]}}

    inlined = ended(client, client.batches.create_embeddings(model=MODEL, src=source))
    filed = ended(client, create(client, line("a", {"text": ""})))

    assert inlined.state.name == filed.state.name == "JOB_STATE_SUCCEEDED"
    assert inlined.dest.inlined_embed_content_responses is None
    assert [each.error.code for each in inlined.dest.inlined_responses] == [3, 3]
    assert [each["error"]["code"] for each in results(client, filed)] == [3]


def test_list_cancel_and_delete() -> None:
    """Lists page, newest first; a job that has ended cannot be cancelled; a deleted one is gone."""
    with GeminiEmulator(batch_seconds=2.0) as emulator:
        client = developer_client(emulator)
        jobs = [create(client, texts(1), f"job {n}") for n in range(3)]

        listed = list(client.batches.list(config={"page_size": 2}))
        client.batches.cancel(name=jobs[2].name)
        cancelled = client.batches.get(name=jobs[2].name)
        with pytest.raises(errors.ClientError) as late:
            client.batches.cancel(name=ended(client, jobs[0]).name)
        client.batches.delete(name=jobs[1].name)
        with pytest.raises(errors.ClientError) as gone:
            client.batches.get(name=jobs[1].name)

    assert [job.display_name for job in listed] == ["job 2", "job 1", "job 0"]
    assert sum(request.route == "batches.list" for request in emulator.requests) == 2
    assert (cancelled.state.name, cancelled.done) == ("JOB_STATE_CANCELLED", True)
    assert (late.value.code, late.value.status) == (400, "FAILED_PRECONDITION")
    assert (gone.value.code, gone.value.status) == (404, "NOT_FOUND")


def test_result_files(emulator: GeminiEmulator) -> None:
    """They can be read and downloaded; their ids are longer than what may be deleted; uploads cannot be downloaded."""
    client = developer_client(emulator)
    name = upload(client, texts(1))
    job = ended(client, client.batches.create_embeddings(model=MODEL, src={"file_name": name}))

    shown = client.files.get(name=job.dest.file_name)
    with pytest.raises(errors.ClientError) as uploaded:
        client.files.download(file=name)
    with pytest.raises(errors.ClientError) as deleted:
        client.files.delete(name=job.dest.file_name)
    client.files.delete(name=name)

    assert (shown.source.name, shown.size_bytes) == ("GENERATED", len(client.files.download(file=shown.name)))
    assert shown.download_uri.endswith(":download?alt=media")
    assert (uploaded.value.code, deleted.value.code) == (400, 400)
    with pytest.raises(errors.ClientError):
        client.files.get(name=name)


def test_input_files_are_ready_at_once() -> None:
    """JSONL needs no processing, whatever other files do."""
    with GeminiEmulator(file_processing_seconds=60) as emulator:
        client = developer_client(emulator)
        file = client.files.upload(file=io.BytesIO(texts(1)), config={"mime_type": "jsonl"})
        assert file.state.name == "ACTIVE"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        {},
        {"batch": {"inputConfig": {}}},
        {"batch": {"inputConfig": {"requests": {"requests": []}}}},
        {"batch": {"inputConfig": {"requests": {"requests": [{"request": {"content": {"colour": 1}}}]}}}},
        {"batch": {"inputConfig": {"requests": {"requests": [{"prompt": "x"}]}}}},
        {"batch": {"inputConfig": {"requests": {"requests": [1]}, "file_name": "files/a"}}},
        {"batch": {"inputConfig": {"fileName": 7}}},
        {"batch": {"displayName": 7, "inputConfig": {"fileName": "files/a"}}},
        {"batch": {"inputConfig": {"fileName": "files/a"}, "colour": "red"}},
    ],
)
def test_malformed_orders(post: Any, body: Any) -> None:
    """400, and no job."""
    assert error_of(post("asyncBatchEmbedContent", body)) == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize("data", [b"\n", b"{]\n", b'["x"]\n', b'{"key": "a"}\n', texts(1) + b"nonsense\n"])
def test_malformed_input_files(emulator: GeminiEmulator, data: bytes) -> None:
    """400 with the number of the line."""
    client = developer_client(emulator)
    with pytest.raises(errors.ClientError) as caught:
        create(client, data)
    assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")
    assert list(client.batches.list()) == []


def test_unknown_files_and_models(post: Any) -> None:
    """403 as for any file that is not there, 404 for the model."""
    body = {"batch": {"inputConfig": {"fileName": "files/nowhere"}}}

    assert error_of(post("asyncBatchEmbedContent", body)) == (403, "PERMISSION_DENIED")
    assert error_of(post("asyncBatchEmbedContent", body, model="gemini-0")) == (404, "NOT_FOUND")


def test_bounds_of_size(emulator: GeminiEmulator, post: Any) -> None:
    """20 MB in the body, and a bound on input files."""
    entry = {"request": {"content": {"parts": [{"text": "x" * (21 * 2**20)}]}}}
    files = FileStore(0, utc_now)
    upload_id = files.begin({"name": "files/a"}, "jsonl", None, "http://x")
    files.append(upload_id, 0, texts(1), final=True)
    service = BatchService(StandInModel(0, files.resolve), files, Quota(), 0, utc_now, max_file_bytes=10)

    answer = post("asyncBatchEmbedContent", {"batch": {"inputConfig": {"requests": {"requests": [entry]}}}})
    with pytest.raises(Refusal) as caught:
        service.entries({"batch": {"input_config": {"file_name": "files/a"}}})

    assert error_of(answer) == (400, "INVALID_ARGUMENT")
    assert caught.value.code == 400


def test_quotas() -> None:
    """Enqueued tokens are bounded until jobs end; the free tier has no Batch API; minutes and days do not count."""
    clock = SettableClock()
    quota = Quota(requests_per_minute=1, requests_per_day=1, enqueued_tokens=10)
    with GeminiEmulator(batch_seconds=10, clock=clock, quota=quota) as emulator:
        client = developer_client(emulator)
        create(client, texts(3))
        with pytest.raises(errors.ClientError) as full:
            create(client, texts(1))
        clock.move(seconds=10)
        later = create(client, texts(3))
    with GeminiEmulator(quota=FREE_TIER) as emulator, pytest.raises(errors.ClientError) as free:
        create(developer_client(emulator), texts(1))

    assert later.state.name == "JOB_STATE_PENDING"
    for caught in (full, free):
        assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")
        assert [detail["@type"] for detail in caught.value.details["error"]["details"]] == [
            "type.googleapis.com/google.rpc.Help"
        ]


def test_broken_items_cost_no_quota() -> None:
    """What cannot be read has no tokens."""
    with GeminiEmulator(quota=Quota(enqueued_tokens=5)) as emulator:
        job = create(developer_client(emulator), texts(1) + line("bad", blob(b"no picture", "image/png")))
        assert job.state.name == "JOB_STATE_PENDING"


@pytest.mark.parametrize("outcome", ["FAILED", "CANCELLED", "EXPIRED"])
def test_scripted_ends(emulator: GeminiEmulator, outcome: Any) -> None:
    """A script says how a job ends; a failed one has an error beside its metadata."""
    client = developer_client(emulator)
    emulator.faults.add(Fault(outcome=outcome), route="asyncBatchEmbedContent")

    job = ended(client, create(client, texts(1)))

    assert (job.state.name, job.dest) == (f"JOB_STATE_{outcome}", None)
    shown = httpx.get(f"{emulator.base_url}/v1/{job.name}", headers={"x-goog-api-key": "k"}).json()
    assert ("error" in shown) == (outcome == "FAILED")


@pytest.mark.parametrize(
    ("route", "call"),
    [
        ("asyncBatchEmbedContent", lambda client, job: create(client, texts(1))),
        ("batches.get", lambda client, job: client.batches.get(name=job.name)),
        ("batches.list", lambda client, job: client.batches.list()),
        ("batches.cancel", lambda client, job: client.batches.cancel(name=job.name)),
        ("batches.delete", lambda client, job: client.batches.delete(name=job.name)),
        ("files.download", lambda client, job: client.files.download(file="files/batch-x")),
    ],
)
def test_faults_strike_every_route(emulator: GeminiEmulator, route: str, call: Any) -> None:
    """Each can be made to fail by its name."""
    client = developer_client(emulator)
    job = create(client, texts(1))
    emulator.faults.add(Fault(status=503), route=route)

    with pytest.raises(errors.ServerError) as caught:
        call(client, job)

    assert caught.value.code == 503


def test_a_lost_reply(emulator: GeminiEmulator) -> None:
    """The connection drops although the job was made."""
    client = developer_client(emulator)
    name = upload(client, texts(1))
    url = f"{emulator.base_url}/v1beta/models/{MODEL}:asyncBatchEmbedContent"
    emulator.faults.add(Fault(damage="lost_reply"), route="asyncBatchEmbedContent")

    with pytest.raises(httpx.TransportError):
        httpx.post(
            url,
            json={"batch": {"displayName": "lost", "inputConfig": {"fileName": name}}},
            headers={"x-goog-api-key": "k"},
        )

    assert [job.display_name for job in client.batches.list()] == ["lost"]


@pytest.mark.parametrize(
    "damage", ["too_few", "too_many", "nan", "nan_text", "no_values", "wrong_dimension", "cut_json"]
)
def test_damaged_results(emulator: GeminiEmulator, damage: Any) -> None:
    """Result files are spoilt like answers: one line less or more, the first vector, or the end cut off."""
    client = developer_client(emulator)
    job = ended(client, create(client, texts(4)))
    good = client.files.download(file=job.dest.file_name)
    emulator.faults.add(Fault(damage=damage), route="files.download")

    spoilt = client.files.download(file=job.dest.file_name)

    count = {"too_few": 3, "too_many": 5}.get(damage, 4)
    if damage == "cut_json":
        assert spoilt == good[: len(good) // 2]
        return
    assert len(spoilt.splitlines()) == count
    first = json.loads(spoilt.splitlines()[0])["response"]["embedding"]
    whole = json.loads(good.splitlines()[0])["response"]["embedding"]
    assert (first == whole) == (damage in ("too_few", "too_many"))


def test_vertex_has_no_batches(emulator: GeminiEmulator) -> None:
    """The paths do not exist there."""
    url = f"{emulator.base_url}/v1beta1/projects/p/locations/us/publishers/google/models/{MODEL}"

    answer = httpx.post(f"{url}:asyncBatchEmbedContent", json={}, headers={"Authorization": "Bearer t"})

    assert answer.status_code == 404
