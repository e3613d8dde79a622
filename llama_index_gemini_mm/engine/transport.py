"""The google-genai SDK, behind one call: contents in, raw vectors out."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llama_index_gemini_mm.engine.items import EmbedItem, Part
from llama_index_gemini_mm.engine.wire import Endpoint, Reply, batch_body, by_modality, read_reply, single_body
from llama_index_gemini_mm.limits import MODEL

if TYPE_CHECKING:
    from google.genai import Client
    from google.genai.types import Content, EmbedContentResponse

Post = Callable[[str, bytes], Awaitable[str | None]]
"""Posts a body to a path and returns the reply's; ``None`` when it was not sent."""


@dataclass(frozen=True)
class Address:
    """Where the service is and how to be let in.

    ``timeout`` is in seconds and covers one request. Nothing here is ever logged.
    """

    endpoint: Endpoint
    api_key: str | None = None
    project: str | None = None
    location: str | None = None
    credentials: Any = None
    base_url: str | None = None
    timeout: float = 120.0
    headers: Mapping[str, str] | None = None


def connect(address: Address) -> Client:
    """An SDK client for ``address``.

    The API version is set because google-genai 3 changed its default; the SDK's own retry is held to one attempt
    because it ignores what the server says about waiting.
    """
    from google.genai import Client
    from google.genai.types import HttpOptions, HttpRetryOptions

    vertex = address.endpoint == "vertex"
    options = HttpOptions(
        base_url=address.base_url,
        api_version="v1beta1" if vertex else "v1beta",
        timeout=int(address.timeout * 1000),
        retry_options=HttpRetryOptions(attempts=1),
        headers=dict(address.headers) if address.headers else None,
    )
    if not vertex:
        return Client(vertexai=False, api_key=address.api_key, http_options=options)
    return Client(
        vertexai=True,
        project=address.project,
        location=address.location,
        credentials=address.credentials,
        http_options=options,
    )


class Transport:
    """Sends batches through one client. Use it on one event loop only."""

    def __init__(self, client: Client, model: str, dimension: int) -> None:
        self._client = client
        self._model = model
        self._dimension = dimension
        self._post = _poster(client)

    async def send(self, items: Sequence[EmbedItem]) -> Reply:
        """One request, one vector for each item. Raises the SDK's and the HTTP library's own errors."""
        direct = self._direct(items)
        if self._post is not None and direct is not None:
            reply = await self._post(*direct)
            if reply is not None:
                return read_reply(reply)
        return await self._embedded(items)

    @property
    def client(self) -> Client:
        """The SDK's client, for what is not embedding: files, batches."""
        return self._client

    async def count_tokens(self, item: EmbedItem) -> int:
        """The service's own count of an item. Raises the SDK's and the HTTP library's own errors."""
        reply = await self._client.aio.models.count_tokens(model=self._model, contents=[_content(item)])
        return int(reply.total_tokens or 0)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aio.aclose()

    def _direct(self, items: Sequence[EmbedItem]) -> tuple[str, bytes] | None:
        """Path and body of the request where they are known without the SDK."""
        name = self._model.removeprefix("models/")
        if not self._client.vertexai and "/" not in name:
            full = f"models/{name}"
            return f"{full}:batchEmbedContents", batch_body(items, full, self._dimension)
        if self._client.vertexai and name == MODEL and len(items) == 1:
            return f"publishers/google/models/{name}:embedContent", single_body(items[0], self._dimension)
        return None

    async def _embedded(self, items: Sequence[EmbedItem]) -> Reply:
        """The same by the SDK's public method, which makes and checks an object for every content."""
        from google.genai.types import EmbedContentConfig

        response = await self._client.aio.models.embed_content(
            model=self._model,
            contents=[_content(item) for item in items],
            config=EmbedContentConfig(output_dimensionality=self._dimension),
        )
        return _reply(response)


def _poster(client: Client) -> Post | None:
    """How to post through the client with its address, headers and tokens, or ``None`` where this SDK has no such way.

    The SDK's public method takes three times as long as the exchange itself. What is used instead has been the same
    from 1.73 to 3.6, but is not promised, and so it is looked for and not relied on.
    """
    api = getattr(client, "_api_client", None)
    build, request = getattr(api, "_build_request", None), getattr(api, "_async_request", None)
    if type(api).__name__ != "BaseApiClient" or build is None or request is None:
        return None
    try:
        inspect.signature(build).bind("post", "", {}, None)
        inspect.signature(request).bind(http_request=None, http_options=None, stream=False)
    except TypeError:
        return None

    async def post(path: str, body: bytes) -> str | None:
        prepared = build("post", path, {}, None)
        if prepared.data:
            return None  # the client adds fields of its own to every body
        prepared.data = body
        reply = await request(http_request=prepared, http_options=None, stream=False)
        return str(reply.response_stream[0]) if reply.response_stream else ""

    return post


def _content(item: EmbedItem) -> Content:
    """A Content of its own for each item: a list of bare strings is one content to the model, and gives one vector."""
    from google.genai.types import Content

    return Content(parts=[_part(part) for part in item.parts])


def _part(part: Part) -> Any:
    from google.genai.types import Part as SdkPart

    if part.uri is not None:
        return SdkPart.from_uri(file_uri=part.uri, mime_type=part.mime_type)
    if part.data is None:
        return SdkPart(text=part.text)
    return SdkPart.from_bytes(data=part.data, mime_type=part.mime_type or "")


def _reply(response: EmbedContentResponse) -> Reply:
    """The reply with the token counts that this version of the SDK passes on."""
    embeddings = response.embeddings or []
    usage = getattr(response, "usage_metadata", None)
    total = usage.prompt_token_count if usage is not None else None
    if not total:
        total = sum(int(e.statistics.token_count or 0) for e in embeddings if e.statistics)
    details = (getattr(usage, "prompt_tokens_details", None) or []) if usage is not None else []
    told = by_modality((getattr(one.modality, "value", None), one.token_count) for one in details)
    return Reply([e.values for e in embeddings], total or None, told)
