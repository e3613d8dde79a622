"""BatchQueue: jobs on their way, each step in the journal before it is taken and after.

A job found half sent is looked up on the service by its display name, so that a crash neither loses nor repeats it.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from llama_index_gemini_mm.engine.batch.jobs import BatchJobs, RemoteJob, is_doubtful
from llama_index_gemini_mm.engine.batch.journal import FAILED, FINAL, LOST, SENDING, WAITING, BatchJournal, JobStatus
from llama_index_gemini_mm.errors import ApiError, InvalidRequest

log = logging.getLogger(__name__)

_NOT_FOUND = 404
_TOO_MANY = 429


def display_name_of(job: JobStatus) -> str:
    """What a job is called on the service: a name nobody else uses."""
    return f"gemini-mm-{job.id}"


class BatchQueue:
    """Use it while the journal is held exclusively.

    Args:
        journal: what is known of the jobs.
        jobs: the service.
        max_enqueued_tokens: tokens that all jobs under way may have together; what is above waits on disk.
    """

    def __init__(self, journal: BatchJournal, jobs: BatchJobs, max_enqueued_tokens: int) -> None:
        self._journal = journal
        self._jobs = jobs
        self._max_tokens = max_enqueued_tokens

    def recover(self) -> None:
        """Find out what became of jobs that were being sent when a process ended."""
        doubtful = {display_name_of(job): job for job in self._journal.open() if job.state == SENDING}
        if doubtful:
            found = self._jobs.find(doubtful)
            for name, job in doubtful.items():
                if name in found:
                    self._confirm(job, found[name])
                else:
                    self._set_back(job, "")
        self._journal.tidy()

    def refresh(self) -> None:
        """Ask how the jobs stand that have not ended."""
        for job in self._journal.open():
            if job.name and job.state not in FINAL:
                try:
                    remote = self._jobs.get(job.name)
                except ApiError as error:
                    if error.code != _NOT_FOUND:
                        raise
                    self._journal.put(replace(job, state=LOST, reason="the service does not know it"))
                else:
                    self._confirm(job, remote)

    def send_waiting(self) -> None:
        """Send jobs, oldest first, as long as there is room.

        Raises:
            ApiError: the service refuses them, and no other job's end could change that. They keep waiting.
        """
        for job in self._journal.open():
            if job.state != WAITING:
                continue
            busy = sum(other.tokens for other in self._journal.open() if _is_enqueued(other))
            if busy and busy + job.tokens > self._max_tokens:
                return
            if not self._sent(job, others=busy > 0):
                return

    def cancel(self, job: JobStatus) -> JobStatus:
        """End a job; one that was sent may still come to its end by itself."""
        if job.state in FINAL:
            return job
        if not job.name:
            return self._journal.put(replace(job, state="cancelled"))
        self._jobs.cancel(job.name)
        return self._confirm(job, self._jobs.get(job.name))

    def _sent(self, job: JobStatus, *, others: bool) -> bool:
        """Send one job, and say whether there may be room for more."""
        lines = self._journal.lines_of(job.id)
        if not lines.is_file():
            self._journal.put(replace(job, state=LOST, reason="its requests are no longer on disk"))
            return True
        name = display_name_of(job)
        job = self._journal.put(replace(job, input_file=self._jobs.upload(lines, name), state=SENDING, reason=""))
        try:
            self._confirm(job, self._jobs.create(job.model, name, job.input_file))
        except InvalidRequest as error:
            self._journal.put(replace(job, state=FAILED, reason=str(error)))
        except ApiError as error:
            if is_doubtful(error):
                raise  # it stays as being sent, and is looked for next time
            self._set_back(job, str(error))
            if error.code != _TOO_MANY or not others:
                raise
            log.info("no room for batch job %s yet", job.id)
            return False
        lines.unlink()
        return True

    def _confirm(self, job: JobStatus, remote: RemoteJob) -> JobStatus:
        return self._journal.put(
            replace(job, name=remote.name, state=remote.state, result_file=remote.result_file or "", reason="")
        )

    def _set_back(self, job: JobStatus, reason: str) -> None:
        """Let a job wait again; it is uploaded anew, for uploads expire."""
        self._journal.put(replace(job, state=WAITING, input_file="", reason=reason))
        if job.input_file:
            self._jobs.delete_file(job.input_file)


def _is_enqueued(job: JobStatus) -> bool:
    return job.state != WAITING and job.state not in FINAL
