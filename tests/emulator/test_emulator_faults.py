"""Scripted failures, as the real SDK and a raw client meet them."""

from __future__ import annotations

import json
import math
import time

import httpx
import pytest
from google import genai
from google.genai import errors

from emulator_client import Post, batch, content, developer_client, embed, one
from llama_index_gemini_mm.emulator import Fault, GeminiEmulator

TWO = batch(one({"text": "a"}), one({"text": "b"}))


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, "INVALID_ARGUMENT"),
        (401, "UNAUTHENTICATED"),
        (403, "PERMISSION_DENIED"),
        (408, "DEADLINE_EXCEEDED"),
        (429, "RESOURCE_EXHAUSTED"),
        (500, "INTERNAL"),
        (503, "UNAVAILABLE"),
        (504, "DEADLINE_EXCEEDED"),
    ],
)
def test_status_reaches_the_sdk_once(client: genai.Client, emulator: GeminiEmulator, status: int, name: str) -> None:
    """A status strikes the next call with its documented name, and the one after succeeds."""
    emulator.faults.add(Fault(status=status), route="batchEmbedContents")

    with pytest.raises(errors.APIError) as caught:
        embed(client, content("x"))

    assert (caught.value.code, caught.value.status) == (status, name)
    assert embed(client, content("x")).shape == (1, 3072)
    assert len(emulator.requests) == 2


def test_times_and_after(client: genai.Client, emulator: GeminiEmulator) -> None:
    """A rule may wait for some calls and strike several; the next rule goes on."""
    emulator.faults.add(Fault(status=503), times=2, after=1)
    emulator.faults.add(Fault(status=500))
    seen = []

    for _ in range(6):
        try:
            embed(client, content("x"))
            seen.append(200)
        except errors.APIError as error:
            seen.append(error.code)

    assert seen in ([200, 503, 503, 500, 200, 200], [500, 503, 503, 200, 200, 200])


def test_route_match_and_for_ever(post: Post, emulator: GeminiEmulator) -> None:
    """A rule concerns its route and the requests it matches, for ever when so told, until the script is cleared."""
    emulator.faults.add(
        Fault(status=400, message="poison"),
        route="batchEmbedContents",
        times=None,
        match=lambda request: any("b" in content.text for content in request.contents),
    )

    for _ in range(3):
        assert post("batchEmbedContents", TWO).json()["error"]["message"] == "poison"
    assert post("batchEmbedContents", batch(one({"text": "a"}))).status_code == 200
    assert post("embedContent", one({"text": "b"})).status_code == 200
    emulator.faults.clear()
    assert post("batchEmbedContents", TWO).status_code == 200


@pytest.mark.parametrize(("quota", "word"), [("minute", "PerMinute"), ("day", "PerDay")])
def test_429_details(client: genai.Client, emulator: GeminiEmulator, quota: str, word: str) -> None:
    """The quota id tells a minute from a day; the hint is there in both, the Retry-After header in neither."""
    emulator.faults.add(Fault(status=429, quota=quota, retry_seconds=37))

    with pytest.raises(errors.ClientError) as caught:
        embed(client, content("x"))

    details = {detail["@type"].rpartition(".")[2]: detail for detail in caught.value.details["error"]["details"]}
    assert word in details["QuotaFailure"]["violations"][0]["quotaId"]
    assert details["RetryInfo"]["retryDelay"] == "37s"
    assert "Retry-After" not in caught.value.response.headers


def test_429_without_details(post: Post, emulator: GeminiEmulator) -> None:
    """The short form has no details; Retry-After is there when asked for."""
    emulator.faults.add(Fault(status=429, quota="none", retry_after=2))

    answer = post("batchEmbedContents", TWO)

    assert "details" not in answer.json()["error"]
    assert answer.headers["Retry-After"] == "2"


def test_502_is_a_page(client: genai.Client, emulator: GeminiEmulator) -> None:
    """A proxy's 502 is HTML, which the SDK hands on as text."""
    emulator.faults.add(Fault(status=502))

    with pytest.raises(errors.ServerError) as caught:
        embed(client, content("x"))

    assert caught.value.code == 502
    assert "<html>" in caught.value.message


def test_reset_drops_the_connection(post: Post, emulator: GeminiEmulator) -> None:
    """A reset ends the exchange without an answer."""
    emulator.faults.add(Fault(damage="reset"))

    with pytest.raises(httpx.TransportError):
        post("batchEmbedContents", TWO)


def test_hang_delays_the_answer(emulator: GeminiEmulator) -> None:
    """A hanging call outlasts the client's timeout, while other calls are answered."""
    emulator.faults.add(Fault(hang=0.6))
    hasty = developer_client(emulator, timeout=200)
    patient = developer_client(emulator)

    with pytest.raises(Exception, match=r"(?i)time") as caught:
        embed(hasty, content("x"))

    assert "Timeout" in type(caught.value).__name__
    assert embed(patient, content("x")).shape == (1, 3072)


def test_latency_and_stop_while_hanging() -> None:
    """Latency delays every answer; stopping does not wait for a hanging one."""
    with GeminiEmulator(latency=0.15) as emulator:
        client = developer_client(emulator)
        begun = time.monotonic()
        embed(client, content("x"))
        assert time.monotonic() - begun >= 0.15
        emulator.faults.add(Fault(hang=60))
        with pytest.raises(Exception, match=r"(?i)time"):
            embed(developer_client(emulator, timeout=300), content("x"))
        begun = time.monotonic()
    assert time.monotonic() - begun < 3


def damaged(post: Post, emulator: GeminiEmulator, damage: str) -> httpx.Response:
    """The answer to two texts, spoilt."""
    emulator.faults.add(Fault(damage=damage))
    answer = post("batchEmbedContents", TWO)
    assert answer.status_code == 200
    return answer


def test_broken_bodies(post: Post, emulator: GeminiEmulator) -> None:
    """Cut JSON, an empty body and an empty object."""
    with pytest.raises(json.JSONDecodeError):
        damaged(post, emulator, "cut_json").json()

    assert damaged(post, emulator, "empty").content == b""
    assert damaged(post, emulator, "empty_object").json() == {}


def test_wrong_counts(post: Post, emulator: GeminiEmulator) -> None:
    """One vector too few, and one too many."""
    assert len(damaged(post, emulator, "too_few").json()["embeddings"]) == 1
    assert len(damaged(post, emulator, "too_many").json()["embeddings"]) == 3


def test_wrong_vectors(post: Post, emulator: GeminiEmulator) -> None:
    """Values missing, one number short, NaN in both spellings, and length two; the second vector stays good."""
    spoilt = {
        damage: damaged(post, emulator, damage).json()["embeddings"]
        for damage in ("no_values", "wrong_dimension", "nan", "nan_text", "not_unit")
    }

    assert spoilt["no_values"][0] == {}
    assert len(spoilt["wrong_dimension"][0]["values"]) == 3071
    assert any(isinstance(value, float) and math.isnan(value) for value in spoilt["nan"][0]["values"])
    assert "NaN" in spoilt["nan_text"][0]["values"]
    assert math.hypot(*spoilt["not_unit"][0]["values"]) == pytest.approx(2.0, abs=1e-6)
    assert {len(two[1]["values"]) for two in spoilt.values()} == {3072}


def test_damage_to_a_single_answer(post: Post, emulator: GeminiEmulator) -> None:
    """EmbedContent is spoilt as well."""
    emulator.faults.add(Fault(damage="no_values"), route="embedContent")
    emulator.faults.add(Fault(damage="too_few"), route="embedContent")

    assert post("embedContent", one({"text": "a"})).json()["embedding"] == {}
    assert "embedding" not in post("embedContent", one({"text": "a"})).json()
