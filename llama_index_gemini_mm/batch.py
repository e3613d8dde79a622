"""BatchEmbedding: nodes at half the price, within a day. Vectors end in the cache, where embedding finds them.

nodes ─ what is not cached ─ jobs on disk ─ journal ─▶ submit … poll … collect ─ joined by key ─▶ EmbeddingCache
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from llama_index.core.schema import BaseNode

from llama_index_gemini_mm.calls import SkippedItem
from llama_index_gemini_mm.closing import Closing
from llama_index_gemini_mm.embedding import GeminiMultimodalEmbedding
from llama_index_gemini_mm.engine import EmbeddingCache, EmbedItem, Key, Patience
from llama_index_gemini_mm.engine.batch.jobs import BatchJobs
from llama_index_gemini_mm.engine.batch.journal import BatchJournal, JobStatus
from llama_index_gemini_mm.engine.batch.queue import BatchQueue
from llama_index_gemini_mm.engine.batch.results import Collector, CollectReport, FailedItem, JobProblem
from llama_index_gemini_mm.engine.batch.writer import JobBounds, JobWriter
from llama_index_gemini_mm.engine.checks import within_limits
from llama_index_gemini_mm.engine.counting import fitted
from llama_index_gemini_mm.engine.portal import BackgroundLoop
from llama_index_gemini_mm.engine.prefixes import prefixed
from llama_index_gemini_mm.engine.transport import connect
from llama_index_gemini_mm.errors import (
    ONE_INPUTS_FAULT,
    BudgetExceeded,
    ConfigurationError,
    GeminiMMError,
)

if TYPE_CHECKING:
    from google.genai import Client

__all__ = ["JOURNAL_FILE", "BatchEmbedding", "CollectReport", "FailedItem", "JobProblem", "JobStatus"]

JOURNAL_FILE = "batches.sqlite3"
"""Name of the journal in a storage folder."""


class BatchEmbedding(Closing):
    """The asynchronous Batch API of the Gemini Developer API: half the price, vectors within 24 hours.

    Submit nodes, poll now and then, collect; afterwards embedding the same nodes with the same model finds every
    vector in the cache. Any process may go on where another one stopped, or was killed: jobs stand in the journal
    before they are sent, and one whose fate is unknown is looked up on the service before anything is sent again.

    Args:
        embed_model: the model that will want the vectors. Its ``max_cost``, ``on_item_error``, ``truncate`` and
            ``exact_tokens`` hold here too.
        journal: an SQLite file; beside it, in a folder, lie the requests of jobs that were not sent yet.
        cache: where vectors go, or its path; by default the model's ``embedding_cache``.
        max_job_bytes: bound on a job's input file, media in base64 included; the service allows 2 GB.
        max_job_requests: bound on a job's vectors, which are held in memory when they are collected: 2,000 vectors of
            3,072 numbers are 85 MB.
        max_enqueued_tokens: the project's quota of tokens in all jobs under way: 500,000 in tier 1, 5 million in
            tier 2, 10 million in tier 3. Jobs above it wait on disk, and ``poll`` sends them when there is room.

    Raises:
        ConfigurationError: a model on Vertex AI, which has no such API; no cache; impossible bounds.

    Source: https://ai.google.dev/gemini-api/docs/batch-api
    """

    def __init__(
        self,
        embed_model: GeminiMultimodalEmbedding,
        journal: str | Path,
        cache: EmbeddingCache | str | Path | None = None,
        *,
        max_job_bytes: int = JobBounds.max_bytes,
        max_job_requests: int = JobBounds.max_requests,
        max_enqueued_tokens: int = JobBounds.max_tokens,
    ) -> None:
        if embed_model.limits.endpoint == "vertex":
            raise ConfigurationError(
                "Vertex AI has no Batch API for these embeddings; use an API key of the Gemini Developer API, or embed "
                "without a batch"
            )
        place = cache if cache is not None else embed_model.embedding_cache
        if place is None:
            raise ConfigurationError("say where vectors go: cache=, or embedding_cache= of the model")
        self._bounds = JobBounds(max_job_bytes, max_job_requests, max_enqueued_tokens)
        self._model = embed_model
        self._own_cache = not isinstance(place, EmbeddingCache)
        self._cache = place if isinstance(place, EmbeddingCache) else EmbeddingCache(place)
        self._journal = BatchJournal(Path(journal).expanduser().absolute())
        self._client: Client = embed_model.client or connect(embed_model.address())
        self._jobs = BatchJobs(self._client, Patience(embed_model.max_retries, embed_model.deadline))
        self._queue = BatchQueue(self._journal, self._jobs, max_enqueued_tokens)
        self._loop = BackgroundLoop()
        self._usd = 0.0
        self.skipped: list[SkippedItem] = []

    @property
    def embed_model(self) -> GeminiMultimodalEmbedding:
        """The model that will want the vectors."""
        return self._model

    @property
    def jobs(self) -> list[JobStatus]:
        """Every job in the journal, oldest first, as it was when last looked at."""
        return self._journal.jobs()

    def submit(self, nodes: Sequence[BaseNode]) -> list[JobStatus]:
        """Submit nodes as one or more jobs.

        Not submitted are those whose vectors are cached, those that a job under way holds already, and all but one of
        equals. With ``on_item_error="skip"`` nodes that cannot be embedded are left out and listed in ``skipped``.

        Returns:
            The new jobs; none when there is nothing to do. Those in state ``waiting`` are sent by later polls.

        Raises:
            SourceError, MediaMissing, LimitExceeded, InvalidRequest: a node that cannot be embedded, by ``node_id``;
                nothing was submitted.
            BudgetExceeded: the model's ``max_cost`` would be passed; nothing was submitted.
            ApiError: the service could not be reached, or refuses. Jobs stay in the journal, and polling goes on.
        """
        with self._journal.exclusive():
            self._queue.recover()
            planned = self._planned(nodes)
            self._within_budget(sum(job.usd for job, _ in planned))
            self._journal.add(planned)
            self._queue.send_waiting()
            ids = {job.id for job, _ in planned}
            return [job for job in self._journal.jobs() if job.id in ids]

    def poll(self) -> list[JobStatus]:
        """Ask how the jobs stand, and send those that waited for room.

        Returns:
            The jobs that are not collected, oldest first.
        """
        with self._journal.exclusive():
            self._advance()
            return self._journal.open()

    def collect(self) -> CollectReport:
        """Fetch the vectors of all jobs that have ended into the cache.

        Vectors are joined by key, and checked like those of any other reply. What failed is in the report by node id
        and may be submitted again. A job is collected once; its files on the service are deleted where it lets us.
        """
        with self._journal.exclusive():
            self._advance()
            return Collector(self._journal, self._jobs, self._cache).collect()

    def cancel(self, job_id: str) -> JobStatus:
        """End a job by its id; what it had done by then is collected if the service hands it out.

        Raises:
            ConfigurationError: no job of this id.
        """
        with self._journal.exclusive():
            self._queue.recover()
            job = next((job for job in self._journal.open() if job.id == job_id), None)
            if job is None:
                raise ConfigurationError(f"there is no job {job_id} under way; see jobs")
            return self._queue.cancel(job)

    def close(self) -> None:
        """Close the journal, and what else was opened here."""
        self._journal.close()
        self._loop.close()
        if self._own_cache:
            self._cache.close()
        if self._client is not self._model.client:
            self._client.close()

    def _advance(self) -> None:
        self._queue.recover()
        self._queue.refresh()
        self._queue.send_waiting()

    def _planned(self, nodes: Sequence[BaseNode]) -> list[tuple[JobStatus, dict[Key, list[str]]]]:
        """The jobs for what is neither cached nor under way, written to disk and not entered yet."""
        model = self._model
        texts, wanted = self._wanted(nodes)
        held = self._journal.joined(wanted)
        writer = JobWriter(
            self._journal.folder, self._bounds, model.model_name, model.output_dimensionality, model.prices
        )
        try:
            for key, node_ids in wanted.items():
                if key not in held:
                    self._write(writer, key, texts[key], node_ids)
            return writer.finish()
        except BaseException:
            writer.abandon()
            raise

    def _wanted(self, nodes: Sequence[BaseNode]) -> tuple[dict[Key, str], dict[Key, list[str]]]:
        """What is not cached, each once: its text as LlamaIndex hands it over, and the nodes it stands for."""
        texts: dict[Key, str] = {}
        wanted: dict[Key, list[str]] = {}
        for node in nodes:
            try:
                text = self._model.embed_text(node)
            except ONE_INPUTS_FAULT as error:
                self._refuse(error, [node.node_id])
                continue
            key = self._model.key_of(text, "document")
            texts.setdefault(key, text)
            wanted.setdefault(key, []).append(node.node_id)
        keys = list(wanted)
        found = self._cache.get_many(keys, self._model.output_dimensionality)
        return texts, {key: wanted[key] for key, vector in zip(keys, found, strict=True) if vector is None}

    def _write(self, writer: JobWriter, key: Key, text: str, node_ids: list[str]) -> None:
        try:
            item = self._prepared(text)
        except ONE_INPUTS_FAULT as error:
            self._refuse(error, node_ids)
        else:
            writer.add(key, item, node_ids)

    def _prepared(self, text: str) -> EmbedItem:
        """The item for ``text`` exactly as it would be sent without a batch."""
        model = self._model
        item = model.item_of(text, "document")
        within_limits(item, model.limits)
        count = self._count if model.exact_tokens else None
        return self._loop.run(fitted(prefixed(item, model.task), truncate=model.truncate, count=count))

    async def _count(self, item: EmbedItem) -> int:
        return await asyncio.to_thread(self._jobs.count_tokens, self._model.model_name, item)

    def _refuse(self, error: GeminiMMError, node_ids: Sequence[str]) -> None:
        """Leave nodes out, or raise."""
        if self._model.on_item_error != "skip":
            error.node_id = node_ids[0]
            raise error
        self.skipped += [SkippedItem(node_id, type(error).__name__, str(error)) for node_id in node_ids]

    def _within_budget(self, needed: float) -> None:
        limit = self._model.max_cost
        spent = self._model.usage.usd + self._usd
        if limit is not None and needed and spent + needed > limit:
            raise BudgetExceeded(limit, spent, needed)
        self._usd += needed
