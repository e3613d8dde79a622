"""Ending a call early without losing what is being paid for: requests under way may land, no other one starts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from llama_index_gemini_mm.engine.items import EmbedItem
from llama_index_gemini_mm.engine.wire import Reply

Task = asyncio.Task[Any]


class Flights:
    """Knows which tasks have a request under way. One event loop only.

    Args:
        send: makes one request.
    """

    def __init__(self, send: Callable[[Sequence[EmbedItem]], Awaitable[Reply]]) -> None:
        self._send = send
        self._flying: set[Task | None] = set()
        self._last: set[Task | None] = set()

    async def send(self, items: Sequence[EmbedItem]) -> Reply:
        """One request. Of a task that is to land, a failing one is not tried again."""
        task = asyncio.current_task()
        self._flying.add(task)
        try:
            return await self._send(items)
        except Exception as error:
            if task in self._last:
                raise asyncio.CancelledError from error
            raise
        finally:
            self._flying.discard(task)

    async def land(self, tasks: Sequence[Task]) -> None:
        """Wait for the requests under way, whose answers are kept, and end everything else at once."""
        flying = [task for task in tasks if task in self._flying]
        self._last.update(flying)
        await self.drop([task for task in tasks if task not in self._flying])
        await asyncio.gather(*flying, return_exceptions=True)
        self._last.difference_update(flying)

    async def drop(self, tasks: Sequence[Task]) -> None:
        """End everything at once."""
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
