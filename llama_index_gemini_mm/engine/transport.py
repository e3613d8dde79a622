"""The google-genai SDK, behind one call: contents in, raw vectors out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from llama_index_gemini_mm.engine.items import EmbedItem, Part, Vector

if TYPE_CHECKING:
    from google.genai import Client
    from google.genai.types import Content, EmbedContentResponse


@dataclass(frozen=True)
class Reply:
    """What came back, unchecked: a vector or ``None`` for each content, and the service's token count if given."""

    vectors: list[Vector | None]
    tokens: int | None = None


@dataclass(frozen=True)
class Address:
    """Where the service is and how to be let in.

    ``timeout`` is in seconds and covers one request. Nothing here is ever logged.
    """

    endpoint: Literal["developer", "vertex"]
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

    async def send(self, items: Sequence[EmbedItem]) -> Reply:
        """One request, one vector for each item. Raises the SDK's and the HTTP library's own errors."""
        from google.genai.types import EmbedContentConfig

        response = await self._client.aio.models.embed_content(
            model=self._model,
            contents=[_content(item) for item in items],
            config=EmbedContentConfig(output_dimensionality=self._dimension),
        )
        return Reply([e.values for e in response.embeddings or []], _tokens(response))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aio.aclose()


def _content(item: EmbedItem) -> Content:
    """A Content of its own for each item: a list of bare strings is one content to the model, and gives one vector."""
    from google.genai.types import Content

    return Content(parts=[_part(part) for part in item.parts])


def _part(part: Part) -> Any:
    from google.genai.types import Part as SdkPart

    if part.data is None:
        return SdkPart(text=part.text)
    return SdkPart.from_bytes(data=part.data, mime_type=part.mime_type or "")


def _tokens(response: EmbedContentResponse) -> int | None:
    """The token count, where this version of the SDK passes it on."""
    usage = getattr(response, "usage_metadata", None)
    if usage is not None and usage.prompt_token_count:
        return int(usage.prompt_token_count)
    counts = [e.statistics.token_count for e in response.embeddings or [] if e.statistics and e.statistics.token_count]
    return int(sum(counts)) if counts else None
