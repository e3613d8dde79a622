"""Quotas as the service keeps them: per minute and per day, and every entry of a batch counts as one request."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from llama_index_gemini_mm.emulator.files import Clock
from llama_index_gemini_mm.emulator.replies import Refusal, quota_exceeded

_MINUTE = timedelta(minutes=1)
_PACIFIC = ZoneInfo("America/Los_Angeles")


@dataclass(frozen=True)
class Quota:
    """Sizes of the quotas; None is unlimited.

    ``paid`` chooses the names of the tier, ``batch`` says whether it has the Batch API, and ``enqueued_tokens`` bounds
    the tokens of all batch jobs that have not ended.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    requests_per_day: int | None = None
    paid: bool = False
    batch: bool = True
    enqueued_tokens: int | None = None


FREE_TIER = Quota(requests_per_minute=100, tokens_per_minute=30_000, requests_per_day=1000, batch=False)
"""As seen on free projects in 2026."""


@dataclass(frozen=True)
class QuotaUse:
    """Embedding requests and contents that were let in, and requests that were refused for want of quota."""

    requests: int = 0
    contents: int = 0
    refused: int = 0


class Quotas:
    """Counts what was used, over a sliding minute and a day that begins at midnight Pacific time."""

    def __init__(self, quota: Quota, clock: Clock) -> None:
        self._quota = quota
        self._clock = clock
        self._requests: deque[tuple[datetime, int]] = deque()
        self._tokens: deque[tuple[datetime, int]] = deque()
        self._day = ""
        self._today = 0
        self._use = QuotaUse()
        self._lock = threading.Lock()

    @property
    def use(self) -> QuotaUse:
        """What was asked for so far."""
        return self._use

    def admit(self, entries: int) -> None:
        """Count so many requests, or refuse them all.

        Raises:
            Refusal: 429 with the details of the first quota that is exhausted; refused requests are not counted.
        """
        with self._lock:
            now = self._clock()
            self._forget(now)
            try:
                self._check(now, entries)
            except Refusal:
                self._use = replace(self._use, refused=self._use.refused + 1)
                raise
            self._requests.append((now, entries))
            self._today += entries
            self._use = replace(self._use, requests=self._use.requests + 1, contents=self._use.contents + entries)

    def charge(self, tokens: int) -> None:
        """Count tokens of an answer; they close the door for later requests only."""
        with self._lock:
            self._tokens.append((self._clock(), tokens))

    def _check(self, now: datetime, entries: int) -> None:
        quota = self._quota
        if quota.requests_per_day is not None and self._today + entries > quota.requests_per_day:
            raise self._refusal("RequestsPerDay", quota.requests_per_day, 37.0)
        used = sum(count for _, count in self._requests)
        if quota.requests_per_minute is not None and used + entries > quota.requests_per_minute:
            raise self._refusal("RequestsPerMinute", quota.requests_per_minute, _wait(self._requests, now))
        if quota.tokens_per_minute is not None and sum(n for _, n in self._tokens) >= quota.tokens_per_minute:
            raise self._refusal("InputTokensPerMinute", quota.tokens_per_minute, _wait(self._tokens, now))

    def _refusal(self, kind: str, value: int, seconds: float) -> Refusal:
        user = "" if "Tokens" in kind else "PerUser"
        tier = "PaidTier" if self._quota.paid else "FreeTier"
        quota_id = f"EmbedContent{kind}{user}PerProjectPerModel-{tier}"
        return quota_exceeded(quota_id, value, seconds, paid=self._quota.paid)

    def _forget(self, now: datetime) -> None:
        for used in (self._requests, self._tokens):
            while used and now - used[0][0] >= _MINUTE:
                used.popleft()
        day = now.astimezone(_PACIFIC).date().isoformat()
        if day != self._day:
            self._day, self._today = day, 0


def _wait(used: deque[tuple[datetime, int]], now: datetime) -> float:
    """Seconds until the oldest use leaves the minute."""
    return round((_MINUTE - (now - used[0][0])).total_seconds(), 3) if used else 1.0
