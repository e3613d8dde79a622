"""MediaIndex: the whole job. Sync a folder, search it by words and media."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from llama_index.core import VectorStoreIndex
from llama_index.core.llms import LLM
from llama_index.core.schema import BaseNode, NodeWithScore
from llama_index.core.vector_stores.types import MetadataFilters
from llama_index.vector_stores.qdrant import QdrantVectorStore
from qdrant_client import QdrantClient

from llama_index_gemini_mm import media
from llama_index_gemini_mm.embedding import GeminiMultimodalEmbedding
from llama_index_gemini_mm.engine.cache import CACHE_FILE
from llama_index_gemini_mm.errors import ConfigurationError
from llama_index_gemini_mm.inputs import PartLike
from llama_index_gemini_mm.limits import Modality
from llama_index_gemini_mm.manifest import Manifest
from llama_index_gemini_mm.modalities import SplitOptions
from llama_index_gemini_mm.node_parser import MediaNodeParser
from llama_index_gemini_mm.query_engine import MediaQueryEngine
from llama_index_gemini_mm.readers import MediaReader, ReaderOptions
from llama_index_gemini_mm.retriever import MediaRetriever
from llama_index_gemini_mm.sync import Progress, Synchronizer, SyncReport
from llama_index_gemini_mm.vector_store import Space, embedded_client, open_collection, server_client, valid_collection

DEFAULT_STORAGE = "./storage"
DEFAULT_COLLECTION = "media"


@dataclass(frozen=True)
class MediaHit:
    """One result. Places that do not apply are ``None``; ``bbox`` is a list of boxes, 0 to 1, origin top left."""

    score: float
    modality: str
    file_path: str | None
    page_label: str | None
    bbox: list[list[float]] | None
    start_seconds: float | None
    end_seconds: float | None
    title: str | None
    text: str
    media_ref: str | None
    node_id: str
    node: BaseNode = field(repr=False, compare=False)

    @classmethod
    def of(cls, found: NodeWithScore) -> MediaHit:
        """A hit from what a retriever returns."""
        data = found.node.metadata
        return cls(
            score=float(found.score or 0.0),
            modality=data.get(media.MODALITY, "text"),
            file_path=data.get(media.FILE_PATH),
            page_label=data.get(media.PAGE_LABEL),
            bbox=media.boxes_of(data) or None,
            start_seconds=data.get(media.START_SECONDS),
            end_seconds=data.get(media.END_SECONDS),
            title=data.get(media.TITLE),
            text=found.node.get_content(),
            media_ref=data.get(media.MEDIA_REF),
            node_id=found.node.node_id,
            node=found.node,
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; without ``node``."""
        return {key: getattr(self, key) for key in self.__dataclass_fields__ if key != "node"}


class MediaIndex:
    """A folder of mixed media as one searchable collection. Make one with ``MediaIndex.open``."""

    def __init__(
        self,
        client: QdrantClient,
        vector_store: QdrantVectorStore,
        manifest: Manifest,
        embed_model: GeminiMultimodalEmbedding,
        reader_options: ReaderOptions,
        split_options: SplitOptions,
    ) -> None:
        self._client = client
        self._manifest = manifest
        self.vector_store = vector_store
        self.embed_model = embed_model
        self._reader = MediaReader(media_store=embed_model.media_store, options=reader_options)
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
        collection: str = DEFAULT_COLLECTION,
        embed_model: GeminiMultimodalEmbedding | None = None,
        reader_options: ReaderOptions | None = None,
        split_options: SplitOptions | None = None,
    ) -> MediaIndex:
        """Open an index, or start a new one.

        Args:
            storage: the folder for what is kept on this machine: the embedded collection, the list of files, media.
            qdrant_url: keep the collection on this Qdrant server instead.
            qdrant_api_key: its key, if it wants one.
            collection: its name.
            embed_model: default ``GeminiMultimodalEmbedding`` with its media in ``storage/media``. A model without a
                cache is given one in ``storage``, so that nothing is paid twice.
            reader_options: what is taken out of files.
            split_options: how finely it is cut.

        Raises:
            IndexMismatch: the collection's vectors were made by another model, dimension or service.
            IndexLocked: another process has this storage open.
            AuthError: no API key.
        """
        valid_collection(collection)
        folder = Path(storage).expanduser()
        if folder.exists() and not folder.is_dir():
            raise ConfigurationError(f"{folder} is a file; the storage must be a folder")
        model = embed_model or GeminiMultimodalEmbedding(media_store=folder / "media")
        if model.embedding_cache is None:
            model.embedding_cache = folder / CACHE_FILE
        client = server_client(qdrant_url, qdrant_api_key) if qdrant_url else embedded_client(folder / "qdrant")
        try:
            store = open_collection(client, collection, Space.of(model))
        except BaseException:
            client.close()
            raise
        manifest = Manifest(folder / "manifest.sqlite3", f"{qdrant_url or 'embedded'}/{collection}")
        if client.count(collection).count == 0:
            manifest.clear()
        return cls(client, store, manifest, model, reader_options or ReaderOptions(), split_options or SplitOptions())

    def sync(
        self,
        inputs: str | Path | Sequence[str | Path],
        *,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> SyncReport:
        """Bring the index up to date with files and folders.

        Unchanged files cost nothing, changed ones are replaced, those that are gone from a given folder are deleted,
        and those that cannot be read are in the report with their reason.

        Args:
            inputs: a file, folder or fsspec URL, or several.
            on_progress: called after each file.

        Raises:
            SourceError: an input that does not exist.
            ApiError: the service failed for good; everything stored before stays.
        """
        run = Synchronizer(self._reader, self._parser, self.embed_model, self.vector_store, self._manifest, on_progress)
        return run.run(inputs)

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
    ) -> list[MediaHit]:
        """Find the nearest nodes, best first.

        Args:
            text: words.
            image: a picture to search by: a path, bytes, or a PIL image. All that is given makes one query.
            audio: a sound to search by.
            video: a film to search by.
            document: a PDF to search by.
            top_k: how many hits.
            modalities: only these media; all when empty.
            filters: LlamaIndex metadata filters.
        """
        parts: list[PartLike] = [text] if text else []
        parts += [_as_file(part) for part in (image, audio, video, document) if part is not None]
        if not parts:
            raise ConfigurationError("search for something: words, image=, audio=, video= or document=")
        retriever = self.as_retriever(similarity_top_k=top_k, modalities=modalities, filters=filters)
        return [MediaHit.of(found) for found in retriever.retrieve(self.embed_model.query_bundle(*parts))]

    def as_retriever(
        self,
        *,
        similarity_top_k: int = 10,
        modalities: Sequence[Modality] = (),
        filters: MetadataFilters | None = None,
    ) -> MediaRetriever:
        """A LlamaIndex retriever over this index."""
        return MediaRetriever(
            self.vector_store,
            self.embed_model,
            similarity_top_k=similarity_top_k,
            modalities=modalities,
            filters=filters,
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
        self._manifest.close()
        self._client.close()
        self.embed_model.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _as_file(part: PartLike) -> PartLike:
    """In ``image="spindle.jpg"`` a string is a path; as a bare part it would be words."""
    return Path(part) if isinstance(part, str) else part
