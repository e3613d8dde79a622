"""Large media: uploaded through the Files API before the request, deleted after it."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from llama_index_gemini_mm.engine import faults
from llama_index_gemini_mm.engine.items import EmbedItem, Part
from llama_index_gemini_mm.engine.retry import Patience, persistently
from llama_index_gemini_mm.errors import ApiError, InvalidRequest

if TYPE_CHECKING:
    from google.genai import Client
    from google.genai.types import File

log = logging.getLogger(__name__)

_FIRST_POLL, _LONGEST_POLL = 0.25, 5.0


class Uploads:
    """Takes parts that are too large to go inline to the Files API. The files live as long as the request.

    Args:
        client: the SDK's client, on the event loop it is used on.
        threshold: parts of more bytes than this are uploaded.
        patience: how long to try, and to wait for a file to become usable.
    """

    def __init__(self, client: Client, threshold: int, patience: Patience) -> None:
        self._client = client
        self._threshold = threshold
        self._patience = patience

    @asynccontextmanager
    async def hosted(self, items: Sequence[EmbedItem]) -> AsyncIterator[list[EmbedItem]]:
        """``items`` with their large parts replaced by files that are ready to be embedded."""
        names: list[str] = []
        try:
            yield [
                replace(item, parts=tuple([await self._hosted(part, names) for part in item.parts])) for item in items
            ]
        finally:
            for name in names:
                await self._delete(name)

    async def _hosted(self, part: Part, names: list[str]) -> Part:
        if part.data is None or part.size <= self._threshold:
            return part
        data, mime_type = part.data, part.mime_type or ""
        file = await persistently(lambda: self._upload(data, mime_type), self._patience)
        names.append(file.name or "")
        file = await self._ready(file)
        return replace(part, data=None, uri=file.uri)

    async def _upload(self, data: bytes, mime_type: str) -> File:
        try:
            with faults.translated():
                return await self._client.aio.files.upload(file=io.BytesIO(data), config={"mime_type": mime_type})
        except (ValueError, KeyError) as error:
            # The SDK raises these when the server breaks off an upload without saying why.
            raise ApiError(0, "UPLOAD", "the upload was not accepted", retryable=True) from error

    async def _ready(self, file: File) -> File:
        """The file once it is ACTIVE; the SDK does not wait for that."""
        waited, pause = 0.0, _FIRST_POLL
        while (state := file.state.value if file.state else "ACTIVE") != "ACTIVE":
            if state == "FAILED":
                raise InvalidRequest(400, "FAILED", "the service could not process an uploaded file")
            if waited >= self._patience.deadline:
                raise ApiError(0, "PROCESSING", "an uploaded file did not become usable in time", retryable=True)
            await asyncio.sleep(pause)
            waited, pause = waited + pause, min(2 * pause, _LONGEST_POLL)
            file = await persistently(partial(self._get, file.name or ""), self._patience)
        return file

    async def _get(self, name: str) -> File:
        with faults.translated():
            return await self._client.aio.files.get(name=name)

    async def _delete(self, name: str) -> None:
        try:
            with faults.translated():
                await self._client.aio.files.delete(name=name)
        except ApiError as error:
            log.info("an uploaded file was not deleted (%s); the service drops it after 48 hours", error.status)
