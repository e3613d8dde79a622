"""Text that is too long for the model: refused, cut, or counted exactly first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from llama_index_gemini_mm.engine import faults
from llama_index_gemini_mm.engine.items import EmbedItem
from llama_index_gemini_mm.engine.tokens import counted, tokens_of, truncated
from llama_index_gemini_mm.errors import LimitExceeded
from llama_index_gemini_mm.limits import MAX_INPUT_TOKENS

Count = Callable[[EmbedItem], Awaitable[int]]
"""Asks the service; raises the SDK's and the HTTP library's errors."""


async def fitted(item: EmbedItem, *, truncate: bool, count: Count | None) -> EmbedItem:
    """``item`` if it fits the window, or cut so that it does.

    The offline estimate errs on the high side, so only what it finds too long is counted by the service, when ``count``
    is given. Raises ``LimitExceeded`` for what is too long without ``truncate``: the service would cut it in silence.
    The parts come back with their counts, so that pacing and accounts need not count again.
    """
    item = counted(item)
    tokens = tokens_of(item)
    if tokens > MAX_INPUT_TOKENS and count is not None:
        with faults.translated():
            tokens = await count(item)
    if tokens <= MAX_INPUT_TOKENS:
        return item
    if not truncate:
        remedy = "split it (MediaNodeParser does), or allow truncate=True"
        raise LimitExceeded("text", MAX_INPUT_TOKENS, tokens, "tokens", remedy)
    return truncated(item)
