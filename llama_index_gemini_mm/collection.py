"""Collection: what an index keeps: its vectors, the list of files, a sample for calibration; and who may open it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
from llama_index.core.vector_stores.types import BasePydanticVectorStore, MetadataFilter, MetadataFilters

from llama_index_gemini_mm.calibration import SAMPLE, Calibration, Samples, Vectors
from llama_index_gemini_mm.errors import SyncUnderWay
from llama_index_gemini_mm.layout import MANIFEST_FILE, manifest_target
from llama_index_gemini_mm.limits import MODALITIES, Modality
from llama_index_gemini_mm.manifest import Manifest
from llama_index_gemini_mm.media import MODALITY
from llama_index_gemini_mm.storage_lock import StorageLock
from llama_index_gemini_mm.vector_store import (
    DEFAULT_PLAN,
    ForeignStore,
    MediaVectorStore,
    PlanName,
    Search,
    ServerOptions,
    Space,
    Stamp,
    as_searchable,
    open_embedded,
    open_server,
    plan_named,
    read_stamp,
    write_stamp,
)
from llama_index_gemini_mm.vector_store.aliases import Aliases
from llama_index_gemini_mm.vector_store.plans import DENSE
from llama_index_gemini_mm.vector_store.stored import embedded_stamp, server_stamp


class Collection:
    """The parts of one index, in the storage folder or elsewhere. ``prepare`` and ``open`` it, in this order.

    Args:
        folder: the storage folder.
        name: the collection's name.
        qdrant_url: the server that keeps it, if one does.
        qdrant_api_key: the server's key.
        server_options: how the server is reached, and how a new collection is made.
        other: another maker's store that keeps it, if one does.
    """

    manifest: Manifest
    samples: Samples
    store: MediaVectorStore | ForeignStore

    def __init__(
        self,
        folder: Path,
        name: str,
        qdrant_url: str | None = None,
        qdrant_api_key: str | None = None,
        server_options: ServerOptions | None = None,
        other: BasePydanticVectorStore | None = None,
    ) -> None:
        self._folder = folder
        self._name = name
        self._url, self._key, self._options = qdrant_url, qdrant_api_key, server_options
        self._other = other
        self._embedded = qdrant_url is None and other is None
        self._opened = ExitStack()
        self._calibrating = threading.Lock()
        self._calibration: Calibration | None = None

    def prepare(self, wait: float | None = None) -> Stamp | None:
        """Take the storage, and tell which stamp the collection carries; ``None`` for one that is to be made.

        Raises:
            IndexLocked: another process has the storage open, and had for ``wait`` seconds.
            IndexUnavailable: the server does not answer, or refuses.
        """
        if self._url is not None:
            return server_stamp(self._url, self._key, self._name, self._options)
        if self._other is not None:
            return read_stamp(self._stamp_file)
        self._opened.enter_context(StorageLock(self._folder, wait))
        self._name_there = Aliases(self._folder).resolve(self._name)
        return embedded_stamp(self._folder, self._name_there)

    def open(self, space: Space, plan: PlanName | None, found: Stamp | None) -> None:
        """Open everything, for vectors of ``space``.

        Raises:
            IndexMismatch: the collection holds others, or by another plan.
        """
        stamp = Stamp(space, plan_named(plan or (found.plan.name if found else DEFAULT_PLAN)))
        self.store = self._store(stamp, found)
        if isinstance(self.store, MediaVectorStore):
            self._opened.callback(self.store.close)
        target = manifest_target(self._name, self._url or (None if self._embedded else "other"))
        self.manifest = Manifest(self._folder / MANIFEST_FILE, target)
        self._opened.callback(self.manifest.close)
        self.samples = Samples(self._folder / MANIFEST_FILE, f"{target}, {space}")
        self._opened.callback(self.samples.close)
        if self._is_empty(space.dimension):
            self.manifest.clear()
            self.samples.clear()

    def check(self, space: Space) -> None:
        """Raise ``IndexMismatch`` unless vectors of ``space`` may be written and searched here."""
        self._stamp.space.require(space)

    @contextmanager
    def syncing(self, wait: float | None = None) -> Iterator[None]:
        """Be the only one that syncs into this storage; of an embedded collection its holder is that already."""
        if self._embedded:
            yield
            return
        with StorageLock(self._folder, wait, SyncUnderWay):
            if isinstance(self.store, MediaVectorStore):
                self.store.check()
            yield

    def settle(self) -> None:
        """After a sync: bring the vectors into their fastest form, if that pays, and count scores anew."""
        if isinstance(self.store, MediaVectorStore):
            self.store.optimize()
        with self._calibrating:
            self._calibration = None

    @property
    def calibration(self) -> Calibration:
        """What unrelated nodes of each modality score; from the sample, or where this machine has none, the store."""
        with self._calibrating:
            if self._calibration is None:
                self._calibration = Calibration.of(self.samples.vectors() or self._sampled())
            return self._calibration

    def close(self) -> None:
        """Close what was opened, and let go of the storage."""
        self._opened.close()

    @property
    def _stamp_file(self) -> Path:
        return self._folder / f"{self._name}.stamp.json"

    def _store(self, stamp: Stamp, found: Stamp | None) -> MediaVectorStore | ForeignStore:
        self._stamp = stamp
        if self._url is not None:
            return open_server(self._url, self._key, self._name, stamp, self._options)
        if self._other is None:
            return open_embedded(self._folder, self._name_there, stamp)
        if found is not None:
            stamp.space.require(found.space)
        self._folder.mkdir(parents=True, exist_ok=True)
        write_stamp(self._stamp_file, stamp)
        return as_searchable(self._other)

    def _is_empty(self, dimension: int) -> bool:
        """Whether the store holds nothing, so that no file may count as indexed."""
        if isinstance(self.store, MediaVectorStore):
            return self.store.count() == 0
        somewhere = [1.0] + [0.0] * (dimension - 1)
        return not self.store.search([Search(1, vector=somewhere)])[0]

    def _sampled(self) -> dict[Modality, Vectors]:
        if not isinstance(self.store, MediaVectorStore):
            return {}
        found: dict[Modality, Vectors] = {}
        for modality in MODALITIES:
            only = MetadataFilters(filters=[MetadataFilter(key=MODALITY, value=modality)])
            first = next(self.store.points(only, batch_size=SAMPLE), [])
            if first:
                found[modality] = np.asarray([point.vectors[DENSE] for point in first], np.float32)
        return found
