"""The accounts of one engine: what was used, and the budget that must not be passed."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from llama_index_gemini_mm.engine.items import EmbedItem
from llama_index_gemini_mm.engine.money import Budget
from llama_index_gemini_mm.engine.prices import Prices
from llama_index_gemini_mm.engine.tokens import tokens_by_modality
from llama_index_gemini_mm.engine.usage import Usage
from llama_index_gemini_mm.engine.wire import Reply
from llama_index_gemini_mm.limits import Modality


class Accounts:
    """Thread-safe; see ``engine.sender.Bill`` for when each method is called."""

    def __init__(self, prices: Prices, max_cost: float | None) -> None:
        self._prices = prices
        self._budget = Budget(max_cost, prices)
        self._usage = Usage()
        self._lock = threading.Lock()

    @property
    def usage(self) -> Usage:
        """What was used so far."""
        return self._usage

    def reserve(self, items: Sequence[EmbedItem]) -> None:
        """Set the estimated price aside; raises ``BudgetExceeded``."""
        self._budget.reserve(items)

    def release(self, items: Sequence[EmbedItem]) -> None:
        """Give it back: there was no answer, and so no price."""
        self._budget.release(items)

    def attempted(self) -> None:
        """Count a request."""
        self._add(Usage(requests=1))

    def settle(self, items: Sequence[EmbedItem], reply: Reply) -> None:
        """Put what the answer really cost in the place of the estimate."""
        tokens = _counted(items, reply)
        self._budget.settle(items, tokens)
        self._add(Usage(contents=len(items), tokens=tokens, usd=self._prices.usd(tokens)))

    def _add(self, usage: Usage) -> None:
        with self._lock:
            self._usage += usage


def _counted(items: Sequence[EmbedItem], reply: Reply) -> Mapping[Modality, int]:
    """Tokens by modality: the service's own where it tells, else its total less the media, else the estimate."""
    if reply.tokens_by_modality:
        return reply.tokens_by_modality
    tokens: dict[Modality, int] = {}
    for item in items:
        for modality, count in tokens_by_modality(item).items():
            tokens[modality] = tokens.get(modality, 0) + count
    if reply.tokens is not None and "text" in tokens:
        media = sum(count for modality, count in tokens.items() if modality != "text")
        tokens["text"] = max(reply.tokens - media, 0)
    return tokens
