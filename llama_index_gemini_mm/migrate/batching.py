"""The vectors of a migration through the Batch API: what is known comes from the cache, the rest goes into jobs."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from llama_index.core.schema import BaseNode

from llama_index_gemini_mm.batch import JOURNAL_FILE, BatchEmbedding
from llama_index_gemini_mm.calls import SkippedItem
from llama_index_gemini_mm.closing import Closing
from llama_index_gemini_mm.embedding import GeminiMultimodalEmbedding
from llama_index_gemini_mm.engine import EmbeddingCache
from llama_index_gemini_mm.engine.batch.journal import FINAL
from llama_index_gemini_mm.errors import (
    ONE_INPUTS_FAULT,
    GeminiMMError,
)


class BatchedNodes(Closing):
    """Gives nodes their vectors from the cache, and submits the others once.

    Args:
        model: the model; its cache's folder holds the journal of jobs, as for ``gemini-mm batch``.
        cache: the cache's file.
    """

    def __init__(self, model: GeminiMultimodalEmbedding, cache: Path) -> None:
        self._model = model
        self._cache = EmbeddingCache(cache)
        self._jobs = BatchEmbedding(model, cache.parent / JOURNAL_FILE, self._cache)
        self._failed: dict[str, str] = {}
        self.usd = 0.0
        """Estimated price of what was submitted."""

    def collect(self) -> None:
        """Fetch what jobs have brought into the cache."""
        report = self._jobs.collect()
        for failed in report.failed:
            self._failed.update(dict.fromkeys(failed.node_ids, failed.reason))
        for problem in report.problems:
            self._failed.update(dict.fromkeys(problem.node_ids, problem.job.reason or problem.remedy))

    def wait(self, cancelled: threading.Event, poll_seconds: float) -> bool:
        """Stay until all jobs have ended, and collect; ``False`` when that was cancelled."""
        while any(job.state not in FINAL for job in self._jobs.poll()):
            if cancelled.wait(poll_seconds):
                return False
        self.collect()
        return True

    def known(self, nodes: Sequence[BaseNode]) -> tuple[list[BaseNode], list[BaseNode]]:
        """The nodes whose vectors are cached, with them, and the others."""
        keys = [self._model.key_of(self._model.embed_text(node)) for node in nodes]
        vectors = self._cache.get_many(keys, self._model.output_dimensionality)
        ready: list[BaseNode] = []
        for node, vector in zip(nodes, vectors, strict=True):
            if vector is not None:
                node.embedding = vector
                ready.append(node)
        return ready, [node for node, vector in zip(nodes, vectors, strict=True) if vector is None]

    def submit(self, nodes: Sequence[BaseNode], skipped: list[SkippedItem]) -> int:
        """Submit nodes whose vectors are not known; how many are under way now.

        Those that cannot be embedded go into ``skipped``, and so do those of which a job just said so.
        """
        failed = self._failed
        skipped += [SkippedItem(n.node_id, "BatchFailed", failed[n.node_id]) for n in nodes if n.node_id in failed]
        left = [node for node in nodes if node.node_id not in failed]
        while left:
            before = len(self._jobs.skipped)
            try:
                self.usd += sum(job.usd for job in self._jobs.submit(left))
            except ONE_INPUTS_FAULT as error:
                left = _without(left, error, skipped)
                continue
            refused = self._jobs.skipped[before:]
            skipped += refused
            return len(left) - len(refused)
        return 0

    def close(self) -> None:
        """Close the journal and the cache."""
        self._jobs.close()
        self._cache.close()


def _without(nodes: Sequence[BaseNode], error: GeminiMMError, skipped: list[SkippedItem]) -> list[BaseNode]:
    """All but the node that the error is about."""
    if error.node_id is None:
        raise error
    skipped.append(SkippedItem(error.node_id, type(error).__name__, str(error)))
    return [node for node in nodes if node.node_id != error.node_id]
