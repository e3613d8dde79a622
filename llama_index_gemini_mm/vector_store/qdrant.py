"""QdrantMediaStore: a collection behind ``qdrant-client``, on a server or, where the embedded engine has no wheel, in
the client's own local mode. LlamaIndex's ``QdrantVectorStore`` opens the same collection.
"""

from __future__ import annotations

import logging
import re
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.vector_stores.types import MetadataFilters
from qdrant_client import QdrantClient, models
from qdrant_client.local.qdrant_local import QdrantLocal

from llama_index_gemini_mm.errors import ConfigurationError, IndexMismatch, IndexUnavailable
from llama_index_gemini_mm.media import END_SECONDS, FILE_PATH, MODALITY, PAGE_START, START_SECONDS
from llama_index_gemini_mm.sparse import SparseVector
from llama_index_gemini_mm.vector_store.base import MediaVectorStore, StoreInfo
from llama_index_gemini_mm.vector_store.filters import DOCUMENT_ID, filter_of
from llama_index_gemini_mm.vector_store.plans import DENSE, FIRST, GRAPH, SPARSE, Quantization, StoredVector
from llama_index_gemini_mm.vector_store.points import Found, Point, Search, StoredForm, point_id
from llama_index_gemini_mm.vector_store.qdrant_filters import QdrantConditions
from llama_index_gemini_mm.vector_store.server import Calls, Failure, ServerOptions, status_of
from llama_index_gemini_mm.vector_store.space import REMEDY, STAMP_KEY, Stamp

log = logging.getLogger(__name__)

_CONDITIONS = QdrantConditions()
_INDEXED: Mapping[str, Any] = {
    MODALITY: models.PayloadSchemaType.KEYWORD,
    FILE_PATH: models.PayloadSchemaType.KEYWORD,
    DOCUMENT_ID: models.PayloadSchemaType.KEYWORD,
    PAGE_START: models.PayloadSchemaType.INTEGER,
    START_SECONDS: models.PayloadSchemaType.FLOAT,
    END_SECONDS: models.PayloadSchemaType.FLOAT,
}
_CHECK_SECONDS = 5.0
"""How long a stamp that was read from a server is believed."""
_NUMBERS_IN_REQUEST = 500_000
"""About 11 MiB as JSON, where a server takes 32 MiB, texts and metadata included."""
_KEEPS_METADATA, _KNOWS_TURBO8 = (1, 16), (1, 20)
"""The first versions of the server that keep a stamp, and that store 8 bits a number."""
_TENANTS = uuid.UUID("8b0a3c52-0d0e-5d55-9d5e-0b6c3f7b7c64")


class QdrantMediaStore(MediaVectorStore):
    """A collection of a Qdrant client, made when it is not there.

    Args:
        client: the store closes it.
        collection_name: a collection, or an alias of one.
        stamp: the space of its vectors, and the plan they are stored by.
        options: what there is to choose on a server.
        url: where the server is, for errors.

    Raises:
        IndexMismatch: its vectors live in another space, are stored by another plan, or carry no stamp. Every method
            that writes or searches can raise it, for on a server the collection behind a name can change.
        IndexUnavailable: the server fails, at this or any later call.
        ConfigurationError: the server is too old for the plan.
    """

    _client: QdrantClient = PrivateAttr()
    _options: ServerOptions = PrivateAttr()
    _url: str = PrivateAttr()
    _call: Calls = PrivateAttr()
    _checked: float = PrivateAttr(default=0.0)

    def __init__(
        self,
        client: QdrantClient,
        collection_name: str,
        stamp: Stamp,
        options: ServerOptions | None = None,
        url: str = "",
    ) -> None:
        super().__init__(collection_name, stamp)
        self._client = client
        self._options = options or ServerOptions()
        self._url = url
        # Local mode reads its arrays while it makes them longer, so its calls take turns.
        self._call = Calls(url, self._options.attempts, threading.RLock() if self.embedded else None)
        if not self._call.once(lambda: client.collection_exists(collection_name)):
            self._create()
        held = self._require_stamp()
        if not self.embedded:
            self._index_payload(held.payload_schema)

    @classmethod
    def class_name(cls) -> str:
        """LlamaIndex's serialisation id."""
        return "QdrantMediaStore"

    @property
    def client(self) -> QdrantClient:
        """The client."""
        return self._client

    def check(self) -> None:
        """Read the collection's stamp again.

        Raises:
            IndexMismatch: another space or plan than at the opening: somebody replaced the collection.
        """
        self._require_stamp()

    def id_of(self, node_id: str) -> str:
        """The id of the point in which a node is stored; tenants have one each for the same node."""
        own = point_id(node_id)
        return str(uuid.uuid5(_TENANTS, f"{self._options.tenant}/{own}")) if self._options.tenant else own

    def put(self, points: Sequence[Point]) -> None:
        """Write points, in requests of a size that a server takes."""
        self._check_now_and_then()
        numbers = sum(form.size for form in self.stamp.plan.stored(self.stamp.space.dimension))
        step = max(1, _NUMBERS_IN_REQUEST // numbers)
        for start in range(0, len(points), step):
            self._upsert(points[start : start + step])

    def search(self, searches: Sequence[Search]) -> list[list[Found]]:
        """Run searches together, in one request."""
        requests = [self._request(each) for each in searches]
        self._check_now_and_then()
        found = self._call(lambda: self._client.query_batch_points(self.collection_name, requests))
        return [[Found(point.score, point) for point in response.points] for response in found]

    def points(
        self, filters: MetadataFilters | None = None, *, vectors: bool = True, batch_size: int = 256
    ) -> Iterator[list[Point]]:
        """All points, by id."""
        condition, offset = self._mine(filter_of(_CONDITIONS, filters)), None
        while True:
            rows, offset = self._scroll(condition, batch_size, offset, vectors)
            if rows:
                yield [_point(row) for row in rows]
            if offset is None:
                return

    def fetch(self, ids: Sequence[str], *, vectors: bool = False) -> list[Point]:
        """The points with these ids that exist."""
        if not ids:
            return []
        rows = self._call(
            lambda: self._client.retrieve(self.collection_name, list(ids), with_payload=True, with_vectors=vectors)
        )
        key, tenant = self._options.tenant_key, self._options.tenant
        return [_point(row) for row in rows if key is None or (row.payload or {}).get(key) == tenant]

    def count(self, filters: MetadataFilters | None = None) -> int:
        """How many points there are."""
        condition = self._mine(filter_of(_CONDITIONS, filters))
        counted = self._call(lambda: self._client.count(self.collection_name, count_filter=condition, exact=True))
        return counted.count

    def _delete(
        self, filters: MetadataFilters | None = None, doc_ids: Sequence[str] = (), point_ids: Sequence[str] = ()
    ) -> None:
        condition = filter_of(_CONDITIONS, filters, doc_ids, point_ids) or models.Filter()
        self._check_now_and_then()
        selector = models.FilterSelector(filter=self._mine(condition) or condition)
        self._call(lambda: self._client.delete(self.collection_name, selector, wait=True))

    def info(self) -> StoreInfo:
        """What is held; a server does not tell how many bytes."""
        held = self._held()
        engine = "Qdrant, local mode" if self.embedded else "Qdrant server"
        return StoreInfo(engine, held.points_count or 0, held.indexed_vectors_count or 0, 0)

    @property
    def embedded(self) -> bool:
        """Whether the collection is inside this process."""
        return isinstance(self._client._client, QdrantLocal)

    def optimize(self) -> None:
        """Nothing: a server does it by itself, and local mode has nothing faster."""

    def close(self) -> None:
        """Close the client."""
        self._client.close()

    def _upsert(self, points: Sequence[Point]) -> None:
        rows = [models.PointStruct(id=p.id, vector=_vectors(p.vectors), payload=self._marked(p)) for p in points]
        self._call(lambda: self._client.upsert(self.collection_name, rows, wait=True))

    def _held(self) -> models.CollectionInfo:
        return self._call(lambda: self._client.get_collection(self.collection_name))

    def _require_stamp(self) -> models.CollectionInfo:
        held = self._held()
        found = (held.config.metadata or {}).get(STAMP_KEY)
        if found is None:
            raise IndexMismatch(str(self.stamp.space), "vectors of an unknown model", REMEDY)
        self.stamp.require(Stamp.parse(found))
        self._checked = time.monotonic()
        return held

    def _check_now_and_then(self) -> None:
        if not self.embedded and time.monotonic() - self._checked > _CHECK_SECONDS:
            self._require_stamp()

    def _create(self) -> None:
        forms, options = self.stamp.plan.stored(self.stamp.space.dimension), self._options
        try:
            self._client.create_collection(
                self.collection_name,
                vectors_config={form.name: _params(form) for form in forms},
                sparse_vectors_config={SPARSE: models.SparseVectorParams(modifier=models.Modifier.IDF)},
                shard_number=options.shard_number,
                replication_factor=options.replication_factor,
                write_consistency_factor=options.write_consistency_factor,
                on_disk_payload=options.on_disk_payload,
                metadata={STAMP_KEY: self.stamp.as_dict()},
            )
        except Failure as error:
            self._explain(error, forms)
        if STAMP_KEY not in (self._held().config.metadata or {}):
            self._require_version(_KEEPS_METADATA, "a collection's stamp")

    def _explain(self, error: Exception, forms: Sequence[StoredVector]) -> None:
        """A refused creation. That somebody else was quicker is none: the stamp is looked at next."""
        if status_of(error) == 409:
            return
        if status_of(error) in (400, 422) and any(form.datatype == "turbo8" for form in forms):
            self._require_version(_KNOWS_TURBO8, f"the plan {self.stamp.plan.name}")
        self._call.once(lambda: _raise(error))

    def _require_version(self, needed: tuple[int, int], what: str) -> None:
        version = self._call.once(self._client.info).version
        numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
        if numbers < needed:
            raise ConfigurationError(
                f"{what} needs Qdrant {needed[0]}.{needed[1]} or newer, and the server at {self._url} is {version}; "
                "update it, or use the plan accurate"
            )

    def _index_payload(self, existing: Mapping[str, Any]) -> None:
        wanted: dict[str, Any] = {**_INDEXED, **self._options.payload_indexes}
        if self._options.tenant_key:
            wanted[self._options.tenant_key] = models.KeywordIndexParams(
                type=models.KeywordIndexType.KEYWORD, is_tenant=True
            )
        for key in wanted.keys() - existing.keys():
            self._index_key(key, wanted[key])

    def _index_key(self, key: str, schema: Any) -> None:
        try:
            self._call(lambda: self._client.create_payload_index(self.collection_name, key, schema))
        except IndexUnavailable as error:
            if status_of(error.__cause__ or error) != 403:
                raise
            log.info("no index for %s on the server: this key may only read", key)

    def _scroll(
        self, condition: models.Filter | None, limit: int, offset: Any, vectors: bool
    ) -> tuple[list[models.Record], Any]:
        return self._call(
            lambda: self._client.scroll(
                self.collection_name,
                scroll_filter=condition,
                limit=limit,
                offset=offset,
                with_payload=True,
                with_vectors=vectors,
            )
        )

    def _marked(self, point: Point) -> dict[str, Any]:
        key = self._options.tenant_key
        return {**point.payload, key: self._options.tenant} if key else point.payload

    def _mine(self, condition: models.Filter | None) -> models.Filter | None:
        """The same condition among this tenant's points."""
        key, tenant = self._options.tenant_key, self._options.tenant
        if key is None or tenant is None:
            return condition
        own = models.FieldCondition(key=key, match=models.MatchValue(value=tenant))
        return models.Filter(must=[own, condition] if condition and condition != models.Filter() else [own])

    def _request(self, search: Search) -> models.QueryRequest:
        ids = [*map(self.id_of, search.node_ids)]
        condition = self._mine(filter_of(_CONDITIONS, search.filters, search.doc_ids, ids))
        stages: list[models.Prefetch] | None = None
        query: Any
        if search.sparse is not None:
            query, using = _sparse(search.sparse), SPARSE
        else:
            (query, near), using = self._vectors_of(search), DENSE
            if near is not None:
                limit = search.limit * self.stamp.plan.candidates
                stages = [models.Prefetch(query=near, using=FIRST, limit=limit, filter=condition)]
        return models.QueryRequest(
            query=query,
            using=using,
            limit=search.limit,
            prefetch=stages,
            filter=None if stages else condition,
            params=self._params(search),
            with_payload=True if search.fields is None else list(search.fields),
            with_vector=[DENSE] if search.with_vectors else None,
        )

    def _params(self, search: Search) -> models.SearchParams | None:
        if search.sparse is not None or self.embedded:  # local mode looks at everything in any case
            return None
        if search.exact:
            return models.SearchParams(exact=True, quantization=models.QuantizationSearchParams(ignore=True))
        if self.stamp.plan.dense.quantization is None:
            return None
        oversampling = float(self.stamp.plan.candidates)
        return models.SearchParams(
            quantization=models.QuantizationSearchParams(rescore=True, oversampling=oversampling)
        )


def _params(form: StoredVector) -> models.VectorParams:
    graph = models.HnswConfigDiff(
        m=GRAPH.m if form.searched else 0, ef_construct=GRAPH.ef_construct, full_scan_threshold=GRAPH.full_scan
    )
    return models.VectorParams(
        size=form.size,
        distance=models.Distance.COSINE,
        datatype=models.Datatype(form.datatype),
        quantization_config=_quantized(form.quantization),
        hnsw_config=graph,
        on_disk=form.on_disk,
    )


def _quantized(kind: Quantization | None) -> Any:
    if kind is None:
        return None
    turbo = models.TurboQuantQuantizationConfig(bits=models.TurboQuantBitSize.BITS1, always_ram=True)
    return models.TurboQuantization(turbo=turbo)


def _vectors(vectors: Mapping[str, StoredForm]) -> dict[str, Any]:
    return {name: _sparse(v) if isinstance(v, SparseVector) else list(v) for name, v in vectors.items()}


def _sparse(vector: SparseVector) -> models.SparseVector:
    return models.SparseVector(indices=list(vector.indices), values=list(vector.values))


def _point(row: models.Record) -> Point:
    vectors: Any = row.vector or {}
    return Point(str(row.id), row.payload or {}, {name: _plain(vector) for name, vector in vectors.items()})


def _plain(vector: Any) -> StoredForm:
    if isinstance(vector, models.SparseVector):
        return SparseVector(tuple(vector.indices), tuple(vector.values))
    return list(vector)


def _raise(error: Exception) -> None:
    raise error
