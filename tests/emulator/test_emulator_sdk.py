"""The real google-genai SDK against the emulator: both endpoints, sync and async."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from google import genai
from google.genai import errors, types

from emulator_client import MODEL, content, developer_client, embed, one, poster, vertex_client
from emulator_samples import noise, pdf, plain_png, sound
from llama_index_gemini_mm.emulator import GeminiEmulator


def test_embeds_one_text(client: genai.Client, emulator: GeminiEmulator) -> None:
    """One text gives one unit vector of 3,072 numbers, and is recorded as it was sent."""
    [vector] = embed(client, content("task: search result | query: red bike"))

    assert vector.shape == (3072,)
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-6)
    [request] = emulator.requests
    assert (request.method, request.route) == ("POST", "batchEmbedContents")
    assert request.path == f"/v1beta/models/{MODEL}:batchEmbedContents"
    assert request.contents[0].parts[0].text == "task: search result | query: red bike"
    assert request.contents[0].output_dimensionality is None


def test_batch_keeps_order_and_values(client: genai.Client) -> None:
    """A hundred contents give a hundred vectors in order, each the same as when sent alone."""
    contents = [content(f"text number {number}") for number in range(100)]

    vectors = embed(client, *contents, output_dimensionality=768)

    assert vectors.shape == (100, 768)
    for number in (0, 41, 99):
        assert np.array_equal(embed(client, contents[number], output_dimensionality=768)[0], vectors[number])


def test_a_list_of_strings_is_one_content(client: genai.Client) -> None:
    """The trap of the service is there: two strings in a list are two parts of one Content."""
    answer = client.models.embed_content(model=MODEL, contents=["a bike", "a boat"])

    assert len(answer.embeddings) == 1


@pytest.mark.parametrize("dimension", [128, 257, 768, 1536])
def test_shorter_vectors_are_renormalised_prefixes(client: genai.Client, dimension: int) -> None:
    """A shorter vector is the beginning of the long one, at length 1 again."""
    text = content("the spindle makes a grinding noise")
    [full] = embed(client, text)

    [short] = embed(client, text, output_dimensionality=dimension)

    expected = full[:dimension] / np.linalg.norm(full[:dimension])
    assert short == pytest.approx(expected, abs=2e-8)
    assert np.linalg.norm(short) == pytest.approx(1.0, abs=1e-6)


def test_mixed_content_is_one_vector(client: genai.Client, emulator: GeminiEmulator) -> None:
    """Text, picture, sound and PDF of one Content are folded into one vector, and arrive byte for byte."""
    png, wav, document = plain_png(), sound(noise(1)), pdf("page")

    vectors = embed(
        client, content("all", (png, "image/png"), (wav, "audio/wav"), (document, "application/pdf")), content("all")
    )

    assert vectors.shape == (2, 3072)
    assert not np.allclose(vectors[0], vectors[1])
    parts = emulator.requests[0].contents[0].parts
    assert [part.data for part in parts] == [None, png, wav, document]
    assert [part.mime_type for part in parts] == [None, "image/png", "audio/wav", "application/pdf"]
    assert parts[1].size == len(png)
    assert len(parts[1].sha256) == 64


def test_order_of_parts_matters(client: genai.Client) -> None:
    """The same parts in another order are close, but not the same."""
    one, other = embed(client, content("red", "blue"), content("blue", "red"))

    assert 0.95 < one @ other < 0.99999


async def test_async_calls_side_by_side(client: genai.Client) -> None:
    """Many asynchronous calls at once are each answered with their own vector."""
    texts = [f"parallel {number}" for number in range(20)]
    calls = (client.aio.models.embed_content(model=MODEL, contents=[content(text)]) for text in texts)

    answers = await asyncio.gather(*calls)

    alone = await asyncio.to_thread(embed, client, *[content(text) for text in texts])
    assert np.array_equal([answer.embeddings[0].values for answer in answers], alone)
    await client.aio.aclose()


def test_usage_of_the_developer_api(client: genai.Client) -> None:
    """The sum of tokens reaches the SDK, from the version on that has a place for it."""
    answer = client.models.embed_content(
        model=MODEL, contents=[content("title: none | text: hello"), content("task: clustering | query: hello")]
    )

    has_usage = "usage_metadata" in types.EmbedContentResponse.model_fields
    assert (answer.usage_metadata.prompt_token_count if has_usage else 14) == 14
    assert [len(embedding.values) for embedding in answer.embeddings] == [3072, 3072]


def test_count_tokens(client: genai.Client) -> None:
    """CountTokens gives the number recorded from the service."""
    assert client.models.count_tokens(model=MODEL, contents="Hello, world!").total_tokens == 5


def test_models(client: genai.Client) -> None:
    """The model is listed and described, and says that it is a stand-in."""
    model = client.models.get(model=MODEL)

    assert (model.name, model.input_token_limit) == (f"models/{MODEL}", 8192)
    assert "Stand-in" in model.display_name
    assert [listed.name for listed in client.models.list(config={"query_base": True})] == [f"models/{MODEL}"]


def test_v1_path_of_newer_sdks(emulator: GeminiEmulator) -> None:
    """The SDK's own default version works as well."""
    client = developer_client(emulator, api_version="v1")

    assert embed(client, content("x")).shape == (1, 3072)
    assert emulator.requests[0].path.startswith("/v1/")


def test_vertex_gives_the_same_vector(client: genai.Client, emulator: GeminiEmulator) -> None:
    """Vertex answers embedContent with the vector of the Developer API and usage of its own shape."""
    cloud = vertex_client(emulator)

    answer = cloud.models.embed_content(
        model=MODEL, contents=[content("hello")], config={"output_dimensionality": 768, "task_type": "CLUSTERING"}
    )

    assert np.array_equal(answer.embeddings[0].values, embed(client, content("hello"), output_dimensionality=768)[0])
    assert answer.embeddings[0].statistics.token_count == 1
    request = emulator.requests[0]
    assert request.route == "embedContent"
    assert request.path.startswith("/v1beta1/projects/p/locations/us/publishers/google/models/")
    assert request.contents[0].output_dimensionality == 768
    assert request.contents[0].task_type == "CLUSTERING"


async def test_vertex_async_with_own_mime_names(emulator: GeminiEmulator) -> None:
    """Vertex takes audio/mp3 and image/webp, which the Developer API names otherwise or not at all."""
    cloud = vertex_client(emulator)
    mp3 = sound(noise(1), "mp3")

    answer = await cloud.aio.models.embed_content(model=MODEL, contents=[content((mp3, "audio/mp3"))])

    assert len(answer.embeddings[0].values) == 3072
    await cloud.aio.aclose()


def test_vertex_batch_is_behind_a_switch(emulator: GeminiEmulator) -> None:
    """Several contents on Vertex are a 404 by default and N vectors when switched on; google-genai 2 asks for one."""
    two = {"requests": [one({"text": text}) for text in "ab"]}

    refused = poster(emulator)("batchEmbedContents", two, version="v1beta1", vertex=True)
    with GeminiEmulator(vertex_batch=True) as generous:
        answer = poster(generous)("batchEmbedContents", two, version="v1beta1", vertex=True)

    assert refused.status_code == 404
    assert len(answer.json()["embeddings"]) == 2


def test_vertex_reports_truncation(emulator: GeminiEmulator) -> None:
    """A cut text is marked on Vertex, and refused there when truncation is declined."""
    cloud = vertex_client(emulator)
    long = [content("word " * 9000)]

    answer = cloud.models.embed_content(model=MODEL, contents=long)
    with pytest.raises(errors.ClientError) as caught:
        cloud.models.embed_content(model=MODEL, contents=long, config={"auto_truncate": False})

    assert answer.embeddings[0].statistics.truncated is True
    assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")


def test_unsupported_mime_has_no_values(client: genai.Client) -> None:
    """As on the service, an unknown kind of part is a 200 without values, and its neighbours have theirs."""
    answer = client.models.embed_content(
        model=MODEL, contents=[content((b"RIFF", "video/wav")), content("text"), content("text", (b"x", "image/webp"))]
    )

    assert [embedding.values is None for embedding in answer.embeddings] == [True, False, True]


def test_task_type_is_ignored_and_prefix_is_not(client: genai.Client) -> None:
    """TaskType does not change the vector; a prefix does, without taking over."""
    plain = embed(client, content("red bike"))[0]
    typed = embed(client, content("red bike"), task_type="RETRIEVAL_QUERY")[0]
    prefixed = embed(client, content("task: search result | query: red bike"))[0]

    assert np.array_equal(plain, typed)
    assert 0.9 < plain @ prefixed < 0.9999


def test_inline_parts_of_pil_images(client: genai.Client, emulator: GeminiEmulator) -> None:
    """What the SDK makes of plain bytes arrives with its type and size."""
    png = plain_png("blue")

    client.models.embed_content(model=MODEL, contents=types.Part.from_bytes(data=png, mime_type="image/png"))

    [part] = emulator.requests[0].contents[0].parts
    assert (part.mime_type, part.size, part.text, part.file_uri) == ("image/png", len(png), None, None)
