"""EmbeddingEngine: items in, vectors out. What is known is not asked, what is equal is asked once, nothing is lost.

inputs ─ keys ─ cache ─▶ missing ones ─ windows ─ load, check, pack ─▶ Sender ─▶ outcomes ─ cache ─▶ in order
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from llama_index_gemini_mm.engine.accounts import Accounts
from llama_index_gemini_mm.engine.cache import EmbeddingCache
from llama_index_gemini_mm.engine.checks import within_limits
from llama_index_gemini_mm.engine.concurrency import AdaptiveLimiter, ByteGate
from llama_index_gemini_mm.engine.counting import Count, fitted
from llama_index_gemini_mm.engine.files import Uploads
from llama_index_gemini_mm.engine.flights import Flights
from llama_index_gemini_mm.engine.items import EmbedItem, Role, Vector
from llama_index_gemini_mm.engine.keys import Key, KeySpace
from llama_index_gemini_mm.engine.pacing import Pacer
from llama_index_gemini_mm.engine.portal import BackgroundLoop
from llama_index_gemini_mm.engine.prefixes import prefixed
from llama_index_gemini_mm.engine.prices import DEFAULT_PRICES, Prices
from llama_index_gemini_mm.engine.retry import Patience
from llama_index_gemini_mm.engine.sender import Outcome, Sender
from llama_index_gemini_mm.engine.transport import Transport
from llama_index_gemini_mm.engine.usage import Usage
from llama_index_gemini_mm.errors import ConfigurationError, GeminiMMError
from llama_index_gemini_mm.limits import Limits


@dataclass(frozen=True)
class Deferred:
    """An item that is made when its turn has come; ``make`` may read files and runs on a worker thread.

    ``identity`` decides the item's vector before it is made, so that a cached one is never made at all; without one the
    item is made first.
    """

    make: Callable[[], EmbedItem]
    identity: str | None = None
    role: Role = "document"


Input = EmbedItem | Deferred
Advance = Callable[[int], None]


@dataclass(frozen=True)
class EngineSettings:
    """How the engine works. Nothing here changes a vector.

    Attributes:
        limits: the endpoint's table.
        max_request_bytes: media in one request, before base64.
        max_held_bytes: media held in memory by all requests together.
        file_threshold: parts of more bytes go through the Files API, where the endpoint has one.
        max_concurrency: requests under way at once; fewer when the server suffers.
        requests_per_minute: HTTP requests; ``None`` until the server teaches better, like the next two.
        contents_per_minute: contents, which is what the service calls requests.
        tokens_per_minute: input tokens.
        patience: how long to try.
        truncate: cut text that is too long rather than refuse it.
        exact_tokens: ask the service about text that seems too long.
        max_cost: US dollars that this engine may spend.
        prices: what things cost.
    """

    limits: Limits
    max_request_bytes: int = 15 * 2**20
    max_held_bytes: int = 128 * 2**20
    file_threshold: int = 8 * 2**20
    max_concurrency: int = 32
    requests_per_minute: int | None = None
    contents_per_minute: int | None = None
    tokens_per_minute: int | None = None
    patience: Patience = field(default_factory=Patience)
    truncate: bool = False
    exact_tokens: bool = False
    max_cost: float | None = None
    prices: Prices = DEFAULT_PRICES


@dataclass
class _Session:
    """What belongs to one event loop, and is made anew on another (after ``close``, or in a forked process)."""

    loop: asyncio.AbstractEventLoop
    transport: Transport
    limiter: AdaptiveLimiter
    gate: ByteGate
    sender: Sender
    uploads: Uploads
    flights: Flights
    count: Count | None


@dataclass
class _Call:
    """One call on its way: the key of each input, and what has become of each key so far.

    A ``strict`` call ends with the first item that gets no vector; nothing new starts once a call has ``ended``.
    ``advance`` is told how many inputs more have been dealt with.
    """

    keys: list[Key]
    strict: bool
    advance: Advance | None = None
    ended: bool = False
    outcomes: dict[Key, Outcome] = field(default_factory=dict)

    def in_order(self) -> list[Outcome]:
        """The outcomes, by position."""
        return [self.outcomes[key] for key in self.keys]

    def record(self, keys: Sequence[Key], outcomes: Sequence[Outcome]) -> None:
        """Take over what has become of some keys; raises the first error when that is to end the call."""
        self.outcomes.update(zip(keys, outcomes, strict=True))
        if self.advance is not None:
            self.advance(len(keys))
        for key, outcome in zip(keys, outcomes, strict=True):
            if self.strict and isinstance(outcome, GeminiMMError):
                outcome.position = self.keys.index(key)
                raise outcome

    def completed(self) -> Mapping[int, Vector]:
        """The vectors there are, by position."""
        found = ((at, self.outcomes.get(key)) for at, key in enumerate(self.keys))
        return {at: outcome for at, outcome in found if isinstance(outcome, list)}


@dataclass
class _Batch:
    """The items of one request, and how many bytes are held for them."""

    items: dict[Key, EmbedItem] = field(default_factory=dict)
    held: int = 0

    def add(self, key: Key, item: EmbedItem, size: int) -> None:
        """Take in one more."""
        self.items[key] = item
        self.held += size

    def emptied(self) -> tuple[list[Key], list[EmbedItem], int]:
        """Give all away: keys, items, and the bytes held."""
        given = list(self.items), list(self.items.values()), self.held
        self.items, self.held = {}, 0
        return given


class EmbeddingEngine:
    """Safe to use from several threads and event loops at once, in notebooks, and after a fork.

    Args:
        connect: makes the connection, called on the engine's own loop.
        space: what decides a vector besides the item.
        settings: see ``EngineSettings``.
        cache: where vectors are kept, if anywhere.
    """

    def __init__(
        self,
        connect: Callable[[], Transport],
        space: KeySpace,
        settings: EngineSettings,
        cache: EmbeddingCache | None = None,
    ) -> None:
        self.space = space
        self.settings = settings
        self.cache = cache
        self._connect = connect
        self._session: _Session | None = None
        self._loop = BackgroundLoop()
        self._accounts = Accounts(settings.prices, settings.max_cost)

    @property
    def usage(self) -> Usage:
        """What this engine has used since it was made."""
        return self._accounts.usage

    def embed(self, inputs: Sequence[Input], advance: Advance | None = None) -> list[Vector]:
        """A vector for each input, in order.

        Raises the first error that an input met, or that ended the call; ``error.completed`` holds the vectors there
        are, by position. ``advance`` is called, on the engine's thread, with the number of inputs dealt with since the
        last time; equal inputs count once.
        """
        return _vectors(self._loop.run(self._outcomes(inputs, advance, strict=True))) if inputs else []

    async def aembed(self, inputs: Sequence[Input], advance: Advance | None = None) -> list[Vector]:
        """The same from an event loop."""
        return _vectors(await self._loop.arun(self._outcomes(inputs, advance, strict=True))) if inputs else []

    def outcomes(self, inputs: Sequence[Input], advance: Advance | None = None) -> list[Outcome]:
        """For each input its vector, or the error that concerns it alone; raises what ends the call for all."""
        return self._loop.run(self._outcomes(inputs, advance, strict=False)) if inputs else []

    async def aoutcomes(self, inputs: Sequence[Input], advance: Advance | None = None) -> list[Outcome]:
        """The same from an event loop."""
        return await self._loop.arun(self._outcomes(inputs, advance, strict=False)) if inputs else []

    def key(self, each: Input) -> Key:
        """The key under which an input's vector is cached."""
        if isinstance(each, Deferred) and each.identity is not None:
            return self.space.named_key(each.identity, each.role)
        return self.space.key(each if isinstance(each, EmbedItem) else each.make())

    def close(self) -> None:
        """Close connections and end the background thread; the next call starts anew."""
        session, self._session = self._session, None
        if session is not None:
            self._loop.run(session.transport.close())
        self._loop.close()
        if self.cache is not None:
            self.cache.close()

    async def _outcomes(self, inputs: Sequence[Input], advance: Advance | None, *, strict: bool) -> list[Outcome]:
        call, missing = await asyncio.to_thread(self._looked_up, inputs, strict)
        call.advance = advance
        step = self.settings.limits.batch_max_items
        windows = [missing[start : start + step] for start in range(0, len(missing), step)]
        tasks = [asyncio.create_task(self._window(window, call)) for window in windows]
        try:
            await asyncio.gather(*tasks)
        except GeminiMMError as error:
            await self._current().flights.land(tasks)
            error.completed = call.completed()
            raise
        except asyncio.CancelledError:
            await self._current().flights.drop(tasks)
            raise
        return call.in_order()

    def _looked_up(self, inputs: Sequence[Input], strict: bool) -> tuple[_Call, list[tuple[Key, Input]]]:
        """The call with what the cache holds, and the inputs that are not known, each once."""
        made = [self._made(each) for each in inputs]
        call = _Call([self.key(each) for each in made], strict)
        unique = dict(zip(reversed(call.keys), reversed(made), strict=True))
        if self.cache is not None:
            keys = list(unique)
            found = zip(keys, self.cache.get_many(keys, self.space.dimension), strict=True)
            call.outcomes.update((key, vector) for key, vector in found if vector is not None)
        return call, [(key, each) for key, each in reversed(unique.items()) if key not in call.outcomes]

    def _made(self, each: Input) -> Input:
        nameless = isinstance(each, Deferred) and each.identity is None
        return each.make() if nameless else each  # type: ignore[union-attr]

    async def _window(self, window: Sequence[tuple[Key, Input]], call: _Call) -> None:
        """One request's worth, in its turn; an error ends the call for those whose turn has not come."""
        session = self._current()
        async with session.limiter:
            try:
                await self._send_window(window, session, call)
            except GeminiMMError:
                call.ended = True
                raise

    async def _send_window(self, window: Sequence[tuple[Key, Input]], session: _Session, call: _Call) -> None:
        """Load and send, in several requests when the media are large."""
        batch = _Batch()
        try:
            for key, each in window:
                if call.ended:
                    return
                item = await self._loaded(each, session)
                if isinstance(item, GeminiMMError):
                    call.record([key], [item])
                    continue
                size = item.size
                full = batch.held + size > self.settings.max_request_bytes
                if batch.items and (full or not session.gate.has_room(size)):
                    await self._flush(batch, session, call)
                await session.gate.take(size)
                batch.add(key, item, size)
            await self._flush(batch, session, call)
        finally:
            session.gate.give(batch.held)

    async def _flush(self, batch: _Batch, session: _Session, call: _Call) -> None:
        """Send a batch, keep its vectors, and empty it."""
        if not batch.items:
            return
        keys, items, held = batch.emptied()
        try:
            async with session.uploads.hosted(items) as hosted:
                outcomes = await session.sender.outcomes(hosted)
        finally:
            session.gate.give(held)
        call.outcomes.update(zip(keys, outcomes, strict=True))  # before the cache, whose disk may be full
        if self.cache is not None:
            kept = [(key, value) for key, value in zip(keys, outcomes, strict=True) if isinstance(value, list)]
            await asyncio.to_thread(self.cache.put_many, kept)
        call.record(keys, outcomes)

    async def _loaded(self, each: Input, session: _Session) -> EmbedItem | GeminiMMError:
        """The item as it is sent, or why it cannot be."""
        try:
            item = each if isinstance(each, EmbedItem) else await asyncio.to_thread(each.make)
            within_limits(item, self.settings.limits)
            sent = prefixed(item, self.space.task)
            return await fitted(sent, truncate=self.settings.truncate, count=session.count)
        except ConfigurationError:
            raise
        except GeminiMMError as error:
            return error

    def _current(self) -> _Session:
        """This loop's session."""
        loop = asyncio.get_running_loop()
        if self._session is None or self._session.loop is not loop:
            self._session = self._made_session(loop)
        return self._session

    def _made_session(self, loop: asyncio.AbstractEventLoop) -> _Session:
        settings = self.settings
        transport = self._connect()
        limiter = AdaptiveLimiter(settings.max_concurrency)
        pacer = Pacer(settings.requests_per_minute, settings.contents_per_minute, settings.tokens_per_minute)
        flights = Flights(transport.send)
        sender = Sender(flights.send, self.space.dimension, pacer, limiter, settings.patience, self._accounts)
        uploads = Uploads(transport.client, self._threshold(), settings.patience)
        count = transport.count_tokens if settings.exact_tokens else None
        gate = ByteGate(settings.max_held_bytes)
        return _Session(loop, transport, limiter, gate, sender, uploads, flights, count)

    def _threshold(self) -> int:
        """Vertex has no Files API; there everything goes inline."""
        limits = self.settings.limits
        return limits.inline_bytes if limits.endpoint == "vertex" else self.settings.file_threshold


def _vectors(outcomes: Sequence[Outcome]) -> list[Vector]:
    """The outcomes of a strict call, which has no errors among them."""
    return [outcome for outcome in outcomes if isinstance(outcome, list)]
