"""GeminiMultimodalEmbedding: LlamaIndex's face of the engine.

LlamaIndex hands an embedding model strings. Those of this package's media nodes carry a ``media_ref:`` line, which is
resolved through the media store; nodes with media of other makers are given such a line when they pass through
``__call__``. Everything else is text, and gets the prefix the model expects.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from llama_index.core.base.embeddings.base import Embedding
from llama_index.core.bridge.pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, field_validator
from llama_index.core.embeddings import MultiModalEmbedding
from llama_index.core.schema import BaseNode, ImageType, MetadataMode, QueryBundle

from llama_index_gemini_mm.engine import EmbeddingEngine, EmbedItem, EngineSettings, Part, Role, Usage
from llama_index_gemini_mm.engine.prefixes import PREFIX_VERSION, TASKS
from llama_index_gemini_mm.engine.transport import Address, Transport, connect
from llama_index_gemini_mm.errors import AuthError, ConfigurationError, LimitExceeded
from llama_index_gemini_mm.inputs import PartLike, as_parts, with_media_ref
from llama_index_gemini_mm.limits import DIMENSIONS_DEFAULT, DIMENSIONS_MAX, DIMENSIONS_MIN, MODEL, Limits, limits_of
from llama_index_gemini_mm.media import read_embed_text
from llama_index_gemini_mm.media_store import MediaStore, as_media_store
from llama_index_gemini_mm.modalities import PREPROCESSING_VERSION, parts_of

_KEY_VARIABLES = ("GOOGLE_API_KEY", "GEMINI_API_KEY")
_UNPICKLABLE = ("client", "credentials", "callback_manager", "rate_limiter")


class GeminiMultimodalEmbedding(MultiModalEmbedding):
    """Text, images, audio, video and PDF pages in one vector space, as LlamaIndex's ``embed_model``.

    Args:
        output_dimensionality: numbers in a vector, 128 to 3,072; 768, 1,536 and 3,072 are recommended. Shorter vectors
            are prefixes of the long one, at unit length.
        task: what the vectors are for: ``retrieval`` (default), ``question_answering``, ``fact_checking``,
            ``code_retrieval``, ``classification``, ``clustering``, ``similarity``.
        api_key: a key of the Gemini Developer API; else ``GOOGLE_API_KEY`` or ``GEMINI_API_KEY`` is read.
        vertexai, project, location, credentials: use Vertex AI instead; else ``GOOGLE_GENAI_USE_VERTEXAI``,
            ``GOOGLE_CLOUD_PROJECT`` and ``GOOGLE_CLOUD_LOCATION`` are read. Without ``credentials`` the machine's
            default ones are used.
        base_url: another address of the service: a proxy, or the emulator.
        timeout: seconds that one request may take.
        max_retries: how often a request that failed in passing (408, 429, 5xx, dropped connection) is sent again.
        max_concurrency: requests under way at once.
        media_store: where media are looked up: a ``MediaStore``, a folder or an fsspec URL; by default
            ``./storage/media``.
        client: a ready ``google.genai.Client`` to use instead of all of the above.
        embed_batch_size: texts or nodes that LlamaIndex hands over at once; they are packed into requests after that.

    Raises:
        AuthError: no key, no client and no Vertex project.
        LimitExceeded: a dimension the model does not have.

    Source: https://ai.google.dev/gemini-api/docs/embeddings
    """

    model_config = ConfigDict(protected_namespaces=("pydantic_model_",), arbitrary_types_allowed=True)

    # These change vectors, so they belong to to_dict() and with it to the keys of LlamaIndex's caches.
    model_name: str = Field(default=MODEL, description="The name of the embedding model.")
    output_dimensionality: int = DIMENSIONS_DEFAULT
    task: str = "retrieval"
    prefix_version: int = Field(default=PREFIX_VERSION, frozen=True)
    preprocessing_version: int = Field(default=PREPROCESSING_VERSION, frozen=True)

    # These do not: excluded, so that another timeout does not pay for everything again, and no secret is written out.
    api_key: SecretStr | None = Field(default=None, exclude=True)
    vertexai: bool | None = Field(default=None, exclude=True)
    project: str | None = Field(default=None, exclude=True)
    location: str | None = Field(default=None, exclude=True)
    credentials: Any = Field(default=None, exclude=True, repr=False)
    base_url: str | None = Field(default=None, exclude=True)
    timeout: float = Field(default=120.0, gt=0, exclude=True)
    max_retries: int = Field(default=6, ge=0, exclude=True)
    max_concurrency: int = Field(default=8, gt=0, exclude=True)
    media_store: MediaStore = Field(default_factory=MediaStore, exclude=True, validate_default=True)
    client: Any = Field(default=None, exclude=True, repr=False)
    embed_batch_size: int = Field(default=512, gt=0, le=2048, exclude=True)
    num_workers: int | None = Field(default=None, exclude=True)

    _engine: EmbeddingEngine | None = PrivateAttr(default=None)

    @classmethod
    def class_name(cls) -> str:
        """LlamaIndex's serialisation id."""
        return "GeminiMultimodalEmbedding"

    @field_validator("media_store", mode="before")
    @classmethod
    def _a_store(cls, value: Any) -> MediaStore:
        return as_media_store(value)

    @field_validator("output_dimensionality")
    @classmethod
    def _a_dimension(cls, value: int) -> int:
        if not DIMENSIONS_MIN <= value <= DIMENSIONS_MAX:
            bound = DIMENSIONS_MIN if value < DIMENSIONS_MIN else DIMENSIONS_MAX
            raise LimitExceeded("vector", bound, value, "dimensions", "use 768, 1536 or 3072")
        return value

    @field_validator("task")
    @classmethod
    def _a_task(cls, value: str) -> str:
        if value not in TASKS:
            raise ConfigurationError(f"task={value!r} is unknown; use one of {', '.join(TASKS)}")
        return value

    @field_validator("embeddings_cache")
    @classmethod
    def _no_core_cache(cls, value: Any) -> Any:
        if value is not None:
            raise ConfigurationError(
                "embeddings_cache= keys vectors by bare text, so queries would get documents' vectors; leave it unset"
            )
        return value

    def model_post_init(self, context: Any, /) -> None:
        """Fail now rather than after hours of reading when there is no way to be let in."""
        super().model_post_init(context)
        address = self._address()
        if address.endpoint == "developer" and not address.api_key and self.client is None:
            raise AuthError(
                401,
                "UNAUTHENTICATED",
                "no API key: set GOOGLE_API_KEY or GEMINI_API_KEY, or pass api_key=; without one, use the emulator",
            )

    def __getstate__(self) -> dict[str, Any]:
        """What a worker process needs; LlamaIndex's own version would delete fields from the living object."""
        state = BaseModel.__getstate__(self)
        fields = {k: v for k, v in state["__dict__"].items() if k not in _UNPICKLABLE}
        return {**state, "__dict__": fields, "__pydantic_private__": None}

    @property
    def limits(self) -> Limits:
        """What the endpoint in use accepts."""
        return limits_of(self._address().endpoint)

    @property
    def usage(self) -> Usage:
        """Requests, contents, tokens by modality and estimated US dollars since this model was made."""
        return self._engine.usage if self._engine else Usage()

    def close(self) -> None:
        """Close connections and end the background thread; the model can be used again afterwards."""
        if self._engine:
            self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def get_media_embedding(self, *parts: PartLike) -> Embedding:
        """One vector for all ``parts`` together, as a document.

        Args:
            parts: words as ``str``, a file as ``pathlib.Path``, its content as ``bytes``, a PIL image, or a ``Part``.

        Raises:
            UnsupportedFormat: a file that is no picture, sound, film or PDF.
            LimitExceeded: more, longer or larger media than one content may hold.
        """
        return self._embed([self._deferred(parts, "document")])[0]

    async def aget_media_embedding(self, *parts: PartLike) -> Embedding:
        """The same from an event loop."""
        return (await self._aembed([self._deferred(parts, "document")]))[0]

    def query_bundle(self, *parts: PartLike) -> QueryBundle:
        """A query made of words and media, for ``retriever.retrieve`` and ``query_engine.query``."""
        return QueryBundle(_words(parts), embedding=self._embed([self._deferred(parts, "query")])[0])

    async def aquery_bundle(self, *parts: PartLike) -> QueryBundle:
        """The same from an event loop."""
        return QueryBundle(_words(parts), embedding=(await self._aembed([self._deferred(parts, "query")]))[0])

    def __call__(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """Embed nodes as a step of an ingestion pipeline; media of nodes not made by this package is taken in first."""
        return _set(nodes, self.get_text_embedding_batch([self._text(node) for node in nodes], **kwargs))

    async def acall(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """The same from an event loop."""
        return _set(nodes, await self.aget_text_embedding_batch([self._text(node) for node in nodes], **kwargs))

    def _text(self, node: BaseNode) -> str:
        text = node.get_content(metadata_mode=MetadataMode.EMBED)
        return text if read_embed_text(text).ref else with_media_ref(node, text, self.media_store)

    def _get_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        return self._embed([partial(self._item, text, "document") for text in texts])

    async def _aget_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        return await self._aembed([partial(self._item, text, "document") for text in texts])

    def _get_text_embedding(self, text: str) -> Embedding:
        return self._get_text_embeddings([text])[0]

    async def _aget_text_embedding(self, text: str) -> Embedding:
        return (await self._aget_text_embeddings([text]))[0]

    def _get_query_embedding(self, query: str) -> Embedding:
        return self._embed([partial(self._item, query, "query")])[0]

    async def _aget_query_embedding(self, query: str) -> Embedding:
        return (await self._aembed([partial(self._item, query, "query")]))[0]

    def _get_image_embedding(self, img_file_path: ImageType) -> Embedding:
        return self.get_media_embedding(_image(img_file_path))

    async def _aget_image_embedding(self, img_file_path: ImageType) -> Embedding:
        return await self.aget_media_embedding(_image(img_file_path))

    def _item(self, text: str, role: Role) -> EmbedItem:
        """The item that a string from LlamaIndex stands for."""
        read = read_embed_text(text)
        if read.ref is None:
            return EmbedItem((Part(text=read.body),), role, read.title)
        return EmbedItem(tuple(parts_of(read, self.media_store, self.limits)), role, name=str(read.ref))

    def _deferred(self, parts: Sequence[Any], role: Role) -> Callable[[], EmbedItem]:
        return lambda: EmbedItem(tuple(as_parts(parts, self.limits)), role)

    def _embed(self, inputs: Sequence[EmbedItem | Callable[[], EmbedItem]]) -> list[Embedding]:
        return self._ready().embed(inputs)

    async def _aembed(self, inputs: Sequence[EmbedItem | Callable[[], EmbedItem]]) -> list[Embedding]:
        return await self._ready().aembed(inputs)

    def _ready(self) -> EmbeddingEngine:
        if self._engine is None:
            settings = EngineSettings(
                dimension=self.output_dimensionality,
                limits=self.limits,
                task=self.task,
                max_concurrency=self.max_concurrency,
                max_retries=self.max_retries,
            )
            self._engine = EmbeddingEngine(self._transport, settings)
        return self._engine

    def _transport(self) -> Transport:
        return Transport(self.client or connect(self._address()), self.model_name, self.output_dimensionality)

    def _address(self) -> Address:
        vertex = self.vertexai if self.vertexai is not None else _flag("GOOGLE_GENAI_USE_VERTEXAI")
        if self.client is not None:
            vertex = bool(self.client.vertexai)
        key = self.api_key.get_secret_value() if self.api_key else None
        return Address(
            endpoint="vertex" if vertex else "developer",
            api_key=key or next((os.environ[name] for name in _KEY_VARIABLES if os.environ.get(name)), None),
            project=self.project or os.environ.get("GOOGLE_CLOUD_PROJECT"),
            location=self.location or os.environ.get("GOOGLE_CLOUD_LOCATION") or "global",
            credentials=self.credentials,
            base_url=self.base_url,
            timeout=self.timeout,
        )


def _flag(name: str) -> bool:
    """A yes-or-no variable of the environment; the word "false" means no."""
    return os.environ.get(name, "").strip().lower() in ("1", "true", "yes", "on")


def _words(parts: Sequence[Any]) -> str:
    return "\n".join(part for part in parts if isinstance(part, str))


def _image(value: ImageType) -> Path | bytes:
    return Path(value) if isinstance(value, str) else value.read()


def _set(nodes: Sequence[BaseNode], vectors: Sequence[Embedding]) -> Sequence[BaseNode]:
    for node, vector in zip(nodes, vectors, strict=True):
        node.embedding = vector
    return nodes
