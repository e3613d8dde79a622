"""Sync: bring a collection up to date with files. Unchanged ones cost nothing, one bad one stops no other.

scan ─▶ compare with the manifest ─▶ read ─▶ split ─▶ embed ─▶ store ─▶ manifest
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores.types import BasePydanticVectorStore

from llama_index_gemini_mm.embedding import GeminiMultimodalEmbedding
from llama_index_gemini_mm.engine import Usage
from llama_index_gemini_mm.errors import InvalidRequest, LimitExceeded, MediaMissing, SourceError
from llama_index_gemini_mm.manifest import FileRecord, Manifest
from llama_index_gemini_mm.media import MODALITY
from llama_index_gemini_mm.node_parser import MediaNodeParser
from llama_index_gemini_mm.readers import MediaReader, Outcome, ReadReport, Skipped
from llama_index_gemini_mm.source import Source

log = logging.getLogger(__name__)

_GROUP_NODES = 256
"""Nodes that are embedded and stored together, whatever files they come from."""
_Pending = tuple[Source, str | None, FileRecord]
"""A file to be read, the folder it was found through, and its new record."""
_ONE_FILES_FAULT = (SourceError, MediaMissing, LimitExceeded, InvalidRequest)


@dataclass(frozen=True)
class SyncReport:
    """What a sync did: ``files`` is the sum of ``indexed``, ``unchanged`` and ``skipped``.

    ``nodes`` counts the new ones by modality, ``embedded`` the contents that were sent; ``notes`` names files inside
    others, such as attachments, that could not be read.
    """

    files: int = 0
    indexed: int = 0
    unchanged: int = 0
    removed: int = 0
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[Skipped, ...] = ()
    nodes: dict[str, int] = field(default_factory=dict)
    embedded: int = 0
    tokens: int = 0
    usd: float = 0.0
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self) | {"skipped": list(map(asdict, self.skipped)), "notes": list(map(asdict, self.notes))}


@dataclass(frozen=True)
class Progress:
    """How far a sync is: files looked at out of all, nodes stored, US dollars spent, and the file just read."""

    done: int
    total: int
    nodes: int
    usd: float
    file_name: str


@dataclass(frozen=True)
class _Split:
    """A file that has been read and split, on its way to the store."""

    record: FileRecord
    nodes: list[BaseNode]
    old_ids: tuple[str, ...]


class Synchronizer:
    """One run of ``MediaIndex.sync``; make a new one for each."""

    def __init__(
        self,
        reader: MediaReader,
        parser: MediaNodeParser,
        embed_model: GeminiMultimodalEmbedding,
        vector_store: BasePydanticVectorStore,
        manifest: Manifest,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self._reader = reader
        self._parser = parser
        self._embed_model = embed_model
        self._vector_store = vector_store
        self._manifest = manifest
        self._on_progress = on_progress
        self._skipped: list[Skipped] = []
        self._notes = ReadReport()
        self._nodes: Counter[str] = Counter()
        self._indexed = 0
        self._done = 0

    def run(self, inputs: str | Path | Sequence[str | Path]) -> SyncReport:
        """Sync ``inputs``. Files are stored group by group, so that a stop loses no more than the group under way."""
        started, before = time.monotonic(), self._embed_model.usage
        named = [inputs] if isinstance(inputs, str | Path) else list(inputs)
        roots = [Source.of(each).location for each in named]
        sources = {source.location: (source, root) for source, root in self._reader.scan(named)}
        known = self._manifest.files()
        pending = [(*found, record) for found in sources.values() if (record := self._changed(found[0], known))]
        self._done = unchanged = len(sources) - len(pending)
        self._store_all(pending, known, len(sources), before)
        removed = self._remove([r for r in known.values() if r.path not in sources and _is_below(r.path, roots)])
        spent = self._embed_model.usage - before
        return SyncReport(
            files=len(sources),
            indexed=self._indexed,
            unchanged=unchanged,
            removed=removed,
            skipped=tuple(self._skipped),
            notes=tuple(self._notes.skipped),
            nodes=dict(self._nodes),
            embedded=spent.contents,
            tokens=spent.total_tokens,
            usd=round(spent.usd, 6),
            seconds=round(time.monotonic() - started, 3),
        )

    def _changed(self, source: Source, known: dict[str, FileRecord]) -> FileRecord | None:
        """The new record of a file that must be read, else ``None``: by size and time, by content when those differ."""
        old = known.get(source.location)
        size, mtime_ns = _state(source)
        if old and mtime_ns and (old.size, old.mtime_ns) == (size, mtime_ns):
            return None
        record = FileRecord(source.location, size, mtime_ns, source.sha256)
        if old is None or old.sha256 != record.sha256:
            return record
        self._manifest.put(replace(record, node_ids=old.node_ids))
        return None

    def _store_all(self, pending: list[_Pending], known: dict[str, FileRecord], total: int, before: Usage) -> None:
        group: list[_Split] = []
        sources = ((source, root) for source, root, _ in pending)
        with closing(self._reader.read_all(sources, then=self._parser)) as files:
            for (_, _, record), (source, nodes) in zip(pending, files, strict=True):
                group += self._split(record, nodes, known)
                if sum(len(each.nodes) for each in group) >= _GROUP_NODES:
                    self._store(group)
                    group = []
                self._done += 1
                self._tell(source, total, before)
        self._store(group)

    def _split(self, record: FileRecord, outcome: Outcome, known: dict[str, FileRecord]) -> Iterator[_Split]:
        try:
            nodes = list(outcome(self._notes.skip))
        except _ONE_FILES_FAULT as error:
            self._skip(record, error)
            return
        old = known.get(record.path)
        ids = tuple(node.node_id for node in nodes)
        yield _Split(replace(record, node_ids=ids), nodes, old.node_ids if old else ())

    def _store(self, group: list[_Split]) -> None:
        """Embed and store a group; when one file's node is refused, each file is tried alone."""
        try:
            self._embed_and_add(group)
        except _ONE_FILES_FAULT as error:
            if len(group) == 1:
                self._skip(group[0].record, error)
                return
            for each in group:
                self._store([each])

    def _embed_and_add(self, group: list[_Split]) -> None:
        nodes = [node for each in group for node in each.nodes]
        if nodes:
            self._embed_model(nodes)
            self._vector_store.add(nodes)
        for each in group:
            stale = set(each.old_ids) - set(each.record.node_ids)
            if stale:
                self._vector_store.delete_nodes(sorted(stale))
            self._manifest.put(each.record)
        self._indexed += len(group)
        self._nodes.update(str(node.metadata.get(MODALITY)) for node in nodes)

    def _remove(self, gone: list[FileRecord]) -> int:
        for record in gone:
            if record.node_ids:
                self._vector_store.delete_nodes(list(record.node_ids))
            self._manifest.remove(record.path)
        return len(gone)

    def _skip(self, record: FileRecord, error: Exception) -> None:
        reason = error.reason if isinstance(error, SourceError) else str(error)
        self._skipped.append(Skipped(record.path, type(error).__name__, reason))
        log.info("skipped one file: %s", type(error).__name__)

    def _tell(self, source: Source, total: int, before: Usage) -> None:
        if self._on_progress:
            spent = self._embed_model.usage - before
            self._on_progress(Progress(self._done, total, sum(self._nodes.values()), spent.usd, source.name))


def _state(source: Source) -> tuple[int, int]:
    if source.local_path is None:
        return source.size, 0
    stat = source.local_path.stat()
    return stat.st_size, stat.st_mtime_ns


def _is_below(path: str, roots: Iterable[str]) -> bool:
    return any(path == root or path.startswith(root.rstrip("/") + "/") for root in roots)
