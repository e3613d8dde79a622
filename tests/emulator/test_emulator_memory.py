"""What comes again is answered from memory: the same answer, within bounds, and never across what differs."""

from __future__ import annotations

import json

import pytest

from emulator_client import batch, one, poster
from llama_index_gemini_mm.emulator import GeminiEmulator, Quota
from llama_index_gemini_mm.emulator.memory import Memory
from llama_index_gemini_mm.emulator.quotas import QuotaUse


def test_answers_are_the_same_with_and_without_memory() -> None:
    """The second of two equal requests gets the bytes of the first, and so does a server that remembers nothing."""
    asked = batch(one({"text": "a red wheel"}), one({"text": "a blue wheel"}), one({"text": "a red wheel"}))
    with GeminiEmulator() as remembering, GeminiEmulator(remembered_bytes=0) as forgetful:
        answers = [
            poster(server)("batchEmbedContents", asked).content for server in (remembering, remembering, forgetful)
        ]

    assert answers[0] == answers[1] == answers[2]
    vectors = [e["values"] for e in json.loads(answers[0])["embeddings"]]
    assert vectors[0] == vectors[2] != vectors[1]


def test_what_differs_is_not_mixed_up() -> None:
    """Dimension, order of the parts and the borders between them each make another answer."""
    with GeminiEmulator() as emulator:
        post = poster(emulator)

        def vector(*parts: dict[str, str], **options: int) -> list[float]:
            return post("embedContent", one(*parts, **options)).json()["embedding"]["values"]

        long, short = vector({"text": "a b"}), vector({"text": "a b"}, outputDimensionality=128)
        parted, turned = vector({"text": "a"}, {"text": "b"}), vector({"text": "b"}, {"text": "a"})

    assert (len(long), len(short)) == (3072, 128)
    assert long != parted != turned != long


def test_a_refusal_to_cut_is_not_forgotten() -> None:
    """A long text that was embedded cut is still refused to who forbids that."""
    long = {"text": "word " * 9000}
    with GeminiEmulator() as emulator:
        post = poster(emulator)

        first = post("embedContent", one(long))
        second = post("embedContent", {**one(long), "embedContentConfig": {"autoTruncate": False}})

    assert (first.status_code, second.status_code) == (200, 400)


def test_memory_forgets_what_was_not_asked_for_longest() -> None:
    """Values go, oldest use first, when the bytes are used up; what is put anew counts once."""
    memory: Memory[bytes] = Memory(10, len)
    for key, value in ((b"a", b"1234"), (b"b", b"1234")):
        memory.put(key, value)
    assert memory.get(b"a") == b"1234"

    memory.put(b"c", b"123456")

    assert (memory.get(b"a"), memory.get(b"b"), memory.get(b"c")) == (b"1234", None, b"123456")
    memory.put(b"c", b"1")
    assert memory.held == 5


@pytest.mark.parametrize("size", [0, 3])
def test_memory_keeps_nothing_that_is_too_large(size: int) -> None:
    """A value over the bound is not kept."""
    memory: Memory[bytes] = Memory(size, len)

    memory.put(b"a", b"1234")

    assert (memory.get(b"a"), memory.held) == (None, 0)


def test_quota_use() -> None:
    """Requests and contents that were let in are counted, and requests that were not."""
    with GeminiEmulator(quota=Quota(requests_per_minute=3)) as emulator:
        post = poster(emulator)
        statuses = [post("batchEmbedContents", batch(*[one({"text": "x"})] * n)).status_code for n in (2, 2, 1)]

        assert statuses == [200, 429, 200]
        assert emulator.quota_use == QuotaUse(requests=2, contents=3, refused=1)
