"""A server on loopback that answers as Qdrant does, records what it is asked, and fails when it is told to.

No server's program comes with the suite. What is recorded are the client's own requests, REST or gRPC.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from qdrant_client import grpc as wire

from llama_index_gemini_mm.vector_store import QdrantMediaStore

KEY = "a-secret-key"
Open = Callable[..., QdrantMediaStore]
"""Opens a store on the recorder: by plan and options."""


@dataclass(frozen=True)
class Request:
    """What came in."""

    method: str
    path: str
    query: str
    body: Any
    api_key: str | None


@dataclass
class Failure:
    """What some requests get instead of an answer: a status, or (0) a connection that is cut."""

    status: int
    times: int
    message: str = ""
    path: str = ""
    headers: dict[str, str] = field(default_factory=dict)


class Recorder(ThreadingHTTPServer):
    """Answers like a server that has no collection until one is made."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen: list[Request] = []
        self.failures: list[Failure] = []
        self.collection: dict[str, Any] | None = None
        self.indexes: dict[str, Any] = {}
        self.points: list[dict[str, Any]] = []
        self.version = "1.20.0"
        self.hidden = False
        """Say once more that there is no collection."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def of(self, method: str, path: str) -> list[Request]:
        """The requests with this method whose path matches."""
        return [each for each in self.seen if each.method == method and re.fullmatch(path, each.path)]

    def failure(self, path: str) -> Failure | None:
        """What this request gets, if it is to fail."""
        for each in self.failures:
            if each.times and re.search(each.path, path):
                each.times -= 1
                return each
        return None

    def answer(self, request: Request) -> Any:
        """What Qdrant would answer."""
        name, key = request.path.rpartition("/")[2], f"{request.method} {request.path}"
        if key == "PUT /collections/media":
            self.collection = request.body
            return True
        if key == "GET /collections/media":
            return self._info()
        if key == "PUT /collections/media/index":
            self.indexes[request.body["field_name"]] = {"data_type": "keyword", "points": 0}
        if name == "exists":
            hidden, self.hidden = self.hidden, False
            return {"exists": self.collection is not None and not hidden}
        if key == "PUT /collections/media/points":
            self.points += request.body["points"]
        return self._about_points(request, name)

    def _about_points(self, request: Request, name: str) -> Any:
        rows = [{"id": p["id"], "payload": p["payload"], "vector": p["vector"]} for p in self.points]
        match name:
            case "batch":
                best = [{**row, "version": 1, "score": 0.5} for row in rows]
                return [{"points": best} for _ in request.body["searches"]]
            case "scroll":
                return {"points": rows, "next_page_offset": None}
            case "count":
                return {"count": len(rows)}
            case "points" if request.method == "POST":
                return [row for row in rows if row["id"] in request.body["ids"]]
            case _:
                return {"operation_id": 0, "status": "completed"}

    def _info(self) -> Any:
        made = self.collection or {}
        params = {key: made[key] for key in ("vectors", "sparse_vectors") if key in made}
        return {
            "status": "green",
            "optimizer_status": "ok",
            "points_count": len(self.points),
            "segments_count": 1,
            "indexed_vectors_count": 0,
            "config": {
                "params": params,
                "hnsw_config": {"m": 16, "ef_construct": 100, "full_scan_threshold": 10000},
                "optimizer_config": {
                    "deleted_threshold": 0.2,
                    "vacuum_min_vector_number": 1000,
                    "default_segment_number": 0,
                    "flush_interval_sec": 5,
                },
                "metadata": made.get("metadata"),
            },
            "payload_schema": self.indexes,
        }


class _Handler(BaseHTTPRequestHandler):
    server: Recorder
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, _, query = self.path.partition("?")
        request = Request(self.command, path, query, json.loads(raw) if raw else None, self.headers.get("api-key"))
        self.server.seen.append(request)
        failure = self.server.failure(path)
        if failure is None and path == "/":
            self._send(200, {"title": "qdrant - vector search engine", "version": self.server.version}, {})
        elif failure is None:
            self._send(200, {"result": self.server.answer(request), "status": "ok", "time": 0.0}, {})
        elif failure.status:
            status = {"status": {"error": failure.message}, "time": 0.0}
            self._send(failure.status, status, failure.headers)
        else:
            self.close_connection = True

    def _send(self, status: int, body: Any, headers: dict[str, str]) -> None:
        answer = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(answer)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = _answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def recording() -> Iterator[Recorder]:
    """A recorder in a thread of its own."""
    recorder = Recorder()
    thread = threading.Thread(target=recorder.serve_forever, daemon=True)
    thread.start()
    try:
        yield recorder
    finally:
        recorder.shutdown()
        recorder.server_close()
        thread.join()


class GrpcRecorder(wire.CollectionsServicer, wire.PointsServicer):  # type: ignore[misc]
    """The same over gRPC, for what a store does."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.codes: list[grpc.StatusCode] = []
        self.made: Any = None
        self.points: list[Any] = []

    def of(self, kind: type) -> list[Any]:
        """The requests of one kind."""
        return [each for each in self.seen if isinstance(each, kind)]

    def _note(self, request: Any, context: Any) -> None:
        self.seen.append(request)
        if self.codes:
            context.abort(self.codes.pop(0), "as told")

    def CollectionExists(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._note(request, context)
        return wire.CollectionExistsResponse(result=wire.CollectionExists(exists=self.made is not None))

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._note(request, context)
        self.made = request
        return wire.CollectionOperationResponse(result=True)

    def Get(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._note(request, context)
        if not isinstance(request, wire.GetCollectionInfoRequest):
            return wire.GetResponse()
        config = wire.CollectionConfig(
            params=wire.CollectionParams(shard_number=1),
            hnsw_config=wire.HnswConfigDiff(m=16, ef_construct=100, full_scan_threshold=10000),
            optimizer_config=wire.OptimizersConfigDiff(
                deleted_threshold=0.2, vacuum_min_vector_number=1000, default_segment_number=0, flush_interval_sec=5
            ),
            wal_config=wire.WalConfigDiff(wal_capacity_mb=32, wal_segments_ahead=0),
            metadata=self.made.metadata if self.made else {},
        )
        info = wire.CollectionInfo(
            status=wire.CollectionStatus.Green, optimizer_status=wire.OptimizerStatus(ok=True), config=config
        )
        return wire.GetCollectionInfoResponse(result=info)

    def CreateFieldIndex(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._note(request, context)
        return _done()

    def Upsert(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._note(request, context)
        self.points += request.points
        return _done()

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._note(request, context)
        return _done()

    def Count(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._note(request, context)
        return wire.CountResponse(result=wire.CountResult(count=len(self.points)))

    def QueryBatch(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._note(request, context)
        hits = [wire.ScoredPoint(id=p.id, payload=p.payload, score=0.5) for p in self.points]
        return wire.QueryBatchResponse(result=[wire.BatchResult(result=hits) for _ in request.query_points])


def _done() -> Any:
    return wire.PointsOperationResponse(result=wire.UpdateResult(operation_id=0, status=wire.UpdateStatus.Completed))


@contextmanager
def recording_grpc() -> Iterator[tuple[GrpcRecorder, int]]:
    """A gRPC recorder, and its port."""
    recorder = GrpcRecorder()
    server = grpc.server(futures.ThreadPoolExecutor(2))
    wire.add_CollectionsServicer_to_server(recorder, server)
    wire.add_PointsServicer_to_server(recorder, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield recorder, port
    finally:
        server.stop(None).wait()
