"""EmbeddingEngine: loads items, packs and sends them with bounded concurrency, retries, checks, and keeps the bill."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from google.genai import errors as genai_errors
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_random_exponential

from llama_index_gemini_mm.engine import faults
from llama_index_gemini_mm.engine.checks import checked, within_limits
from llama_index_gemini_mm.engine.items import EmbedItem, Vector
from llama_index_gemini_mm.engine.portal import BackgroundLoop
from llama_index_gemini_mm.engine.prefixes import prefixed
from llama_index_gemini_mm.engine.tokens import tokens_by_modality
from llama_index_gemini_mm.engine.transport import Reply, Transport
from llama_index_gemini_mm.engine.usage import Usage
from llama_index_gemini_mm.errors import ApiError
from llama_index_gemini_mm.limits import Limits, Modality

log = logging.getLogger("llama_index_gemini_mm")

Input = EmbedItem | Callable[[], EmbedItem]
"""An item, or what makes one when its turn has come; making one may read files and runs on a worker thread."""

_LONGEST_WAIT = 60.0


@dataclass(frozen=True)
class EngineSettings:
    """How the engine works. ``dimension`` and ``task`` change vectors, the rest only how they are come by.

    ``max_request_bytes`` counts media before base64; ``max_retries`` counts attempts after the first one;
    ``first_wait`` is the longest first pause in seconds.
    """

    dimension: int
    limits: Limits
    task: str = "retrieval"
    max_request_bytes: int = 15 * 2**20
    max_concurrency: int = 8
    max_retries: int = 6
    first_wait: float = 1.0


class EmbeddingEngine:
    """Items in, vectors out, one for each, in order. Safe to use from several threads and event loops at once.

    Args:
        transport: makes the connection, called once on the engine's own loop.
        settings: see ``EngineSettings``.
    """

    def __init__(self, transport: Callable[[], Transport], settings: EngineSettings) -> None:
        self.settings = settings
        self._connect = transport
        self._transport: Transport | None = None
        self._slots: asyncio.Semaphore | None = None
        self._loop = BackgroundLoop()
        self._usage = Usage()
        self._lock = threading.Lock()

    @property
    def usage(self) -> Usage:
        """What this engine has used since it was made."""
        return self._usage

    def embed(self, inputs: Sequence[Input]) -> list[Vector]:
        """Vectors of ``settings.dimension`` numbers.

        Raises ``ApiError``, ``LimitExceeded``, or what making an item raises.
        """
        return self._loop.run(self._embed(inputs)) if inputs else []

    async def aembed(self, inputs: Sequence[Input]) -> list[Vector]:
        """The same from an event loop."""
        return await self._loop.arun(self._embed(inputs)) if inputs else []

    def close(self) -> None:
        """Close connections and end the background thread; the next call starts anew."""
        if self._transport is not None:
            self._loop.run(self._transport.close())
        self._transport = self._slots = None
        self._loop.close()

    async def _embed(self, inputs: Sequence[Input]) -> list[Vector]:
        """One task for each full request's worth of inputs; the first failure cancels the others."""
        step = self.settings.limits.batch_max_items
        tasks = [asyncio.create_task(self._window(inputs[i : i + step])) for i in range(0, len(inputs), step)]
        try:
            return [vector for window in await asyncio.gather(*tasks) for vector in window]
        finally:
            for task in tasks:
                task.cancel()

    async def _window(self, inputs: Sequence[Input]) -> list[Vector]:
        """Load and send in as few requests as their bytes allow; no more than one request's media is held at a time."""
        vectors: list[Vector] = []
        batch: list[EmbedItem] = []
        async with self._slot():
            for each in inputs:
                item = await self._load(each)
                if batch and sum(i.size for i in batch) + item.size > self.settings.max_request_bytes:
                    vectors += await self._send(batch)
                    batch = []
                batch.append(item)
            return vectors + await self._send(batch)

    def _slot(self) -> asyncio.Semaphore:
        if self._slots is None:
            self._slots = asyncio.Semaphore(self.settings.max_concurrency)
        return self._slots

    async def _load(self, each: Input) -> EmbedItem:
        item = each if isinstance(each, EmbedItem) else await asyncio.to_thread(each)
        within_limits(item, self.settings.limits)
        return prefixed(item, self.settings.task)

    async def _send(self, items: list[EmbedItem]) -> list[Vector]:
        attempts = AsyncRetrying(
            retry=retry_if_exception(_is_retryable),
            stop=stop_after_attempt(self.settings.max_retries + 1),
            wait=self._wait,
            before_sleep=_log_retry,
            reraise=True,
        )
        reply: Reply = await attempts(self._attempt, items)
        vectors = checked(reply.vectors, len(items), self.settings.dimension)
        self._charge(_cost(items, reply))
        return vectors

    async def _attempt(self, items: list[EmbedItem]) -> Reply:
        if self._transport is None:
            self._transport = self._connect()
        self._charge(Usage(requests=1))
        try:
            return await self._transport.send(items)
        except genai_errors.APIError as error:
            raise faults.from_sdk(error) from error
        except faults.TRANSPORT_ERRORS as error:
            raise faults.from_transport(error) from error

    def _charge(self, usage: Usage) -> None:
        with self._lock:
            self._usage += usage

    def _wait(self, state: RetryCallState) -> float:
        """What the server asks for, or an exponential pause with jitter."""
        error = state.outcome.exception() if state.outcome else None
        cause = error.__cause__ if error else None
        told = faults.retry_delay(cause) if isinstance(cause, genai_errors.APIError) else None
        if told is not None:
            return min(told, _LONGEST_WAIT)
        return wait_random_exponential(multiplier=self.settings.first_wait, max=_LONGEST_WAIT)(state)


def _is_retryable(error: BaseException) -> bool:
    return isinstance(error, ApiError) and error.retryable


def _log_retry(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    pause = state.next_action.sleep if state.next_action else 0.0
    log.info("attempt %d failed (%s); next in %.1f s", state.attempt_number, error, pause)


def _cost(items: Sequence[EmbedItem], reply: Reply) -> Usage:
    tokens: dict[Modality, int] = {}
    for item in items:
        for modality, count in tokens_by_modality(item).items():
            tokens[modality] = tokens.get(modality, 0) + count
    if reply.tokens is not None and "text" in tokens:
        media = sum(count for modality, count in tokens.items() if modality != "text")
        tokens["text"] = max(reply.tokens - media, 0)
    return Usage(contents=len(items), tokens=tokens)
