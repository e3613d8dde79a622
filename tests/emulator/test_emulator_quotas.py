"""Quotas: per entry, per minute and per day, with the documented 429 bodies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from emulator_client import batch, error_of, one, poster
from llama_index_gemini_mm.emulator import FREE_TIER, GeminiEmulator, Quota


class SettableClock:
    """A clock that stands until it is moved."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """The time it shows."""
        return self.now


def violation(answer: object) -> tuple[str, float]:
    """Quota id and hint in seconds of a 429."""
    details = answer.json()["error"]["details"]
    return details[1]["violations"][0]["quotaId"], float(details[2]["retryDelay"].rstrip("s"))


def entries(count: int, text: str = "x") -> dict[str, object]:
    """A batch of so many texts."""
    return batch(*[one({"text": text})] * count)


def test_requests_per_minute_count_entries() -> None:
    """Every entry of a batch is a request; a refused batch costs nothing; the hint says when to come again."""
    clock = SettableClock(datetime(2026, 11, 1, 12, tzinfo=UTC))
    with GeminiEmulator(quota=FREE_TIER, clock=clock) as emulator:
        post = poster(emulator)
        assert post("batchEmbedContents", entries(60)).status_code == 200
        clock.now += timedelta(seconds=20)

        refused = post("batchEmbedContents", entries(41))

        assert error_of(refused) == (429, "RESOURCE_EXHAUSTED")
        assert violation(refused) == ("EmbedContentRequestsPerMinutePerUserPerProjectPerModel-FreeTier", 40.0)
        assert post("batchEmbedContents", entries(40)).status_code == 200
        clock.now += timedelta(seconds=40)
        assert post("batchEmbedContents", entries(60)).status_code == 200


def test_tokens_per_minute() -> None:
    """When a minute's tokens are used up the next call is refused, until they leave the minute."""
    clock = SettableClock(datetime(2026, 11, 1, 12, tzinfo=UTC))
    with GeminiEmulator(quota=Quota(tokens_per_minute=100, paid=True), clock=clock) as emulator:
        post = poster(emulator)
        assert post("batchEmbedContents", entries(2, "word " * 50)).status_code == 200

        refused = post("embedContent", one({"text": "x"}))

        assert error_of(refused) == (429, "RESOURCE_EXHAUSTED")
        assert violation(refused)[0] == "EmbedContentInputTokensPerMinutePerProjectPerModel-PaidTier"
        clock.now += timedelta(seconds=60)
        assert post("embedContent", one({"text": "x"})).status_code == 200


@pytest.mark.parametrize(("month", "hour"), [(7, 7), (12, 8)])
def test_requests_per_day(month: int, hour: int) -> None:
    """A day's quota is renewed at midnight Pacific, in summer and in winter, and its hint is of no use."""
    clock = SettableClock(datetime(2026, month, 2, hour - 1, 50, tzinfo=UTC))
    with GeminiEmulator(quota=Quota(requests_per_day=3), clock=clock) as emulator:
        post = poster(emulator)
        assert post("batchEmbedContents", entries(3)).status_code == 200

        refused = post("embedContent", one({"text": "x"}))

        assert violation(refused) == ("EmbedContentRequestsPerDayPerUserPerProjectPerModel-FreeTier", 37.0)
        clock.now += timedelta(minutes=9)
        assert post("embedContent", one({"text": "x"})).status_code == 429
        clock.now += timedelta(minutes=1)
        assert post("embedContent", one({"text": "x"})).status_code == 200


def test_a_batch_beyond_the_quota() -> None:
    """A batch larger than the whole quota is refused even when nothing was used."""
    with GeminiEmulator(quota=Quota(requests_per_minute=5)) as emulator:
        assert error_of(poster(emulator)("batchEmbedContents", entries(6)))[0] == 429
