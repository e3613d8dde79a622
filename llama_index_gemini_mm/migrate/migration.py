"""Migration: an index of another model or space into a new collection, beside the old one, at any pace.

old index ─ records ─ nodes in our contract ─ what the new collection lacks ─ embed ─ store ─▶ compare ─▶ flip ─▶ drop
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores.utils import node_to_metadata_dict

from llama_index_gemini_mm.calls import SkippedItem, calling
from llama_index_gemini_mm.closing import Closing
from llama_index_gemini_mm.embedding import GeminiMultimodalEmbedding
from llama_index_gemini_mm.engine.cache import CACHE_FILE
from llama_index_gemini_mm.engine.money import Estimate
from llama_index_gemini_mm.errors import ConfigurationError, MediaMissing, SourceError
from llama_index_gemini_mm.limits import Modality
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.migrate.batching import BatchedNodes
from llama_index_gemini_mm.migrate.compare import Comparer, Comparison
from llama_index_gemini_mm.migrate.nodes import NodeAdapter
from llama_index_gemini_mm.migrate.records import Record
from llama_index_gemini_mm.migrate.reports import MigrationPlan, MigrationProgress, MigrationReport
from llama_index_gemini_mm.migrate.sources import OldIndex
from llama_index_gemini_mm.migrate.target import Target
from llama_index_gemini_mm.vector_store import MediaVectorStore
from llama_index_gemini_mm.vector_store.points import NODE_CONTENT, point_id

_GROUP = 512
"""Records that are embedded and stored together: enough to fill the requests under way, little to hold."""
_Group = tuple[int, list[BaseNode]]
"""How many records were read, and the nodes they became."""


class Migration(Closing):
    """One migration. It may be killed at any moment and made anew: the new collection is its journal.

    Each run goes through the old index and embeds what the new collection does not hold in the same form; vectors that
    were paid for are found in the cache. The old index is only read, and stays in use.

    ``run`` may be called from a thread, and ``cancel`` from another one.

    Args:
        source: the old index.
        target: the collection to fill.
        embed_model: the model to fill it with. One without a cache is given one in the target's folder.
        on_progress: called after each group of records.
        resources: what to close at the end besides.
    """

    def __init__(
        self,
        source: OldIndex,
        target: Target,
        embed_model: GeminiMultimodalEmbedding,
        *,
        on_progress: Callable[[MigrationProgress], None] | None = None,
        resources: ExitStack | None = None,
    ) -> None:
        if embed_model.embedding_cache is None:
            embed_model.embedding_cache = target.folder / CACHE_FILE
        self.source, self.target = source, target
        self.on_progress = on_progress
        self._cache: Path = embed_model.embedding_cache
        self._model = embed_model
        former = None if source.media_folder is None else MediaStore(source.media_folder)
        self._adapter = NodeAdapter(embed_model.media_store, embed_model.task, former)
        self._resources = resources or ExitStack()
        self._cancelled = threading.Event()
        self._opened: MediaVectorStore | None = None

    @property
    def store(self) -> MediaVectorStore:
        """The new collection, made when it is first asked for."""
        if self._opened is None:
            self._opened = self.target.open()
        return self._opened

    def plan(self) -> MigrationPlan:
        """What it will take; sends nothing, and makes no collection. Media of nodes are noted in the media store."""
        report = MigrationReport()
        contents = cached = nodes = 0
        tokens: Counter[Modality] = Counter()
        usd = usd_batch = 0.0
        for _, group in self._groups(report):
            nodes += len(group)
            for estimate in self._estimates(group, report):
                contents += estimate.contents
                cached += estimate.cached
                tokens.update(estimate.tokens)
                usd += estimate.usd
                usd_batch += estimate.usd_batch
        return MigrationPlan(
            source=self.source.title,
            collection=self.target.collection,
            records=report.records,
            nodes=nodes,
            contents=contents,
            cached=cached,
            tokens=dict(tokens),
            usd=usd,
            usd_batch=usd_batch,
            split=report.split,
            skipped=tuple(report.skipped),
        )

    def run(self, *, batch: bool = False, wait: bool = False, poll_seconds: float = 30.0) -> MigrationReport:
        """Bring the new collection up to date with the old index.

        Once the old name leads to the new collection nothing is copied any more: it has a life of its own from then on,
        and what was deleted or changed there must not come back.

        Args:
            batch: embed through the Batch API, at half the price and within a day: what is not known is submitted, and
                the report says how many nodes are ``waiting``. Run again later to store them.
            wait: with ``batch``, stay until the jobs have ended.
            poll_seconds: how often to ask then.

        Raises:
            ApiError, BudgetExceeded: the service failed for good, or there is no more money; what was stored stays.
        """
        started, before = time.monotonic(), self._model.usage
        try:
            if self.target.in_place and self.target.live:
                report = self._looked_through()
            else:
                report = self._run_batch(wait, poll_seconds) if batch else self._run_online()
        finally:
            self._cancelled.clear()
        if report.finished and report.stored:
            self.store.optimize()
        spent = self._model.usage - before
        report.embedded, report.tokens = spent.contents, spent.total_tokens
        report.usd = round(report.usd + spent.usd, 6)
        report.seconds = round(time.monotonic() - started, 3)
        return report

    def cancel(self) -> None:
        """Let the run under way, or the next one, end after the group it is at."""
        self._cancelled.set()

    def compare(
        self, *, sample: int = 100, questions: Sequence[str] = (), old_embed_model: BaseEmbedding | None = None
    ) -> Comparison:
        """Ask the old and the new index the same things; see ``compare`` for what the numbers mean.

        Args:
            sample: how many nodes to ask about; always the same ones.
            questions: your own.
            old_embed_model: the model of the old index. Without it the old index is asked by its stored vectors alone.
        """
        return Comparer(self.source, self.store, self._model, old_embed_model).compare(sample, questions)

    def flip(self) -> str:
        """Let the old name lead to the new collection, where names can be moved; says which name leads there now.

        Do it after a run that ``finished``: what is not in the new collection is not found any more.
        """
        return self.target.flip()

    def drop_old(self, report: MigrationReport) -> None:
        """Delete the old index for good.

        Args:
            report: of the last run, which must have been complete.

        Raises:
            ConfigurationError: some of it is not in the new collection, the new one is not in use yet, or the old one
                is not to be deleted from here.
        """
        if not report.complete:
            raise ConfigurationError(
                f"the old index is kept: {report.waiting} nodes wait for batch jobs, {len(report.skipped)} records "
                "could not be migrated and are there alone"
            )
        if not self.target.live:
            raise ConfigurationError("the old index is kept: nothing leads to the new collection yet; flip first")
        if self.target.in_place:
            self.source.close()
            self.target.drop_former()
        else:
            self.source.drop()

    def close(self) -> None:
        """Let go of both indexes and the model."""
        self.source.close()
        if self._opened is not None:
            self.target.release(self._opened)
        self._model.close()
        self._resources.close()

    def _groups(self, report: MigrationReport) -> Iterator[_Group]:
        """All records in groups, as nodes; those that are none go into the report."""
        records = (record for batch in self.source.records() for record in batch)
        while group := list(islice(records, _GROUP)):
            report.records += len(group)
            yield len(group), [node for record in group for node in self._nodes(record, report)]

    def _nodes(self, record: Record, report: MigrationReport) -> list[BaseNode]:
        if record.node is None:
            report.skipped.append(SkippedItem(record.id, "NoNode", record.reason))
            return []
        try:
            nodes = self._adapter.adapted(record.node)
        except (SourceError, MediaMissing) as error:
            report.skipped.append(SkippedItem(record.id, type(error).__name__, str(error)))
            return []
        report.split += len(nodes) > 1
        return nodes

    def _estimates(self, group: list[BaseNode], report: MigrationReport) -> Iterator[Estimate]:
        """The price of a group, or of its nodes one by one when one of them cannot be weighed."""
        try:
            yield self._model.estimate(group)
        except (SourceError, MediaMissing) as error:
            if len(group) == 1:
                report.skipped.append(SkippedItem(group[0].node_id, type(error).__name__, str(error)))
                return
            for node in group:
                yield from self._estimates([node], report)

    def _lacking(self, nodes: Sequence[BaseNode], report: MigrationReport) -> list[BaseNode]:
        """The nodes that the new collection does not hold, or holds in another form."""
        held = {p.id: p.payload.get(NODE_CONTENT) for p in self.store.fetch([point_id(node.node_id) for node in nodes])}
        lacking = [node for node in nodes if held.get(point_id(node.node_id)) != _content(node)]
        report.unchanged += len(nodes) - len(lacking)
        return lacking

    def _embedded(self, nodes: list[BaseNode], report: MigrationReport) -> list[BaseNode]:
        """The nodes with their vectors; those that cannot be embedded go into the report."""
        texts = [self._model.embed_text(node) for node in nodes]
        ids = {text: node.node_id for text, node in zip(texts, nodes, strict=True)}
        with calling(texts, ids, skip=True) as call:
            vectors = self._model.get_text_embedding_batch(texts)
        for node, text, vector in zip(nodes, texts, vectors, strict=True):
            node.embedding = vector or None
            if not vector:
                error = call.errors[text]
                report.skipped.append(SkippedItem(node.node_id, type(error).__name__, str(error)))
        return [node for node in nodes if node.embedding is not None]

    def _put(self, nodes: Sequence[BaseNode], report: MigrationReport) -> None:
        if nodes:
            self.store.add(nodes)
        report.stored += len(nodes)

    def _run_batch(self, wait: bool, poll_seconds: float) -> MigrationReport:
        """Store what is known and submit the rest; with ``wait`` once more, when the jobs have ended."""
        with BatchedNodes(self._model, self._cache) as batched:
            batched.collect()
            report = self._pass(batched)
            if wait and report.waiting and batched.wait(self._cancelled, poll_seconds):
                stored = report.stored
                report = self._pass(batched)
                report.stored, report.unchanged = report.stored + stored, report.unchanged - stored
            report.usd = batched.usd
        return report

    def _pass(self, batched: BatchedNodes) -> MigrationReport:
        report = MigrationReport()
        for records, group in self._groups(report):
            ready, others = batched.known(self._lacking(group, report))
            self._put(ready, report)
            report.waiting += batched.submit(others, report.skipped)
            if self._stopped(report, records):
                break
        return report

    def _looked_through(self) -> MigrationReport:
        """What could be migrated of the old index, which has had its day; nothing is written."""
        report = MigrationReport()
        for _, group in self._groups(report):
            report.unchanged += len(group)
        return report

    def _run_online(self) -> MigrationReport:
        report = MigrationReport()
        for records, group in self._groups(report):
            self._put(self._embedded(self._lacking(group, report), report), report)
            if self._stopped(report, records):
                break
        return report

    def _stopped(self, report: MigrationReport, records: int) -> bool:
        """Tell how far it is; whether to go no further."""
        if self.on_progress and records:
            total = max(self.source.count(), report.records)
            self.on_progress(MigrationProgress(report.records, total, report.stored, self._model.usage.usd))
        report.cancelled = self._cancelled.is_set()
        return report.cancelled


def _content(node: BaseNode) -> str:
    return str(node_to_metadata_dict(node, remove_text=False, flat_metadata=False)[NODE_CONTENT])
