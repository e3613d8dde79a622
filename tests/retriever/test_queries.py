"""What becomes of a query: its contents, what is sent of it, and that long ones are cut and not refused."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest
from llama_index.core.instrumentation.events.retrieval import RetrievalStartEvent

from llama_index_gemini_mm import GeminiMultimodalEmbedding, Part
from llama_index_gemini_mm.emulator import GeminiEmulator
from llama_index_gemini_mm.engine.tokens import text_tokens
from llama_index_gemini_mm.errors import InvalidRequest, LimitExceeded, NothingToRead, UnsupportedFormat
from llama_index_gemini_mm.inputs import PartLike
from llama_index_gemini_mm.limits import DEVELOPER_API, VERTEX, Limits
from llama_index_gemini_mm.queries import MediaQuery, contents_of
from media_samples import film, pdf, png, wav
from support import contents_of as received
from support import media_sent

RED, BLUE, TONE = png("red"), png("blue"), wav(1.0, 440)
LONG = " ".join(f"word{number} of a long report." for number in range(6000))


def kinds(values: Sequence[PartLike], limits: Limits = DEVELOPER_API) -> list[list[str]]:
    """The modalities of the parts of each content."""
    return [[part.modality for part in content] for content in contents_of(values, limits)]


def test_a_query_knows_what_it_is_made_of(model: GeminiMultimodalEmbedding) -> None:
    """Its modalities in one order, its words, and one vector for all, which other retrievers use."""
    query = model.query_bundle(RED, "oil leak", TONE)

    assert query.query_str == "oil leak"
    assert [content.modalities for content in query.contents] == [("text", "image", "audio")]
    assert query.embedding == query.contents[0].vector


async def test_both_modes_give_the_same(model: GeminiMultimodalEmbedding) -> None:
    """From an event loop, too, whose other tasks go on."""
    ticks = 0

    async def count() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    query = await model.aquery_bundle("hum", wav(200, 440, 8000))
    counting.cancel()

    assert query == model.query_bundle("hum", wav(200, 440, 8000))
    assert ticks > 10


def test_a_long_recording(model: GeminiMultimodalEmbedding, emulator: GeminiEmulator) -> None:
    """Ten minutes are four contents, each with the words, and all are sent in one request."""
    query = model.query_bundle("grinding", wav(600, 440, 8000, pauses=((60, 64), (400, 407))))

    contents = received(emulator)
    assert [[part.text or part.mime_type for part in c.parts] for c in contents] == [["grinding", "audio/wav"]] * 4
    assert len(emulator.requests) == 1
    # 16-bit mono at 8,000 Hz: 16,000 bytes a second. All of it is there, and a few seconds twice.
    seconds = [len(data) / 16000 for _, data in media_sent(emulator)]
    assert all(length <= 180.01 for length in seconds)
    assert 600 <= sum(seconds) <= 600 + 3 * 5.1
    assert [content.modalities for content in query.contents] == [("text", "audio")] * 4


def test_the_vector_for_other_retrievers_is_the_mean(model: GeminiMultimodalEmbedding) -> None:
    """Of length 1, and as near to one part as to another of two."""
    query = model.query_bundle(pdf(("alpha",) * 6 + ("omega",) * 6))

    vectors = np.array([content.vector for content in query.contents])
    mean = np.array(query.embedding)
    assert len(vectors) == 2
    assert np.linalg.norm(mean) == pytest.approx(1.0)
    assert vectors[0] @ mean == pytest.approx(vectors[1] @ mean)


def test_what_fits_stays_one(model: GeminiMultimodalEmbedding, emulator: GeminiEmulator) -> None:
    """Up to the limits nothing is cut or changed, and parts keep their order."""
    sound, pages = wav(179, 440, 8000), pdf(("p",) * 6)

    model.query_bundle(RED, "words", sound)
    model.query_bundle(pages)

    assert media_sent(emulator) == [("image/png", RED), ("audio/wav", sound), ("application/pdf", pages)]
    assert [[part.text for part in c.parts] for c in received(emulator)] == [[None, "words", None], [None]]


def test_many_pages_and_pictures() -> None:
    """Pages go by six, pictures too, with the words in each content."""
    pages = contents_of([pdf(("p",) * 40)], DEVELOPER_API)

    assert [sum((part.tokens or 0) // 258 for part in content) for content in pages] == [6, 6, 6, 6, 6, 6, 4]
    assert kinds([*[png((n, 0, 0)) for n in range(8)], "which?"]) == [
        ["text", *["image"] * 6],
        ["text", *["image"] * 2],
    ]


def test_a_long_film() -> None:
    """Five minutes are three contents of at most two."""
    contents = contents_of([film(seconds=300, fps=1, gop=5)], DEVELOPER_API)

    assert [[part.modality for part in content] for content in contents] == [["video"]] * 3


def test_a_long_text(model: GeminiMultimodalEmbedding, emulator: GeminiEmulator) -> None:
    """Cut at sentence ends into what the model reads at once, each with the prefix of a query; no word is lost."""
    model.query_bundle(LONG)

    texts = [content.text.removeprefix("task: search result | query: ") for content in received(emulator)]
    assert len(texts) > 3
    assert all(text_tokens(text) <= 8192 for text in texts)
    assert " ".join(texts).split() == LONG.split()
    assert all(content.text.startswith("task: search result | query: ") for content in received(emulator))


def test_long_words_and_media_go_apart() -> None:
    """Words longer than a caption do not go with every picture; what does not go together is parted."""
    assert kinds([LONG, RED])[-1] == ["image"]
    assert all(content == ["text"] for content in kinds([LONG, RED])[:-1])
    assert kinds([wav(170, 440, 8000), film(seconds=60, fps=1, gop=5), pdf(("p",) * 6), RED, BLUE]) == [
        ["audio", "video", "document", "image"],
        ["image"],
    ]
    assert kinds([TONE, TONE]) == [["audio"], ["audio"]]
    assert kinds([Part(text="a"), "b", RED], VERTEX) == [["text", "text", "image"]]


def test_what_cannot_be_a_query(model: GeminiMultimodalEmbedding, emulator: GeminiEmulator) -> None:
    """Nothing, no medium, silence; and documents are refused when they are too long, as before."""
    with pytest.raises(InvalidRequest, match="nothing to embed"):
        model.query_bundle("  ")
    with pytest.raises(UnsupportedFormat):
        model.query_bundle(b"plain words, no medium")
    with pytest.raises(NothingToRead, match="silent"):
        model.query_bundle(wav(200, 0, 8000))
    with pytest.raises(LimitExceeded):
        model.get_media_embedding(wav(200, 440, 8000))
    assert emulator.requests == []


def test_events_hold_no_media(model: GeminiMultimodalEmbedding) -> None:
    """LlamaIndex's instrumentation takes the query, and can write it out."""
    query = model.query_bundle("red", RED)

    event = RetrievalStartEvent(str_or_query_bundle=query)

    assert event.str_or_query_bundle is query
    assert "red" in event.model_dump_json()
    assert isinstance(MediaQuery.from_dict(query.to_dict()), MediaQuery)
