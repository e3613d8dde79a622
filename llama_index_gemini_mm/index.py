"""MediaIndex: the whole job. Sync a folder, search it by words and media."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from llama_index.core import VectorStoreIndex
from llama_index.core.llms import LLM
from llama_index.core.vector_stores.types import BasePydanticVectorStore, MetadataFilters

from llama_index_gemini_mm.calibration import Calibration
from llama_index_gemini_mm.closing import Closing
from llama_index_gemini_mm.collection import Collection
from llama_index_gemini_mm.embedding import GeminiMultimodalEmbedding
from llama_index_gemini_mm.engine.cache import CACHE_FILE
from llama_index_gemini_mm.errors import ConfigurationError
from llama_index_gemini_mm.hits import MediaHit
from llama_index_gemini_mm.inputs import PartLike
from llama_index_gemini_mm.layout import DEFAULT_COLLECTION, DEFAULT_STORAGE, MEDIA_FOLDER
from llama_index_gemini_mm.limits import Modality
from llama_index_gemini_mm.media_store import mark_storage
from llama_index_gemini_mm.modalities import SplitOptions
from llama_index_gemini_mm.node_parser import MediaNodeParser
from llama_index_gemini_mm.query_engine import MediaQueryEngine
from llama_index_gemini_mm.readers import MediaReader, ReaderOptions
from llama_index_gemini_mm.retriever import MediaRetriever, Ranking, Where
from llama_index_gemini_mm.sync import Progress, Synchronizer, SyncReport
from llama_index_gemini_mm.vector_store import PlanName, ServerOptions, Space, Stamp, valid_collection

__all__ = ["DEFAULT_COLLECTION", "DEFAULT_STORAGE", "MediaHit", "MediaIndex"]


class MediaIndex(Closing):
    """A folder of mixed media as one searchable collection. Make one with ``MediaIndex.open``.

    Its methods may be called from several threads; searches go on while one of them syncs.
    """

    def __init__(
        self,
        collection: Collection,
        embed_model: GeminiMultimodalEmbedding,
        reader_options: ReaderOptions,
        split_options: SplitOptions,
        workers: int = 2,
    ) -> None:
        self._collection = collection
        self.embed_model = embed_model
        self._reader = MediaReader(media_store=embed_model.media_store, options=reader_options, workers=workers)
        self._parser = MediaNodeParser(
            options=split_options, media_store=embed_model.media_store, endpoint=embed_model.limits.endpoint
        )

    @classmethod
    def open(
        cls,
        storage: str | Path = DEFAULT_STORAGE,
        *,
        qdrant_url: str | None = None,
        qdrant_api_key: str | None = None,
        server_options: ServerOptions | None = None,
        vector_store: BasePydanticVectorStore | None = None,
        collection: str = DEFAULT_COLLECTION,
        plan: PlanName | None = None,
        wait: float | None = None,
        embed_model: GeminiMultimodalEmbedding | None = None,
        reader_options: ReaderOptions | None = None,
        split_options: SplitOptions | None = None,
        workers: int = 2,
    ) -> MediaIndex:
        """Open an index, or start a new one.

        Args:
            storage: the folder for what is kept on this machine: the embedded collection, the list of files, media.
            qdrant_url: keep the collection on this Qdrant server instead.
            qdrant_api_key: its key, if it wants one.
            server_options: how the server is reached, and how a new collection on it is made and shared.
            vector_store: keep the vectors in this LlamaIndex store instead; it stays yours to close.
            collection: the collection's name.
            plan: in which form vectors are stored: ``accurate``, ``balanced`` or ``compact``. By default that of the
                collection, or of a new one ``accurate``.
            wait: seconds to wait for another process that has this storage open.
            embed_model: by default a ``GeminiMultimodalEmbedding`` with the dimension and task of the collection and
                its media in ``storage/media``. A model without a cache is given one in ``storage``, so that nothing
                is paid twice.
            reader_options: what is taken out of files.
            split_options: how finely it is cut.
            workers: how many files are read at once, each in a process of its own; 0 reads in this one.

        Raises:
            IndexMismatch: the collection's vectors were made by another model, dimension or service, or are stored by
                another plan.
            IndexLocked: another process has this storage open.
            IndexUnavailable: the server does not answer, or refuses.
            AuthError: no API key.
        """
        valid_collection(collection)
        folder = Path(storage).expanduser()
        if folder.exists() and not folder.is_dir():
            raise ConfigurationError(f"{folder} is a file; the storage must be a folder")
        if vector_store is not None and qdrant_url:
            raise ConfigurationError("vector_store= and qdrant_url= name two places for the vectors; give one")
        mark_storage(folder)
        with ExitStack() as undo:
            place = Collection(folder, collection, qdrant_url, qdrant_api_key, server_options, vector_store)
            undo.callback(place.close)
            found = place.prepare(wait)
            model = embed_model or _model_for(folder, found)
            if model.embedding_cache is None:
                model.embedding_cache = folder / CACHE_FILE
            place.open(Space.of(model), plan, found)
            undo.pop_all()
        return cls(place, model, reader_options or ReaderOptions(), split_options or SplitOptions(), workers)

    @property
    def vector_store(self) -> BasePydanticVectorStore:
        """The store that holds the vectors."""
        return self._collection.store

    @property
    def calibration(self) -> Calibration:
        """What unrelated nodes of each modality score in this collection."""
        return self._collection.calibration

    def sync(
        self,
        inputs: str | Path | Sequence[str | Path],
        *,
        dry_run: bool = False,
        wait: float | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> SyncReport:
        """Bring the index up to date with files and folders.

        Unchanged files cost nothing, changed ones are replaced, those that are gone from a given folder are deleted,
        and those that cannot be read are in the report with their reason.

        Args:
            inputs: a file, folder or fsspec URL, or several.
            dry_run: only say what would be done and what it would cost; nothing is sent and nothing stored.
            wait: seconds to wait for another sync into this storage.
            on_progress: called after each file.

        Raises:
            IndexMismatch: the model's settings are no longer those of the collection.
            SyncUnderWay: another process syncs into this storage.
            SourceError: an input that does not exist.
            ApiError: the service failed for good; everything stored before stays.
        """
        held = self._collection
        held.check(Space.of(self.embed_model))
        with held.syncing(wait):
            run = Synchronizer(
                self._reader,
                self._parser,
                self.embed_model,
                held.store,
                held.manifest,
                on_progress,
                on_stored=held.samples.add,
                on_removed=held.samples.remove,
            )
            report = run.run(inputs, dry_run=dry_run)
            if not dry_run:
                held.settle()
        return report

    def search(
        self,
        text: str = "",
        *,
        image: PartLike | None = None,
        audio: PartLike | None = None,
        video: PartLike | None = None,
        document: PartLike | None = None,
        top_k: int = 10,
        modalities: Sequence[Modality] = (),
        filters: MetadataFilters | None = None,
        where: Where | None = None,
        ranking: Ranking = "calibrated",
        quotas: Mapping[Modality, int] | None = None,
        hybrid: bool = True,
        neighbours: int = 0,
        parents: bool = False,
        explain: bool = False,
    ) -> list[MediaHit]:
        """The best places, best first.

        Args:
            text: words to search by.
            image: a picture to search by: a path, bytes or a PIL image. Everything given makes one query. What is
                longer than the model reads at once is cut, and all its parts are searched by.
            audio: a sound to search by.
            video: a film to search by.
            document: a PDF to search by.
            top_k: how many hits.
            modalities: only these media; all when empty.
            filters: LlamaIndex metadata filters.
            where: only this file, folder, time or page.
            ranking: ``calibrated`` makes scores comparable across media, ``raw`` leaves the cosines, ``fusion`` takes
                turns by the rank in each medium.
            quotas: at least so many hits of a medium, where there are that many.
            hybrid: whether words are also searched as words.
            neighbours: how many nodes before and after each hit come with it.
            parents: whether the text around each hit comes with it.
            explain: whether each hit says how its score came about.
        """
        parts: list[PartLike] = [text] if text else []
        parts += [_as_file(part) for part in (image, audio, video, document) if part is not None]
        if not parts:
            raise ConfigurationError("search for something: words, image=, audio=, video= or document=")
        retriever = self.as_retriever(
            similarity_top_k=top_k,
            modalities=modalities,
            filters=filters,
            where=where,
            ranking=ranking,
            quotas=quotas,
            hybrid=hybrid,
            neighbours=neighbours,
            parents=parents,
        )
        return [MediaHit.of(place, explain=explain) for place in retriever.search(*parts)]

    def as_retriever(
        self,
        *,
        similarity_top_k: int = 10,
        modalities: Sequence[Modality] = (),
        filters: MetadataFilters | None = None,
        where: Where | None = None,
        ranking: Ranking = "calibrated",
        quotas: Mapping[Modality, int] | None = None,
        hybrid: bool = True,
        merge: bool = True,
        neighbours: int = 0,
        parents: bool = False,
    ) -> MediaRetriever:
        """A LlamaIndex retriever over this index; see ``MediaRetriever``."""
        self._collection.check(Space.of(self.embed_model))
        return MediaRetriever(
            self.vector_store,
            self.embed_model,
            similarity_top_k=similarity_top_k,
            modalities=modalities,
            filters=filters,
            where=where,
            ranking=ranking,
            calibration=self.calibration if ranking == "calibrated" else None,
            quotas=quotas,
            hybrid=hybrid,
            merge=merge,
            neighbours=neighbours,
            parents=parents,
        )

    def as_query_engine(
        self, llm: LLM, *, similarity_top_k: int = 5, modalities: Sequence[Modality] = ()
    ) -> MediaQueryEngine:
        """A LlamaIndex query engine that shows the media found to ``llm`` and cites them; see ``MediaQueryEngine``."""
        retriever = self.as_retriever(similarity_top_k=similarity_top_k, modalities=modalities)
        return MediaQueryEngine(retriever, llm, self.embed_model.media_store)

    @property
    def vector_store_index(self) -> VectorStoreIndex:
        """The same collection as a LlamaIndex index, for query engines, chat engines and agents."""
        return VectorStoreIndex.from_vector_store(self.vector_store, embed_model=self.embed_model)

    def close(self) -> None:
        """Let go of the storage, so that another process can open it."""
        self._collection.close()
        self.embed_model.close()


def _as_file(part: PartLike) -> PartLike:
    """In ``image="spindle.jpg"`` a string is a path; as a bare part it would be words."""
    return Path(part) if isinstance(part, str) else part


def _model_for(folder: Path, found: Stamp | None) -> GeminiMultimodalEmbedding:
    """A model whose vectors can be compared with those that are there."""
    media = folder / MEDIA_FOLDER
    if found is None:
        return GeminiMultimodalEmbedding(media_store=media)
    space = found.space
    return GeminiMultimodalEmbedding(
        model_name=space.model, output_dimensionality=space.dimension, task=space.task, media_store=media
    )
