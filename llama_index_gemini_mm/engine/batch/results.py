"""Results of batch jobs, joined by key into the cache, and a report of everything that came out otherwise."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from llama_index_gemini_mm.engine.batch.jobs import BatchJobs
from llama_index_gemini_mm.engine.batch.journal import FAILED, FINAL, LOST, SUCCEEDED, BatchJournal, JobStatus
from llama_index_gemini_mm.engine.batch.lines import Result
from llama_index_gemini_mm.engine.cache import EmbeddingCache
from llama_index_gemini_mm.engine.items import Vector
from llama_index_gemini_mm.engine.keys import Key
from llama_index_gemini_mm.errors import ApiError, BadReply

_GROUP = 256
"""Vectors written at once."""
_NOT_FOUND = 404
_GONE_CODES = (403, _NOT_FOUND)
"""For a file that has expired the service says that we may not read it."""
_UNANSWERED = "the results hold no answer to this request"
_REMEDIES = {
    FAILED: "the job failed as a whole; submit its nodes again, or embed them without a batch",
    "cancelled": "the job was cancelled; submit its nodes again if they are still wanted",
    "expired": "the job was not done within 48 hours; submit its nodes again, in smaller jobs",
    LOST: "the job, its requests or its results are gone; submit its nodes again",
}
_TRY_AGAIN = "its results could not be read in full and are kept; collect again"


@dataclass(frozen=True)
class FailedItem:
    """A request without a vector: the nodes that waited for it, and why."""

    node_ids: tuple[str, ...]
    job_id: str
    reason: str


@dataclass(frozen=True)
class JobProblem:
    """A job that did not give what was asked: what to do about it, and the nodes that are left without a vector."""

    job: JobStatus
    remedy: str
    node_ids: tuple[str, ...]


@dataclass
class CollectReport:
    """What a collection brought.

    Attributes:
        jobs: the jobs it closed.
        vectors: how many went into the cache.
        tokens: what the service counted for them.
        failed: requests that failed one by one.
        problems: jobs that failed as a whole, or whose results could not be read.
        unfinished: jobs that are still on their way.
    """

    jobs: list[JobStatus] = field(default_factory=list)
    vectors: int = 0
    tokens: int = 0
    failed: list[FailedItem] = field(default_factory=list)
    problems: list[JobProblem] = field(default_factory=list)
    unfinished: int = 0


class Collector:
    """Collects what has ended. Use it while the journal is held exclusively.

    Args:
        journal: what is known of the jobs.
        jobs: the service.
        cache: where vectors go.
    """

    def __init__(self, journal: BatchJournal, jobs: BatchJobs, cache: EmbeddingCache) -> None:
        self._journal = journal
        self._jobs = jobs
        self._cache = cache

    def collect(self) -> CollectReport:
        """Collect every job that has ended. One whose results cannot be read does not stop the others."""
        report = CollectReport()
        for job in self._journal.open():
            if job.state not in FINAL:
                report.unfinished += 1
                continue
            items = self._journal.items(job.id)
            try:
                self._close(*self._outcome(job, items, report), items, report)
            except BadReply as error:
                report.problems.append(JobProblem(replace(job, reason=str(error)), _TRY_AGAIN, _nodes(items, items)))
        return report

    def _outcome(
        self, job: JobStatus, items: dict[Key, list[str]], report: CollectReport
    ) -> tuple[JobStatus, dict[Key, str]]:
        """The job, lost if its results are, and the reasons of the requests without a vector."""
        unanswered = dict.fromkeys(items, _UNANSWERED)
        if not job.result_file:
            return job, unanswered
        try:
            return job, self._read(job, unanswered, report)
        except ApiError as error:
            if error.code not in _GONE_CODES or not self._is_gone(job):
                raise
            return replace(job, state=LOST), unanswered

    def _is_gone(self, job: JobStatus) -> bool:
        """Whether it is the results that are gone, and not the key that is wrong: the latter raises here too."""
        try:
            self._jobs.get(job.name)
        except ApiError as error:
            return error.code == _NOT_FOUND
        return True

    def _read(self, job: JobStatus, unanswered: dict[Key, str], report: CollectReport) -> dict[Key, str]:
        """Put the vectors of a job into the cache; the requests without one, and why."""
        reasons = dict(unanswered)
        group: list[tuple[Key, Vector]] = []
        for result in self._jobs.results(job.result_file, job.dimension):
            if result.key in reasons:
                _take(result, reasons, group, report)
            if len(group) >= _GROUP:
                self._cache.put_many(group)
                group.clear()
        self._cache.put_many(group)
        return reasons

    def _close(
        self, job: JobStatus, reasons: dict[Key, str], items: dict[Key, list[str]], report: CollectReport
    ) -> None:
        """Note that a job is done with, and delete its files on the service."""
        closed = replace(job, collected=True, succeeded=len(items) - len(reasons), failed=len(reasons))
        report.jobs.append(self._journal.put(closed))
        if job.state == SUCCEEDED:
            report.failed += [FailedItem(tuple(items[key]), job.id, reason) for key, reason in reasons.items()]
        else:
            report.problems.append(JobProblem(closed, _REMEDIES[job.state], _nodes(items, reasons)))
        for name in filter(None, (job.result_file, job.input_file)):
            self._jobs.delete_file(name)


def _take(result: Result, reasons: dict[Key, str], group: list[tuple[Key, Vector]], report: CollectReport) -> None:
    """Sort one result in; the first good one for a key counts."""
    if result.vector is None:
        reasons[result.key] = result.reason
        return
    del reasons[result.key]
    group.append((result.key, result.vector))
    report.vectors += 1
    report.tokens += result.tokens


def _nodes(items: dict[Key, list[str]], keys: dict[Key, str] | dict[Key, list[str]]) -> tuple[str, ...]:
    return tuple(node_id for key in keys for node_id in items[key])
