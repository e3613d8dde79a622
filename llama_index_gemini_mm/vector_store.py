"""One Qdrant collection: made, checked, opened. Its vectors carry a stamp that says in which space they live."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from llama_index.vector_stores.qdrant import QdrantVectorStore
from qdrant_client import AsyncQdrantClient, QdrantClient, models
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from llama_index_gemini_mm.embedding import GeminiMultimodalEmbedding
from llama_index_gemini_mm.errors import ConfigurationError, IndexLocked, IndexMismatch, IndexUnavailable
from llama_index_gemini_mm.media import FILE_PATH, MODALITY

_STAMP = "gemini_mm_space"
_REMEDY = "use the settings it was made with, or sync into another storage folder or collection"


@dataclass(frozen=True)
class Space:
    """What decides whether two vectors can be compared.

    ``service`` keeps vectors of the emulator's stand-in model and of Gemini apart.
    """

    model: str
    dimension: int
    task: str
    prefix_version: int
    preprocessing_version: int
    service: str = "gemini"

    @classmethod
    def of(cls, model: GeminiMultimodalEmbedding) -> Space:
        """The space in which a model's vectors live."""
        return cls(
            model.model_name,
            model.output_dimensionality,
            model.task,
            model.prefix_version,
            model.preprocessing_version,
            model.service,
        )

    def __str__(self) -> str:
        return (
            f"{self.dimension}-dimensional vectors of {self.model} ({self.service}, task {self.task}, "
            f"prefixes v{self.prefix_version}, preprocessing v{self.preprocessing_version})"
        )


def embedded_client(folder: Path) -> QdrantClient:
    """Qdrant inside this process, kept in ``folder``. Raises ``IndexLocked`` when another process has it open."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return QdrantClient(path=str(folder), force_disable_check_same_thread=True)
    except RuntimeError as error:
        if "already accessed" not in str(error):
            raise
        raise IndexLocked(str(folder)) from error


def server_client(url: str, api_key: str | None = None) -> QdrantClient:
    """A Qdrant server, cluster or cloud."""
    return QdrantClient(url=url, api_key=api_key, check_compatibility=False)


def open_collection(client: QdrantClient, name: str, space: Space) -> QdrantVectorStore:
    """The LlamaIndex store over collection ``name``, made when it does not exist.

    Raises ``IndexMismatch`` when the collection's vectors live in another space, and ``IndexUnavailable`` when a server
    does not answer or refuses.
    """
    try:
        if client.collection_exists(name):
            _check(client, name, space)
        else:
            _create(client, name, space)
    except ResponseHandlingException as error:
        raise IndexUnavailable(_address(client), str(error.source) or type(error.source).__name__) from error
    except UnexpectedResponse as error:
        raise IndexUnavailable(_address(client), f"{error.status_code} {error.reason_phrase}") from error
    store = QdrantVectorStore(name, client=client)
    if _is_embedded(client):
        # The embedded engine has no asynchronous client of its own, and a second one would not get the folder.
        store._aclient = cast("AsyncQdrantClient", _AsyncOverSync(client))
    return store


def _create(client: QdrantClient, name: str, space: Space) -> None:
    client.create_collection(
        name,
        vectors_config=models.VectorParams(size=space.dimension, distance=models.Distance.COSINE),
        metadata={_STAMP: asdict(space)},
    )
    if not _is_embedded(client):
        for field in (MODALITY, FILE_PATH, "doc_id"):
            client.create_payload_index(name, field, field_schema=models.PayloadSchemaType.KEYWORD)


def _check(client: QdrantClient, name: str, space: Space) -> None:
    config = client.get_collection(name).config
    stamp = (config.metadata or {}).get(_STAMP)
    if stamp is not None:
        found = Space(**stamp)
        if found != space:
            raise IndexMismatch(str(space), str(found), _REMEDY)
        return
    vectors = config.params.vectors
    size = vectors.size if isinstance(vectors, models.VectorParams) else None
    if size != space.dimension:
        raise IndexMismatch(str(space), f"{size or 'named'}-dimensional vectors of an unknown model", _REMEDY)
    if client.count(name).count:
        raise IndexMismatch(str(space), "vectors of an unknown model", _REMEDY)


def _address(client: QdrantClient) -> str:
    return str(client.init_options.get("url") or "")


def _is_embedded(client: QdrantClient) -> bool:
    from qdrant_client.local.qdrant_local import QdrantLocal

    return isinstance(client._client, QdrantLocal)


class _AsyncOverSync:
    """The asynchronous face that LlamaIndex asks for, over the one embedded client; its calls block the event loop."""

    def __init__(self, client: QdrantClient) -> None:
        self._sync = client

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._sync, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            return method(*args, **kwargs)

        return call


def valid_collection(name: str) -> str:
    """``name`` if Qdrant takes it; raises ``ConfigurationError`` otherwise."""
    if not name or any(sign in name for sign in '/\\:*?"<>|\0'):
        raise ConfigurationError(f"collection={name!r} cannot be a collection's name; use letters, digits, - and _")
    return name
