"""What the server does, and what the engine does about it: one test for each row of the table."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine_support import DIMENSION, IMPATIENT, ROUTE, make, picture, sizes, texts
from llama_index_gemini_mm.emulator import Fault, GeminiEmulator, Quota, RecordedRequest
from llama_index_gemini_mm.engine import EmbeddingCache, EmbedItem, Part, Patience
from llama_index_gemini_mm.errors import (
    ApiError,
    AuthError,
    BadReply,
    BudgetExceeded,
    GeminiMMError,
    InvalidRequest,
    LimitExceeded,
    QuotaExhausted,
)
from media_samples import png

BAD = "item number 37"


def holding(text: str) -> Callable[[RecordedRequest], bool]:
    """Matches requests in which some content holds ``text``."""
    return lambda record: any(text in content.text for content in record.contents)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500),
        Fault(status=503),
        Fault(status=504),
        Fault(status=502),
        Fault(damage="reset"),
        Fault(hang=5.0),
        Fault(damage="cut_json"),
    ],
    ids=["500", "503", "504", "502 as HTML", "dropped", "hang", "cut JSON"],
)
def test_passing_and_lasting_failures(emulator: GeminiEmulator, fault: Fault) -> None:
    """Backs off and tries again; when it never ends, an ApiError after max_retries."""
    engine = make(emulator, timeout=0.7, patience=Patience(max_retries=2, first_wait=0.01))
    emulator.faults.add(fault, route=ROUTE, times=1)
    assert len(engine.embed(texts(3))) == 3
    assert sizes(emulator) == [3, 3]

    emulator.faults.add(fault, route=ROUTE, times=None)
    with pytest.raises(ApiError) as caught:
        engine.embed(texts(1, start=50))
    assert caught.value.retryable
    assert sizes(emulator)[2:] == [1, 1, 1]
    engine.close()


def test_the_deadline_ends_it_before_the_retries_do(emulator: GeminiEmulator) -> None:
    """However many retries are left, nothing is sent after the deadline."""
    engine = make(emulator, patience=Patience(max_retries=1000, deadline=0.6, first_wait=0.05))
    emulator.faults.add(Fault(status=503), route=ROUTE, times=None)
    started = time.monotonic()

    with pytest.raises(ApiError):
        engine.embed(texts(1))

    assert time.monotonic() - started < 10
    engine.close()


@pytest.mark.parametrize("quota", ["minute", "none"])
def test_the_minutes_quota_costs_no_attempt(emulator: GeminiEmulator, quota: str) -> None:
    """Many refusals, with details or without, and still no item fails while the deadline holds."""
    engine = make(emulator, patience=Patience(max_retries=0, deadline=60.0, first_wait=0.01))
    refusal = Fault(status=429, quota=quota, retry_seconds=0.05)  # type: ignore[arg-type]
    emulator.faults.add(refusal, route=ROUTE, times=8)

    assert len(engine.embed(texts(90))) == 90
    assert sizes(emulator) == [90] * 9
    engine.close()


def test_the_server_is_waited_for_as_long_as_it_says(emulator: GeminiEmulator) -> None:
    """The retryDelay inside the refusal is kept, by all requests at once."""
    engine = make(emulator)
    emulator.faults.add(Fault(status=429, retry_seconds=1.0), route=ROUTE, times=1)
    started = time.monotonic()

    engine.embed(texts(5))

    assert 1.0 <= time.monotonic() - started < 3.0
    assert sizes(emulator) == [5, 5]
    engine.close()


def test_the_days_quota_ends_the_call_and_keeps_what_was_paid_for(emulator: GeminiEmulator, tmp_path: Path) -> None:
    """Everything before is in the cache and in the error; going on costs only the rest."""
    cache = EmbeddingCache(tmp_path / "cache.sqlite3")
    engine = make(emulator, cache=cache, max_concurrency=1)
    emulator.faults.add(Fault(status=429, quota="day", retry_seconds=0.01), route=ROUTE, times=None, after=2)

    with pytest.raises(QuotaExhausted) as caught:
        engine.embed(texts(450))

    assert "T00:00:00" in caught.value.resets_at
    assert sorted(caught.value.completed) == list(range(200))
    assert sizes(emulator) == [100, 100, 100]
    emulator.faults.clear()
    emulator.clear()
    assert len(engine.embed(texts(450))) == 450
    assert sum(sizes(emulator)) == 250
    engine.close()


def test_without_a_cache_the_error_carries_what_was_embedded(emulator: GeminiEmulator) -> None:
    """The vectors before the end are those of an undisturbed call."""
    engine = make(emulator, max_concurrency=1)
    undisturbed = engine.embed(texts(100))
    emulator.faults.add(Fault(status=403), route=ROUTE, times=None, after=1)

    with pytest.raises(AuthError) as caught:
        engine.embed(texts(250))

    assert [caught.value.completed[at] for at in range(100)] == undisturbed
    assert len(caught.value.completed) == 100
    engine.close()


def test_one_bad_item_in_a_batch_fails_alone(emulator: GeminiEmulator) -> None:
    """Bisected: 99 vectors are kept, and the bad one has its own error."""
    engine = make(emulator)
    undisturbed = engine.embed(texts(100))
    engine.close()
    engine = make(emulator)
    emulator.faults.add(Fault(status=400), route=ROUTE, times=None, match=holding(BAD))
    emulator.clear()

    outcomes = engine.outcomes(texts(100))

    assert isinstance(outcomes[37], InvalidRequest)
    assert [o for at, o in enumerate(outcomes) if at != 37] == undisturbed[:37] + undisturbed[38:]
    assert len(emulator.requests) <= 15
    with pytest.raises(InvalidRequest) as caught:
        engine.embed(texts(100))
    assert sorted(caught.value.completed) == [at for at in range(100) if at != 37]
    engine.close()


@pytest.mark.parametrize(
    "damage", ["too_few", "no_values", "nan", "nan_text", "wrong_dimension", "too_many", "not_unit"]
)
def test_a_doubtful_reply_is_asked_again_one_by_one(emulator: GeminiEmulator, damage: str) -> None:
    """No order is trusted: each item is asked alone, and gets its own vector."""
    engine = make(emulator)
    undisturbed = engine.embed(texts(5))
    emulator.clear()
    emulator.faults.add(Fault(damage=damage), route=ROUTE, times=1)  # type: ignore[arg-type]
    engine = make(emulator)

    assert engine.embed(texts(5)) == undisturbed
    assert sizes(emulator) == [5, 1, 1, 1, 1, 1]
    engine.close()


@pytest.mark.parametrize("damage", ["too_few", "no_values", "nan", "wrong_dimension", "empty_object"])
def test_replies_that_stay_doubtful_are_bad(emulator: GeminiEmulator, damage: str) -> None:
    """After the second doubtful answer the item has none."""
    engine = make(emulator)
    emulator.faults.add(Fault(damage=damage), route=ROUTE, times=None)  # type: ignore[arg-type]

    outcomes = engine.outcomes(texts(2))

    assert [type(o) for o in outcomes] == [BadReply, BadReply]
    engine.close()


def test_an_unsupported_mime_type_fails_alone(emulator: GeminiEmulator) -> None:
    """The service answers it with 200 and no numbers; its neighbours keep their vectors."""
    engine = make(emulator)
    strange = EmbedItem((Part(data=b"RIFF", mime_type="video/wav", tokens=1),))

    first, second, third = engine.outcomes([texts(1)[0], strange, picture(png("red"))])

    assert (len(first), len(third)) == (DIMENSION, DIMENSION)  # type: ignore[arg-type]
    assert isinstance(second, BadReply)
    engine.close()


@pytest.mark.parametrize(
    ("fault", "error", "remedy"),
    [(Fault(status=401), AuthError, "GOOGLE_API_KEY"), (Fault(status=403), AuthError, "GOOGLE_API_KEY")],
)
def test_a_bad_key_ends_it_at_once(
    emulator: GeminiEmulator, fault: Fault, error: type[GeminiMMError], remedy: str
) -> None:
    """No retry, and the remedy in the text."""
    engine = make(emulator)
    emulator.faults.add(fault, route=ROUTE, times=None)

    with pytest.raises(error, match=remedy):
        engine.embed(texts(1))
    assert len(emulator.requests) == 1
    engine.close()


def test_an_unknown_model_ends_it_at_once(emulator: GeminiEmulator) -> None:
    """Asked once, although every item is concerned."""
    engine = make(emulator, model="gemini-embedding-9")

    with pytest.raises(ApiError, match="model_name"):
        engine.embed(texts(50))
    assert len(emulator.requests) == 1
    engine.close()


def test_equal_items_are_embedded_once(emulator: GeminiEmulator) -> None:
    """Twenty inputs, three contents."""
    engine = make(emulator)

    vectors = engine.embed((texts(3) * 7)[:20])

    assert sizes(emulator) == [3]
    assert vectors[0] == vectors[3] == vectors[18]
    assert vectors[0] != vectors[1]
    engine.close()


def test_the_quota_is_learned_and_kept(emulator: GeminiEmulator) -> None:
    """One refusal teaches the project's limit; what fits is sent, the rest waits for the minute to pass."""
    with GeminiEmulator(quota=Quota(requests_per_minute=250, paid=True)) as metered:
        engine = make(metered, patience=Patience(max_retries=0, deadline=3.0, first_wait=0.01), max_concurrency=4)

        started = time.monotonic()
        with pytest.raises(ApiError) as caught:
            engine.embed(texts(400))
        assert time.monotonic() - started < 10

        assert caught.value.code == 429
        assert len(caught.value.completed) == 200
        assert len(metered.requests) <= 6
        engine.close()


async def test_a_batch_above_the_minutes_quota_is_divided(emulator: GeminiEmulator) -> None:
    """With ten contents or eighty tokens a minute, eleven items cannot go at once, and need not wait for ever."""
    for quota, first in (({"contents_per_minute": 10}, 5), ({"tokens_per_minute": 80}, 5)):
        emulator.clear()
        engine = make(emulator, **quota)

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(engine.aembed(texts(11)), 1.5)

        assert sizes(emulator)[0] <= first
        assert sum(sizes(emulator)) < 11
        engine.close()


def test_a_budget_is_a_hard_stop(emulator: GeminiEmulator) -> None:
    """The request that would pass it is not sent; what was embedded before is in the error."""
    engine = make(emulator, max_cost=0.0003, max_concurrency=1)

    with pytest.raises(BudgetExceeded) as caught:
        engine.embed(texts(1000))

    assert 0 < len(caught.value.completed) < 1000
    assert sum(sizes(emulator)) == len(caught.value.completed)
    assert engine.usage.usd <= 0.0003
    engine.close()


def test_text_that_is_too_long(emulator: GeminiEmulator) -> None:
    """Refused before it is sent, or cut when that is allowed, or counted exactly when that is asked for."""
    long = EmbedItem((Part(text="bearing " * 9000),))

    refused = make(emulator)
    (outcome,) = refused.outcomes([long])
    assert isinstance(outcome, LimitExceeded)
    assert outcome.actual > 8192
    assert emulator.requests == []
    refused.close()

    cutting = make(emulator, truncate=True)
    assert len(cutting.embed([long])[0]) == DIMENSION
    sent = emulator.requests[-1].contents[0].text
    assert 20_000 < len(sent) < len("bearing " * 9000)
    cutting.close()

    emulator.clear()
    counting = make(emulator, exact_tokens=True)
    assert isinstance(counting.outcomes([long])[0], LimitExceeded)
    assert [r.route for r in emulator.requests] == ["countTokens"]
    counting.close()


def test_large_media_go_through_the_files_api(emulator: GeminiEmulator) -> None:
    """Uploaded, waited for, embedded by their URI, deleted; the vector is that of the inline form."""
    data = png("red", (64, 64))
    inline = make(emulator)
    expected = inline.embed([picture(data)])
    inline.close()
    with GeminiEmulator(file_processing_seconds=0.4) as slow:
        engine = make(slow, file_threshold=len(data) - 1)

        assert engine.embed([picture(data)]) == expected

        routes = [r.route for r in slow.requests]
        assert routes[:2] == ["files.start", "files.chunk"]
        assert routes[-1] == "files.delete"
        assert "files.get" in routes
        (part,) = next(r for r in slow.requests if r.route == ROUTE).contents[0].parts
        assert part.data is None
        assert part.file_uri is not None
        engine.close()


def test_a_failed_upload_is_tried_again(emulator: GeminiEmulator) -> None:
    """A 503 while uploading costs a retry and nothing else."""
    data = png("red", (64, 64))
    engine = make(emulator, file_threshold=10)
    emulator.faults.add(Fault(status=503), route="files.start", times=1)

    assert len(engine.embed([picture(data)])) == 1
    engine.close()


def test_uploaded_files_are_deleted_after_a_failure_too(emulator: GeminiEmulator) -> None:
    """Nothing is left behind on the service when the request is refused."""
    engine = make(emulator, file_threshold=10, patience=IMPATIENT)
    emulator.faults.add(Fault(status=400), route=ROUTE, times=None)

    assert isinstance(engine.outcomes([picture(png("red"))])[0], InvalidRequest)
    assert [r.route for r in emulator.requests][-1] == "files.delete"
    engine.close()
