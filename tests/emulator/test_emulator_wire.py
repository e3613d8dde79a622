"""Raw JSON over HTTP: spellings, shapes of answers, refusals."""

from __future__ import annotations

import base64
import logging

import httpx
import pytest

from emulator_client import MODEL, Post, batch, blob, error_of, one, poster
from emulator_samples import plain_png
from llama_index_gemini_mm.emulator import GeminiEmulator

HELLO = {"text": "hello"}


def test_embed_content_shape(post: Post) -> None:
    """EmbedContent answers one embedding, usage under promptTokenDetails and no total."""
    answer = post("embedContent", one({"text": "title: none | text: hello"}, output_dimensionality=128))

    body = answer.json()
    assert answer.headers["content-type"] == "application/json; charset=UTF-8"
    assert len(body["embedding"]["values"]) == 128
    assert body["usageMetadata"] == {
        "promptTokenCount": 7,
        "promptTokenDetails": [{"modality": "TEXT", "tokenCount": 7}],
    }


def test_batch_shape(post: Post) -> None:
    """A batch sums usage by modality over its entries."""
    picture = blob(plain_png(), "image/png")

    body = post("batchEmbedContents", batch(one(HELLO), one(picture), one(HELLO, picture))).json()

    assert len(body["embeddings"]) == 3
    assert body["usageMetadata"] == {
        "promptTokenCount": 518,
        "promptTokenDetails": [{"modality": "TEXT", "tokenCount": 2}, {"modality": "IMAGE", "tokenCount": 516}],
    }


def test_vertex_shape(post: Post) -> None:
    """Vertex spells the details otherwise, adds a total, and says when something was cut."""
    whole = post("embedContent", one(HELLO), version="v1beta1", vertex=True).json()
    cut = post("embedContent", one({"text": "a " * 9000}), version="v1beta1", vertex=True).json()

    assert whole["usageMetadata"] == {
        "promptTokenCount": 1,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 1}],
        "totalTokenCount": 1,
    }
    assert "truncated" not in whole
    assert cut["truncated"] is True
    assert cut["usageMetadata"]["totalTokenCount"] == 8192


def test_both_spellings_and_alphabets_mean_the_same(post: Post, emulator: GeminiEmulator) -> None:
    """snake_case and camelCase, standard and URL-safe base64, with and without padding, are all read."""
    png = plain_png("green", caption="a " + "\u00ff\u00fe" * 20)
    standard = base64.b64encode(png).decode()
    urlsafe = base64.urlsafe_b64encode(png).decode()
    bodies = [
        one({"inline_data": {"data": urlsafe, "mime_type": "image/png"}}, output_dimensionality=256),
        one({"inlineData": {"data": standard, "mimeType": "image/png"}}, outputDimensionality=256),
        one(
            {"inlineData": {"data": urlsafe.rstrip("="), "mime_type": "image/png"}},
            embedContentConfig={"outputDimensionality": "256"},
        ),
    ]

    vectors = [post("embedContent", body).json()["embedding"]["values"] for body in bodies]

    assert vectors[0] == vectors[1] == vectors[2]
    assert {request.contents[0].parts[0].data for request in emulator.requests} == {png}


def test_body_is_recorded_without_media(post: Post, emulator: GeminiEmulator) -> None:
    """The recorded body keeps its shape, but neither base64 nor key."""
    post("embedContent", one(HELLO, blob(plain_png(), "image/png")))

    [request] = emulator.requests
    parts = request.body["content"]["parts"]
    assert parts[0] == HELLO
    assert parts[1]["inlineData"]["data"].endswith("characters of base64>")
    assert request.headers["x-goog-api-key"] == request.headers["authorization"] == "…"


@pytest.mark.parametrize("key", [None, "wrong"])
def test_bad_key_is_400(key: str | None) -> None:
    """A wrong and a missing key give the documented 400 with its reason."""
    with GeminiEmulator(api_key="right") as emulator:
        post = poster(emulator, {"x-goog-api-key": key} if key else {})
        answer = post("embedContent", one(HELLO))

        assert error_of(answer) == (400, "INVALID_ARGUMENT")
        assert answer.json()["error"]["details"][0]["reason"] == "API_KEY_INVALID"
        assert poster(emulator, {"x-goog-api-key": "right"})("embedContent", one(HELLO)).status_code == 200
        assert "right" not in repr(emulator.requests)


def test_bad_token_is_401() -> None:
    """Vertex wants a bearer token, and the right one."""
    with GeminiEmulator(api_key="right") as emulator:
        for headers, expected in (
            ({}, 401),
            ({"Authorization": "Bearer wrong"}, 401),
            ({"Authorization": "Basic right"}, 401),
            ({"Authorization": "Bearer right"}, 200),
        ):
            answer = poster(emulator, headers)("embedContent", one(HELLO), version="v1beta1", vertex=True)
            assert answer.status_code == expected


def test_key_in_the_query(emulator: GeminiEmulator) -> None:
    """REST clients may send the key in the query, which the record leaves out."""
    answer = httpx.post(f"{emulator.base_url}/v1/models/{MODEL}:embedContent?key=secret", json=one(HELLO))

    assert answer.status_code == 200
    assert "secret" not in repr(emulator.requests)


@pytest.mark.parametrize("method", ["embedContent", "batchEmbedContents", "countTokens"])
def test_unknown_model_is_404(post: Post, method: str) -> None:
    """An unknown model is a 404 that names the version of the path; batches speak of embedContent."""
    answer = post(method, {}, model="gemini-embedding-2-preview", version="v1")

    assert error_of(answer) == (404, "NOT_FOUND")
    message = answer.json()["error"]["message"]
    assert "API version v1," in message
    assert ("countTokens" if method == "countTokens" else "embedContent") in message
    assert "batch" not in message


def test_unknown_path_is_404(emulator: GeminiEmulator, post: Post) -> None:
    """Outside the routes there is a 404 with Google's envelope, and it is recorded."""
    assert error_of(post("generateContent", {})) == (404, "NOT_FOUND")
    assert error_of(httpx.get(f"{emulator.base_url}/v9/x")) == (404, "NOT_FOUND")
    assert [request.route for request in emulator.requests] == ["unknown", "unknown"]


def test_predict_on_vertex_is_refused(post: Post) -> None:
    """The old method of Vertex does not serve this model."""
    answer = post("predict", {"instances": [{"content": "x"}]}, version="v1beta1", vertex=True)

    assert error_of(answer) == (400, "FAILED_PRECONDITION")


@pytest.mark.parametrize(
    "body",
    [
        b"{not json",
        b"[]",
        b"[" * 100_000,
        {},
        {"content": "hello"},
        {"content": {}},
        {"content": {"parts": []}},
        {"content": {"parts": {}}},
        {"content": {"parts": ["hello"]}},
        one({"text": ""}),
        one({}),
        one(HELLO, {"text": ""}),
        one({"text": 5}),
        one({"text": "a", "inlineData": {"data": "AAAA", "mimeType": "image/png"}}),
        one({"inlineData": {"data": "A*A=", "mimeType": "image/png"}}),
        one({"inlineData": {"data": "AAAAA", "mimeType": "image/png"}}),
        one({"inlineData": {"data": "", "mimeType": "image/png"}}),
        one({"inlineData": {"data": "AAAA"}}),
        one({"inlineData": "AAAA"}),
        one({"fileData": {"fileUri": "gs://bucket/x.png"}}),
        one({"image": "AAAA"}),
        one(HELLO, outputDimension=128),
        one(HELLO, outputDimensionality=127),
        one(HELLO, outputDimensionality=3073),
        one(HELLO, outputDimensionality=0),
        one(HELLO, outputDimensionality="many"),
        one(HELLO, outputDimensionality=True),
        one(HELLO, model="models/gemini-embedding-001"),
        one(HELLO, model=3),
    ],
)
def test_malformed_bodies_are_400(post: Post, body: object) -> None:
    """Whatever is wrong with a body is a 400, never a 500 and never a vector."""
    assert error_of(post("embedContent", body)) == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    "body",
    [
        {"requests": []},
        {"requests": [one(HELLO)]},
        batch(one(HELLO), one({"text": ""})),
        batch(*[one(HELLO)] * 101),
    ],
)
def test_malformed_batches_are_400(post: Post, emulator: GeminiEmulator, body: dict[str, list[object]]) -> None:
    """No entries, an entry without model, one bad entry, or more than a hundred: the whole batch is refused."""
    assert error_of(post("batchEmbedContents", body)) == (400, "INVALID_ARGUMENT")
    assert len(emulator.requests[0].contents) == len(body["requests"])


def test_count_tokens_shape(post: Post) -> None:
    """CountTokens counts one more than the parts, media by their table, and wants contents it can read."""
    body = {"contents": [{"parts": [HELLO, blob(plain_png(), "image/png")], "role": "user"}]}

    counted = post("countTokens", body).json()

    assert counted["totalTokens"] == 260
    assert counted["promptTokensDetails"] == [
        {"modality": "TEXT", "tokenCount": 2},
        {"modality": "IMAGE", "tokenCount": 258},
    ]
    assert error_of(post("countTokens", {"contents": []})) == (400, "INVALID_ARGUMENT")
    unknown = {"contents": [{"parts": [blob(b"x", "video/wav")]}]}
    assert error_of(post("countTokens", unknown)) == (400, "INVALID_ARGUMENT")


def test_auto_truncate(post: Post) -> None:
    """Beyond 8,192 tokens text is cut silently, or refused when truncation is declined."""
    cut = post("embedContent", one({"text": "word " * 9000})).json()
    exact = post("embedContent", one({"text": "word " * 8192}, embedContentConfig={"autoTruncate": False}))
    beyond = post("embedContent", one({"text": "word " * 8193}, embedContentConfig={"autoTruncate": False}))

    assert cut["embedding"]["values"] == exact.json()["embedding"]["values"]
    assert cut["usageMetadata"]["promptTokenCount"] == 8192
    assert "truncated" not in cut
    assert error_of(beyond) == (400, "INVALID_ARGUMENT")


def test_parts_beyond_the_window_are_left_out(post: Post) -> None:
    """Media after 8,192 tokens of text are not seen; text after media is cut to what is left."""
    picture = blob(plain_png(), "image/png")

    after = post("embedContent", one({"text": "word " * 8000}, picture)).json()
    before = post("embedContent", one(picture, {"text": "word " * 8000})).json()

    assert after["usageMetadata"]["promptTokenDetails"] == [{"modality": "TEXT", "tokenCount": 8000}]
    assert before["usageMetadata"]["promptTokenCount"] == 8192


def test_internal_errors_are_500_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A bug of the emulator is a 500 with its traceback in the log, never a 400."""

    def broken_clock() -> None:
        raise RuntimeError("clock is broken")

    with GeminiEmulator(clock=broken_clock) as emulator, caplog.at_level(logging.ERROR):
        answer = poster(emulator)("embedContent", one(HELLO))

    assert answer.status_code == 500
    assert "clock is broken" in caplog.text
