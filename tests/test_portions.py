"""What LlamaIndex hears of a call in portions, and what people see of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core.callbacks import CallbackManager, LlamaDebugHandler
from llama_index.core.callbacks.schema import CBEventType, EventPayload
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.embedding import EmbeddingEndEvent, EmbeddingStartEvent

from llama_index_gemini_mm import GeminiMultimodalEmbedding

TEXTS = [f"bearing {number}" for number in range(5)]


class Listener(BaseEventHandler):
    """Keeps what it hears."""

    heard: list[Any] = []  # noqa: RUF012 - a pydantic field, copied for each instance

    @classmethod
    def class_name(cls) -> str:
        """LlamaIndex asks for it."""
        return "Listener"

    def handle(self, event: Any, **kwargs: Any) -> None:
        """Keep it."""
        self.heard.append(event)


@pytest.fixture
def listener() -> Any:
    """A listener at the root of LlamaIndex's instrumentation."""
    root, made = get_dispatcher(), Listener()
    root.add_event_handler(made)
    yield made
    root.event_handlers.remove(made)


def plainly(model: GeminiMultimodalEmbedding, texts: list[str], *, shown: bool = False) -> list[list[float]]:
    """The synchronous call."""
    return model.get_text_embedding_batch(texts, show_progress=shown)


def in_a_loop(model: GeminiMultimodalEmbedding, texts: list[str], *, shown: bool = False) -> list[list[float]]:
    """The asynchronous one."""
    return asyncio.run(model.aget_text_embedding_batch(texts, show_progress=shown))


Embed = Callable[..., list[list[float]]]
BOTH = pytest.mark.parametrize("embed", [plainly, in_a_loop])


@BOTH
def test_every_portion_has_a_start_and_an_end(
    embed: Embed, model: GeminiMultimodalEmbedding, listener: Listener
) -> None:
    """With the texts and their vectors, an id and a time, as LlamaIndex's own models have it; and no key."""
    model.embed_batch_size = 2

    vectors = embed(model, TEXTS)

    ends = [event for event in listener.heard if isinstance(event, EmbeddingEndEvent)]
    starts = [event for event in listener.heard if isinstance(event, EmbeddingStartEvent)]
    assert sorted(len(end.chunks) for end in ends) == [1, 2, 2]
    told = {text: vector for end in ends for text, vector in zip(end.chunks, end.embeddings, strict=True)}
    assert [told[text] for text in TEXTS] == vectors
    assert all(end.id_ and end.timestamp for end in ends)
    assert len(starts) == 3
    assert all("api_key" not in start.model_dict for start in starts)


def test_callbacks_hear_of_every_portion(model: GeminiMultimodalEmbedding) -> None:
    debug = LlamaDebugHandler(print_trace_on_end=False)
    model.callback_manager = CallbackManager([debug])
    model.embed_batch_size = 3

    vectors = model.get_text_embedding_batch(TEXTS)

    ends = [end for _, end in debug.get_event_pairs(CBEventType.EMBEDDING)]
    payloads = [end.payload or {} for end in ends]
    assert [payload[EventPayload.CHUNKS] for payload in payloads] == [TEXTS[:3], TEXTS[3:]]
    assert [vector for payload in payloads for vector in payload[EventPayload.EMBEDDINGS]] == vectors


@BOTH
def test_the_bar_shows_how_many_and_what_they_cost(
    embed: Embed, model: GeminiMultimodalEmbedding, capsys: pytest.CaptureFixture[str]
) -> None:
    """Equal texts count, although they are embedded once."""
    texts = [*TEXTS, TEXTS[0]]

    embed(model, texts, shown=True)

    shown = capsys.readouterr().err
    assert "Generating embeddings: 100%" in shown
    assert "6/6" in shown
    assert "$0.0000" in shown


def test_without_texts_nothing_is_sent(model: GeminiMultimodalEmbedding) -> None:
    assert model.get_text_embedding_batch([], show_progress=True) == []
    assert asyncio.run(model.aget_text_embedding_batch([])) == []
    assert model.usage.requests == 0
