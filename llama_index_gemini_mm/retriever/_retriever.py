"""MediaRetriever: a query of words, media or both; places of any medium with their scores.

query ─ contents ─ one search for each wanted modality, and one by words, in one batch ─▶ one ranking ─▶ places
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.callbacks import CallbackManager
from llama_index.core.schema import NodeWithScore, QueryBundle
from llama_index.core.vector_stores.types import BasePydanticVectorStore, MetadataFilters

from llama_index_gemini_mm.calibration import Calibration
from llama_index_gemini_mm.embedding import GeminiMultimodalEmbedding
from llama_index_gemini_mm.errors import ConfigurationError
from llama_index_gemini_mm.fusion import with_quotas
from llama_index_gemini_mm.inputs import PartLike
from llama_index_gemini_mm.limits import MODALITIES, Modality
from llama_index_gemini_mm.queries import MediaQuery, QueryContent
from llama_index_gemini_mm.retriever._context import with_context
from llama_index_gemini_mm.retriever._places import Place, places_of
from llama_index_gemini_mm.retriever._ranking import Listing, Match, Ranked, Ranking, ranked
from llama_index_gemini_mm.retriever._where import Where, filters_of, of_modality
from llama_index_gemini_mm.sparse import query_vector
from llama_index_gemini_mm.vector_store import Found, MediaVectorStore, Search, as_searchable

_RANKINGS: tuple[Ranking, ...] = ("calibrated", "raw", "fusion")
_ROUNDS = 5
"""How often more is fetched, four times as much each time, when what was found is all of a few places."""

_Steps = Generator[list[Search], list[list[Found]], list[Place]]


class MediaRetriever(BaseRetriever):
    """Finds nodes of every medium by text, by media, or by both.

    ``search`` takes words, files, bytes and pictures, and gives places: all nodes of the same seconds or the same part
    of a page together, each with an explanation of its score. ``retrieve`` is LlamaIndex's face: it takes a string, the
    result of ``embed_model.query_bundle(…)``, or a ``QueryBundle`` with ``image_path``, and gives the best node of each
    place, followed by its context if that was asked for, which has no score.

    A query longer than the model reads at once is cut into several, and a node's score is the one by the nearest.

    Args:
        vector_store: any LlamaIndex vector store. Those of other makers are not searched by words, and their scores are
            not calibrated, for they need not be cosines.
        embed_model: the model its vectors were made with.
        similarity_top_k: how many places to return.
        modalities: only nodes of these; all when empty.
        filters: further conditions on metadata; all must hold.
        where: conditions on file, folder, time and page.
        ranking: ``"calibrated"`` compares scores across modalities by ``calibration``; without one they are ``"raw"``
            cosines, which favour the query's own modality. ``"fusion"`` takes turns by the rank in each modality.
        calibration: the statistics of the collection.
        quotas: at least so many of the places show nodes of a modality, where there are that many.
        hybrid: whether words are searched as words, too (BM25). That finds names and numbers, and leaves the ranks of
            media without words as they are.
        merge: whether nodes of one place are one result; otherwise each is one of its own.
        neighbours: how many nodes before and after each result are added as its context.
        parents: whether the text that a result stands in is added as its context: the rest of a section, the text of a
            picture's or page's page, slide or section, the text over a recording's seconds.

    Raises:
        ConfigurationError: a setting that cannot work.
    """

    def __init__(
        self,
        vector_store: BasePydanticVectorStore,
        embed_model: GeminiMultimodalEmbedding,
        *,
        similarity_top_k: int = 10,
        modalities: Sequence[Modality] = (),
        filters: MetadataFilters | None = None,
        where: Where | None = None,
        ranking: Ranking = "calibrated",
        calibration: Calibration | None = None,
        quotas: Mapping[Modality, int] | None = None,
        hybrid: bool = True,
        merge: bool = True,
        neighbours: int = 0,
        parents: bool = False,
        callback_manager: CallbackManager | None = None,
    ) -> None:
        self._store = as_searchable(vector_store)
        self._embed_model = embed_model
        self._top_k = similarity_top_k
        self._modalities = tuple(modalities)
        self._where = where or Where()
        self._filters = filters_of(modalities, filters, where)
        self._any_modality = filters_of((), filters, where)
        self._ranking = ranking
        self._calibration = calibration if self._store.capabilities.cosine else None
        self._quotas = dict(quotas or {})
        self._hybrid = hybrid and self._store.capabilities.sparse
        self._merge = merge
        self._neighbours, self._parents = neighbours, parents
        self._check()
        super().__init__(callback_manager=callback_manager)

    def search(self, query: QueryBundle | PartLike, *more: PartLike) -> list[Place]:
        """The best places, best first.

        Args:
            query: words as ``str``, a file as ``Path``, its content as ``bytes``, a PIL image, a ``Part``; or a query
                made before.
            more: what belongs to the same query: words with a picture, say.

        Raises:
            SourceError: a file that cannot be read, or is no picture, sound, film or PDF.
            ApiError: the service refused.
            ConfigurationError: context was asked for, and the store of another maker cannot give its nodes.
        """
        steps = self._steps(self._asked(query, more))
        searches = next(steps)
        while True:
            try:
                searches = steps.send(self._store.search(searches))
            except StopIteration as done:
                return self._with_context(done.value)

    async def asearch(self, query: QueryBundle | PartLike, *more: PartLike) -> list[Place]:
        """The same from an event loop, which is not held up."""
        steps = self._steps(await self._aasked(query, more))
        searches = next(steps)
        while True:
            try:
                searches = steps.send(await asyncio.to_thread(self._store.search, searches))
            except StopIteration as done:
                return await asyncio.to_thread(self._with_context, done.value)

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return _nodes(self.search(query_bundle))

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return _nodes(await self.asearch(query_bundle))

    def _asked(self, query: QueryBundle | PartLike, more: Sequence[PartLike]) -> MediaQuery:
        ready, asked = _read(query, more)
        return ready or _joined(query, [self._embed_model.query_bundle(*parts) for parts in asked])

    async def _aasked(self, query: QueryBundle | PartLike, more: Sequence[PartLike]) -> MediaQuery:
        ready, asked = _read(query, more)
        if ready:
            return ready
        return _joined(query, await asyncio.gather(*(self._embed_model.aquery_bundle(*parts) for parts in asked)))

    def _steps(self, query: MediaQuery) -> _Steps:
        """Yields searches and takes what they found, until it returns the places; so it needs no event loop to wait in.

        More is fetched while merging leaves fewer places than wanted, or while a node beyond what was fetched might
        stand among them.
        """
        limit = 2 * self._top_k if self._merge else self._top_k
        for _ in range(_ROUNDS):
            searches = self._searches(query, limit)
            found = yield searches
            result, complete = self._ranked(query, searches, found)
            if complete or len(self._places(result.matches[: result.certain])) >= self._top_k:
                break
            limit *= 4
        return self._chosen(self._places(result.matches))

    def _searches(self, query: MediaQuery, limit: int) -> list[Search]:
        """For each content of the query a search in each wanted modality, or in all at once; and one by words."""
        targets = self._targets(limit)
        searches = [
            Search(most, vector=content.vector, filters=filters)
            for content in query.contents
            for most, filters in targets
        ]
        words = query_vector(query.query_str) if self._hybrid else None
        if words:
            searches.append(Search(limit, sparse=words, filters=self._filters, with_vectors=True))
        return searches

    def _targets(self, limit: int) -> list[tuple[int, MetadataFilters | None]]:
        """How much is wanted under which conditions; plain cosines need no search for each modality."""
        calibrated = self._ranking == "calibrated" and self._calibration is not None
        if not (calibrated or self._ranking == "fusion" or self._quotas):
            return [(limit, self._filters)]
        without = not self._modalities and isinstance(self._store, MediaVectorStore)
        return [
            (
                max(limit, self._quotas.get(modality, 0)),
                of_modality(modality, self._any_modality, or_none=without and modality == "text"),
            )
            for modality in self._modalities or MODALITIES
        ]

    def _ranked(
        self, query: MediaQuery, searches: Sequence[Search], found: Sequence[Sequence[Found]]
    ) -> tuple[Ranked, bool]:
        """The ranking, and whether there was no more to find."""
        there = [[each for each in some if self._where.holds(each.payload)] for some in found]
        dense = sum(search.sparse is None for search in searches)
        complete = [len(some) < search.limit for some, search in zip(found[:dense], searches[:dense], strict=True)]
        contents = [content for content in query.contents for _ in range(dense // len(query.contents))]
        listings = [Listing(*each) for each in zip(contents, there[:dense], complete, strict=True)]
        sparse = there[dense] if dense < len(there) else ()
        result = ranked(listings, sparse, ranking=self._ranking, calibration=self._calibration)
        return result, all(complete)

    def _places(self, matches: Sequence[Match]) -> list[Place]:
        return places_of(matches) if self._merge else [Place((match,)) for match in matches]

    def _chosen(self, places: Sequence[Place]) -> list[Place]:
        """The first ones, and those that quotas ask for. A place of film and sound counts as the scarcer of the two."""
        shown = Counter(modality for place in places for modality in place.modalities)

        def counted_as(place: Place) -> Modality:
            wanted = [modality for modality in self._quotas if modality in place.modalities]
            return min(wanted, key=lambda modality: shown[modality], default=place.best.modality)

        return with_quotas(places, counted_as, self._quotas, self._top_k)

    def _with_context(self, places: list[Place]) -> list[Place]:
        if not (self._neighbours or self._parents):
            return places
        return with_context(self._store, places, self._neighbours, self._parents)

    def _check(self) -> None:
        if self._top_k < 1:
            raise ConfigurationError(f"similarity_top_k={self._top_k}: at least 1")
        if self._ranking not in _RANKINGS:
            raise ConfigurationError(f"ranking={self._ranking!r} is unknown; use one of {', '.join(_RANKINGS)}")
        if self._neighbours < 0:
            raise ConfigurationError(f"neighbours={self._neighbours}: 0 or more")
        for modality, count in self._quotas.items():
            if modality not in MODALITIES or count < 0:
                raise ConfigurationError(f"quotas: {modality!r}: {count!r}; give a number for {', '.join(MODALITIES)}")


def _read(
    query: QueryBundle | PartLike, more: Sequence[PartLike]
) -> tuple[MediaQuery | None, list[tuple[PartLike, ...]]]:
    """A query that has its vectors; or else what is to be embedded, each entry by itself."""
    if not isinstance(query, QueryBundle):
        return None, [(query, *more)]
    if more:
        raise ConfigurationError("a query made before takes no more parts; give them all to embed_model.query_bundle")
    if isinstance(query, MediaQuery) and query.contents:
        return query, []
    words: list[str] = query.embedding_strs or [each for each in [query.query_str] if each]
    pictures = [Path(query.image_path)] if query.image_path else []
    if query.embedding is not None:
        modalities: tuple[Modality, ...] = (*(("text",) if words else ()), *(("image",) if pictures else ()))
        return MediaQuery(query.query_str, contents=[QueryContent(modalities, query.embedding)]), []
    if query.custom_embedding_strs:
        return None, [(each, *pictures) for each in words]
    return None, [(*words, *pictures)]


def _joined(query: QueryBundle | PartLike, made: Sequence[MediaQuery]) -> MediaQuery:
    """One query of all contents; its words are those that were asked, whatever was embedded in their place."""
    words = query.query_str if isinstance(query, QueryBundle) else made[0].query_str
    return MediaQuery(words, contents=[content for each in made for content in each.contents])


def _nodes(places: Sequence[Place]) -> list[NodeWithScore]:
    """The best node of each place, and behind it what stands around it, each node once."""
    best = {place.best.node.node_id for place in places}
    nodes: dict[str, NodeWithScore] = {}
    for place in places:
        nodes[place.best.node.node_id] = place.best.with_score
        for node in place.context:
            if node.node_id not in best:
                nodes.setdefault(node.node_id, NodeWithScore(node=node))
    return list(nodes.values())
