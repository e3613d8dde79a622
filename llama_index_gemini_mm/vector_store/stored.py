"""What is stored already: a collection's stamp, read before it is opened, and the collection by it. Looking makes
nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from qdrant_client import QdrantClient

from llama_index_gemini_mm.errors import ConfigurationError
from llama_index_gemini_mm.layout import LOCAL_FOLDER, edge_folder
from llama_index_gemini_mm.storage_lock import StorageLock
from llama_index_gemini_mm.vector_store.aliases import Aliases
from llama_index_gemini_mm.vector_store.base import MediaVectorStore
from llama_index_gemini_mm.vector_store.edge_files import STAMP_FILE
from llama_index_gemini_mm.vector_store.opening import open_embedded, open_server, server_client, valid_collection
from llama_index_gemini_mm.vector_store.server import Calls, ServerOptions
from llama_index_gemini_mm.vector_store.space import STAMP_KEY, Stamp, read_stamp


@contextmanager
def open_stored(
    folder: Path,
    name: str,
    qdrant_url: str | None = None,
    qdrant_api_key: str | None = None,
    wait: float | None = None,
) -> Iterator[MediaVectorStore]:
    """The collection that ``name`` stands for, in a storage folder or on a server, whatever its model and plan.

    Raises:
        ConfigurationError: there is none.
        IndexLocked: another process has this storage open.
        IndexUnavailable: the server does not answer, or refuses.
    """
    with ExitStack() as opened:
        if not qdrant_url and folder.is_dir():
            opened.enter_context(StorageLock(folder, wait))
        stamp = stored_stamp(folder, valid_collection(name), qdrant_url, qdrant_api_key)
        if stamp is None:
            raise no_index(folder, name, qdrant_url)
        if qdrant_url:
            store: MediaVectorStore = open_server(qdrant_url, qdrant_api_key, name, stamp)
        else:
            store = open_embedded(folder, Aliases(folder).resolve(name), stamp)
        yield opened.enter_context(closing(store))


def no_index(folder: Path, name: str, qdrant_url: str | None = None) -> ConfigurationError:
    """The error for a collection that must be there and is not."""
    where, option = qdrant_url or folder, "--qdrant-url" if qdrant_url else "--storage"
    return ConfigurationError(f"there is no index {name!r} in {where}; run: gemini-mm index FOLDER {option} {where}")


def stored_stamp(
    folder: Path, name: str, qdrant_url: str | None = None, qdrant_api_key: str | None = None
) -> Stamp | None:
    """The stamp of the collection that ``name`` stands for, in a storage folder or on a server; ``None`` without one.

    Raises:
        IndexUnavailable: the server does not answer, or refuses.
    """
    if qdrant_url:
        return server_stamp(qdrant_url, qdrant_api_key, name)
    return embedded_stamp(folder, Aliases(folder).resolve(name))


def embedded_stamp(folder: Path, name: str) -> Stamp | None:
    """The stamp of an embedded collection; ``None`` when there is no such collection. Needs no lock."""
    return edge_stamp(folder, name) or _local_stamp(folder / LOCAL_FOLDER / "meta.json", name)


def edge_stamp(folder: Path, name: str) -> Stamp | None:
    """The stamp of a collection of the embedded engine; ``None`` when there is no such collection."""
    return read_stamp(edge_folder(folder, name) / STAMP_FILE)


def server_stamp(url: str, api_key: str | None, name: str, options: ServerOptions | None = None) -> Stamp | None:
    """The stamp of a collection, or an alias, on a server; ``None`` when there is none.

    Raises:
        IndexUnavailable: the server does not answer, or refuses.
    """
    options = options or ServerOptions()
    call = Calls(url, options.attempts)
    with closing(server_client(url, api_key, options)) as client:
        return call(lambda: stamp_behind(client, name)) if call(lambda: client.collection_exists(name)) else None


def stamp_behind(client: QdrantClient, name: str) -> Stamp | None:
    """The stamp of a collection of a client; ``None`` for one that is not this package's."""
    return _parsed(client.get_collection(name).config.metadata)


def _local_stamp(file: Path, name: str) -> Stamp | None:
    """From what the client's local mode keeps about its collections."""
    try:
        collections = json.loads(file.read_text("utf-8"))["collections"]
    except (FileNotFoundError, NotADirectoryError):
        return None
    return _parsed((collections.get(name) or {}).get("metadata"))


def _parsed(metadata: Any) -> Stamp | None:
    stamp = (metadata or {}).get(STAMP_KEY)
    return Stamp.parse(stamp) if stamp else None
