"""Prices, estimates, what was used, and the budget that is not passed."""

from __future__ import annotations

import dataclasses
import math
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest

from llama_index_gemini_mm.engine.items import EmbedItem, Part
from llama_index_gemini_mm.engine.money import Budget, estimate
from llama_index_gemini_mm.engine.prices import DEFAULT_PRICES, Prices
from llama_index_gemini_mm.engine.usage import Usage
from llama_index_gemini_mm.errors import BudgetExceeded, ConfigurationError

EVEN = Prices({"text": 1.0, "image": 2.0, "audio": 3.0, "video": 4.0, "document": 5.0}, 0.25, "2026-01-31")
"""Dollars that are easy to add up."""


def words(tokens: int) -> EmbedItem:
    """An item of words that costs so many tokens."""
    return EmbedItem((Part(text="oil", tokens=tokens),))


def picture(tokens: int = 258) -> EmbedItem:
    """An item with a picture."""
    return EmbedItem((Part(text="oil", tokens=2), Part(data=b"x", mime_type="image/png", tokens=tokens)))


def test_default_prices() -> None:
    """A million tokens of each medium, as documented on a day that is named."""
    million = {
        modality: DEFAULT_PRICES.usd({modality: 10**6}) for modality in ("text", "image", "audio", "video", "document")
    }

    assert million == {"text": 0.20, "image": 0.45, "audio": 6.50, "video": 12.00, "document": 0.45}
    assert DEFAULT_PRICES.usd({"text": 10**6, "audio": 10**6}, batch=True) == pytest.approx(3.35)
    assert DEFAULT_PRICES.read_on.startswith("2026-")
    assert pickle.loads(pickle.dumps(DEFAULT_PRICES)) == DEFAULT_PRICES


def test_prices_of_ones_own() -> None:
    """Another list and another rebate for batches; changing one price leaves the default alone."""
    assert EVEN.usd({"text": 500_000, "video": 250_000}) == 1.5
    assert EVEN.usd({"text": 500_000, "video": 250_000}, batch=True) == 0.375

    dearer = dataclasses.replace(
        DEFAULT_PRICES, usd_per_million_tokens={**DEFAULT_PRICES.usd_per_million_tokens, "text": 9.0}
    )
    assert dearer.usd({"text": 10**6}) == 9.0
    assert DEFAULT_PRICES.usd({"text": 10**6}) == 0.20


@pytest.mark.parametrize("bad", [-1.0, math.nan])
def test_bad_prices_are_refused(bad: float) -> None:
    """A price is needed for each medium, and none is below nothing."""
    with pytest.raises(ConfigurationError, match="no price for image, audio, video, document"):
        Prices({"text": 1.0})
    with pytest.raises(ConfigurationError, match="0 or more"):
        Prices({**EVEN.usd_per_million_tokens, "text": bad})
    with pytest.raises(ConfigurationError, match="batch_factor"):
        Prices(EVEN.usd_per_million_tokens, batch_factor=bad)


def test_usage_adds_up() -> None:
    """Two uses together, and what came between two readings."""
    first = Usage(1, 10, {"text": 100}, 0.5)
    second = Usage(2, 5, {"text": 50, "image": 258}, 0.25)

    both = first + second
    assert both == Usage(3, 15, {"text": 150, "image": 258}, 0.75)
    assert both.total_tokens == 408
    assert both - first == second
    assert both - both == Usage()


def test_estimate() -> None:
    """Tokens and dollars by medium, at once and as a batch, and the time that the tighter quota takes."""
    items = [words(1000), words(500), picture()]

    found = estimate(iter(items), EVEN, contents_per_minute=2, tokens_per_minute=100, cached=7)
    assert (found.contents, found.cached) == (3, 7)
    assert found.tokens == {"text": 1502, "image": 258}
    assert found.total_tokens == 1760
    assert found.usd_by_modality == {"text": pytest.approx(0.001502), "image": pytest.approx(0.000516)}
    assert found.usd == pytest.approx(0.002018)
    assert found.usd_batch == pytest.approx(0.002018 / 4)
    assert found.minutes == 17.6
    assert estimate(items, EVEN, contents_per_minute=2).minutes == 1.5
    assert estimate(items, EVEN).minutes is None


def test_estimate_of_nothing() -> None:
    """Nothing to send costs nothing and takes no time."""
    found = estimate([], EVEN, contents_per_minute=100)

    assert (found.contents, found.tokens, found.usd, found.usd_batch, found.minutes) == (0, {}, 0, 0, 0)


def test_budget_stops_before_it_is_passed() -> None:
    """The request that would pass the limit is refused with what is left; one that just fits is not."""
    budget = Budget(1.0, EVEN)
    budget.reserve([words(600_000)])

    with pytest.raises(BudgetExceeded) as caught:
        budget.reserve([words(400_001)])
    error = caught.value
    assert (error.limit, error.spent) == (1.0, 0.6)
    assert error.needed == pytest.approx(0.400001)
    assert "raise max_cost" in str(error)

    budget.reserve([words(400_000)])
    with pytest.raises(BudgetExceeded):
        budget.reserve([words(1)])


def test_budget_is_corrected_afterwards() -> None:
    """What an answer really cost takes the place of the estimate, and what failed is given back."""
    budget = Budget(1.0, EVEN)
    big = [words(900_000)]

    budget.reserve(big)
    budget.release(big)
    budget.reserve(big)
    budget.settle(big, {"text": 100_000})
    budget.reserve(big)
    with pytest.raises(BudgetExceeded) as caught:
        budget.reserve([picture()])
    assert caught.value.spent == 1.0


def test_budget_counts_an_answer_that_cost_more() -> None:
    """A count above the estimate is not forgotten: the next request is refused."""
    budget = Budget(1.0, EVEN)
    budget.reserve([words(10)])
    budget.settle([words(10)], {"text": 2_000_000})

    with pytest.raises(BudgetExceeded) as caught:
        budget.reserve([words(1)])
    assert caught.value.spent == 2.0


def test_budget_of_nothing_and_without_limit() -> None:
    """With 0 dollars nothing is sent; without a limit everything is."""
    with pytest.raises(BudgetExceeded):
        Budget(0, EVEN).reserve([words(1)])
    free = Budget(None, EVEN)
    for _ in range(3):
        free.reserve([words(10**12)])
    free.settle([words(10**12)], {"text": 1})
    free.release([words(10**12)])
    with pytest.raises(ConfigurationError, match="max_cost"):
        Budget(-1, EVEN)
    with pytest.raises(ConfigurationError, match="max_cost"):
        Budget(math.nan, EVEN)


def test_budget_among_threads() -> None:
    """Of many requests at once exactly as many pass as there is money for."""
    budget = Budget(0.1, EVEN)

    def tried(number: int) -> bool:
        try:
            budget.reserve([words(1000)])
        except BudgetExceeded:
            return False
        if number % 2:
            budget.settle([words(1000)], {"text": 1000})
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(tried, range(400))) == 100
