"""GeminiMultimodalEmbedding: LlamaIndex's face of the engine.

LlamaIndex hands an embedding model strings. Those of this package's media nodes carry a ``media_ref:`` line, which is
resolved through the media store; nodes with media of other makers are given such a line when they pass through
``__call__``. Everything else is text, and gets the prefix the model expects.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from llama_index.core.base.embeddings.base import Embedding
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.instrumentation.events.embedding import EmbeddingEndEvent, EmbeddingStartEvent
from llama_index.core.schema import BaseNode, ImageType, MetadataMode
from llama_index_instrumentation import get_dispatcher

from llama_index_gemini_mm.calls import Call, SkippedItem, calling, current
from llama_index_gemini_mm.closing import Closing
from llama_index_gemini_mm.embedding_settings import EmbeddingSettings
from llama_index_gemini_mm.engine import (
    Deferred,
    EmbeddingCache,
    EmbeddingEngine,
    EmbedItem,
    Input,
    Key,
    Part,
    Role,
    Usage,
)
from llama_index_gemini_mm.engine.money import Estimate
from llama_index_gemini_mm.engine.transport import Transport, connect
from llama_index_gemini_mm.errors import GeminiMMError
from llama_index_gemini_mm.inputs import PartLike, as_parts, with_media_ref
from llama_index_gemini_mm.media import read_embed_text
from llama_index_gemini_mm.modalities import parts_of
from llama_index_gemini_mm.portions import Advance, announced, portions_of, progress
from llama_index_gemini_mm.pricing import estimate_texts
from llama_index_gemini_mm.queries import MediaQuery, contents_of

dispatcher = get_dispatcher(__name__)

_LOOKED_UP_AT_ONCE = 256


class GeminiMultimodalEmbedding(Closing, EmbeddingSettings):
    """Text, images, audio, video and PDF pages in one vector space, as LlamaIndex's ``embed_model``.

    Args:
        output_dimensionality: numbers in a vector, 128 to 3,072; 768, 1,536 and 3,072 are recommended. Shorter vectors
            are prefixes of the long one, at unit length.
        task: what the vectors are for: ``retrieval`` (default), ``question_answering``, ``fact_checking``,
            ``code_retrieval``, ``classification``, ``clustering``, ``similarity``.
        api_key: a key of the Gemini Developer API; else ``GOOGLE_API_KEY`` or ``GEMINI_API_KEY`` is read.
        vertexai, project, location, credentials: use Vertex AI instead; else ``GOOGLE_GENAI_USE_VERTEXAI``,
            ``GOOGLE_CLOUD_PROJECT`` and ``GOOGLE_CLOUD_LOCATION`` are read. Without ``credentials`` the machine's
            default ones are used.
        base_url: another address of the service: a proxy, or the emulator.
        timeout: seconds that one request may take.
        max_retries: how often a request that failed in passing (408, 5xx, dropped connection) is sent again.
        deadline: seconds of waiting after refusals and failures that one request is worth.
        max_concurrency: requests under way at once; fewer when the service suffers.
        requests_per_minute: HTTP requests a minute; like the next two it need not be set, for refusals teach it.
        contents_per_minute: the project's quota; the service counts each content of a batch as one request.
        tokens_per_minute: the project's quota of input tokens.
        file_threshold: media of more bytes than this go through the Files API (Developer API only).
        truncate: cut text over 8,192 tokens; otherwise it raises ``LimitExceeded`` before anything is paid.
        exact_tokens: let the service count the tokens of text that the offline estimate finds too long.
        on_item_error: what a node that cannot be embedded does to a pipeline step: ``raise``, or ``skip`` it and list
            it in ``skipped``. Where LlamaIndex hands over bare strings there is nothing to leave out, and it raises.
        max_cost: US dollars this model may spend; the request that would pass it is not sent.
        prices: what things cost, if not what is documented.
        embedding_cache: an SQLite file in which vectors are kept, or ``None``. Any number of models and processes may
            share one.
        service: what stands behind ``base_url``; vectors of different services are never mixed.
        media_store: where media are looked up: a ``MediaStore``, a folder or an fsspec URL; by default
            ``./storage/media``.
        client: a ready ``google.genai.Client`` to use instead of all of the above.
        embed_batch_size: texts or nodes that LlamaIndex hands over at once; they are packed into requests after that.

    Raises:
        AuthError: no key, no client and no Vertex project.
        LimitExceeded: a dimension the model does not have.

    Source: https://ai.google.dev/gemini-api/docs/embeddings
    """

    _engine: EmbeddingEngine | None = PrivateAttr(default=None)
    _skipped: list[SkippedItem] = PrivateAttr(default_factory=list)

    @classmethod
    def class_name(cls) -> str:
        """LlamaIndex's serialisation id."""
        return "GeminiMultimodalEmbedding"

    @property
    def usage(self) -> Usage:
        """Requests, contents, tokens by modality and estimated US dollars since this model was made."""
        return self._engine.usage if self._engine else Usage()

    def estimate(self, nodes: Sequence[BaseNode]) -> Estimate:
        """What embedding ``nodes`` will cost, and how long it takes at the quota given to this model; sends nothing.

        Nodes whose vectors are in the cache cost nothing. Raises ``MediaMissing`` and ``CorruptFile``.
        """
        texts = [self.embed_text(node) for node in nodes]
        return estimate_texts(
            texts,
            self.media_store,
            self.task,
            prices=self.prices,
            contents_per_minute=self.contents_per_minute,
            tokens_per_minute=self.tokens_per_minute,
            cached=self._known(texts),
        )

    @property
    def skipped(self) -> list[SkippedItem]:
        """The nodes that pipeline steps have left out so far, with ``on_item_error="skip"``."""
        return list(self._skipped)

    def key_of(self, text: str, role: Role = "document") -> Key:
        """The key under which the vector of ``text``, as LlamaIndex hands it over, is cached."""
        return self._ready().key(self._input(text, role))

    def item_of(self, text: str, role: Role = "document") -> EmbedItem:
        """The item that a string from LlamaIndex stands for, media cut and encoded; the engine adds the prefix.

        Raises ``MediaMissing``, ``CorruptFile`` and ``LimitExceeded``.
        """
        read = read_embed_text(text)
        title = "" if read.ref else read.title
        return EmbedItem(tuple(parts_of(read, self.media_store, self.limits)), role, title)

    def embed_text(self, node: BaseNode) -> str:
        """What stands for a node in every call: its embedded text, with a reference to the media it carries."""
        text = node.get_content(metadata_mode=MetadataMode.EMBED)
        return text if read_embed_text(text).ref else with_media_ref(node, text, self.media_store)

    def close(self) -> None:
        """Close connections and end the background thread; the model can be used again afterwards."""
        if self._engine:
            self._engine.close()

    def get_media_embedding(self, *parts: PartLike) -> Embedding:
        """One vector for all ``parts`` together, as a document.

        Args:
            parts: words as ``str``, a file as ``pathlib.Path``, its content as ``bytes``, a PIL image, or a ``Part``.

        Raises:
            UnsupportedFormat: a file that is no picture, sound, film or PDF.
            LimitExceeded: more, longer or larger media than one content may hold.
        """
        return self._seen(parts, self._ready().embed([self._deferred(parts)]))[0]

    async def aget_media_embedding(self, *parts: PartLike) -> Embedding:
        """The same from an event loop."""
        return self._seen(parts, await self._ready().aembed([self._deferred(parts)]))[0]

    def query_bundle(self, *parts: PartLike) -> MediaQuery:
        """A query made of words and media, for ``retriever.retrieve`` and ``query_engine.query``.

        What is longer than one content may be is cut into several, each with its vector; see ``MediaQuery``.
        """
        contents = contents_of(parts, self.limits)
        vectors = self._ready().embed([EmbedItem(content, "query") for content in contents])
        return MediaQuery.of(parts, contents, self._seen(parts, vectors))

    async def aquery_bundle(self, *parts: PartLike) -> MediaQuery:
        """The same from an event loop."""
        contents = await asyncio.to_thread(contents_of, parts, self.limits)
        vectors = await self._ready().aembed([EmbedItem(content, "query") for content in contents])
        return MediaQuery.of(parts, contents, self._seen(parts, vectors))

    def __call__(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """Embed nodes as a step of an ingestion pipeline; media of nodes not made by this package is taken in first."""
        texts = [self.embed_text(node) for node in nodes]
        with calling(texts, _ids(texts, nodes), skip=self.on_item_error == "skip") as call:
            vectors = self.get_text_embedding_batch(texts, **kwargs)
        return self._set(nodes, vectors, call)

    async def acall(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        """The same from an event loop."""
        texts = [self.embed_text(node) for node in nodes]
        with calling(texts, _ids(texts, nodes), skip=self.on_item_error == "skip") as call:
            vectors = await self.aget_text_embedding_batch(texts, **kwargs)
        return self._set(nodes, vectors, call)

    @dispatcher.span
    def get_text_embedding_batch(self, texts: list[str], show_progress: bool = False, **kwargs: Any) -> list[Embedding]:
        """As LlamaIndex has it; an error carries what was embedded before it in ``completed``, by position."""
        with calling(texts), progress(len(texts), self._spent, shown=show_progress) as advance:
            payload, embedded = self.to_payload(), list[Embedding]()
            for portion in portions_of(texts, self.embed_batch_size):
                with announced(self, portion, payload) as vectors:
                    if self.rate_limiter is not None:
                        self.rate_limiter.acquire()
                    vectors.extend(self._embedded(portion, advance))
                embedded += vectors
            return embedded

    @dispatcher.span
    async def aget_text_embedding_batch(
        self, texts: list[str], show_progress: bool = False, **kwargs: Any
    ) -> list[Embedding]:
        """The same from an event loop, all portions at once; the engine sees to how many requests are under way."""
        payload = self.to_payload()

        async def embedded(portion: list[str], advance: Advance | None) -> list[Embedding]:
            with announced(self, portion, payload) as vectors:
                if self.rate_limiter is not None:
                    await self.rate_limiter.async_acquire()
                vectors.extend(await self._aembedded(portion, advance))
            return vectors

        with calling(texts), progress(len(texts), self._spent, shown=show_progress) as advance:
            parts = portions_of(texts, self.embed_batch_size)
            found = await asyncio.gather(*(embedded(portion, advance) for portion in parts))
            return [vector for vectors in found for vector in vectors]

    def _embedded(self, texts: list[str], advance: Advance | None = None) -> list[Embedding]:
        call, inputs = current(texts), [self._input(text, "document") for text in texts]
        embed = self._ready().outcomes if call.skip else self._ready().embed
        try:
            return call.take(texts, embed(inputs, advance))
        except GeminiMMError as error:
            call.fail(texts, error)
            raise

    async def _aembedded(self, texts: list[str], advance: Advance | None = None) -> list[Embedding]:
        call, inputs = current(texts), [self._input(text, "document") for text in texts]
        embed = self._ready().aoutcomes if call.skip else self._ready().aembed
        try:
            return call.take(texts, await embed(inputs, advance))
        except GeminiMMError as error:
            call.fail(texts, error)
            raise

    def _get_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        return self._embedded(texts)

    async def _aget_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        return await self._aembedded(texts)

    def _get_text_embedding(self, text: str) -> Embedding:
        return self._get_text_embeddings([text])[0]

    async def _aget_text_embedding(self, text: str) -> Embedding:
        return (await self._aget_text_embeddings([text]))[0]

    def _get_query_embedding(self, query: str) -> Embedding:
        return self._ready().embed([self._input(query, "query")])[0]

    async def _aget_query_embedding(self, query: str) -> Embedding:
        return (await self._ready().aembed([self._input(query, "query")]))[0]

    def _get_image_embedding(self, img_file_path: ImageType) -> Embedding:
        return self.get_media_embedding(_image(img_file_path))

    async def _aget_image_embedding(self, img_file_path: ImageType) -> Embedding:
        return await self.aget_media_embedding(_image(img_file_path))

    def _spent(self) -> float:
        return self.usage.usd

    def _known(self, texts: Sequence[str]) -> set[str]:
        """Those of which the cache has the vectors."""
        engine = self._ready()
        if engine.cache is None:
            return set()
        known: set[str] = set()
        for start in range(0, len(texts), _LOOKED_UP_AT_ONCE):
            some = texts[start : start + _LOOKED_UP_AT_ONCE]
            found = engine.cache.get_many([self.key_of(text) for text in some], self.output_dimensionality)
            known.update(text for text, vector in zip(some, found, strict=True) if vector is not None)
        return known

    def _seen(self, parts: Sequence[PartLike], vectors: list[Embedding]) -> list[Embedding]:
        """Tell LlamaIndex's instrumentation, as its own methods do; of media, only that there were some."""
        chunks = [part if isinstance(part, str) else f"[{type(part).__name__}]" for part in parts]
        dispatcher.event(EmbeddingStartEvent(model_dict=self.to_payload()))
        dispatcher.event(EmbeddingEndEvent(chunks=chunks, embeddings=vectors))
        return vectors

    def _input(self, text: str, role: Role) -> Input:
        """What the engine is given for a string from LlamaIndex; media are cut only if their vector is not known."""
        read = read_embed_text(text)
        if read.ref is None:
            return EmbedItem((Part(text=read.body),), role, read.title)
        return Deferred(partial(self.item_of, text, role), text, role)

    def _deferred(self, parts: Sequence[PartLike]) -> Deferred:
        return Deferred(lambda: EmbedItem(tuple(as_parts(parts, self.limits))))

    def _set(self, nodes: Sequence[BaseNode], vectors: Sequence[Embedding], call: Call) -> list[BaseNode]:
        """The nodes with their vectors, without those that were skipped."""
        self._skipped += call.skipped()
        for node, vector in zip(nodes, vectors, strict=True):
            node.embedding = vector or None
        return [node for node, vector in zip(nodes, vectors, strict=True) if vector]

    def _ready(self) -> EmbeddingEngine:
        if self._engine is None:
            cache = EmbeddingCache(self.embedding_cache) if self.embedding_cache else None
            self._engine = EmbeddingEngine(self._transport, self._space(), self._settings(), cache)
        return self._engine

    def _transport(self) -> Transport:
        return Transport(self.client or connect(self.address()), self.model_name, self.output_dimensionality)


def _image(value: ImageType) -> Path | bytes:
    return Path(value) if isinstance(value, str) else value.read()


def _ids(texts: Sequence[str], nodes: Sequence[BaseNode]) -> dict[str, str]:
    return {text: node.node_id for text, node in zip(texts, nodes, strict=True)}
