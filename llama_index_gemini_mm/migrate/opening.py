"""Opening a migration: what lies at a place, by its content, and where its successor is to be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from llama_index.core.vector_stores.types import BasePydanticVectorStore
from qdrant_client import QdrantClient

from llama_index_gemini_mm.embedding import GeminiMultimodalEmbedding
from llama_index_gemini_mm.errors import ConfigurationError, IndexLocked
from llama_index_gemini_mm.layout import DEFAULT_COLLECTION, DEFAULT_STORAGE, EDGE_FOLDER, LOCAL_FOLDER, MEDIA_FOLDER
from llama_index_gemini_mm.migrate.folders import DOCSTORE_FILE, ChromaSource, PersistedSource
from llama_index_gemini_mm.migrate.migration import Migration
from llama_index_gemini_mm.migrate.qdrant_source import QdrantSource
from llama_index_gemini_mm.migrate.reports import MigrationProgress
from llama_index_gemini_mm.migrate.sources import MediaSource, OldIndex, StoreSource
from llama_index_gemini_mm.migrate.target import (
    EmbeddedTarget,
    ServerTarget,
    Target,
    resolved,
)
from llama_index_gemini_mm.storage_lock import StorageLock
from llama_index_gemini_mm.vector_store import (
    DEFAULT_PLAN,
    MediaVectorStore,
    PlanName,
    Space,
    Stamp,
    open_embedded,
    plan_named,
)
from llama_index_gemini_mm.vector_store.aliases import Aliases
from llama_index_gemini_mm.vector_store.opening import server_client
from llama_index_gemini_mm.vector_store.server import Calls, ServerOptions
from llama_index_gemini_mm.vector_store.stored import edge_stamp

Place = str | Path | BasePydanticVectorStore | OldIndex
_OnProgress = Callable[[MigrationProgress], None]


def open_migration(
    source: Place,
    *,
    to: str | Path | None = None,
    collection: str = "",
    name: str = DEFAULT_COLLECTION,
    embed_model: GeminiMultimodalEmbedding | None = None,
    plan: PlanName = DEFAULT_PLAN,
    qdrant_api_key: str | None = None,
    storage: str | Path = DEFAULT_STORAGE,
    on_progress: _OnProgress | None = None,
) -> Migration:
    """A migration of what lies at ``source``; close it afterwards.

    Args:
        source: the URL of a Qdrant server; a storage folder of this package; a folder of Qdrant's local mode, of
            Chroma, of LanceDB, or one that LlamaIndex has persisted a storage context to; or a LlamaIndex vector store.
        to: the storage folder that is to hold the new collection. Left out, the new collection comes where the old one
            is, beside it, on a Qdrant server and in a storage folder; else into ``storage``.
        collection: the old collection or table; it need not be named when it is the only one.
        name: what the new collection is called in another storage folder; elsewhere it takes over the old name.
        embed_model: the new model; by default ``GeminiMultimodalEmbedding`` with its media in the storage folder.
        plan: in which form the new vectors are stored.
        qdrant_api_key: the server's key.
        storage: the storage folder for everything that ``to`` does not place: cache, media, batch jobs.
        on_progress: called after each group of records.

    Raises:
        ConfigurationError: nothing there that can be migrated, or several things and none was named.
        IndexMismatch: ``to`` holds a collection of that name in another space.
        IndexLocked: an embedded index that is open elsewhere.
        IndexUnavailable: a server that does not answer, or refuses.
    """
    ours = _storage_at(source)
    folder = storage_of(source, to, storage)
    model = embed_model or GeminiMultimodalEmbedding(media_store=folder / MEDIA_FOLDER)
    wanted = _Wanted(folder, name, Stamp(Space.of(model), plan_named(plan)), collection, to is None)
    with ExitStack() as opened:
        if isinstance(source, str) and _is_url(source):
            old, target = _server(source, qdrant_api_key, wanted, opened)
        elif ours is not None:
            old, target = _storage(ours, wanted, opened)
        else:
            old, target = _other(source, wanted, opened)
        return Migration(old, target, model, on_progress=on_progress, resources=opened.pop_all())


def storage_of(source: Place, to: str | Path | None = None, storage: str | Path = DEFAULT_STORAGE) -> Path:
    """The storage folder that a migration with these arguments uses."""
    ours = _storage_at(source)
    return ours if ours is not None and to is None else Path(to if to is not None else storage).expanduser()


@dataclass(frozen=True)
class _Wanted:
    """The new collection: its storage folder, name and stamp; which old one; and whether it is to stand beside that."""

    folder: Path
    name: str
    stamp: Stamp
    old: str
    beside: bool

    def embedded(self, opened: ExitStack) -> EmbeddedTarget:
        """The new collection in a storage folder of its own, held until ``opened`` is closed."""
        opened.enter_context(StorageLock(self.folder))
        return EmbeddedTarget(self.folder, self.name, self.stamp)

    def nothing_to_do(self, name: str) -> ConfigurationError:
        """The error when the old collection is the new one."""
        return ConfigurationError(f"{name} holds {self.stamp.space} already, and nothing older is kept")


def _server(url: str, key: str | None, wanted: _Wanted, opened: ExitStack) -> tuple[OldIndex, Target]:
    client = server_client(url, key, ServerOptions())
    opened.callback(client.close)
    call = Calls(url)
    name = wanted.old or _only([each.name for each in call(client.get_collections).collections], url)
    if wanted.beside:
        return call.once(lambda: _beside(client, name, wanted, url))
    return QdrantSource(client, name, f"{url}, collection {name}", url=url), wanted.embedded(opened)


def _beside(client: QdrantClient, name: str, wanted: _Wanted, address: str) -> tuple[OldIndex, Target]:
    """The collection of a client, and its successor there; when that is in use already, the one before it."""
    target = ServerTarget(client, name, wanted.stamp, wanted.folder, address)
    real: str | None = resolved(client, name)
    if real == target.collection:
        real = target.former()
    if real is None:
        raise wanted.nothing_to_do(name)
    return QdrantSource(client, real, f"{address}, collection {real}", url=address), target


def _storage(ours: Path, wanted: _Wanted, opened: ExitStack) -> tuple[OldIndex, Target]:
    """A storage folder of this package, and its successor: in the same folder, or in another one."""
    opened.enter_context(StorageLock(ours))
    in_place = ours.resolve() == wanted.folder.resolve()
    name = wanted.old or _of_storage(ours)
    old = _old_collection(ours, name, wanted if in_place else None, opened)
    if not in_place:
        return old, wanted.embedded(opened)
    return old, EmbeddedTarget(ours, name, wanted.stamp, in_place=isinstance(old, MediaSource))


def _old_collection(ours: Path, name: str, replaced_by: _Wanted | None, opened: ExitStack) -> OldIndex:
    """What ``name`` stands for in a storage; what it stood for before, if it is the wanted one already."""
    aliases, media_folder = Aliases(ours), ours / MEDIA_FOLDER
    real: str | None = aliases.resolve(name)
    stamp = edge_stamp(ours, str(real))
    if stamp is None:
        title = f"{ours}, collection {name} of local mode"
        local = QdrantSource(_local_client(ours / LOCAL_FOLDER), name, title, owned=True, media_folder=media_folder)
        opened.callback(local.close)
        return local
    if replaced_by is not None and stamp == replaced_by.stamp:
        real = next(reversed(aliases.former(name)), None)
        stamp = None if real is None else edge_stamp(ours, real)
        if real is None or stamp is None:
            raise replaced_by.nothing_to_do(name)
    store = open_embedded(ours, str(real), stamp)
    old = MediaSource(store, f"{ours}, collection {real}", media_folder, owned=True)
    opened.callback(old.close)
    return old


def _other(source: Place, wanted: _Wanted, opened: ExitStack) -> tuple[OldIndex, Target]:
    """A folder of another maker, or an open store; the client of a Qdrant store keeps the successor too."""
    from llama_index.vector_stores.qdrant import QdrantVectorStore

    if isinstance(source, QdrantVectorStore) and wanted.beside:
        return _beside(source.client, source.collection_name, wanted, "client")
    if isinstance(source, OldIndex):
        return source, wanted.embedded(opened)
    if isinstance(source, BasePydanticVectorStore):
        return source_of(source), wanted.embedded(opened)
    old = source_in(Path(source).expanduser(), wanted.old)
    opened.callback(old.close)
    return old, wanted.embedded(opened)


def source_of(store: BasePydanticVectorStore) -> OldIndex:
    """The old index behind an open LlamaIndex vector store; those of Qdrant and Chroma are read in pages."""
    from llama_index.vector_stores.qdrant import QdrantVectorStore

    if isinstance(store, QdrantVectorStore):
        return QdrantSource(store.client, store.collection_name)
    if isinstance(store, MediaVectorStore):
        return MediaSource(store, f"collection {store.collection_name}")
    if store.class_name() == "ChromaVectorStore":
        return ChromaSource(None, store.client)
    return StoreSource(store)


def source_in(folder: Path, collection: str = "") -> OldIndex:
    """The old index in a folder of another maker, known by its files.

    Raises:
        ConfigurationError: there is none, or there are several collections and none was named.
        IndexLocked: Qdrant's local mode lets in one process at a time.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"{folder} is no folder; give a folder with an index, or the URL of a Qdrant server")
    if (folder / DOCSTORE_FILE).is_file():
        return PersistedSource(folder)
    if (folder / "chroma.sqlite3").is_file():
        return _chroma(folder, collection)
    if (folder / "meta.json").is_file() and (folder / "collection").is_dir():
        client = _local_client(folder)
        named = collection or _only([each.name for each in client.get_collections().collections], str(folder))
        return QdrantSource(client, named, f"{folder}, collection {named}", owned=True)
    tables = sorted(each.stem for each in folder.glob("*.lance"))
    if tables:
        return _lance(folder, collection or _only(tables, str(folder)))
    raise ConfigurationError(
        f"{folder} holds no index that is known: neither a storage folder of this package, nor Qdrant's local mode "
        f"(meta.json), Chroma (chroma.sqlite3), LanceDB (*.lance) or a persisted LlamaIndex storage ({DOCSTORE_FILE})"
    )


def _chroma(folder: Path, collection: str) -> OldIndex:
    with _needed("chromadb", folder):
        import chromadb
        from chromadb.config import Settings
    try:
        client = chromadb.PersistentClient(str(folder), Settings(anonymized_telemetry=False))
    except ValueError as error:  # Chroma wants one and the same settings within a process
        remedy = "give its LlamaIndex vector store instead of the folder"
        raise ConfigurationError(f"{folder} is open in this process already; {remedy}") from error
    named = collection or _only([each.name for each in client.list_collections()], str(folder))
    return ChromaSource(client, client.get_collection(named), f"{folder}, Chroma collection {named}")


def _lance(folder: Path, table: str) -> OldIndex:
    with _needed("llama-index-vector-stores-lancedb", folder):
        from llama_index.vector_stores.lancedb import LanceDBVectorStore
    return StoreSource(LanceDBVectorStore(uri=str(folder), table_name=table, mode="append"))


@contextmanager
def _needed(package: str, folder: Path) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise ConfigurationError(f"{folder} can be read with {package}: pip install {package}") from error


def _local_client(folder: Path) -> QdrantClient:
    try:
        return QdrantClient(path=str(folder), force_disable_check_same_thread=True)
    except RuntimeError as error:
        raise IndexLocked(str(folder)) from error


def _storage_at(source: Place) -> Path | None:
    """The folder, if it is a storage of this package."""
    if not isinstance(source, str | Path) or _is_url(str(source)):
        return None
    folder = Path(source).expanduser()
    return folder if (folder / EDGE_FOLDER).is_dir() or (folder / LOCAL_FOLDER / "meta.json").is_file() else None


def _of_storage(folder: Path) -> str:
    collections = folder / EDGE_FOLDER
    if edge_stamp(folder, Aliases(folder).resolve(DEFAULT_COLLECTION)) is not None or not collections.is_dir():
        return DEFAULT_COLLECTION
    return _only([each.name for each in collections.iterdir()], str(folder))


def _only(names: Sequence[str], place: str) -> str:
    if len(names) == 1:
        return names[0]
    if not names:
        raise ConfigurationError(f"{place} holds no collection")
    raise ConfigurationError(
        f"{place} holds several collections; name one of {', '.join(sorted(names))} (--collection)"
    )


def _is_url(place: str) -> bool:
    return place.startswith(("http://", "https://"))
