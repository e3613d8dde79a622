"""What each route answers. Plain functions of a call, run in worker threads; HTTP itself is in ``gateway``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from llama_index_gemini_mm.emulator.faults import Outcome
from llama_index_gemini_mm.emulator.files import Clock, FileStore
from llama_index_gemini_mm.emulator.model import Embedded, StandInModel, Tokens
from llama_index_gemini_mm.emulator.older import OLDER_MODEL, OlderModel
from llama_index_gemini_mm.emulator.quotas import Quotas
from llama_index_gemini_mm.emulator.replies import JsonObject, invalid
from llama_index_gemini_mm.emulator.wire import EmbedRequest, check, fields
from llama_index_gemini_mm.limits import DIMENSIONS_MAX, MAX_INPUT_TOKENS, MODEL, Limits

_FILE = ("name", "display_name", "mime_type", "size_bytes")


@dataclass(frozen=True)
class Call:
    """One request, parsed.

    Attributes:
        limits: the bounds of the endpoint that was called.
        path: the variables of the path: ``version``, ``model``, ``file``, ``upload``.
        query: the query string's values.
        headers: names in lower case.
        origin: scheme, host and port under which the client knows this server.
        raw: the body's bytes.
        body: the body's JSON, on routes that take JSON.
        requests: what is to be embedded or counted.
        outcome: how a batch job must end, when a script says so.
    """

    limits: Limits
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    origin: str
    raw: bytes
    body: JsonObject = field(default_factory=dict)
    requests: Sequence[EmbedRequest] = ()
    outcome: Outcome | None = None


@dataclass(frozen=True)
class Answer:
    """A 200: bytes, mostly of JSON, and headers of its own."""

    payload: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "application/json"


def json_answer(value: JsonObject) -> Answer:
    """A JSON body without further headers."""
    return Answer(json.dumps(value).encode())


class Service:
    """Everything behind the routes of both endpoints."""

    def __init__(self, model: StandInModel, files: FileStore, quotas: Quotas, clock: Clock) -> None:
        self._model = model
        self._older = OlderModel()
        self._files = files
        self._quotas = quotas
        self._clock = clock

    def embed_one(self, call: Call) -> Answer:
        """``embedContent``."""
        [embedded] = self._embed(call, batch=False)
        usage = _usage(call.limits, embedded.tokens)
        truncated = b', "truncated": true' if embedded.truncated and call.limits.endpoint == "vertex" else b""
        return Answer(b'{"embedding": ' + _embedding(embedded) + truncated + b', "usageMetadata": ' + usage + b"}")

    def embed_batch(self, call: Call) -> Answer:
        """``batchEmbedContents``: vectors in the order of the entries, one sum of tokens."""
        embedded = self._embed(call, batch=True)
        tokens = sum((one.tokens for one in embedded), start=Tokens())
        vectors = b", ".join(_embedding(one) for one in embedded)
        return Answer(b'{"embeddings": [' + vectors + b'], "usageMetadata": ' + _usage(call.limits, tokens) + b"}")

    def _embed(self, call: Call, *, batch: bool) -> list[Embedded]:
        check(call.requests, call.limits, model=call.path["model"], batch=batch)
        self._quotas.admit(len(call.requests))
        if call.path["model"] == OLDER_MODEL:
            embedded = [self._older.embed(request) for request in call.requests]
        else:
            embedded = [self._model.embed(request, call.limits) for request in call.requests]
        self._quotas.charge(sum(one.tokens.total() for one in embedded))
        return embedded

    def count_tokens(self, call: Call) -> Answer:
        """``countTokens``: the sum and one more, as the service counts."""
        if not call.requests:
            raise invalid("* CountTokensRequest.contents: must not be empty")
        counts = (self._model.count(request.content.parts, call.limits) for request in call.requests)
        tokens = sum(counts, start=Tokens({"text": 1}))
        return json_answer({"totalTokens": tokens.total(), "promptTokensDetails": _details(tokens)})

    def model_get(self, call: Call) -> Answer:
        """``models.get``."""
        prefix = "publishers/google/models" if call.limits.endpoint == "vertex" else "models"
        return json_answer(_model_json(prefix))

    def model_list(self, call: Call) -> Answer:
        """``models.list``."""
        return json_answer({"models": [_model_json("models")]})

    def upload_start(self, call: Call) -> Answer:
        """First request of a resumable upload: names the address that takes the bytes."""
        described = fields(fields(call.body, ("file",), "body").get("file") or {}, _FILE, "file")
        size = call.headers.get("x-goog-upload-header-content-length", "")
        mime_type = call.headers.get("x-goog-upload-header-content-type", "application/octet-stream")
        version = call.path["version"]
        upload = self._files.begin(
            described, mime_type, int(size) if size.isdecimal() else None, f"{call.origin}/{version}"
        )
        return Answer(headers={"X-Goog-Upload-URL": f"{call.origin}/upload/{version}/resumable/{upload}"})

    def upload_chunk(self, call: Call) -> Answer:
        """A chunk of a resumable upload; the last one answers with the File."""
        offset = call.headers.get("x-goog-upload-offset", "0")
        if not offset.isdecimal():
            raise invalid("X-Goog-Upload-Offset must be a number.")
        final = "finalize" in call.headers.get("x-goog-upload-command", "")
        file = self._files.append(call.path["upload"], int(offset), call.raw, final=final)
        if file is None:
            return Answer(headers={"X-Goog-Upload-Status": "active"})
        payload = json.dumps({"file": file.json(self._clock())}).encode()
        return Answer(payload, {"X-Goog-Upload-Status": "final"})

    def file_get(self, call: Call) -> Answer:
        """``files.get``: the File without a wrapper."""
        return json_answer(self._files.get(f"files/{call.path['file']}").json(self._clock()))

    def file_list(self, call: Call) -> Answer:
        """``files.list``, by pages."""
        start, size = page_asked(call)
        files, following = self._files.page(start, size)
        shown: JsonObject = {"files": [file.json(self._clock()) for file in files]}
        return json_answer(shown if following is None else {**shown, "nextPageToken": str(following)})

    def file_download(self, call: Call) -> Answer:
        """``files.download``, for what the server has made itself."""
        data = self._files.download(f"files/{call.path['file']}")
        return Answer(data, media_type="application/octet-stream")

    def file_delete(self, call: Call) -> Answer:
        """``files.delete``."""
        self._files.delete(f"files/{call.path['file']}")
        return Answer()


def page_asked(call: Call) -> tuple[int, int]:
    """Where a page of a list starts, and how long it may be.

    Raises:
        Refusal: 400 for a size outside 1 to 100.
    """
    size, start = call.query.get("pageSize", "10"), call.query.get("pageToken", "0")
    if not size.isdecimal() or not start.isdecimal() or not 1 <= int(size) <= 100:
        raise invalid("* page_size: must be from 1 to 100")
    return int(start), int(size)


def _embedding(embedded: Embedded) -> bytes:
    return b"{}" if embedded.numbers is None else b'{"values": ' + embedded.numbers + b"}"


def _usage(limits: Limits, tokens: Tokens) -> bytes:
    total = tokens.total()
    if limits.endpoint == "vertex":
        usage = {"promptTokenCount": total, "promptTokensDetails": _details(tokens), "totalTokenCount": total}
    else:
        usage = {"promptTokenCount": total, "promptTokenDetails": _details(tokens)}
    return json.dumps(usage).encode()


def _details(tokens: Tokens) -> list[JsonObject]:
    return [{"modality": modality.upper(), "tokenCount": count} for modality, count in tokens.items()]


def _model_json(prefix: str) -> JsonObject:
    return {
        "name": f"{prefix}/{MODEL}",
        "version": "2",
        "displayName": "Stand-in for Gemini Embedding 2",
        "description": f"Local emulator; vectors of up to {DIMENSIONS_MAX} numbers that are not Gemini's.",
        "inputTokenLimit": MAX_INPUT_TOKENS,
        "outputTokenLimit": 1,
        "supportedGenerationMethods": ["embedContent", "countTextTokens", "countTokens"],
    }
