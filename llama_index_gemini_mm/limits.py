"""What ``gemini-embedding-2`` accepts, as data: one table per endpoint.

Source: https://ai.google.dev/gemini-api/docs/embeddings (Developer API) and
https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/gemini/embedding-2 (Vertex AI), read 2026-11.
Nothing here computes anything that needs a file: modalities, engine and emulator each read the same numbers.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Modality = Literal["text", "image", "audio", "video", "document"]
MODALITIES: tuple[Modality, ...] = ("text", "image", "audio", "video", "document")

MODEL = "gemini-embedding-2"
MAX_INPUT_TOKENS = 8192
DIMENSIONS_MIN, DIMENSIONS_MAX, DIMENSIONS_DEFAULT = 128, 3072, 3072
DIMENSIONS_RECOMMENDED = (768, 1536, 3072)
MAX_FRAMES = 32
"""A video of up to this many seconds is sampled once a second; a longer one evenly, down to this many frames."""

TOKENS_PER_IMAGE = 258
TOKENS_PER_PAGE = 258
TOKENS_PER_AUDIO_SECOND = 25
TOKENS_PER_FRAME = 66


@dataclass(frozen=True)
class MediaLimit:
    """The bounds of one modality in one Content; ``None`` means that the service states none.

    ``mime_types`` are the names the endpoint accepts on the wire, the preferred one first for each kind of content.
    """

    mime_types: tuple[str, ...]
    max_count: int | None = None
    max_seconds: float | None = None
    max_pages: int | None = None


@dataclass(frozen=True)
class Limits:
    """One endpoint's bounds. Bytes are counted before base64."""

    endpoint: Literal["developer", "vertex"]
    media: Mapping[Modality, MediaLimit]
    batch_max_items: int
    inline_bytes: int
    inline_pdf_bytes: int
    wire_names: Mapping[str, str] = field(default_factory=dict)
    """What this endpoint calls a MIME type, where that differs from the registered name."""

    def wire_mime(self, mime_type: str) -> str:
        """The name under which this endpoint accepts content of the registered ``mime_type``."""
        return self.wire_names.get(mime_type, mime_type)


DEVELOPER_API = Limits(
    endpoint="developer",
    media={
        "image": MediaLimit(("image/png", "image/jpeg"), max_count=6),
        "audio": MediaLimit(("audio/mpeg", "audio/mp3", "audio/wav"), max_count=1, max_seconds=180),
        "video": MediaLimit(("video/mp4", "video/quicktime"), max_count=1, max_seconds=120),
        "document": MediaLimit(("application/pdf",), max_count=1, max_pages=6),
    },
    batch_max_items=100,
    inline_bytes=100 * 2**20,
    inline_pdf_bytes=50 * 2**20,
)
"""The documentation gives no count of audio, video and PDF parts for this endpoint; Vertex says one each, so we do."""

VERTEX = Limits(
    endpoint="vertex",
    media={
        "image": MediaLimit(
            ("image/png", "image/jpeg", "image/webp", "image/bmp", "image/heic", "image/heif", "image/avif"),
            max_count=6,
        ),
        "audio": MediaLimit(("audio/mp3", "audio/wav"), max_count=1, max_seconds=180),
        "video": MediaLimit(("video/mp4", "video/mpeg"), max_count=1, max_seconds=120),
        "document": MediaLimit(("application/pdf",), max_count=1, max_pages=6),
    },
    batch_max_items=1,
    inline_bytes=100 * 2**20,
    inline_pdf_bytes=50 * 2**20,
    wire_names={"audio/mpeg": "audio/mp3"},
)
VERTEX_MAX_SECONDS_WITH_SOUND = 80

MUPDF_LOCK = threading.RLock()
"""A limit of the library rather than of the model: MuPDF bears one thread at a time in a process. It stands here
because client and emulator may share a process and share nothing else."""

FILES_MAX_BYTES = 2 * 2**30
FILES_TTL_HOURS = 48

BATCH_INLINE_BYTES = 20 * 2**20
BATCH_EXPIRES_HOURS = 48
"""A batch job that has not ended by then never will."""


def limits_of(endpoint: Literal["developer", "vertex"]) -> Limits:
    """The table of an endpoint by its name."""
    return VERTEX if endpoint == "vertex" else DEVELOPER_API
