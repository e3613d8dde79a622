"""EdgeVectorStore: Qdrant's engine inside this process (``qdrant-edge-py``), one collection in one folder.

The folder belongs to one process at a time. Writes are durable when they return: the engine keeps a log of its own.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import qdrant_edge as edge
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.vector_stores.types import MetadataFilters

from llama_index_gemini_mm.errors import IndexMismatch
from llama_index_gemini_mm.media import FILE_PATH, MODALITY
from llama_index_gemini_mm.sparse import SparseVector
from llama_index_gemini_mm.vector_store import edge_files, edge_optimize
from llama_index_gemini_mm.vector_store.base import UPLOAD, MediaVectorStore, StoreInfo
from llama_index_gemini_mm.vector_store.edge_filters import EdgeConditions
from llama_index_gemini_mm.vector_store.edge_shards import OpenShard
from llama_index_gemini_mm.vector_store.filters import DOCUMENT_ID, filter_of
from llama_index_gemini_mm.vector_store.plans import DENSE, FIRST, GRAPH, SPARSE, Plan, Quantization, StoredVector
from llama_index_gemini_mm.vector_store.points import Found, Point, Search, StoredForm
from llama_index_gemini_mm.vector_store.space import Stamp, read_stamp, write_stamp

log = logging.getLogger(__name__)

OPTIMIZE_FROM = 10_000
"""Points not in a graph yet, from which on building one pays: looking at fewer of them takes a few milliseconds."""
BYTES_UNOPTIMIZED = 80 * 2**20
"""Of vectors in no graph, from which on a write optimizes: the engine keeps them in memory, and looks at each of them
in every search."""
_SHARE_UNOPTIMIZED = 0.25
"""Of all points, that must be in no graph for a write to do so, since optimizing copies everything."""
_CONDITIONS = EdgeConditions()
_INDEXED = (MODALITY, FILE_PATH, DOCUMENT_ID)
_KEPT = ("PATH", "HOME", "LANG", "SYSTEMROOT", "LD_LIBRARY_PATH")
"""What the optimizing process sees of the environment: how to find code, and no keys."""
_EXACT = edge.SearchParams(exact=True, quantization=edge.QuantizationSearchParams(ignore=True))
_DATATYPES = {
    "float32": edge.VectorStorageDatatype.Float32,
    "turbo8": edge.VectorStorageDatatype.Turbo8,
}


class EdgeVectorStore(MediaVectorStore):
    """A collection in ``folder``, made when it is not there, and made anew when it is empty and of another stamp.

    Reading methods may run in any number of threads while one writes or optimizes.

    Args:
        folder: of this collection alone.
        collection_name: what it is called.
        stamp: the space of its vectors, and the plan they are stored by.
        optimize_from: how many points, written since the last time, make ``optimize`` worth while.

    Raises:
        IndexMismatch: the folder's vectors live in another space, or are stored by another plan.
    """

    _folder: Path = PrivateAttr()
    _shard: OpenShard = PrivateAttr()
    _params: edge.SearchParams | None = PrivateAttr()
    _optimize_from: int = PrivateAttr()
    _most_unoptimized: int = PrivateAttr()
    _unoptimized: int = PrivateAttr()
    _writing: threading.Lock = PrivateAttr(default_factory=threading.Lock)
    _child: subprocess.Popen[bytes] | None = PrivateAttr(default=None)
    _closing: bool = PrivateAttr(default=False)

    def __init__(self, folder: Path, collection_name: str, stamp: Stamp, *, optimize_from: int = OPTIMIZE_FROM) -> None:
        super().__init__(collection_name, stamp)
        self._folder = folder
        self._optimize_from = optimize_from
        self._params = _searching(stamp.plan)
        self._most_unoptimized = int(BYTES_UNOPTIMIZED / stamp.plan.disk_bytes(stamp.space.dimension))
        self._shard = _opened(folder, stamp)
        self._unoptimized = edge_files.unoptimized(folder)

    @classmethod
    def class_name(cls) -> str:
        """LlamaIndex's serialisation id."""
        return "EdgeVectorStore"

    @property
    def client(self) -> edge.EdgeShard:
        """The engine's own object."""
        return self._shard.engine

    def put(self, points: Sequence[Point]) -> None:
        """Write points, and optimize when many are in no graph.

        Searches wait for one small operation at most, for the engine lets no other thread run.
        """
        for start in range(0, len(points), UPLOAD):
            rows = [_row(point) for point in points[start : start + UPLOAD]]
            with self._writing:
                self._shard.engine.update(edge.UpdateOperation.upsert_points(rows))
                self._unoptimized += len(rows)
                edge_files.note_unoptimized(self._folder, self._unoptimized)
                if self._is_overdue():
                    self._optimize()

    def search(self, searches: Sequence[Search]) -> list[list[Found]]:
        """Run searches together."""
        requests = [self._request(each) for each in searches]
        with self._shard.use() as shard:
            if len(requests) == 1:
                return [[Found(point.score, point) for point in shard.query(requests[0])]]
            found = shard.query_batch(edge.QueryBatchRequest(requests))
        return [[Found(point.score, point) for point in points] for points in found]

    def points(
        self, filters: MetadataFilters | None = None, *, vectors: bool = True, batch_size: int = 256
    ) -> Iterator[list[Point]]:
        """All points, by id."""
        condition, offset = filter_of(_CONDITIONS, filters), None
        while True:
            request = edge.ScrollRequest(
                offset=offset, limit=batch_size, filter=condition, with_payload=True, with_vector=vectors
            )
            with self._shard.use() as shard:
                rows, offset = shard.scroll(request)
            if rows:
                yield [_point(row) for row in rows]
            if offset is None:
                return

    def fetch(self, ids: Sequence[str], *, vectors: bool = False) -> list[Point]:
        """The points with these ids that exist."""
        with self._shard.use() as shard:
            rows = shard.retrieve(list(ids), with_payload=True, with_vector=vectors)
        return [_point(row) for row in rows]

    def count(self, filters: MetadataFilters | None = None) -> int:
        """How many points there are."""
        request = edge.CountRequest(exact=True, filter=filter_of(_CONDITIONS, filters))
        with self._shard.use() as shard:
            return shard.count(request)

    def _delete(
        self, filters: MetadataFilters | None = None, doc_ids: Sequence[str] = (), point_ids: Sequence[str] = ()
    ) -> None:
        condition = filter_of(_CONDITIONS, filters, doc_ids, point_ids) or edge.Filter()
        with self._writing:
            self._shard.engine.update(edge.UpdateOperation.delete_points_by_filter(condition))

    def info(self) -> StoreInfo:
        """What is held; the bytes are those its files take. Points since the last ``optimize`` are in no graph."""
        points, path = self.count(), self._shard.path
        has_graph = any(path.glob("segments/*/vector_index-*/graph.bin"))
        return StoreInfo(
            "Qdrant Edge", points, max(0, points - self._unoptimized) if has_graph else 0, edge_files.disk_bytes(path)
        )

    def optimize(self) -> None:
        """Build the graphs, if enough points are in none; cheap otherwise.

        Searches go on, and writes wait. On disk a second copy of the collection exists meanwhile. When that fails, for
        want of space for instance, the collection stays as it was, and the log says why.
        """
        with self._writing:
            if self._unoptimized >= self._optimize_from and not self._closing:
                self._optimize()

    def _is_overdue(self) -> bool:
        """Whether so much is in no graph that the next writes had better wait: it fills memory, and slows searches."""
        if self._unoptimized < max(self._optimize_from, self._most_unoptimized) or self._closing:
            return False
        return self._unoptimized >= _SHARE_UNOPTIMIZED * self.count()

    def close(self) -> None:
        """Write everything out and let go of the folder; an optimization under way is given up."""
        if self._closing:
            return
        self._closing = True
        child = self._child
        if child is not None:
            child.kill()
        with self._writing:
            self._shard.engine.flush()
            self._shard.close()

    def _optimize(self) -> None:
        self._shard.engine.flush()
        copy = edge_files.new_shard(self._folder)
        try:
            edge_files.copy_shard(self._shard.path, copy)
            self._run_optimizer(copy)
            self._exchange(copy)
        except (OSError, subprocess.SubprocessError) as error:
            log.warning("%s was not optimized and stays as it was: %s", self._folder, error)
            self._most_unoptimized = 2 * self._unoptimized  # or every write would try again
        edge_files.remove_leftovers(self._folder, self._shard.path)

    def _run_optimizer(self, copy: Path) -> None:
        """Another process, for the engine lets no thread of its own process run meanwhile."""
        environment = {key: value for key, value in os.environ.items() if key in _KEPT}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
        arguments = (str(copy.absolute()), str(os.getpid()), str(self.count()))
        command = [sys.executable, "-P", edge_optimize.__file__, *arguments]
        self._child = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)  # noqa: S603 - our own file
        try:
            if self._closing:  # since before there was a child to kill
                self._child.kill()
            if self._child.wait() != 0:
                raise subprocess.CalledProcessError(self._child.returncode, "edge_optimize")
        finally:
            self._child = None

    def _exchange(self, copy: Path) -> None:
        self._shard.exchange(copy)
        edge_files.make_current(copy)
        self._unoptimized = 0
        edge_files.note_unoptimized(self._folder, 0)

    def _request(self, search: Search) -> edge.QueryRequest:
        ids = [*map(self.id_of, search.node_ids)]
        condition = filter_of(_CONDITIONS, search.filters, search.doc_ids, ids)
        stages: list[edge.Prefetch] | None = None
        if search.sparse is not None:
            query = edge.Query.Nearest(_sparse(search.sparse), using=SPARSE)
        else:
            vector, near = self._vectors_of(search)
            query = edge.Query.Nearest(vector, using=DENSE)
            if near is not None:
                limit = search.limit * self.stamp.plan.candidates
                first = edge.Query.Nearest(near, using=FIRST)
                stages = [edge.Prefetch(query=first, limit=limit, filter=condition)]
        return edge.QueryRequest(
            limit=search.limit,
            query=query,
            prefetches=stages,
            filter=None if stages else condition,
            params=_EXACT if search.exact else self._params,
            with_payload=True if search.fields is None else list(search.fields),
            with_vector=[DENSE] if search.with_vectors else None,
        )


def _opened(folder: Path, stamp: Stamp) -> OpenShard:
    found = read_stamp(folder / edge_files.STAMP_FILE)
    if found is None:
        return _created(folder, stamp)
    path = edge_files.current_shard(folder)
    engine = edge.EdgeShard.load(str(path))
    if found != stamp and engine.count(edge.CountRequest(exact=True)) == 0:
        engine.close()
        return _created(folder, stamp)
    try:
        stamp.require(found)
    except IndexMismatch:
        engine.close()
        raise
    edge_files.remove_leftovers(folder, path)
    return OpenShard(path, engine)


def _created(folder: Path, stamp: Stamp) -> OpenShard:
    folder.mkdir(parents=True, exist_ok=True)
    edge_files.remove_leftovers(folder)
    path = edge_files.new_shard(folder)
    path.mkdir()
    forms = stamp.plan.stored(stamp.space.dimension)
    engine = edge.EdgeShard.create(
        str(path),
        edge.EdgeConfig(
            vectors={form.name: _vector_params(form) for form in forms},
            sparse_vectors={SPARSE: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)},
        ),
    )
    for field in _INDEXED:
        engine.update(edge.UpdateOperation.create_field_index(field, edge.PayloadSchemaType.Keyword))
    engine.flush()
    edge_files.note_unoptimized(folder, 0)
    edge_files.make_current(path)
    write_stamp(folder / edge_files.STAMP_FILE, stamp)
    return OpenShard(path, engine)


def _searching(plan: Plan) -> edge.SearchParams | None:
    """How the vectors of a plan are searched."""
    if plan.dense.quantization is None:
        return None
    rescored = edge.QuantizationSearchParams(rescore=True, oversampling=float(plan.candidates))
    return edge.SearchParams(quantization=rescored)


def _vector_params(form: StoredVector) -> edge.EdgeVectorParams:
    """Whole vectors are mapped, and read where a search looks: an index is opened for one search too."""
    graph = edge.HnswIndexConfig(
        m=GRAPH.m if form.searched else 0, ef_construct=GRAPH.ef_construct, full_scan_threshold=GRAPH.full_scan
    )
    return edge.EdgeVectorParams(
        size=form.size,
        distance=edge.Distance.Cosine,
        datatype=_DATATYPES[form.datatype],
        quantization_config=_quantized(form.quantization),
        hnsw_config=graph,
        memory=edge.Memory.Cold if form.on_disk or form.datatype == "float32" else edge.Memory.Cached,
    )


def _quantized(kind: Quantization | None) -> Any:
    if kind is None:
        return None
    return edge.TurboQuantQuantizationConfig(bits=edge.TurboQuantBitSize.Bits1, memory=edge.Memory.Pinned)


def _row(point: Point) -> edge.Point:
    return edge.Point(id=point.id, vector=_vectors(point.vectors), payload=point.payload)


def _vectors(vectors: Mapping[str, StoredForm]) -> dict[str, Any]:
    return {name: _sparse(v) if isinstance(v, SparseVector) else v for name, v in vectors.items()}


def _sparse(vector: SparseVector) -> edge.SparseVector:
    return edge.SparseVector(indices=list(vector.indices), values=list(vector.values))


def _point(row: edge.Record) -> Point:
    vectors: Any = row.vector or {}
    return Point(str(row.id), row.payload or {}, {name: _plain(vector) for name, vector in vectors.items()})


def _plain(vector: Any) -> StoredForm:
    if isinstance(vector, edge.SparseVector):
        return SparseVector(tuple(vector.indices), tuple(vector.values))
    return list(vector)
