"""Against a server: what is sent to it, field by field, and what becomes of its refusals.

No server binary comes with the suite, so a recorder on loopback answers in Qdrant's place.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from llama_index_gemini_mm.errors import IndexUnavailable
from llama_index_gemini_mm.vector_store import Space, open_collection, server_client

SPACE = Space("gemini-embedding-2", 768, "retrieval", 1, 1)


class Recorder(ThreadingHTTPServer):
    """Answers like a server without collections, or always with ``status``."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen: list[tuple[str, str, Any, str | None]] = []
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Recorder

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append(
            (self.command, self.path, json.loads(body) if body else None, self.headers.get("api-key"))
        )
        results = {"/collections/media/exists": {"exists": False}, "/collections/media": True}
        result: Any = results.get(self.path, {"operation_id": 0, "status": "completed"})
        answer = json.dumps({"result": result, "status": "ok", "time": 0.0}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_PUT = do_POST = _answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Recorder]:
    """A recorder in a thread of its own."""
    recorder = Recorder()
    thread = threading.Thread(target=recorder.serve_forever, daemon=True)
    thread.start()
    yield recorder
    recorder.shutdown()
    recorder.server_close()
    thread.join()


def test_a_collection_is_made_with_its_stamp_and_indexes(server: Recorder) -> None:
    """Size, distance and stamp go into the collection; the fields that searches filter by are indexed."""
    client = server_client(server.url, "the-key")

    open_collection(client, "media", SPACE)

    made = next(body for method, path, body, _ in server.seen if (method, path) == ("PUT", "/collections/media"))
    assert made["vectors"] == {"size": 768, "distance": "Cosine"}
    assert made["metadata"] == {
        "gemini_mm_space": {
            "model": "gemini-embedding-2",
            "dimension": 768,
            "task": "retrieval",
            "prefix_version": 1,
            "preprocessing_version": 1,
            "service": "gemini",
        }
    }
    indexes = [body for _, path, body, _ in server.seen if path.startswith("/collections/media/index")]
    assert [(i["field_name"], i["field_schema"]) for i in indexes[:3]] == [
        ("modality", "keyword"),
        ("file_path", "keyword"),
        ("doc_id", "keyword"),
    ]
    assert {key for *_, key in server.seen} == {"the-key"}
    client.close()


def test_a_refusing_server(server: Recorder) -> None:
    """A wrong key is told with the address and not the key."""
    server.status = 403
    client = server_client(server.url, "the-key")

    with pytest.raises(IndexUnavailable, match="403") as caught:
        open_collection(client, "media", SPACE)
    assert "the-key" not in str(caught.value)
    client.close()


def test_no_server() -> None:
    """Nobody listens there."""
    client = server_client("http://127.0.0.1:9")

    with pytest.raises(IndexUnavailable, match=r"127\.0\.0\.1:9"):
        open_collection(client, "media", SPACE)
    client.close()
