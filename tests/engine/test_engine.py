"""The engine against the real SDK and the emulator: order, packing, retries, checks, the bill."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from engine_support import ROUTE, make, picture, sizes, texts
from llama_index_gemini_mm.emulator import Fault, GeminiEmulator
from llama_index_gemini_mm.engine import Deferred, EmbeddingEngine, EmbedItem, KeySpace, Part, Patience
from llama_index_gemini_mm.engine.core import EngineSettings
from llama_index_gemini_mm.engine.transport import Address, Transport, connect
from llama_index_gemini_mm.errors import ApiError, AuthError, BadReply, InvalidRequest, LimitExceeded, QuotaExhausted
from llama_index_gemini_mm.limits import DEVELOPER_API, MODEL
from media_samples import photo, png


@pytest.fixture
def engine(emulator: GeminiEmulator) -> Iterator[EmbeddingEngine]:
    """An engine with short pauses."""
    made = make(emulator)
    yield made
    made.close()


def test_one_vector_for_each_item_in_order(engine: EmbeddingEngine, emulator: GeminiEmulator) -> None:
    """250 items go out as requests of at most 100 contents, and each vector is that of its own item."""
    vectors = engine.embed(texts(250))

    assert sorted(sizes(emulator)) == [50, 100, 100]
    assert len(vectors) == 250
    assert vectors[177] == engine.embed([texts(250)[177]])[0]
    assert vectors[177] != vectors[178]


def test_documents_and_queries_get_their_prefix(engine: EmbeddingEngine, emulator: GeminiEmulator) -> None:
    """The literal prefixes of the documentation go out, and no task type."""
    engine.embed(
        [
            EmbedItem((Part(text="oil the bearing"),), title="Spindle"),
            EmbedItem((Part(text="oil the bearing"),)),
            EmbedItem((Part(text="how to oil"),), "query"),
        ]
    )

    contents = emulator.requests[0].contents
    assert [c.text for c in contents] == [
        "title: Spindle | text: oil the bearing",
        "title: none | text: oil the bearing",
        "task: search result | query: how to oil",
    ]
    assert [c.task_type for c in contents] == [None] * 3
    assert [c.output_dimensionality for c in contents] == [128] * 3


def test_symmetric_tasks_write_documents_like_queries(emulator: GeminiEmulator) -> None:
    """For sentence similarity both sides carry the same prefix."""
    engine = make(emulator, task="similarity")

    engine.embed([EmbedItem((Part(text="a"),)), EmbedItem((Part(text="a"),), "query")])

    assert [c.text for c in emulator.requests[0].contents] == ["task: sentence similarity | query: a"] * 2
    engine.close()


def test_text_beside_media_has_no_prefix(engine: EmbeddingEngine, emulator: GeminiEmulator) -> None:
    """A caption goes out as it is, in the same content as its picture, whose bytes arrive unchanged."""
    picture = png("red", (32, 32))

    engine.embed([EmbedItem((Part(text="a red square"), Part(data=picture, mime_type="image/png", tokens=258)))])

    (content,) = emulator.requests[0].contents
    assert [p.text for p in content.parts] == ["a red square", None]
    assert content.parts[1].data == picture


def test_large_media_are_spread_over_requests(emulator: GeminiEmulator) -> None:
    """A request holds no more bytes than allowed; items keep their order."""
    pictures = [photo((64, 48 + n)) for n in range(4)]
    size = max(map(len, pictures))
    engine = make(emulator, max_request_bytes=2 * size)

    vectors = engine.embed([picture(p) for p in pictures])

    assert [[c.parts[0].data for c in r.contents] for r in emulator.requests] == [pictures[:2], pictures[2:]]
    assert len(vectors) == 4
    engine.close()


def test_items_are_made_only_when_their_turn_comes(engine: EmbeddingEngine) -> None:
    """Deferred items are made on a worker thread, not on the event loop and not by the caller."""
    threads: set[str] = set()

    def later() -> EmbedItem:
        threads.add(threading.current_thread().name)
        return texts(1)[0]

    assert engine.embed([Deferred(later)]) == engine.embed([Deferred(later, "a name")]) == engine.embed(texts(1))
    assert threads
    assert not threads & {threading.current_thread().name, "gemini-mm-engine"}


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=408),
        Fault(status=429, retry_seconds=0.01),
        Fault(status=429, quota="none"),
        Fault(status=500),
        Fault(status=502),
        Fault(status=503),
        Fault(status=504),
        Fault(damage="reset"),
        Fault(damage="cut_json"),
    ],
    ids=str,
)
def test_passing_failures_are_tried_again(engine: EmbeddingEngine, emulator: GeminiEmulator, fault: Fault) -> None:
    """Two failures and then an answer: the vectors are those of an undisturbed call."""
    undisturbed = engine.embed(texts(2))
    emulator.clear()
    emulator.faults.add(fault, route=ROUTE, times=2)

    assert engine.embed(texts(2)) == undisturbed
    assert len(emulator.requests) == 3


def test_lasting_failures_end_in_an_api_error(engine: EmbeddingEngine, emulator: GeminiEmulator) -> None:
    """After max_retries the error says what the service said, and that it may work later."""
    emulator.faults.add(Fault(status=503), route=ROUTE, times=None)

    with pytest.raises(ApiError) as caught:
        engine.embed(texts(1))

    assert (caught.value.code, caught.value.status, caught.value.retryable) == (503, "UNAVAILABLE", True)
    assert len(emulator.requests) == 4
    assert engine.usage.requests == 4
    assert engine.usage.contents == 0


def test_a_hanging_service_is_left_at_the_timeout(emulator: GeminiEmulator) -> None:
    """The timeout is really used: a request that hangs is given up and sent again."""
    engine = make(emulator, timeout=1.0, patience=Patience(max_retries=1, first_wait=0.01))
    emulator.faults.add(Fault(hang=5.0), route=ROUTE)

    assert len(engine.embed(texts(1))) == 1
    assert len(emulator.requests) == 2
    engine.close()


def test_nobody_there_is_a_retryable_api_error(emulator: GeminiEmulator) -> None:
    """A refused connection is told in one line, without long sleeps inside the SDK."""
    engine = make(emulator, patience=Patience(max_retries=1, first_wait=0.01))
    emulator_url = emulator.base_url
    emulator.stop()

    with pytest.raises(ApiError) as caught:
        engine.embed(texts(1))

    assert caught.value.code == 0
    assert caught.value.retryable
    assert emulator_url not in str(caught.value)
    engine.close()


@pytest.mark.parametrize(
    ("fault", "error"),
    [(Fault(status=401), AuthError), (Fault(status=403), AuthError), (Fault(status=400), InvalidRequest)],
)
def test_final_refusals_are_not_repeated(
    engine: EmbeddingEngine, emulator: GeminiEmulator, fault: Fault, error: type[ApiError]
) -> None:
    """What will not get better is asked once."""
    emulator.faults.add(fault, route=ROUTE, times=None)

    with pytest.raises(error):
        engine.embed(texts(1))

    assert len(emulator.requests) == 1


def test_a_wrong_key_is_an_auth_error_without_the_key(emulator: GeminiEmulator) -> None:
    """The service says 400 for a wrong key; the reason decides, and the key is in no message."""
    with GeminiEmulator(api_key="right") as strict:
        address = Address("developer", api_key="wrong-secret", base_url=strict.base_url)
        engine = EmbeddingEngine(
            lambda: Transport(connect(address), MODEL, 128),
            KeySpace(MODEL, 128, "retrieval", 1, 1),
            EngineSettings(limits=DEVELOPER_API),
        )

        with pytest.raises(AuthError) as caught:
            engine.embed(texts(1))

        assert "wrong-secret" not in repr(caught.value)
        assert "GOOGLE_API_KEY" in str(caught.value)
        engine.close()


def test_an_unknown_model_is_named(emulator: GeminiEmulator) -> None:
    """404 says which setting to check and is not retried."""
    engine = make(emulator, model="gemini-embedding-9")

    with pytest.raises(ApiError, match="model_name") as caught:
        engine.embed(texts(1))

    assert caught.value.code == 404
    assert len(emulator.requests) == 1
    engine.close()


def test_the_days_quota_stops_at_once(engine: EmbeddingEngine, emulator: GeminiEmulator) -> None:
    """A daily 429 carries a short retryDelay that does not help; the error says when the quota starts anew."""
    emulator.faults.add(Fault(status=429, quota="day", retry_seconds=0.01), route=ROUTE, times=None)

    with pytest.raises(QuotaExhausted) as caught:
        engine.embed(texts(1))

    assert "T00:00:00" in caught.value.resets_at
    assert len(emulator.requests) == 1


@pytest.mark.parametrize(
    "damage", ["too_few", "too_many", "no_values", "wrong_dimension", "nan", "nan_text", "empty_object", "empty"]
)
def test_replies_that_cannot_be_trusted_are_refused(
    engine: EmbeddingEngine, emulator: GeminiEmulator, damage: str
) -> None:
    """No vector is handed on when one of them is missing, short or no number."""
    emulator.faults.add(Fault(damage=damage), route=ROUTE, times=None)  # type: ignore[arg-type]

    with pytest.raises(ApiError) as caught:
        engine.embed(texts(3))

    assert isinstance(caught.value, BadReply) or caught.value.retryable


def test_one_failure_cancels_the_rest(emulator: GeminiEmulator) -> None:
    """When one request of a call is refused, those not yet sent are not paid for."""
    engine = make(emulator, max_concurrency=1)
    emulator.faults.add(Fault(status=400), route=ROUTE, times=None)

    with pytest.raises(InvalidRequest):
        engine.embed(texts(1000))

    assert len(emulator.requests) < 300  # the first batch bisected down to its items, and nothing of the other nine
    engine.close()


def test_too_many_media_are_refused_before_they_are_sent(engine: EmbeddingEngine, emulator: GeminiEmulator) -> None:
    """Seven pictures in one content pass the model's limit of six."""
    picture = Part(data=png("red", (8, 8)), mime_type="image/png", tokens=258)

    with pytest.raises(LimitExceeded) as caught:
        engine.embed([EmbedItem((picture,) * 7)])

    assert (caught.value.modality, caught.value.limit, caught.value.actual) == ("image", 6, 7)
    assert emulator.requests == []


def test_nothing_to_embed_is_refused(engine: EmbeddingEngine, emulator: GeminiEmulator) -> None:
    """An item of blanks costs no request."""
    with pytest.raises(InvalidRequest, match="nothing to embed"):
        engine.embed([EmbedItem((Part(text="  \n"),))])

    assert emulator.requests == []
    assert engine.embed([]) == []


def test_the_bill(engine: EmbeddingEngine) -> None:
    """Requests, contents and tokens add up; text is counted by the service, a picture costs 258 tokens."""
    picture = Part(data=png("red", (8, 8)), mime_type="image/png", tokens=258)

    engine.embed([EmbedItem((Part(text="hello"),)), EmbedItem((Part(text="hello"), picture))])

    usage = engine.usage
    assert (usage.requests, usage.contents) == (1, 2)
    assert usage.tokens["image"] == 258
    assert usage.tokens["text"] >= 7 + 1
    assert usage.total_tokens == 258 + usage.tokens["text"]
    assert usage.usd == pytest.approx((258 * 0.45 + usage.tokens["text"] * 0.20) / 1e6)


def test_threads_and_loops_share_one_engine(engine: EmbeddingEngine) -> None:
    """Ten threads, and two event loops one after the other, all get their own vectors."""
    expected = engine.embed(texts(10))
    found: dict[int, list[float]] = {}

    def work(n: int) -> None:
        found[n] = engine.embed([texts(10)[n]])[0]

    workers = [threading.Thread(target=work, args=(n,)) for n in range(10)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    async def gathered() -> list[list[list[float]]]:
        return await asyncio.gather(*(engine.aembed([item]) for item in texts(3)))

    assert [found[n] for n in range(10)] == expected
    assert [v[0] for v in asyncio.run(gathered())] == expected[:3]
    assert [v[0] for v in asyncio.run(gathered())] == expected[:3]


async def test_the_synchronous_face_works_inside_a_running_loop(engine: EmbeddingEngine) -> None:
    """As in a notebook: embed() called from a coroutine does not fail or deadlock."""
    assert engine.embed(texts(1)) == await engine.aembed(texts(1))


def test_close_and_go_on(engine: EmbeddingEngine) -> None:
    """After close() no thread of the engine is left; the next call starts anew."""
    before = engine.embed(texts(1))
    engine.close()
    engine._loop.run(asyncio.sleep(0))
    engine.close()

    assert engine.embed(texts(1)) == before


def test_the_interpreter_ends_with_an_open_engine(emulator: GeminiEmulator) -> None:
    """A program that never closes its model ends by itself, at once."""
    program = (
        "from llama_index_gemini_mm import GeminiMultimodalEmbedding\n"
        f"m = GeminiMultimodalEmbedding(api_key='k', base_url={emulator.base_url!r}, output_dimensionality=128)\n"
        "print(len(m.get_text_embedding('hello')))\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stdout.strip()) == (0, "128"), done.stderr
