"""What an index is called and where its parts lie, unless somebody says otherwise. Nothing heavy is imported."""

from __future__ import annotations

from pathlib import Path

DEFAULT_STORAGE = "./storage"
DEFAULT_COLLECTION = "media"

MEDIA_FOLDER = "media"
"""The media store, in the storage folder."""
EDGE_FOLDER = "edge"
"""Embedded collections, a folder each."""
LOCAL_FOLDER = "qdrant"
"""All collections of the client's local mode."""
MANIFEST_FILE = "manifest.sqlite3"


def edge_folder(storage: Path, collection: str) -> Path:
    """The folder of an embedded collection."""
    return storage / EDGE_FOLDER / collection


def manifest_target(collection: str, keeper: str | None = None) -> str:
    """What the manifest calls a collection; ``keeper`` is the server's URL, or what else keeps it."""
    return f"{keeper or 'embedded'}/{collection}"
