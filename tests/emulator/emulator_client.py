"""Ways to talk to the emulator: the real SDK, and raw JSON."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
from google import genai
from google.auth.credentials import Credentials
from google.genai import types

from llama_index_gemini_mm.emulator import GeminiEmulator
from llama_index_gemini_mm.limits import MODEL

Post = Callable[..., httpx.Response]


class StaticToken(Credentials):
    """Credentials that hold a token and never renew it."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self.token = token

    def refresh(self, request: Any) -> None:
        """Nothing to renew."""


def developer_client(emulator: GeminiEmulator, **options: Any) -> genai.Client:
    """The real SDK, pointed at the emulator's Developer API."""
    http = {"base_url": emulator.base_url, "api_version": "v1beta", **options}
    return genai.Client(api_key=emulator.api_key, http_options=http)


def vertex_client(emulator: GeminiEmulator, token: str = "token") -> genai.Client:
    """The real SDK, pointed at the emulator's Vertex paths."""
    return genai.Client(
        vertexai=True,
        project="p",
        location="us",
        credentials=StaticToken(token),
        http_options={"base_url": emulator.base_url},
    )


def content(*parts: str | tuple[bytes, str]) -> types.Content:
    """A Content of texts and of (bytes, MIME type) pairs."""
    made = [
        types.Part(text=part) if isinstance(part, str) else types.Part.from_bytes(data=part[0], mime_type=part[1])
        for part in parts
    ]
    return types.Content(parts=made)


def embed(client: genai.Client, *contents: types.Content, **config: Any) -> npt.NDArray[np.float64]:
    """Vectors of contents through the SDK, shape (contents, dimension)."""
    answer = client.models.embed_content(model=MODEL, contents=list(contents), config=config or None)
    return np.array([embedding.values for embedding in answer.embeddings])


def blob(data: bytes, mime_type: str) -> dict[str, Any]:
    """An inline part for a raw body."""
    return {"inlineData": {"data": base64.b64encode(data).decode(), "mimeType": mime_type}}


def error_of(answer: httpx.Response) -> tuple[int, str]:
    """HTTP status and Google's status of a refused call."""
    error = answer.json()["error"]

    assert error["code"] == answer.status_code
    assert error["message"]
    return answer.status_code, error["status"]


def poster(emulator: GeminiEmulator, headers: dict[str, str] | None = None) -> Post:
    """A function that posts raw JSON to a method of the model."""

    def post(
        method: str, body: Any = None, *, version: str = "v1beta", model: str = MODEL, vertex: bool = False
    ) -> httpx.Response:
        models = "projects/p/locations/us/publishers/google/models" if vertex else "models"
        sent = headers if headers is not None else {"x-goog-api-key": "k", "Authorization": "Bearer t"}
        url = f"{emulator.base_url}/{version}/{models}/{model}:{method}"
        if isinstance(body, bytes):
            return httpx.post(url, content=body, headers=sent, timeout=60)
        return httpx.post(url, json=body, headers=sent, timeout=60)

    return post


def one(*parts: dict[str, Any], **options: Any) -> dict[str, Any]:
    """An ``embedContent`` body."""
    return {"content": {"parts": list(parts)}, **options}


def batch(*bodies: dict[str, Any]) -> dict[str, Sequence[Any]]:
    """A ``batchEmbedContents`` body."""
    return {"requests": [{"model": f"models/{MODEL}", **body} for body in bodies]}
