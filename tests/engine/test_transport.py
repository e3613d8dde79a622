"""The wire: our requests are those of the SDK's public method byte for byte, and every shape of reply is read."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials
from google.genai import Client, errors

from engine_support import picture
from llama_index_gemini_mm.engine import EmbedItem, Part
from llama_index_gemini_mm.engine.transport import Address, Transport, connect
from llama_index_gemini_mm.engine.wire import Reply
from llama_index_gemini_mm.limits import MODEL
from media_samples import png

WORDS = EmbedItem((Part(text='title: none | text: Größe "5 < 6"\n\u2028 \U0001f600 \\ \x7f'),))
FILE = Part(uri="https://example.org/v1beta/files/abc", mime_type="application/pdf")
MIXED = EmbedItem((Part(text="a wheel"), Part(data=b"\xfb\xff\xfe\xfb\xef", mime_type="image/png"), FILE))
GOOD = {"embeddings": [{"values": [0.6, -0.8]}], "embedding": {"values": [0.6, -0.8]}}


@dataclass
class Recorder:
    """A server on loopback that keeps what it is sent, and answers what it is told to."""

    status: int = 200
    answer: bytes = json.dumps(GOOD).encode()
    seen: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    base_url: str = ""

    def address(self, endpoint: str) -> Address:
        """Where it is, as either endpoint."""
        if endpoint == "developer":
            return Address("developer", api_key="key", base_url=self.base_url, timeout=20.0)
        credentials = AnonymousCredentials()
        credentials.token = "token"
        return Address("vertex", project="p", location="eu", credentials=credentials, base_url=self.base_url)


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """A running recorder."""
    recorder = Recorder()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            recorder.seen.append((self.path, headers, body))
            self.send_response(recorder.status)
            self.send_header("Content-Type", "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(recorder.answer)))
            self.end_headers()
            self.wfile.write(recorder.answer)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    recorder.base_url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield recorder
    server.shutdown()
    thread.join()
    server.server_close()


class PublicOnly:
    """The SDK's client by its public face alone, as one without the ways inside that we look for."""

    def __init__(self, client: Client) -> None:
        self.aio = client.aio
        self.vertexai = client.vertexai


async def send(client: Any, *items: EmbedItem, model: str = MODEL) -> Reply:
    """One request and its reply."""
    transport = Transport(client, model, 768)
    try:
        return await transport.send(items)
    finally:
        await transport.close()


async def received(recorder: Recorder, answer: bytes, endpoint: str = "developer") -> Reply:
    """The reply made of a body."""
    recorder.answer = answer
    return await send(connect(recorder.address(endpoint)), WORDS)


@pytest.mark.parametrize("model", [MODEL, f"models/{MODEL}", "another-model"])
@pytest.mark.parametrize("items", [(WORDS,), (MIXED,), (WORDS, MIXED, WORDS), (picture(png("red")),)])
async def test_developer_requests_are_the_sdk_s(recorder: Recorder, items: tuple[EmbedItem, ...], model: str) -> None:
    """Path, headers and body of a batch are what the public method sends, and so is what comes of the reply."""
    direct = await send(connect(recorder.address("developer")), *items, model=model)
    public = await send(PublicOnly(connect(recorder.address("developer"))), *items, model=model)

    ours, theirs = recorder.seen
    assert ours == theirs
    assert ours[0] == f"/v1beta/models/{model.removeprefix('models/')}:batchEmbedContents"
    assert len(json.loads(ours[2])["requests"]) == len(items)
    assert direct.vectors == public.vectors == [[0.6, -0.8]]


@pytest.mark.parametrize("item", [WORDS, MIXED])
async def test_vertex_requests_are_the_sdk_s(recorder: Recorder, item: EmbedItem) -> None:
    """The same on Vertex, with the token of the credentials."""
    direct = await send(connect(recorder.address("vertex")), item)
    public = await send(PublicOnly(connect(recorder.address("vertex"))), item)

    ours, theirs = recorder.seen
    assert ours == theirs
    assert ours[0] == f"/v1beta1/projects/p/locations/eu/publishers/google/models/{MODEL}:embedContent"
    assert ours[1]["authorization"] == "Bearer token"
    assert direct.vectors == public.vectors == [[0.6, -0.8]]


async def test_media_arrive_whole(recorder: Recorder) -> None:
    """A picture is in the body as URL-safe base64, padded."""
    await send(connect(recorder.address("developer")), MIXED)

    parts = json.loads(recorder.seen[0][2])["requests"][0]["content"]["parts"]
    assert parts[1] == {"inline_data": {"data": "-__---8=", "mime_type": "image/png"}}
    assert parts[2] == {"file_data": {"file_uri": FILE.uri, "mime_type": "application/pdf"}}


async def test_a_body_with_fields_of_the_client_s_own_is_left_to_the_sdk(recorder: Recorder) -> None:
    """``extra_body`` of a client that was handed in still arrives."""
    options = {"base_url": recorder.base_url, "api_version": "v1beta", "extra_body": {"labels": {"team": "mill"}}}

    reply = await send(Client(api_key="key", http_options=options), WORDS)

    [(path, _, body)] = recorder.seen
    assert path == f"/v1beta/models/{MODEL}:batchEmbedContents"
    assert json.loads(body)["labels"] == {"team": "mill"}
    assert reply.vectors == [[0.6, -0.8]]


async def test_a_tuned_model_keeps_its_path(recorder: Recorder) -> None:
    """A model with a path of its own is the SDK's to name."""
    await send(connect(recorder.address("developer")), WORDS, model="tunedModels/mine")

    assert recorder.seen[0][0] == "/v1beta/tunedModels/mine:batchEmbedContents"


async def test_usage_by_modality(recorder: Recorder) -> None:
    """Both spellings of the details are read; names and counts that say nothing are not."""
    details = [
        {"modality": "TEXT", "tokenCount": 5},
        {"modality": "IMAGE", "tokenCount": "258"},
        {"modality": "TEXT", "tokenCount": 2},
        {"modality": "SMELL", "tokenCount": 9},
        {},
    ]
    for key, endpoint in (("promptTokenDetails", "developer"), ("promptTokensDetails", "vertex")):
        usage = {"promptTokenCount": 265, key: details}
        reply = await received(recorder, json.dumps({**GOOD, "usageMetadata": usage}).encode(), endpoint)

        assert reply == Reply([[0.6, -0.8]], 265, {"text": 7, "image": 258})


async def test_usage_through_the_public_method(recorder: Recorder) -> None:
    """Where the SDK passes counts on, they are the same."""
    usage = {"promptTokenCount": 11, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 11}]}
    recorder.answer = json.dumps({**GOOD, "usageMetadata": usage}).encode()

    reply = await send(PublicOnly(connect(recorder.address("vertex"))), WORDS)

    assert reply.vectors == [[0.6, -0.8]]
    assert reply.tokens == 11
    assert reply.tokens_by_modality in (None, {"text": 11})  # google-genai 2 has no place for them


@pytest.mark.parametrize(
    ("answer", "vectors"),
    [
        (b"", []),
        (b"{}", []),
        (b"[]", []),
        (b'{"embeddings": null, "usageMetadata": null}', []),
        (b'{"embeddings": [{}, null, {"values": null}]}', [None, None, None]),
        (b'{"embeddings": [{"values": [1, -0.25, 3e-05]}, {"values": []}]}', [[1, -0.25, 3e-05], []]),
        (b'{"embedding": {"values": [0.5]}, "truncated": true}', [[0.5]]),
        (b'{"embeddings": [{"values": ["NaN"]}]}', [["NaN"]]),
    ],
)
async def test_replies_of_all_shapes(recorder: Recorder, answer: bytes, vectors: list[Any]) -> None:
    """Whatever a 200 holds is handed on for the engine to judge."""
    assert await received(recorder, answer) == Reply(vectors)


async def test_bare_nan_is_read(recorder: Recorder) -> None:
    """The word that JSON does not have is read all the same, so that the engine can ask again."""
    reply = await received(recorder, b'{"embeddings": [{"values": [0.5, NaN]}]}')

    [[first, second]] = reply.vectors
    assert first == 0.5
    assert second != second


async def test_cut_json(recorder: Recorder) -> None:
    """Half an answer is an error of the JSON library, as with the SDK."""
    with pytest.raises(json.JSONDecodeError):
        await received(recorder, json.dumps(GOOD).encode()[:30])


@pytest.mark.parametrize("endpoint", ["developer", "vertex"])
async def test_errors_are_the_sdk_s(recorder: Recorder, endpoint: str) -> None:
    """A refusal arrives as the SDK's own error with code, status and details."""
    body = {"error": {"code": 429, "message": "slowly", "status": "RESOURCE_EXHAUSTED", "details": [{"a": 1}]}}
    recorder.status = 429

    with pytest.raises(errors.ClientError) as raised:
        await received(recorder, json.dumps(body).encode(), endpoint)

    assert (raised.value.code, raised.value.status) == (429, "RESOURCE_EXHAUSTED")
    assert raised.value.details == body


async def test_a_server_that_fails(recorder: Recorder) -> None:
    """A failure is a server error of the SDK, after one attempt: the retries are the engine's."""
    recorder.status = 503

    with pytest.raises(errors.ServerError) as raised:
        await received(recorder, b'{"error": {"code": 503, "message": "later", "status": "UNAVAILABLE"}}')

    assert (raised.value.code, raised.value.status) == (503, "UNAVAILABLE")
    assert len(recorder.seen) == 1
