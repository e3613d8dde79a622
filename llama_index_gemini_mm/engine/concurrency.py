"""How many requests are under way at once: more while all goes well, half when the server suffers."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType


class AdaptiveLimiter:
    """A semaphore whose size follows the server: additive increase, multiplicative decrease. One event loop only.

    Starts at ``start``, grows by one for each full round of successes up to ``most``, and is halved, to one at the
    least, by a refusal; refusals of requests that were sent before the last halving do not halve it again.
    """

    def __init__(self, most: int, start: int | None = None) -> None:
        self.most = most
        self.size = float(min(most, start if start is not None else most))
        self._held = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._round = 0
        """Counts the halvings: a request knows in which round it was sent."""

    @property
    def round(self) -> int:
        """The round in which a request sent now is sent; to be handed back to ``suffered``."""
        return self._round

    def succeeded(self) -> None:
        """A request went well."""
        self.size = min(float(self.most), self.size + 1.0 / self.size)
        self._wake()

    def suffered(self, sent_in_round: int) -> None:
        """A request was refused for load, or timed out."""
        if sent_in_round == self._round:
            self.size = max(1.0, self.size / 2)
            self._round += 1

    async def __aenter__(self) -> None:
        if self._held < int(self.size) and not self._waiting:
            self._held += 1
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place in self._waiting:
                self._waiting.remove(place)
            elif place.done() and not place.cancelled():
                self._leave()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        self._held -= 1
        self._wake()

    def _wake(self) -> None:
        while self._waiting and self._held < int(self.size):
            place = self._waiting.popleft()
            if not place.done():
                self._held += 1
                place.set_result(None)


class ByteGate:
    """Bounds the bytes that are held at once. One event loop only; one piece larger than the bound goes alone."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0
        self._changed = asyncio.Condition()
        self._telling: asyncio.Task[None] | None = None

    def has_room(self, size: int) -> bool:
        """Whether ``take`` would return at once."""
        return self._held == 0 or self._held + size <= self._most

    async def take(self, size: int) -> None:
        """Wait until so many bytes fit, and hold them. Whoever waits must hold nothing itself."""
        if not self.has_room(size):
            async with self._changed:
                await self._changed.wait_for(lambda: self.has_room(size))
        self._held += size

    def give(self, size: int) -> None:
        """Let go of so many bytes."""
        self._held -= size
        if size:
            self._telling = asyncio.get_running_loop().create_task(self._tell())

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()
