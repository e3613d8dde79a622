"""The settings of the embedding model: its fields, what they must be, and what they mean for the engine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from llama_index.core.bridge.pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from llama_index.core.embeddings import MultiModalEmbedding

from llama_index_gemini_mm.engine import EngineSettings, KeySpace, Patience, Prices
from llama_index_gemini_mm.engine.prefixes import PREFIX_VERSION, TASKS
from llama_index_gemini_mm.engine.prices import DEFAULT_PRICES
from llama_index_gemini_mm.engine.transport import Address
from llama_index_gemini_mm.errors import AuthError, ConfigurationError, LimitExceeded
from llama_index_gemini_mm.limits import DIMENSIONS_DEFAULT, DIMENSIONS_MAX, DIMENSIONS_MIN, MODEL, Limits, limits_of
from llama_index_gemini_mm.media_store import MediaStore, as_media_store
from llama_index_gemini_mm.modalities import PREPROCESSING_VERSION

_KEY_VARIABLES = ("GOOGLE_API_KEY", "GEMINI_API_KEY")
_UNPICKLABLE = ("client", "credentials", "callback_manager", "rate_limiter")


class EmbeddingSettings(MultiModalEmbedding):
    """The fields of ``GeminiMultimodalEmbedding``, where each is described."""

    model_config = ConfigDict(protected_namespaces=("pydantic_model_",), arbitrary_types_allowed=True)

    # These change vectors, so they belong to to_dict() and with it to the keys of LlamaIndex's caches.
    model_name: str = Field(default=MODEL, description="The name of the embedding model.")
    output_dimensionality: int = DIMENSIONS_DEFAULT
    task: str = "retrieval"
    service: str = "gemini"
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
    deadline: float = Field(default=600.0, gt=0, exclude=True)
    max_concurrency: int = Field(default=32, gt=0, exclude=True)
    requests_per_minute: int | None = Field(default=None, gt=0, exclude=True)
    contents_per_minute: int | None = Field(default=None, gt=0, exclude=True)
    tokens_per_minute: int | None = Field(default=None, gt=0, exclude=True)
    file_threshold: int = Field(default=8 * 2**20, gt=0, exclude=True)
    truncate: bool = Field(default=False, exclude=True)
    exact_tokens: bool = Field(default=False, exclude=True)
    on_item_error: Literal["raise", "skip"] = Field(default="raise", exclude=True)
    max_cost: float | None = Field(default=None, ge=0, exclude=True)
    prices: Prices = Field(default=DEFAULT_PRICES, exclude=True)
    embedding_cache: Path | None = Field(default=None, exclude=True)
    media_store: MediaStore = Field(default_factory=MediaStore, exclude=True, validate_default=True)
    client: Any = Field(default=None, exclude=True, repr=False)
    embed_batch_size: int = Field(default=2048, gt=0, le=2048, exclude=True)
    num_workers: int | None = Field(default=None, exclude=True)

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
        address = self.address()
        if address.endpoint == "developer" and not address.api_key and self.client is None:
            raise AuthError(
                401,
                "UNAUTHENTICATED",
                "no API key: set GOOGLE_API_KEY or GEMINI_API_KEY, or pass api_key=; to try it without one, use the "
                "emulator (--offline on the command line)",
            )

    def __getstate__(self) -> dict[str, Any]:
        """What a worker process needs; LlamaIndex's own version would delete fields from the living object."""
        state = BaseModel.__getstate__(self)
        fields = {k: v for k, v in state["__dict__"].items() if k not in _UNPICKLABLE}
        return {**state, "__dict__": fields, "__pydantic_private__": None}

    @property
    def limits(self) -> Limits:
        """What the endpoint in use accepts."""
        return limits_of(self.address().endpoint)

    def _space(self) -> KeySpace:
        return KeySpace(
            model=self.model_name,
            dimension=self.output_dimensionality,
            task=self.task,
            prefix_version=self.prefix_version,
            preprocessing_version=self.preprocessing_version,
            service=self.service,
        )

    def _settings(self) -> EngineSettings:
        return EngineSettings(
            limits=self.limits,
            file_threshold=self.file_threshold,
            max_concurrency=self.max_concurrency,
            requests_per_minute=self.requests_per_minute,
            contents_per_minute=self.contents_per_minute,
            tokens_per_minute=self.tokens_per_minute,
            patience=Patience(self.max_retries, self.deadline),
            truncate=self.truncate,
            exact_tokens=self.exact_tokens,
            max_cost=self.max_cost,
            prices=self.prices,
        )

    def address(self) -> Address:
        """Where the service is and how to be let in, from the fields and the environment."""
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
