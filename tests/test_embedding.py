"""GeminiMultimodalEmbedding: settings, parts, secrets, Vertex AI, usage."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path

import pymupdf
import pytest
from google.auth.credentials import AnonymousCredentials
from google.genai import Client
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from PIL import Image

from llama_index_gemini_mm import GeminiMultimodalEmbedding, MediaStore, Part
from llama_index_gemini_mm.emulator import Fault, GeminiEmulator
from llama_index_gemini_mm.errors import (
    ApiError,
    AuthError,
    ConfigurationError,
    GeminiMMError,
    LimitExceeded,
    MediaMissing,
    SourceError,
    UnsupportedFormat,
)
from media_samples import png, wav
from support import contents_of, media_sent

RED = png("red")
SECRET = "AIza-secret-0123456789"


def pdf(pages: int) -> bytes:
    document = pymupdf.open()
    for number in range(pages):
        document.new_page().insert_text((72, 72), f"page {number + 1}")
    return document.tobytes()


def test_parts_of_every_kind_make_one_content(
    model: GeminiMultimodalEmbedding, emulator: GeminiEmulator, tmp_path: Path
) -> None:
    """Words, a path, bytes, a PIL image and a ready part go out interleaved, in order, as one content."""
    path = tmp_path / "tone.wav"
    path.write_bytes(wav(0.5, 440))
    blue = png("blue")

    vector = model.get_media_embedding(
        "first", path, RED, Image.open(io.BytesIO(blue)), "last", Part(data=RED, mime_type="image/png", tokens=258)
    )

    (content,) = contents_of(emulator)
    assert [p.text or p.mime_type for p in content.parts] == [
        *("first", "audio/wav", "image/png", "image/png", "last", "image/png"),
    ]
    assert content.parts[1].data == path.read_bytes()
    assert content.parts[2].data == RED
    assert len(vector) == 256


async def test_asynchronous_twins_give_the_same_vectors(model: GeminiMultimodalEmbedding, tmp_path: Path) -> None:
    """Each method in both modes."""
    path = tmp_path / "red.png"
    path.write_bytes(RED)

    assert await model.aget_media_embedding("a", RED) == model.get_media_embedding("a", RED)
    assert await model.aget_image_embedding(str(path)) == model.get_image_embedding(io.BytesIO(RED))
    assert await model.aget_text_embedding("a") == model.get_text_embedding("a")
    assert await model.aget_query_embedding("a") == model.get_query_embedding("a")
    assert await model.aget_text_embedding_batch(["a", "b"]) == model.get_text_embedding_batch(["a", "b"])
    assert (await model.aquery_bundle("a", RED)).embedding == model.query_bundle("a", RED).embedding


def test_a_short_pdf_is_a_part_and_a_long_one_is_refused(
    model: GeminiMultimodalEmbedding, emulator: GeminiEmulator
) -> None:
    """Six pages go out as they are; seven are more than the model reads."""
    six = pdf(6)
    model.get_media_embedding(six)
    assert media_sent(emulator) == [("application/pdf", six)]

    with pytest.raises(LimitExceeded) as caught:
        model.get_media_embedding(pdf(7))
    assert (caught.value.modality, caught.value.limit, caught.value.actual) == ("document", 6, 7)
    assert len(emulator.requests) == 1


def test_a_long_sound_is_refused_before_it_is_sent(model: GeminiMultimodalEmbedding, emulator: GeminiEmulator) -> None:
    """181 seconds are one too many; the error says what to do."""
    with pytest.raises(LimitExceeded, match="180") as caught:
        model.get_media_embedding(wav(181, 440, 8000))

    assert caught.value.modality == "audio"
    assert emulator.requests == []


def test_what_is_no_medium_is_refused(model: GeminiMultimodalEmbedding, tmp_path: Path) -> None:
    """A text file, a missing file and a number each get their own clear error."""
    text = tmp_path / "a.txt"
    text.write_text("words", encoding="utf-8")

    with pytest.raises(UnsupportedFormat, match="index it"):
        model.get_media_embedding(text)
    with pytest.raises(SourceError, match="no such file"):
        model.get_media_embedding(tmp_path / "nowhere.png")
    with pytest.raises(ConfigurationError, match="int"):
        model.get_media_embedding(7)  # type: ignore[arg-type]


def test_query_bundle(model: GeminiMultimodalEmbedding, emulator: GeminiEmulator) -> None:
    """Words alone get the query prefix; with a picture they go beside it without one."""
    words, both = model.query_bundle("oil leak"), model.query_bundle("oil leak", RED)

    assert [c.text for c in contents_of(emulator)] == ["task: search result | query: oil leak", "oil leak"]
    assert words.query_str == both.query_str == "oil leak"
    assert words.embedding != both.embedding


@pytest.mark.parametrize("dimension", [128, 768, 1536, 3072])
def test_dimensions(emulator: GeminiEmulator, dimension: int) -> None:
    """The dimension is sent and comes back, and every vector has length 1."""
    model = GeminiMultimodalEmbedding(api_key="k", base_url=emulator.base_url, output_dimensionality=dimension)

    vector = model.get_text_embedding("hello")

    assert contents_of(emulator)[0].output_dimensionality == dimension
    assert len(vector) == dimension
    assert sum(v * v for v in vector) == pytest.approx(1.0, abs=1e-5)
    model.close()


@pytest.mark.parametrize("dimension", [0, 127, 3073])
def test_impossible_dimensions(dimension: int) -> None:
    """Refused when the model is made, with the bound that was passed."""
    with pytest.raises(LimitExceeded, match="768"):
        GeminiMultimodalEmbedding(api_key="k", output_dimensionality=dimension)


def test_impossible_settings() -> None:
    """An unknown task, and LlamaIndex's own cache, which would mix queries and documents up."""
    from llama_index.core.storage.kvstore import SimpleKVStore

    with pytest.raises(ConfigurationError, match="retrieval"):
        GeminiMultimodalEmbedding(api_key="k", task="search")
    with pytest.raises(ConfigurationError, match="embeddings_cache"):
        GeminiMultimodalEmbedding(api_key="k", embeddings_cache=SimpleKVStore())


def test_a_missing_key_is_told_at_once() -> None:
    """Not after hours of reading; the message names the variables."""
    with pytest.raises(AuthError, match="GOOGLE_API_KEY or GEMINI_API_KEY"):
        GeminiMultimodalEmbedding()


@pytest.mark.parametrize("variable", ["GOOGLE_API_KEY", "GEMINI_API_KEY"])
def test_keys_from_the_environment(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both names are read, and the key is really the one that is sent."""
    with GeminiEmulator(api_key=SECRET) as strict:
        monkeypatch.setenv(variable, SECRET)
        model = GeminiMultimodalEmbedding(base_url=strict.base_url, output_dimensionality=128)
        assert len(model.get_text_embedding("hello")) == 128
        model.close()


def test_a_wrong_key(caplog: pytest.LogCaptureFixture) -> None:
    """One clear error; the key is in no message and no log."""
    caplog.set_level(logging.DEBUG)
    with GeminiEmulator(api_key="right") as strict:
        model = GeminiMultimodalEmbedding(api_key=SECRET, base_url=strict.base_url)
        with pytest.raises(AuthError) as caught:
            model.get_text_embedding("hello")
        model.close()

    assert SECRET not in str(caught.value) + repr(caught.value.__cause__) + caplog.text


def test_secrets_leak_nowhere(emulator: GeminiEmulator) -> None:
    """Not into dicts, JSON, repr, payloads, events, cache keys or logs."""
    from llama_index.core.ingestion.pipeline import get_transformation_hash
    from llama_index.core.schema import TextNode

    seen: list[str] = []

    class Spy(BaseEventHandler):
        def handle(self, event: object, **kwargs: object) -> None:
            seen.append(repr(event))

    debug = LlamaDebugHandler(print_trace_on_end=False)
    model = GeminiMultimodalEmbedding(
        api_key=SECRET, base_url=emulator.base_url, callback_manager=CallbackManager([debug])
    )
    dispatcher = get_dispatcher()
    spy = Spy()
    dispatcher.add_event_handler(spy)
    try:
        model.get_text_embedding("hello")
        model.get_query_embedding("hello")
    finally:
        dispatcher.event_handlers.remove(spy)

    payloads = [str(pair[1].payload) for pair in debug.get_event_pairs(CBEventType.EMBEDDING)]
    shown = [repr(model), str(model), str(model.to_dict()), model.to_json(), str(model.to_payload()), *seen, *payloads]
    assert seen
    assert payloads
    assert all(SECRET not in text for text in shown)
    key = get_transformation_hash([TextNode(text="x")], model)
    other = model.model_copy(update={"api_key": None, "timeout": 3.0})
    assert get_transformation_hash([TextNode(text="x")], other) == key
    model.close()


def test_the_error_of_a_failing_request_holds_no_content(
    model: GeminiMultimodalEmbedding, emulator: GeminiEmulator
) -> None:
    """What was to be embedded is not repeated in the error."""
    emulator.faults.add(Fault(status=400), times=None)

    with pytest.raises(ApiError) as caught:
        model.get_text_embedding("a very private sentence")

    assert "private" not in str(caught.value)


def test_missing_media_are_never_embedded_as_words(model: GeminiMultimodalEmbedding, emulator: GeminiEmulator) -> None:
    """A reference whose bytes are gone is an error, not a text."""
    with pytest.raises(MediaMissing):
        model.get_text_embedding(f"media_ref: media://{'0' * 64}\n\na caption")

    assert emulator.requests == []


def vertex(emulator: GeminiEmulator, **settings: object) -> GeminiMultimodalEmbedding:
    return GeminiMultimodalEmbedding(
        vertexai=True,
        project="p",
        location="global",
        credentials=_token(),
        base_url=emulator.base_url,
        output_dimensionality=256,
        **settings,
    )


def _token() -> AnonymousCredentials:
    credentials = AnonymousCredentials()
    credentials.token = "a-token"
    return credentials


def test_vertex_takes_one_content_a_call(
    emulator: GeminiEmulator, model: GeminiMultimodalEmbedding, store: MediaStore
) -> None:
    """Three texts are three calls, in order, with the same vectors as on the Developer API."""
    on_vertex = vertex(emulator, media_store=store)
    texts = ["one", "two", "three"]

    vectors = on_vertex.get_text_embedding_batch(texts)

    assert [r.route for r in emulator.requests] == ["embedContent"] * 3
    assert {r.path for r in emulator.requests} == {
        "/v1beta1/projects/p/locations/global/publishers/google/models/gemini-embedding-2:embedContent"
    }
    assert vectors == model.get_text_embedding_batch(texts)
    assert on_vertex.usage.contents == 3
    on_vertex.close()


def test_vertex_has_its_own_name_for_mp3(emulator: GeminiEmulator, tmp_path: Path) -> None:
    """audio/mpeg on one endpoint, audio/mp3 on the other."""
    from media_samples import mp3

    on_vertex, data = vertex(emulator), mp3(1.0, 440)

    on_vertex.get_media_embedding(data)

    assert media_sent(emulator) == [("audio/mp3", data)]
    on_vertex.close()


@pytest.mark.parametrize(
    ("value", "endpoint"), [("true", "vertex"), ("1", "vertex"), ("false", "developer"), ("0", "developer")]
)
def test_the_variable_that_switches_to_vertex(value: str, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The word "false" means no."""
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", value)

    assert GeminiMultimodalEmbedding(api_key="k").limits.endpoint == endpoint


def test_a_ready_client(emulator: GeminiEmulator) -> None:
    """client= is used as it is."""
    client = Client(api_key="mine", http_options={"base_url": emulator.base_url, "api_version": "v1"})
    model = GeminiMultimodalEmbedding(client=client, output_dimensionality=128)

    assert len(model.get_text_embedding("hello")) == 128
    assert emulator.requests[0].path.startswith("/v1/models/")
    model.close()


def test_usage(model: GeminiMultimodalEmbedding) -> None:
    """From zero, and by modality."""
    assert (model.usage.requests, model.usage.contents, model.usage.usd) == (0, 0, 0.0)

    model.get_media_embedding("red", RED)
    model.get_media_embedding(wav(2.0, 440))

    assert (model.usage.requests, model.usage.contents) == (2, 2)
    assert model.usage.tokens["image"] == 258
    assert model.usage.tokens["audio"] == 50
    assert model.usage.usd == pytest.approx((258 * 0.45 + 50 * 6.5 + model.usage.tokens["text"] * 0.2) / 1e6)


def test_a_passing_failure_is_not_seen_by_the_caller(
    model: GeminiMultimodalEmbedding, emulator: GeminiEmulator
) -> None:
    """A 503 in between costs a moment and nothing else."""
    emulator.faults.add(Fault(status=503), times=1)

    assert len(model.get_text_embedding("hello")) == 256
    assert model.usage.requests == 2


def test_serialisation_round_trip(model: GeminiMultimodalEmbedding, monkeypatch: pytest.MonkeyPatch) -> None:
    """to_dict holds what decides the vectors, and from_dict takes the key from the environment."""
    monkeypatch.setenv("GOOGLE_API_KEY", "k")
    data = json.loads(json.dumps(model.to_dict()))

    assert {k: data[k] for k in ("model_name", "output_dimensionality", "task", "class_name")} == {
        "model_name": "gemini-embedding-2",
        "output_dimensionality": 256,
        "task": "retrieval",
        "class_name": "GeminiMultimodalEmbedding",
    }
    twin = GeminiMultimodalEmbedding.from_dict(data)
    assert (twin.output_dimensionality, twin.prefix_version) == (256, model.prefix_version)


def test_every_error_is_one_of_ours(model: GeminiMultimodalEmbedding) -> None:
    """A caller can catch them all by one class."""
    for bad in ("", "   "):
        with pytest.raises(GeminiMMError):
            model.get_text_embedding(bad)
