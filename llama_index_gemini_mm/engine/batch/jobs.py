"""The Batch API through the SDK: half the price, done within a day. Vertex AI has none for embeddings.

lines ─ upload ─▶ create ─▶ get … get ─▶ results, joined by key
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, stop_after_delay
from tenacity import wait_random_exponential as random_exponential

from llama_index_gemini_mm.engine import faults
from llama_index_gemini_mm.engine.batch.lines import Result, parsed, result_of
from llama_index_gemini_mm.engine.items import EmbedItem
from llama_index_gemini_mm.engine.retry import LONGEST_WAIT, Patience
from llama_index_gemini_mm.errors import ApiError, BadReply

if TYPE_CHECKING:
    from google.genai import Client
    from google.genai.types import BatchJob, File

log = logging.getLogger(__name__)

T = TypeVar("T")

ENDED = frozenset({"succeeded", "failed", "cancelled", "expired"})
_OTHER_NAMES = {"queued": "pending", "unspecified": "pending", "partially_succeeded": "succeeded"}
_PAGE_SIZE = 100
_TOO_MANY = 429


@dataclass(frozen=True)
class RemoteJob:
    """A job as the service tells of it; ``state`` is its word in lower case, such as ``pending`` or ``running``."""

    name: str
    display_name: str
    state: str
    result_file: str | None = None


class BatchJobs:
    """Creates and watches jobs. Every method blocks, and raises ``ApiError`` when patience is at its end.

    Args:
        client: the SDK's client; only its synchronous half is used, so any thread may call.
        patience: how long to try.
    """

    def __init__(self, client: Client, patience: Patience) -> None:
        self._client = client
        self._patience = patience

    def upload(self, path: Path, display_name: str) -> str:
        """Upload an input file; its name on the service."""
        file = self._patiently(lambda: self._upload(path, display_name))
        return file.name or ""

    def create(self, model: str, display_name: str, input_file: str) -> RemoteJob:
        """Create a job, and no second one when an answer is lost.

        After an attempt of which nobody knows whether it came through, the service is asked for a job of this
        ``display_name`` before anything is sent again. A refusal for too much enqueued is raised at once.
        """
        in_doubt = False

        def attempt() -> RemoteJob:
            nonlocal in_doubt
            if in_doubt and (found := self._found({display_name})):
                return found[display_name]
            try:
                return self._create(model, display_name, input_file)
            except ApiError as error:
                in_doubt = is_doubtful(error)
                raise

        return self._patiently(attempt, is_doubtful)

    def get(self, name: str) -> RemoteJob:
        """How a job stands."""
        return self._patiently(lambda: self._get(name))

    def find(self, display_names: Collection[str]) -> dict[str, RemoteJob]:
        """The jobs that have one of these display names, by it."""
        return self._patiently(lambda: self._found(display_names))

    def cancel(self, name: str) -> None:
        """Ask for the end of a job."""
        self._patiently(lambda: self._cancel(name))

    def results(self, result_file: str, dimension: int) -> Iterator[Result]:
        """What a result file says, in no order. It may leave out requests, and name keys that nobody knows."""
        for line in self._patiently(lambda: self._lines(result_file)):
            result = result_of(line, dimension)
            if result is not None:
                yield result

    def delete_file(self, name: str) -> None:
        """Delete a file if the service lets us: ids of result files are longer than it accepts here."""
        try:
            with faults.translated():
                self._client.files.delete(name=name)
        except ApiError as error:
            log.info("a file of a batch job was not deleted (%s %s); it expires by itself", error.code, error.status)

    def count_tokens(self, model: str, item: EmbedItem) -> int:
        """The service's own count of an item."""
        return self._patiently(lambda: self._count(model, item))

    def _upload(self, path: Path, display_name: str) -> File:
        from google.genai.types import UploadFileConfig

        config = UploadFileConfig(mime_type="jsonl", display_name=display_name)
        try:
            with faults.translated():
                return self._client.files.upload(file=str(path), config=config)
        except (ValueError, KeyError) as error:
            # The SDK raises these when the server breaks off an upload without saying why.
            raise ApiError(0, "UPLOAD", "the upload was not accepted", retryable=True) from error

    def _create(self, model: str, display_name: str, input_file: str) -> RemoteJob:
        from google.genai.types import CreateEmbeddingsBatchJobConfig, EmbeddingsBatchJobSource

        source = EmbeddingsBatchJobSource(file_name=input_file)
        config = CreateEmbeddingsBatchJobConfig(display_name=display_name)
        with faults.translated(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r"batches\.create_embeddings")
            return _remote(self._client.batches.create_embeddings(model=model, src=source, config=config))

    def _get(self, name: str) -> RemoteJob:
        with faults.translated():
            return _remote(self._client.batches.get(name=name))

    def _found(self, display_names: Collection[str]) -> dict[str, RemoteJob]:
        from google.genai.types import ListBatchJobsConfig

        with faults.translated():
            jobs = map(_remote, self._client.batches.list(config=ListBatchJobsConfig(page_size=_PAGE_SIZE)))
            return {job.display_name: job for job in jobs if job.display_name in display_names}

    def _cancel(self, name: str) -> None:
        with faults.translated():
            self._client.batches.cancel(name=name)

    def _lines(self, result_file: str) -> list[bytes]:
        with faults.translated():
            data = self._client.files.download(file=result_file)
        lines = [line for line in data.split(b"\n") if line.strip()]
        if not lines or parsed(lines[-1]) is None:
            raise BadReply(200, "BAD_REPLY", "a result file that is empty or cut off", retryable=True)
        return lines

    def _count(self, model: str, item: EmbedItem) -> int:
        from google.genai.types import Content
        from google.genai.types import Part as SdkPart

        content = Content(parts=[SdkPart(text=part.text) for part in item.parts])
        with faults.translated():
            reply = self._client.models.count_tokens(model=model, contents=[content])
        return int(reply.total_tokens or 0)

    def _patiently(self, attempt: Callable[[], T], again: Callable[[BaseException], bool] | None = None) -> T:
        """The result of ``attempt``, tried again after errors that ``again`` allows, by default the retryable ones."""
        backoff = random_exponential(multiplier=self._patience.first_wait, max=LONGEST_WAIT)

        def pause(state: RetryCallState) -> float:
            told = faults.advice(state.outcome.exception() if state.outcome else None).wait
            return backoff(state) if told is None else min(told, LONGEST_WAIT)

        attempts = Retrying(
            retry=retry_if_exception(again or _is_retryable),
            stop=stop_after_attempt(self._patience.max_retries + 1) | stop_after_delay(self._patience.deadline),
            wait=pause,
            reraise=True,
        )
        return attempts(attempt)


def is_doubtful(error: BaseException) -> bool:
    """Whether the request behind ``error`` may have been carried out all the same."""
    return _is_retryable(error) and getattr(error, "code", 0) != _TOO_MANY


def _is_retryable(error: BaseException) -> bool:
    return isinstance(error, ApiError) and error.retryable


def _remote(job: BatchJob) -> RemoteJob:
    state = job.state.name.removeprefix("JOB_STATE_").lower() if job.state else "pending"
    return RemoteJob(
        name=job.name or "",
        display_name=job.display_name or "",
        state=_OTHER_NAMES.get(state, state),
        result_file=job.dest.file_name if job.dest else None,
    )
