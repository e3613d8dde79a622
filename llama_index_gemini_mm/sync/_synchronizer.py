"""Synchronizer: one sync from beginning to end."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from llama_index.core.vector_stores.types import BasePydanticVectorStore

from llama_index_gemini_mm.embedding import GeminiMultimodalEmbedding
from llama_index_gemini_mm.engine import Usage
from llama_index_gemini_mm.errors import ONE_INPUTS_FAULT, SourceError
from llama_index_gemini_mm.manifest import Manifest
from llama_index_gemini_mm.media import MODALITY
from llama_index_gemini_mm.node_parser import MediaNodeParser
from llama_index_gemini_mm.readers import MediaReader, Outcome, ReadReport, Skipped
from llama_index_gemini_mm.source import Source
from llama_index_gemini_mm.sync._embedder import Embedder
from llama_index_gemini_mm.sync._flow import Flow
from llama_index_gemini_mm.sync._keeper import File, Keeper, OnRemoved, OnStored, Piece
from llama_index_gemini_mm.sync._plan import Plan, is_below, planned
from llama_index_gemini_mm.sync._price import Price
from llama_index_gemini_mm.sync._report import Progress, SyncReport

log = logging.getLogger(__name__)

Inputs = str | Path | Sequence[str | Path]


class Synchronizer:
    """One run of ``MediaIndex.sync``; make a new one for each.

    Args:
        reader: reads the files, in worker processes.
        parser: splits them there.
        embed_model: should have a cache, so that nothing is paid twice.
        vector_store: any of LlamaIndex's; it is written to from one thread of the sync's own.
        manifest: the list of files in that store.
        on_progress: called after each file, and after each group of nodes of a large one, on that same thread; of a
            dry run after each file, by the calling thread.
        on_stored: told of nodes, with their vectors, after they were stored.
        on_removed: told of the ids of nodes after they were deleted.
    """

    def __init__(
        self,
        reader: MediaReader,
        parser: MediaNodeParser,
        embed_model: GeminiMultimodalEmbedding,
        vector_store: BasePydanticVectorStore,
        manifest: Manifest,
        on_progress: Callable[[Progress], None] | None = None,
        *,
        on_stored: OnStored | None = None,
        on_removed: OnRemoved | None = None,
    ) -> None:
        self._reader = reader
        self._parser = parser
        self._embed_model = embed_model
        self._manifest = manifest
        self._keeper = Keeper(vector_store, manifest, on_stored, on_removed)
        self._on_progress = on_progress
        self._skipped: list[Skipped] = []
        self._notes = ReadReport()
        self._nodes: Counter[str] = Counter()
        self._moved: set[str] = set()
        self._indexed = self._done = self._total = 0
        self._before = embed_model.usage

    def run(self, inputs: Inputs, *, dry_run: bool = False) -> SyncReport:
        """Sync ``inputs``, or say what that will do and cost.

        What is stored stays, however this ends: the next run goes on from there.

        Raises:
            SourceError: an input that does not exist.
            ApiError, BudgetExceeded: the service failed for good, or the money is used up.
        """
        started = time.monotonic()
        plan = self._plan(inputs)
        if dry_run:
            return self._estimate(plan, started)
        self._manifest.finish(plan.touched)
        self._index(plan)
        removed = self._remove(plan)
        spent = self._spent
        return replace(
            self._report(plan, started),
            indexed=self._indexed,
            renamed=len(self._moved),
            removed=removed,
            embedded=spent.contents,
            tokens=spent.total_tokens,
            usd=round(spent.usd, 6),
        )

    @property
    def _spent(self) -> Usage:
        return self._embed_model.usage - self._before

    def _plan(self, inputs: Inputs) -> Plan:
        named = [inputs] if isinstance(inputs, str | Path) else list(inputs)
        roots = [Source.of(each).location for each in named]
        plan = planned(self._reader.scan(named), self._manifest.files(), roots)
        self._total, self._done = plan.files, plan.files - len(plan.pending)
        return plan

    def _index(self, plan: Plan) -> None:
        if not plan.pending:
            return
        embedder = Embedder(self._embed_model)
        skip_nodes = self._embed_model.on_item_error == "skip"
        with (
            Flow(embedder, self._keeper, skip_nodes=skip_nodes, on_group=self._count) as flow,
            closing(self._read(plan)) as files,
        ):
            for file, nodes in files:
                try:
                    for node in nodes(self._notes.skip):
                        flow.put(file, node)
                    file.sha256 = file.sha256 or file.pending.source.sha256
                except ONE_INPUTS_FAULT as error:
                    file.unread = error
                flow.end(file)

    def _read(self, plan: Plan) -> Generator[tuple[File, Outcome], None, None]:
        """The files in their order, each with what yields its nodes; reading them has begun."""
        sources = ((each.source, each.root) for each in plan.pending)
        with closing(self._reader.read_all(sources, then=self._parser)) as files:
            for pending, (_, outcome) in zip(plan.pending, files, strict=True):
                yield File(pending, pending.record.sha256), outcome

    def _count(self, pieces: list[Piece]) -> None:
        """A group is stored."""
        for piece in pieces:
            if piece.file.error is None:
                self._nodes.update(str(node.metadata.get(MODALITY)) for node in piece.nodes)
                self._note(piece)
            if piece.last:
                self._count_file(piece.file)
        if not any(piece.last for piece in pieces):
            self._tell(pieces[-1].file, self._spent.usd)

    def _count_file(self, file: File) -> None:
        """All of a file is stored, or nothing."""
        if file.error is not None:
            self._nodes -= file.counts
            self._skip(file, file.error)
        elif file.pending.renamed_from is not None:
            self._moved.add(file.pending.renamed_from)
        else:
            self._indexed += 1
        self._done += 1
        self._tell(file, self._spent.usd)

    def _remove(self, plan: Plan) -> int:
        """Remove what is gone, but for what lies in a folder that could not be read; how many files that were."""
        unread = [skipped.file for skipped in self._skipped if Path(skipped.file).is_dir()]
        gone = [path for path in plan.gone if not is_below(path, unread)]
        self._keeper.remove(gone)
        return len(set(gone) - self._moved)

    def _note(self, piece: Piece) -> None:
        """Nodes that were left out of a file, where the model is told to skip what cannot be embedded."""
        self._notes.skipped += [Skipped(piece.file.path, type(e).__name__, str(e)) for e in piece.left_out]

    def _skip(self, file: File, error: Exception) -> None:
        reason = error.reason if isinstance(error, SourceError) else str(error)
        self._skipped.append(Skipped(file.path, type(error).__name__, reason))
        log.info("skipped one file: %s", type(error).__name__)

    def _tell(self, file: File, usd: float) -> None:
        if self._on_progress:
            name = file.pending.source.name
            self._on_progress(Progress(self._done, self._total, self._nodes.total(), usd, name))

    def _estimate(self, plan: Plan, started: float) -> SyncReport:
        """Read everything that would be read, and price it."""
        price = Price(self._embed_model)
        with closing(self._read(plan)) as files:
            for file, nodes in files:
                try:
                    self._nodes.update(price.add(nodes(self._notes.skip), free=file.pending.renamed_from is not None))
                except ONE_INPUTS_FAULT as error:
                    self._skip(file, error)
                self._done += 1
                self._tell(file, price.usd)
        skipped = {each.file for each in self._skipped}
        changes = tuple(change for change in plan.changes() if change.path not in skipped)
        actions = Counter(change.action for change in changes)
        return replace(
            self._report(plan, started),
            indexed=actions["index"],
            renamed=actions["rename"],
            removed=actions["remove"],
            embedded=price.contents,
            tokens=price.tokens,
            usd=round(price.usd, 6),
            seconds=round(max(time.monotonic() - started, price.seconds), 3),
            dry_run=True,
            plan=changes,
        )

    def _report(self, plan: Plan, started: float) -> SyncReport:
        return SyncReport(
            files=plan.files,
            unchanged=plan.files - len(plan.pending),
            skipped=tuple(self._skipped),
            notes=tuple(self._notes.skipped),
            nodes=dict(self._nodes),
            seconds=round(time.monotonic() - started, 3),
        )
