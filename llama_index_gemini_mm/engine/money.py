"""What embedding will cost, and a stop before it costs too much."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from llama_index_gemini_mm.engine.items import EmbedItem
from llama_index_gemini_mm.engine.prices import Prices
from llama_index_gemini_mm.engine.tokens import tokens_by_modality
from llama_index_gemini_mm.errors import BudgetExceeded, ConfigurationError
from llama_index_gemini_mm.limits import Modality


@dataclass(frozen=True)
class Estimate:
    """What it will take to embed some items; the real price is rarely higher, because tokens are estimated high.

    Attributes:
        contents: items to be sent.
        tokens: their tokens, by modality.
        usd_by_modality: their price in US dollars, by modality.
        usd: the sum of that.
        usd_batch: the same through the Batch API.
        minutes: how long it takes at the given quota at least; ``None`` without a quota.
        cached: items whose vectors are known already and cost nothing; they are not in the other numbers.
    """

    contents: int
    tokens: Mapping[Modality, int]
    usd_by_modality: Mapping[Modality, float]
    usd: float
    usd_batch: float
    minutes: float | None = None
    cached: int = 0

    @property
    def total_tokens(self) -> int:
        """Tokens of all modalities."""
        return sum(self.tokens.values())


def estimate(
    items: Iterable[EmbedItem],
    prices: Prices,
    *,
    contents_per_minute: int | None = None,
    tokens_per_minute: int | None = None,
    cached: int = 0,
) -> Estimate:
    """What it will take to embed ``items``, each as it will be sent (with its prefix).

    Args:
        items: what is to be sent; only their sizes are looked at, one after the other.
        prices: what a token costs.
        contents_per_minute: the quota of contents, if known.
        tokens_per_minute: the quota of input tokens, if known.
        cached: how many more items there are that need not be sent.
    """
    tokens: Counter[Modality] = Counter()
    contents = 0
    for item in items:
        contents += 1
        tokens.update(tokens_by_modality(item))
    quotas = ((contents, contents_per_minute), (tokens.total(), tokens_per_minute))
    minutes = [amount / quota for amount, quota in quotas if quota]
    return Estimate(
        contents=contents,
        tokens=dict(tokens),
        usd_by_modality={modality: prices.usd({modality: count}) for modality, count in tokens.items()},
        usd=prices.usd(tokens),
        usd_batch=prices.usd(tokens, batch=True),
        minutes=max(minutes) if minutes else None,
        cached=cached,
    )


class Budget:
    """Money that may be spent, counted in tokens so that no sum is ever off by a rounding. Thread-safe.

    A request reserves its estimated price before it is sent, once for all its attempts, and then either settles it or
    releases it.

    Args:
        max_usd: US dollars that may be spent in all; ``None`` for no limit.
        prices: what a token costs.
    """

    def __init__(self, max_usd: float | None, prices: Prices) -> None:
        if max_usd is not None and not max_usd >= 0:
            raise ConfigurationError(f"max_cost is {max_usd}; it must be 0 or more US dollars, or None")
        self._max_usd = max_usd
        self._prices = prices
        self._used: Counter[Modality] = Counter()
        self._lock = threading.Lock()

    def reserve(self, items: Sequence[EmbedItem]) -> None:
        """Set the estimated price of a request aside; raises ``BudgetExceeded`` where there is not enough left."""
        if self._max_usd is None:
            return
        needed = _tokens_of_all(items)
        with self._lock:
            if self._prices.usd(self._used + needed) > self._max_usd:
                raise BudgetExceeded(self._max_usd, self._prices.usd(self._used), self._prices.usd(needed))
            self._used.update(needed)

    def settle(self, items: Sequence[EmbedItem], tokens: Mapping[Modality, int]) -> None:
        """Put what the request really used in the place of what was reserved for it."""
        if self._max_usd is None:
            return
        reserved = _tokens_of_all(items)
        with self._lock:
            self._used.subtract(reserved)
            self._used.update(tokens)

    def release(self, items: Sequence[EmbedItem]) -> None:
        """Give back what was reserved for a request that brought nothing and so cost nothing."""
        self.settle(items, {})


def _tokens_of_all(items: Iterable[EmbedItem]) -> Counter[Modality]:
    tokens: Counter[Modality] = Counter()
    for item in items:
        tokens.update(tokens_by_modality(item))
    return tokens
