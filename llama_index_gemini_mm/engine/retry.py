"""Trying again: how long, how often, and when not."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential

from llama_index_gemini_mm.engine import faults
from llama_index_gemini_mm.errors import ApiError

log = logging.getLogger(__name__)

T = TypeVar("T")

LONGEST_WAIT = 60.0


@dataclass(frozen=True)
class Patience:
    """How long to try.

    Attributes:
        max_retries: attempts after the first one; waiting for a quota counts as none.
        deadline: seconds of waiting after failures, told or chosen, that one request is worth. Waiting for its turn
            within a known quota is no failure and not counted.
        first_wait: the longest first pause in seconds.
    """

    max_retries: int = 6
    deadline: float = 600.0
    first_wait: float = 1.0


async def persistently(attempt: Callable[[], Awaitable[T]], patience: Patience) -> T:
    """The result of ``attempt``, tried again while it raises a retryable ``ApiError`` and patience lasts."""
    run = _Run(patience)
    attempts = AsyncRetrying(
        retry=retry_if_exception(_is_retryable), stop=run.over, wait=run.pause, before_sleep=_log, reraise=True
    )

    async def once() -> T:
        return await attempt()

    result: T = await attempts(once)
    return result


class _Run:
    """The attempts at one thing: when to give up, and how long to pause."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._failures = 0
        self._waited = 0.0
        self._backoff = wait_random_exponential(multiplier=patience.first_wait, max=LONGEST_WAIT)

    def over(self, state: RetryCallState) -> bool:
        """Whether to give up."""
        advice = faults.advice(_error_of(state))
        self._failures += not advice.quota
        self._waited += advice.wait or 0.0
        return self._waited >= self._patience.deadline or self._failures > self._patience.max_retries

    def pause(self, state: RetryCallState) -> float:
        """Nothing where the server named a time, for the pacer holds all requests until then; else more each time."""
        if faults.advice(_error_of(state)).wait is not None:
            return 0.0
        pause = self._backoff(state)
        self._waited += pause
        return pause


def _error_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _is_retryable(error: BaseException) -> bool:
    return isinstance(error, ApiError) and error.retryable


def _log(state: RetryCallState) -> None:
    pause = state.next_action.sleep if state.next_action else 0.0
    log.info("attempt %d failed (%s); next in %.1f s", state.attempt_number, _error_of(state), pause)
