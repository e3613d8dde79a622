"""Flow: nodes come in one by one, are embedded in groups, several at once, and stored in their order by one thread.

put ─▶ group of nodes ─▶ embedder ─▶ queue ─▶ storing thread
 ▲                                                 │
 └───── waits while too many are in between ◀──────┘
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import SimpleQueue
from types import TracebackType
from typing import Self

from llama_index.core.schema import BaseNode

from llama_index_gemini_mm.errors import (
    ONE_INPUTS_FAULT,
    GeminiMMError,
)
from llama_index_gemini_mm.media import CONTAINER_PATH, MEDIA_REF, SOURCE_SHA256
from llama_index_gemini_mm.sync._embedder import Embedder, Faults
from llama_index_gemini_mm.sync._keeper import File, Keeper, Piece

GROUP_NODES = 256
"""Nodes that are embedded and stored together, whatever files they come from."""
MOST_NODES = 1024
"""Nodes between reading and store, which bounds memory: a vector of 3,072 numbers takes 100 kB."""
FEW_GROUPS = 4
"""Groups under way, below which one with media does not wait until it is full: cutting media keeps a core busy each."""
_LANDING_SECONDS = 5.0


class Stopped(Exception):
    """Nothing more is stored; leaving the flow raises the reason."""


@dataclass
class _Group:
    """Pieces that are embedded and stored together, and the future of their vectors."""

    pieces: list[Piece] = field(default_factory=list)
    nodes: int = 0
    has_media: bool = False
    vectors: Future[Faults] = field(default_factory=Future)

    def piece_of(self, file: File) -> Piece:
        """The piece to which the next node of ``file`` belongs."""
        if not self.pieces or self.pieces[-1].file is not file:
            self.pieces.append(Piece(file, file.nodes))
        return self.pieces[-1]


class NodeGate:
    """Bounds how many nodes are between reading and store."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0
        self._closed = False
        self._changed = threading.Condition()

    def take(self, count: int = 1) -> None:
        """Let so many in, when there is room; raises ``Stopped`` once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._held + count <= self._most)
            if self._closed:
                raise Stopped
            self._held += count

    def give(self, count: int) -> None:
        """So many are out."""
        with self._changed:
            self._held -= count
            self._changed.notify()

    def close(self) -> None:
        """Let nothing in any more."""
        with self._changed:
            self._closed = True
            self._changed.notify()


class Flow:
    """From nodes to stored nodes. Use it as a context manager, from one thread: leaving it waits for all to be stored.

    Args:
        embedder: closed when the flow is left.
        keeper: used by the flow's own thread alone.
        skip_nodes: leave out single nodes that cannot be embedded, rather than their files.
        on_group: called on that thread after each group was stored.
    """

    def __init__(
        self,
        embedder: Embedder,
        keeper: Keeper,
        *,
        skip_nodes: bool,
        on_group: Callable[[list[Piece]], None],
    ) -> None:
        self._embedder = embedder
        self._keeper = keeper
        self._skip_nodes = skip_nodes
        self._on_group = on_group
        self._gate = NodeGate(MOST_NODES)
        self._group = _Group()
        self._groups: SimpleQueue[_Group | None] = SimpleQueue()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._store_all, name="gemini-mm-sync", daemon=True)

    def put(self, file: File, node: BaseNode) -> None:
        """Take in the next node of a file; waits while too many are under way, raises ``Stopped`` after a failure."""
        self._gate.take()
        self._group.piece_of(file).nodes.append(node)
        file.nodes += 1
        if not file.sha256 and CONTAINER_PATH not in node.metadata:
            file.sha256 = str(node.metadata.get(SOURCE_SHA256, ""))
        self._group.nodes += 1
        self._group.has_media |= MEDIA_REF in node.metadata
        if self._group.nodes >= GROUP_NODES:
            self._send()

    def end(self, file: File) -> None:
        """A file has no more nodes, or has failed. Raises ``Stopped`` as ``put`` does.

        Media go on when few groups are under way, for they take long to be cut; words wait until the group is full.
        """
        self._gate.take(0)
        self._group.piece_of(file).last = True
        full = len(self._group.pieces) >= GROUP_NODES
        if full or (self._group.has_media and self._embedder.under_way < FEW_GROUPS):
            self._send()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ended_well = False
        try:
            if kind is None:
                if self._error is None:
                    self._send()
                self._groups.put(None)
                self._thread.join()
                ended_well = True
        finally:
            self._end(_LANDING_SECONDS if ended_well or kind is Stopped else 0.0)
        if self._error is not None and kind in (None, Stopped):
            raise self._error

    def _end(self, landing_seconds: float) -> None:
        self._groups.put(None)
        self._embedder.close(landing_seconds if isinstance(self._error, GeminiMMError) else 0.0)
        self._thread.join()

    def _send(self) -> None:
        group, self._group = self._group, _Group()
        if not group.pieces:
            return
        fresh = [p for p in group.pieces if not p.unread and not p.renamed]
        group.vectors = self._embedder.start([node for piece in fresh for node in piece.nodes])
        self._groups.put(group)

    def _store_all(self) -> None:
        """The storing thread."""
        try:
            while (group := self._groups.get()) is not None:
                self._store(group)
                self._gate.give(group.nodes)
        except BaseException as error:  # noqa: BLE001 - raised where the flow is left
            self._error = error
        finally:
            self._gate.close()

    def _store(self, group: _Group) -> None:
        faults = group.vectors.result() | self._carried(group)
        for piece in group.pieces:
            self._judge(piece, faults)
        sound = [piece for piece in group.pieces if piece.file.error is None]
        self._keeper.store(sound)
        ended = [piece.file for piece in group.pieces if piece.last]
        self._keeper.finish([file for file in ended if file.error is None])
        self._keeper.remove([file.path for file in ended if file.error is not None and file.stored])
        self._on_group(group.pieces)

    def _carried(self, group: _Group) -> Faults:
        """Bring over the vectors of renamed files, and ask for those that are not to be had."""
        renamed = [p for p in group.pieces if not p.unread and p.renamed]
        missing = [n for p in renamed for n in self._embedder.carry_over(p.nodes, self._keeper.former(p))]
        return self._embedder.start(missing).result() if missing else {}

    def _judge(self, piece: Piece, faults: Faults) -> None:
        """What the faults of single nodes mean for their file."""
        bad = [faults[node.node_id] for node in piece.nodes if node.node_id in faults]
        if piece.last and piece.file.error is None:
            piece.file.error = piece.file.unread
        for error in bad:
            if not isinstance(error, ONE_INPUTS_FAULT):
                raise error
        if bad and self._skip_nodes:
            piece.nodes = [node for node in piece.nodes if node.node_id not in faults]
            piece.left_out = bad
        elif bad and piece.file.error is None:
            piece.file.error = bad[0]
