"""The Batch API: jobs that are taken now and done later, at their own quota.

A job is PENDING for the first half of its time and RUNNING for the second. It is worked off when somebody first looks
at it after that, so that no thread of its own is needed.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from llama_index_gemini_mm.emulator.batch_wire import BatchEntry, file_entries, inlined_entries, parse_order
from llama_index_gemini_mm.emulator.faults import Outcome
from llama_index_gemini_mm.emulator.files import Clock, FileStore, stamp
from llama_index_gemini_mm.emulator.model import StandInModel
from llama_index_gemini_mm.emulator.quotas import Quota
from llama_index_gemini_mm.emulator.replies import JsonObject, Refusal, batch_quota_exceeded, invalid
from llama_index_gemini_mm.emulator.service import Answer, Call, json_answer, page_asked
from llama_index_gemini_mm.emulator.vectors import json_numbers
from llama_index_gemini_mm.emulator.wire import check
from llama_index_gemini_mm.limits import BATCH_EXPIRES_HOURS, BATCH_INLINE_BYTES, DEVELOPER_API, FILES_MAX_BYTES, MODEL

State = Literal["PENDING", "RUNNING", "SUCCEEDED"] | Outcome

_ENDED: frozenset[State] = frozenset({"SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED"})
_TYPE = "type.googleapis.com/google.ai.generativelanguage.v1main.EmbedContentBatch"
_RPC_CODES = {400: 3, 403: 7, 404: 5}
_UNKNOWN_CODE = 2


@dataclass
class _Job:
    """One job. ``ended`` is its final state once that is settled, ``lines`` its results in order if it was inlined."""

    id: str
    display_name: str
    entries: Sequence[BatchEntry]
    inlined: bool
    tokens: int
    outcome: Outcome | None
    base_url: str
    created: datetime
    ended: State | None = None
    ended_at: datetime | None = None
    lines: list[bytes] = field(default_factory=list)
    failed: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def name(self) -> str:
        return f"batches/{self.id}"

    @property
    def result_file(self) -> str:
        return f"files/batch-{self.id}"


class BatchService:
    """What the routes of the Batch API answer.

    Args:
        model: what embeds.
        files: where input files are and result files go.
        quota: whether there is a Batch API, and how many tokens may be enqueued.
        seconds: how long a job takes; one that would take more than 48 hours expires then.
        clock: the time, as an aware datetime.
        max_file_bytes: the bound on an input file.
    """

    def __init__(
        self,
        model: StandInModel,
        files: FileStore,
        quota: Quota,
        seconds: float,
        clock: Clock,
        max_file_bytes: int = FILES_MAX_BYTES,
    ) -> None:
        self._model = model
        self._files = files
        self._quota = quota
        self._duration = timedelta(seconds=seconds)
        self._clock = clock
        self._max_file_bytes = max_file_bytes
        self._jobs: dict[str, _Job] = {}
        self._lock = threading.Lock()

    def entries(self, body: Any) -> list[BatchEntry]:
        """The requests that a body orders, from itself or its input file.

        Raises:
            Refusal: 400 for a malformed body or file, 403 for an unknown file.
        """
        order = parse_order(body)
        if order.file_name is None:
            return inlined_entries(order)
        data = self._files.get(order.file_name).data
        if len(data) > self._max_file_bytes:
            raise invalid(f"The input file exceeds the limit: {self._max_file_bytes} bytes.")
        return file_entries(data)

    def create(self, call: Call) -> Answer:
        """``asyncBatchEmbedContent``."""
        order = parse_order(call.body)
        inlined = order.file_name is None
        if inlined and len(call.raw) > BATCH_INLINE_BYTES:
            raise invalid(f"Request payload size exceeds the limit: {BATCH_INLINE_BYTES} bytes.")
        if not self._quota.batch:
            raise batch_quota_exceeded()
        entries = [entry for entry in call.requests if isinstance(entry, BatchEntry)]
        job = _Job(
            id=secrets.token_hex(18),
            display_name=order.display_name,
            entries=entries,
            inlined=inlined,
            tokens=0 if self._quota.enqueued_tokens is None else sum(map(self._tokens, entries)),
            outcome=call.outcome,
            base_url=f"{call.origin}/{call.path['version']}",
            created=self._clock(),
        )
        self._enqueue(job)
        return json_answer(self._json(job))

    def get(self, call: Call) -> Answer:
        """``batches.get``."""
        return json_answer(self._json(self._job(call)))

    def list(self, call: Call) -> Answer:
        """``batches.list``, by pages, newest first."""
        start, size = page_asked(call)
        with self._lock:
            jobs = list(reversed(self._jobs.values()))
        shown: JsonObject = {"operations": [self._json(job) for job in jobs[start : start + size]]}
        end = start + size
        return json_answer({**shown, "nextPageToken": str(end)} if end < len(jobs) else shown)

    def cancel(self, call: Call) -> Answer:
        """``batches.cancel``."""
        job = self._job(call)
        if self._state(job) in _ENDED:
            raise Refusal(400, f"{job.name} has ended already.", status="FAILED_PRECONDITION")
        self._end(job, "CANCELLED")
        return Answer()

    def delete(self, call: Call) -> Answer:
        """``batches.delete``: the job is forgotten, its result file stays until it expires."""
        job = self._job(call)
        with self._lock:
            self._jobs.pop(job.id, None)
        return Answer()

    def _job(self, call: Call) -> _Job:
        with self._lock:
            job = self._jobs.get(call.path["batch"])
        if job is None:
            raise Refusal(404, "Requested entity was not found.")
        return job

    def _enqueue(self, job: _Job) -> None:
        bound = self._quota.enqueued_tokens
        with self._lock:
            waiting = sum(other.tokens for other in self._jobs.values() if self._state(other) not in _ENDED)
            if bound is not None and waiting + job.tokens > bound:
                raise batch_quota_exceeded()
            self._jobs[job.id] = job

    def _tokens(self, entry: BatchEntry) -> int:
        try:
            return self._model.count(entry.content.parts, DEVELOPER_API).total()
        except Refusal:
            return 0

    def _state(self, job: _Job) -> State:
        """Where the job is by the clock; it may still have to be worked off."""
        if job.ended is not None:
            return job.ended
        age, longest = self._clock() - job.created, timedelta(hours=BATCH_EXPIRES_HOURS)
        if age >= min(self._duration, longest):
            return "EXPIRED" if self._duration > longest else job.outcome or "SUCCEEDED"
        return "PENDING" if age < self._duration / 2 else "RUNNING"

    def _settled(self, job: _Job) -> State:
        """The job's state, after the work that its end calls for."""
        with job.lock:
            state = self._state(job)
            if state in _ENDED and job.ended is None:
                if state == "SUCCEEDED":
                    self._work(job)
                self._end(job, state)
            return state

    def _end(self, job: _Job, state: State) -> None:
        job.ended_at, job.ended = self._clock(), state

    def _work(self, job: _Job) -> None:
        lines = [self._result(entry) for entry in job.entries]
        job.failed = sum(line.startswith(b'{"error"') for line in lines)
        if job.inlined:
            job.lines = lines
        else:
            self._files.generate(job.result_file, b"".join(_shuffled(lines)), job.base_url)

    def _result(self, entry: BatchEntry) -> bytes:
        """One line of the result: a vector or an error, and the key."""
        try:
            if entry.refusal is not None:
                raise entry.refusal
            check([entry], DEVELOPER_API, model=MODEL, batch=False)
            embedded = self._model.embed(entry, DEVELOPER_API)
        except Refusal as refusal:
            error = {"code": _RPC_CODES.get(refusal.code, _UNKNOWN_CODE), "message": refusal.message}
            return b'{"error": ' + json.dumps(error).encode() + _key(entry)
        values = b"" if embedded.vector is None else b'"values": ' + json_numbers(embedded.vector)
        count = str(embedded.tokens.total()).encode()
        return b'{"response": {"tokenCount": "' + count + b'", "embedding": {' + values + b"}}" + _key(entry)

    def _json(self, job: _Job) -> JsonObject:
        """The operation, with everything clients read under ``metadata``."""
        state = self._settled(job)
        metadata: JsonObject = {
            "@type": _TYPE,
            "model": f"models/{MODEL}",
            "displayName": job.display_name,
            "state": f"BATCH_STATE_{state}",
            "createTime": stamp(job.created),
            "updateTime": stamp(job.ended_at or job.created),
            "batchStats": _stats(job, state),
            "name": job.name,
        }
        if job.ended_at is not None:
            metadata["endTime"] = stamp(job.ended_at)
        if state == "SUCCEEDED":
            metadata["output"] = _output(job)
        shown: JsonObject = {"name": job.name, "metadata": metadata}
        if state == "FAILED":
            shown["error"] = {"code": 13, "message": "The batch job failed."}
        return {**shown, "done": True} if state in _ENDED else shown


def _output(job: _Job) -> JsonObject:
    if job.inlined:
        return {"inlinedResponses": {"inlinedResponses": [_inlined(line) for line in job.lines]}}
    return {"responsesFile": job.result_file}


def _inlined(line: bytes) -> JsonObject:
    result: JsonObject = json.loads(line)
    key = result.pop("key", None)
    return result if key is None else {**result, "metadata": {"key": key}}


def _stats(job: _Job, state: State) -> JsonObject:
    """Counts as strings, those that are 0 left out, as in proto-JSON."""
    total = len(job.entries)
    counts = {"requestCount": total}
    if state == "SUCCEEDED":
        counts |= {"successfulRequestCount": total - job.failed, "failedRequestCount": job.failed}
    elif state not in _ENDED:
        counts["pendingRequestCount"] = total
    return {name: str(count) for name, count in counts.items() if count}


def _key(entry: BatchEntry) -> bytes:
    return b"}\n" if entry.key is None else b', "key": ' + json.dumps(entry.key).encode() + b"}\n"


def _shuffled(lines: Sequence[bytes]) -> list[bytes]:
    """In an order that means nothing and is the same each time, and not the order of the requests."""
    mixed = sorted(lines, key=lambda line: hashlib.sha256(line).digest())
    return mixed if mixed != list(lines) else mixed[::-1]
