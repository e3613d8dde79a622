"""A call in portions, told to LlamaIndex as its own embedding models tell it, and to people as a bar.

LlamaIndex's two batch methods would do, but for their events: these check and copy every number of every vector, which
takes longer than fetching them. The same events are made here without the check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding, Embedding
from llama_index.core.callbacks.schema import CBEventType, EventPayload
from llama_index.core.instrumentation.events.embedding import EmbeddingEndEvent, EmbeddingStartEvent
from llama_index_instrumentation import get_dispatcher
from tqdm.auto import tqdm

dispatcher = get_dispatcher(__name__)

Advance = Callable[[int], None]


def portions_of(texts: Sequence[str], size: int) -> list[list[str]]:
    """The texts in lists of at most ``size``."""
    return [list(texts[start : start + size]) for start in range(0, len(texts), size)]


@contextmanager
def announced(model: BaseEmbedding, chunks: list[str], payload: dict[str, Any]) -> Iterator[list[Embedding]]:
    """Tell instrumentation and callbacks that ``chunks`` are embedded; the vectors are put into the list given.

    ``payload`` is ``model.to_payload()``. Like LlamaIndex's, the instrumentation hears of no end when there was none.
    """
    vectors: list[Embedding] = []
    dispatcher.event(EmbeddingStartEvent(model_dict=payload))
    serialized: dict[str, Any] = {EventPayload.SERIALIZED: payload}
    with model.callback_manager.event(CBEventType.EMBEDDING, payload=serialized) as event:
        yield vectors
        event.on_end(payload={EventPayload.CHUNKS: chunks, EventPayload.EMBEDDINGS: vectors})
    dispatcher.event(EmbeddingEndEvent.model_construct(chunks=chunks, embeddings=vectors))


@contextmanager
def progress(total: int, usd: Callable[[], float], *, shown: bool) -> Iterator[Advance | None]:
    """A bar of LlamaIndex's kind, with the rate and what the call has cost; ``usd`` is the model's spending."""
    if not shown:
        yield None
        return
    before = usd()
    with tqdm(total=total, desc="Generating embeddings") as bar:

        def advance(count: int) -> None:
            bar.set_postfix_str(f"${usd() - before:.4f}", refresh=False)
            bar.update(count)

        yield advance
        advance(total - int(bar.n))
