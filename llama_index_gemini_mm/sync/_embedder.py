"""Embedder: several groups of nodes under way at once; each can be waited for, and all can be ended."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, wait
from functools import partial

from llama_index.core.schema import BaseNode

from llama_index_gemini_mm.calls import calling
from llama_index_gemini_mm.embedding import GeminiMultimodalEmbedding
from llama_index_gemini_mm.engine.portal import BackgroundLoop
from llama_index_gemini_mm.errors import GeminiMMError
from llama_index_gemini_mm.sync._carry import carry_over

Faults = dict[str, GeminiMMError]
"""By node id, why a node got no vector."""


class Embedder:
    """Gives nodes their vectors, on an event loop of its own.

    Contents that are under way already are waited for rather than sent again; the cache has their vectors then.
    """

    def __init__(self, model: GeminiMultimodalEmbedding) -> None:
        self._model = model
        self._loop = BackgroundLoop()
        self._lock = threading.Lock()
        self._flying: set[Future[Faults]] = set()
        self._latest: dict[str, Future[Faults]] = {}
        """By text, the group under way that brings its vector."""

    @property
    def under_way(self) -> int:
        """How many groups have not landed yet."""
        return len(self._flying)

    def start(self, nodes: Sequence[BaseNode]) -> Future[Faults]:
        """Begin to embed ``nodes``; the future's result says which got no vector, or it raises what concerns all."""
        texts = [self._model.embed_text(node) for node in nodes]
        with self._lock:
            earlier = {self._latest[text] for text in texts if text in self._latest}
            future = self._loop.submit(self._embedded(nodes, texts, earlier))
            self._latest.update(dict.fromkeys(texts, future))
            self._flying.add(future)
        future.add_done_callback(partial(self._landed, texts))
        return future

    def carry_over(self, nodes: Sequence[BaseNode], former: Sequence[BaseNode]) -> list[BaseNode]:
        """Give ``nodes`` the vectors of ``former`` ones of the same content; return those that need new ones."""
        return carry_over(nodes, former, self._model)

    def close(self, landing_seconds: float = 0.0) -> None:
        """End what is under way; ``landing_seconds`` is how long requests may take to bring home what is paid for."""
        with self._lock:
            flying = set(self._flying)
        if landing_seconds:
            wait(flying, landing_seconds)
        self._loop.run(_all_ended())
        self._loop.close()

    async def _embedded(self, nodes: Sequence[BaseNode], texts: list[str], earlier: Iterable[Future[Faults]]) -> Faults:
        await asyncio.gather(*map(asyncio.wrap_future, earlier), return_exceptions=True)
        if not texts:
            return {}
        with calling(texts, skip=True) as call:
            vectors = await self._model.aget_text_embedding_batch(texts)
        for node, vector in zip(nodes, vectors, strict=True):
            node.embedding = vector or None
        return {n.node_id: call.errors[text] for n, text in zip(nodes, texts, strict=True) if text in call.errors}

    def _landed(self, texts: Sequence[str], future: Future[Faults]) -> None:
        with self._lock:
            self._flying.discard(future)
            for text in texts:
                if self._latest.get(text) is future:
                    del self._latest[text]


async def _all_ended() -> None:
    """Cancel every other task of this loop, and see it end."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
