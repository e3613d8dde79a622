"""The table of URLs: both versions of the Developer API, and Vertex AI."""

from __future__ import annotations

from collections.abc import Iterator

from llama_index_gemini_mm.emulator.batches import BatchService
from llama_index_gemini_mm.emulator.gateway import Route
from llama_index_gemini_mm.emulator.replies import Refusal
from llama_index_gemini_mm.emulator.service import Answer, Call, Service
from llama_index_gemini_mm.emulator.wire import EmbedRequest, parse_batch, parse_count, parse_embed
from llama_index_gemini_mm.limits import DEVELOPER_API, VERTEX

_DEVELOPER = "/{version:v1|v1beta}"
_MODEL = "{model:[^/:]+}"
_VERTEX = "/{version:v1|v1beta1}"
_PUBLISHED = "/projects/{project}/locations/{location}/publishers/google/models/" + _MODEL


def developer_routes(service: Service) -> Iterator[Route]:
    """Methods under ``/v1`` and ``/v1beta``."""
    api, model = DEVELOPER_API, f"{_DEVELOPER}/models/{_MODEL}"
    yield Route("POST", f"{model}:embedContent", "embedContent", api, service.embed_one, _one)
    yield Route("POST", f"{model}:batchEmbedContents", "batchEmbedContents", api, service.embed_batch, parse_batch)
    yield Route("POST", f"{model}:countTokens", "countTokens", api, service.count_tokens, parse_count)
    yield Route("GET", model, "models.get", api, service.model_get)
    yield Route("GET", f"{_DEVELOPER}/models", "models.list", api, service.model_list)
    yield Route("POST", f"/upload{_DEVELOPER}/files", "files.start", api, service.upload_start)
    # The address itself is the permission: clients send no key with the bytes.
    yield Route(
        "POST",
        f"/upload{_DEVELOPER}/resumable/{{upload}}",
        "files.chunk",
        api,
        service.upload_chunk,
        body="bytes",
        open_to_all=True,
    )
    yield Route("GET", f"{_DEVELOPER}/files", "files.list", api, service.file_list)
    # Before files.get, whose pattern matches this path as well.
    yield Route("GET", f"{_DEVELOPER}/files/{{file:[^/:]+}}:download", "files.download", api, service.file_download)
    yield Route("GET", f"{_DEVELOPER}/files/{{file}}", "files.get", api, service.file_get)
    yield Route("DELETE", f"{_DEVELOPER}/files/{{file}}", "files.delete", api, service.file_delete)


def batch_routes(batches: BatchService) -> Iterator[Route]:
    """The Batch API, which the Developer API alone has."""
    api, order, job = DEVELOPER_API, f"{_DEVELOPER}/models/{_MODEL}", f"{_DEVELOPER}/batches/{{batch:[^/:]+}}"
    create = f"{order}:asyncBatchEmbedContent"
    yield Route("POST", create, "asyncBatchEmbedContent", api, batches.create, batches.entries)
    yield Route("GET", f"{_DEVELOPER}/batches", "batches.list", api, batches.list)
    yield Route("GET", job, "batches.get", api, batches.get)
    yield Route("POST", f"{job}:cancel", "batches.cancel", api, batches.cancel)
    yield Route("DELETE", job, "batches.delete", api, batches.delete)


def vertex_routes(service: Service, *, batch: bool) -> Iterator[Route]:
    """Methods under ``/v1beta1/projects/…``; ``batch`` adds the one that only newest SDKs ask for."""
    api, model = VERTEX, f"{_VERTEX}{_PUBLISHED}"
    yield Route("POST", f"{model}:embedContent", "embedContent", api, service.embed_one, _one)
    if batch:
        yield Route("POST", f"{model}:batchEmbedContents", "batchEmbedContents", api, service.embed_batch, parse_batch)
    yield Route("POST", f"{model}:countTokens", "countTokens", api, service.count_tokens, parse_count)
    yield Route("POST", f"{model}:predict", "predict", api, _refuse_predict)
    yield Route("GET", f"{_VERTEX}/publishers/google/models/{_MODEL}", "models.get", api, service.model_get)
    yield Route("GET", model, "models.get", api, service.model_get)


def _one(body: object) -> list[EmbedRequest]:
    return [parse_embed(body)]


def _refuse_predict(call: Call) -> Answer:
    raise Refusal(400, "This model is served by embedContent.", status="FAILED_PRECONDITION")
