"""Keeper: the order in which store and manifest are written, so that a kill at any moment leaves nothing behind.

    begin (manifest) ─▶ add (store) ─▶ … ─▶ delete what is stale (store) ─▶ finish (manifest)
    suspend (manifest) ─▶ delete (store) ─▶ remove (manifest)

Between the first and the last step a file counts as changed, so the next sync does all of it again: with the same ids,
because ids come from the place in the file, and with the vectors that were paid for, which are in the cache.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores.types import BasePydanticVectorStore

from llama_index_gemini_mm.errors import GeminiMMError
from llama_index_gemini_mm.manifest import Manifest
from llama_index_gemini_mm.media import MODALITY
from llama_index_gemini_mm.sync._plan import Pending

_DELETED_AT_ONCE = 1000

OnStored = Callable[[Sequence[BaseNode]], None]
OnRemoved = Callable[[Sequence[str]], None]


@dataclass
class File:
    """A file on its way: how many nodes it has so far, the ids of those that are stored, and why it failed, if it did.

    ``counts`` are of stored nodes by modality. ``unread``, why reading it failed, is set by the thread that reads,
    before the last piece goes on; ``stored``, ``counts`` and ``error`` belong to the thread that stores.
    """

    pending: Pending
    sha256: str = ""
    nodes: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    stored: list[str] = field(default_factory=list)
    unread: GeminiMMError | None = None
    error: GeminiMMError | None = None

    @property
    def path(self) -> str:
        """Its location."""
        return self.pending.record.path


@dataclass
class Piece:
    """Nodes of one file that follow each other; ``first`` is the position of the first, ``last`` says that the
    file ends there, ``left_out`` why single nodes are missing.
    """

    file: File
    first: int
    nodes: list[BaseNode] = field(default_factory=list)
    last: bool = False
    left_out: list[GeminiMMError] = field(default_factory=list)

    @property
    def unread(self) -> bool:
        """Whether reading the file failed in this piece."""
        return self.last and self.file.unread is not None

    @property
    def renamed(self) -> bool:
        """Whether its vectors are there already, under another name."""
        return self.file.pending.renamed_from is not None


class Keeper:
    """Writes to one vector store and its manifest, from one thread at a time.

    Args:
        vector_store: its ``add`` and ``delete_nodes`` must have taken effect when they return.
        manifest: the journal.
        on_stored: told of nodes, with their vectors, after they were stored.
        on_removed: told of the ids of nodes after they were deleted.
    """

    def __init__(
        self,
        vector_store: BasePydanticVectorStore,
        manifest: Manifest,
        on_stored: OnStored | None = None,
        on_removed: OnRemoved | None = None,
    ) -> None:
        self._vector_store = vector_store
        self._manifest = manifest
        self._on_stored = on_stored
        self._on_removed = on_removed

    def store(self, pieces: Sequence[Piece]) -> None:
        """Store nodes that have vectors, over those with the same ids."""
        nodes = [node for piece in pieces for node in piece.nodes]
        if not nodes:
            return
        self._manifest.begin(
            {p.file.path: {node.node_id: at for at, node in enumerate(p.nodes, p.first)} for p in pieces if p.nodes}
        )
        self._vector_store.add(nodes)
        for piece in pieces:
            piece.file.stored += [node.node_id for node in piece.nodes]
            piece.file.counts.update(str(node.metadata.get(MODALITY)) for node in piece.nodes)
        if self._on_stored:
            self._on_stored(nodes)

    def finish(self, files: Sequence[File]) -> None:
        """Delete what changed files no longer have, and note them as done."""
        if not files:
            return
        records, stale = [], {}
        for file in files:
            stored = set(file.stored)
            stale[file.path] = [i for i in self._manifest.node_ids(file.path) if i not in stored]
            records.append(replace(file.pending.record, sha256=file.sha256))
        doomed = {path: ids for path, ids in stale.items() if ids}
        if doomed:
            self._manifest.suspend(list(doomed))
            self._delete([node_id for ids in doomed.values() for node_id in ids])
        self._manifest.finish(records, doomed)

    def remove(self, paths: Sequence[str]) -> None:
        """Delete all nodes of files, and forget them."""
        if not paths:
            return
        self._manifest.suspend(paths)
        self._delete([node_id for path in paths for node_id in self._manifest.node_ids(path)])
        self._manifest.remove(paths)

    def former(self, piece: Piece) -> list[BaseNode]:
        """Of a renamed file, the old nodes in the place of these, with their vectors where the store gives them."""
        origin = piece.file.pending.renamed_from
        old_ids = self._manifest.node_ids(origin or "")[piece.first : piece.first + len(piece.nodes)]
        if not old_ids:
            return []
        try:
            return self._vector_store.get_nodes(old_ids)
        except NotImplementedError:
            return []

    def _delete(self, node_ids: Sequence[str]) -> None:
        for start in range(0, len(node_ids), _DELETED_AT_ONCE):
            some = list(node_ids[start : start + _DELETED_AT_ONCE])
            self._vector_store.delete_nodes(some)
            if self._on_removed:
                self._on_removed(some)
