"""Quotas and concurrency as rules over time, without a server."""

from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_gemini_mm.engine.concurrency import AdaptiveLimiter, ByteGate
from llama_index_gemini_mm.engine.pacing import Meter, Pacer


def test_a_meter_without_a_limit_never_waits() -> None:
    """Nothing is known, nothing is held back."""
    meter = Meter()
    meter.add(0.0, 1e9)

    assert meter.wait(0.0, 1e9) == 0.0


def test_a_meter_waits_until_enough_has_left_the_minute() -> None:
    """Three uses of 40 under a limit of 100: the third waits for the first to leave, and no longer."""
    meter = Meter(100)
    meter.add(0.0, 40)
    meter.add(10.0, 40)

    wait = meter.wait(20.0, 40)

    assert 40.0 < wait < 41.0
    assert meter.wait(20.0 + wait, 40) == 0.0
    assert meter.used == 40


def test_more_than_the_whole_limit_goes_alone() -> None:
    """A batch above the quota is not held back for ever: it goes when nothing else is in the window."""
    meter = Meter(50)
    assert meter.wait(0.0, 100) == 0.0

    meter.add(0.0, 10)
    assert 60.0 < meter.wait(0.0, 100) < 61.0
    assert meter.wait(61.0, 100) == 0.0


def test_a_refund_makes_room() -> None:
    """What the server refused it did not count."""
    meter = Meter(100)
    event = meter.add(0.0, 100)
    assert meter.wait(1.0, 1) > 0

    meter.refund(event)

    assert meter.wait(1.0, 100) == 0.0


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 100)), min_size=1, max_size=60))
def test_no_minute_ever_holds_more_than_the_limit(requests: list[tuple[float, int]]) -> None:
    """Whoever waits as told keeps the limit in every window of sixty seconds."""
    meter, now, sent = Meter(100), 0.0, []
    for pause, amount in requests:
        now += pause
        while (wait := meter.wait(now, amount)) > 0:
            now += wait
        meter.add(now, amount)
        sent.append((now, amount))

    for at, _ in sent:
        assert sum(amount for other, amount in sent if at - 60 < other <= at) <= 100


def test_limits_are_learned_downwards() -> None:
    """A refusal names a limit; a higher one later does not undo it, a lower one does."""
    meter = Meter()

    assert [meter.teach(3000), meter.teach(5000), meter.teach(100)] == [True, False, True]
    assert meter.limit == 100


async def test_the_pacer_learns_by_quota_id() -> None:
    """Tokens and contents are told apart by the id, never by the message."""
    pacer = Pacer()

    pacer.learn("EmbedContentInputTokensPerMinutePerProjectPerModel-FreeTier", 30_000)
    pacer.learn("EmbedContentPerMinutePerProjectPerUserPerModel-PaidTier", 3_000)

    assert (pacer.tokens.limit, pacer.contents.limit, pacer.requests.limit) == (30_000, 3_000, None)


async def test_a_closed_pacer_holds_everyone() -> None:
    """Five requests wait for the same time, and then all go."""
    pacer = Pacer()
    pacer.close_for(0.3)
    started = time.monotonic()

    await asyncio.gather(*(pacer.admit(1, 1) for _ in range(5)))

    assert 0.3 <= time.monotonic() - started < 1.0
    assert pacer.contents.used == 5


async def test_an_admission_can_be_taken_back() -> None:
    """The refund concerns all three quotas."""
    pacer = Pacer(10, 100, 1000)
    admission = await pacer.admit(100, 900)

    admission.refused()

    assert (pacer.requests.used, pacer.contents.used, pacer.tokens.used) == (0, 0, 0)


async def test_the_minute_is_reckoned_from_the_answer() -> None:
    """The server counts a request when it arrives, which nobody knows; the time of the answer is on the safe side."""
    now = 0.0
    pacer = Pacer(contents_per_minute=10, clock=lambda: now)
    admission = await pacer.admit(10, 1)
    now = 2.0
    admission.answered()

    assert 60.0 < pacer.contents.wait(2.0, 1) < 61.0


async def test_the_limiter_bounds_what_is_under_way() -> None:
    """Never more than its size at once, and all come through."""
    limiter, under_way, most = AdaptiveLimiter(3), 0, 0

    async def work() -> None:
        nonlocal under_way, most
        async with limiter:
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.01)
            under_way -= 1

    await asyncio.gather(*(work() for _ in range(20)))

    assert (most, under_way) == (3, 0)


def test_additive_increase_multiplicative_decrease() -> None:
    """Halved by trouble, once for all requests of one round; grown by one for each round of successes."""
    limiter = AdaptiveLimiter(32)
    sent_in = limiter.round
    for _ in range(32):
        limiter.suffered(sent_in)
    assert limiter.size == 16

    for _ in range(16):
        limiter.succeeded()
    assert 16.9 < limiter.size < 17.1
    for _ in range(5000):
        limiter.succeeded()
    assert limiter.size == 32
    for _ in range(20):
        limiter.suffered(limiter.round)
    assert limiter.size == 1


async def test_a_cancelled_waiter_gives_its_place_back() -> None:
    """Cancelling those who wait, or who were just let in, loses no place."""
    limiter = AdaptiveLimiter(1)

    async def hold(seconds: float) -> str:
        async with limiter:
            await asyncio.sleep(seconds)
        return "done"

    first = asyncio.create_task(hold(0.05))
    await asyncio.sleep(0)
    waiting = [asyncio.create_task(hold(0)) for _ in range(5)]
    await asyncio.sleep(0)
    for task in waiting[:4]:
        task.cancel()

    assert await asyncio.wait_for(first, 1) == "done"
    assert await asyncio.wait_for(waiting[4], 1) == "done"
    assert await asyncio.wait_for(hold(0), 1) == "done"


async def test_the_byte_gate() -> None:
    """Bytes are bounded; one piece above the bound goes alone."""
    gate = ByteGate(100)
    await gate.take(60)
    assert not gate.has_room(60)
    late = asyncio.create_task(gate.take(60))
    await asyncio.sleep(0.01)
    assert not late.done()

    gate.give(60)
    await asyncio.wait_for(late, 1)
    gate.give(60)
    await asyncio.wait_for(gate.take(1000), 1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(gate.take(1), 0.05)
