"""Staying below the quota: what was sent in the last minute, what the server taught, and when to go on."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

log = logging.getLogger(__name__)

_WINDOW = 60.25
"""A minute and a little: clocks need not agree."""
Clock = Callable[[], float]


@dataclass
class Event:
    """So much used at a time."""

    at: float
    amount: float


@dataclass
class Meter:
    """Use of one quota over the last minute, in its own unit; ``limit`` is ``None`` while it is not known."""

    limit: float | None = None
    used: float = 0.0
    events: deque[Event] = field(default_factory=deque)

    def wait(self, now: float, amount: float) -> float:
        """Seconds until ``amount`` more fits; more than the whole limit fits when nothing else is in the window."""
        while self.events and now - self.events[0].at >= _WINDOW:
            self.used -= self.events.popleft().amount
        if self.limit is None or not self.events or self.used + amount <= self.limit:
            return 0.0
        excess, freed = self.used + amount - self.limit, 0.0
        for event in self.events:
            freed += event.amount
            if freed >= min(excess, self.used):
                return event.at + _WINDOW - now
        return 0.0

    def add(self, now: float, amount: float) -> Event:
        """Count ``amount`` as used now."""
        event = Event(now, amount)
        self.events.append(event)
        self.used += amount
        return event

    def refund(self, event: Event) -> None:
        """Forget a use that the server refused, and so did not count."""
        self.used -= event.amount
        event.amount = 0.0

    def teach(self, limit: float) -> bool:
        """Hold a limit that the server named, unless a lower one is held already; whether that is news."""
        if self.limit is not None and self.limit <= limit:
            return False
        self.limit = limit
        return True


class Admission:
    """A request that was let through, and what became of it."""

    def __init__(self, counted: Sequence[tuple[Meter, Event]], clock: Clock) -> None:
        self._counted = counted
        self._clock = clock

    def answered(self) -> None:
        """The server has counted it, at some time until now; the minute is reckoned from now, to be safe."""
        for _, event in self._counted:
            event.at = self._clock()

    def refused(self) -> None:
        """The server has not counted it."""
        for meter, event in self._counted:
            meter.refund(event)


class Pacer:
    """Lets requests through as the quotas allow, in the order in which they came. Use it on one event loop.

    Args:
        requests_per_minute: HTTP requests.
        contents_per_minute: contents; the service counts each content of a batch as one request.
        tokens_per_minute: input tokens.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        requests_per_minute: int | None = None,
        contents_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self.requests = Meter(requests_per_minute)
        self.contents = Meter(contents_per_minute)
        self.tokens = Meter(tokens_per_minute)
        self._clock = clock
        self._turn = asyncio.Lock()
        self._closed_until = 0.0

    def never_fits(self, contents: int, tokens: int) -> bool:
        """Whether one such request passes what is known of a minute's quota, so that waiting would not help."""
        return any(
            meter.limit is not None and amount > meter.limit
            for meter, amount in ((self.contents, contents), (self.tokens, tokens))
        )

    async def admit(self, contents: int, tokens: int) -> Admission:
        """Wait until a request of so many contents and tokens may go, and count it."""
        amounts = ((self.requests, 1), (self.contents, contents), (self.tokens, tokens))
        async with self._turn:
            while True:
                now = self._clock()
                wait = max(self._closed_until - now, *(meter.wait(now, amount) for meter, amount in amounts))
                if wait <= 0:
                    break
                await asyncio.sleep(wait)
            return Admission([(meter, meter.add(now, amount)) for meter, amount in amounts], self._clock)

    def close_for(self, seconds: float) -> None:
        """Let nothing through for a while; what waits longer already goes on waiting."""
        self._closed_until = max(self._closed_until, self._clock() + seconds)

    def learn(self, quota_id: str, value: float) -> None:
        """Take over a per-minute limit from a refusal; ``quota_id`` says of what."""
        meter = self.tokens if "Token" in quota_id else self.contents
        if meter.teach(value):
            log.info("learned a quota of %g %s a minute", value, "tokens" if meter is self.tokens else "contents")
