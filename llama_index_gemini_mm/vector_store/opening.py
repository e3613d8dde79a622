"""Opening a collection: in a folder or on a server, with the errors that people meet there."""

from __future__ import annotations

from pathlib import Path

from qdrant_client import QdrantClient

from llama_index_gemini_mm.errors import ConfigurationError
from llama_index_gemini_mm.layout import LOCAL_FOLDER, edge_folder
from llama_index_gemini_mm.vector_store.base import MediaVectorStore
from llama_index_gemini_mm.vector_store.qdrant import QdrantMediaStore
from llama_index_gemini_mm.vector_store.server import ServerOptions
from llama_index_gemini_mm.vector_store.space import Stamp


def open_embedded(folder: Path, name: str, stamp: Stamp) -> MediaVectorStore:
    """Collection ``name`` in ``folder``, in the embedded engine, or in local mode where that has no wheel."""
    try:
        from llama_index_gemini_mm.vector_store.edge import EdgeVectorStore
    except ImportError:
        return open_local(folder / LOCAL_FOLDER, name, stamp)
    return EdgeVectorStore(edge_folder(folder, name), name, stamp)


def open_local(folder: Path, name: str, stamp: Stamp) -> QdrantMediaStore:
    """Collection ``name`` in the local mode of ``qdrant-client``: the same answers, by looking at every vector."""
    folder.mkdir(parents=True, exist_ok=True)
    client = QdrantClient(path=str(folder), force_disable_check_same_thread=True)
    return _opened(client, name, stamp)


def open_server(
    url: str, api_key: str | None, name: str, stamp: Stamp, options: ServerOptions | None = None
) -> QdrantMediaStore:
    """Collection ``name`` on a Qdrant server, cluster or cloud.

    Raises:
        IndexUnavailable: it does not answer, or refuses.
        IndexMismatch: what it holds is no collection of this stamp.
        ConfigurationError: it is too old for the plan.
    """
    options = options or ServerOptions()
    client = server_client(url, api_key, options)
    return _opened(client, name, stamp, options, url)


def server_client(url: str, api_key: str | None, options: ServerOptions) -> QdrantClient:
    """A client of a server; nothing is sent yet.

    Raises:
        ConfigurationError: ``url`` is none.
    """
    try:
        return QdrantClient(
            url=url,
            api_key=api_key,
            prefer_grpc=options.prefer_grpc,
            grpc_port=options.grpc_port,
            timeout=options.timeout,
            check_compatibility=False,
        )
    except ValueError as error:
        told = f"{url!r} is no address of a Qdrant server, such as http://localhost:6333: {error}"
        raise ConfigurationError(told) from error


def valid_collection(name: str) -> str:
    """``name`` if Qdrant takes it; raises ``ConfigurationError`` otherwise."""
    if not name or any(sign in name for sign in '/\\:*?"<>|\0'):
        raise ConfigurationError(f"collection={name!r} cannot be a collection's name; use letters, digits, - and _")
    return name


def _opened(
    client: QdrantClient, name: str, stamp: Stamp, options: ServerOptions | None = None, url: str = ""
) -> QdrantMediaStore:
    try:
        return QdrantMediaStore(client, name, stamp, options, url)
    except BaseException:
        client.close()
        raise
