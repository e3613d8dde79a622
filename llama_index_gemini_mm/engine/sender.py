"""Sender: one batch of items to the service and back, whatever happens on the way.

admitted by the quota ─ sent ─ refused? wait and again ─ one bad item? bisect ─ doubtful reply? ask one by one
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from llama_index_gemini_mm.engine import faults
from llama_index_gemini_mm.engine.checks import checked
from llama_index_gemini_mm.engine.concurrency import AdaptiveLimiter
from llama_index_gemini_mm.engine.items import EmbedItem, Vector
from llama_index_gemini_mm.engine.pacing import Admission, Pacer
from llama_index_gemini_mm.engine.retry import LONGEST_WAIT, Patience, persistently
from llama_index_gemini_mm.engine.tokens import tokens_of
from llama_index_gemini_mm.engine.wire import Reply
from llama_index_gemini_mm.errors import ApiError, BadReply, GeminiMMError, InvalidRequest

log = logging.getLogger(__name__)

Outcome = Vector | GeminiMMError
"""What became of an item: its vector, or why it has none."""
Send = Callable[[Sequence[EmbedItem]], Awaitable[Reply]]


class _TooMuch(Exception):
    """A batch that passes the quota of a whole minute; its halves may not."""


class Bill(Protocol):
    """Who pays: asked before a request, told afterwards."""

    def reserve(self, items: Sequence[EmbedItem]) -> None:
        """Set money aside; raises ``BudgetExceeded`` when there is not enough."""

    def attempted(self) -> None:
        """A request goes out."""

    def settle(self, items: Sequence[EmbedItem], reply: Reply) -> None:
        """A good answer came."""

    def release(self, items: Sequence[EmbedItem]) -> None:
        """None came."""


class Sender:
    """Sends batches. One for each engine and event loop.

    Args:
        send: makes one attempt, raising the SDK's and the HTTP library's errors.
        dimension: numbers in a vector.
        pacer: keeps below the quota.
        limiter: is told how the server feels.
        patience: how long to try.
        bill: keeps the accounts.
    """

    def __init__(
        self, send: Send, dimension: int, pacer: Pacer, limiter: AdaptiveLimiter, patience: Patience, bill: Bill
    ) -> None:
        self._send = send
        self._dimension = dimension
        self._pacer = pacer
        self._limiter = limiter
        self._patience = patience
        self._bill = bill

    async def outcomes(self, items: Sequence[EmbedItem]) -> list[Outcome]:
        """An outcome for each item, in order; raises only what concerns all: ``ApiError``, ``BudgetExceeded``."""
        try:
            reply = await self._reply(items)
        except (InvalidRequest, _TooMuch) as error:
            if len(items) == 1 and isinstance(error, InvalidRequest):
                return [error]
            middle = len(items) // 2
            return [*await self.outcomes(items[:middle]), *await self.outcomes(items[middle:])]
        try:
            return list(checked(reply.vectors, len(items), self._dimension))
        except BadReply as error:
            log.warning("%s; asking again one by one", error)
            return [await self._again(item) for item in items]

    async def _again(self, item: EmbedItem) -> Outcome:
        """Ask for one item alone, where no order can be mistaken."""
        try:
            reply = await self._reply([item])
            return checked(reply.vectors, 1, self._dimension)[0]
        except (InvalidRequest, BadReply) as error:
            return error

    async def _reply(self, items: Sequence[EmbedItem]) -> Reply:
        """One good answer, after as many attempts as patience allows, and its price."""
        self._bill.reserve(items)
        try:
            reply = await persistently(lambda: self._attempt(items), self._patience)
        except BaseException:
            self._bill.release(items)
            raise
        self._bill.settle(items, reply)
        return reply

    async def _attempt(self, items: Sequence[EmbedItem]) -> Reply:
        tokens = sum(map(tokens_of, items))
        if len(items) > 1 and self._pacer.never_fits(len(items), tokens):
            raise _TooMuch
        admission = await self._pacer.admit(len(items), tokens)
        sent_in = self._limiter.round
        self._bill.attempted()
        try:
            with faults.translated():
                reply = await self._send(items)
        except ApiError as error:
            self._heed(faults.advice(error), sent_in, admission)
            raise
        admission.answered()
        self._limiter.succeeded()
        return reply

    def _heed(self, advice: faults.Advice, sent_in: int, admission: Admission) -> None:
        """Slow down where the server asks for it, all requests at once."""
        if advice.load:
            self._limiter.suffered(sent_in)
        if advice.quota:
            admission.refused()
            if advice.wait is not None:
                self._pacer.close_for(min(advice.wait, LONGEST_WAIT))
        for quota_id, value in advice.quotas:
            self._pacer.learn(quota_id, value)
