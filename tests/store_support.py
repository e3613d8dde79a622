"""What the tests of vector stores share: nodes of every medium, and every engine on a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from llama_index.core.schema import BaseNode, Node, NodeRelationship, RelatedNodeInfo
from llama_index.core.vector_stores.types import FilterOperator, MetadataFilter, MetadataFilters

from llama_index_gemini_mm.media import FileInfo, Locator, MediaItem, MediaRef, build, stable_id
from llama_index_gemini_mm.vector_store import (
    ForeignStore,
    MediaVectorStore,
    PlanName,
    Space,
    Stamp,
    as_searchable,
    open_embedded,
    open_local,
    plan_named,
)

DIMENSION = 1024
"""Long enough for two stages."""
SPACE = Space("gemini-embedding-2", DIMENSION, "retrieval", 1, 1)
AnyStore = MediaVectorStore | ForeignStore


def stamp(plan: PlanName = "accurate", dimension: int = DIMENSION) -> Stamp:
    """A stamp of the tests' space."""
    return Stamp(Space("gemini-embedding-2", dimension, "retrieval", 1, 1), plan_named(plan))


@dataclass(frozen=True)
class Engine:
    """One engine: how it opens a folder, and whether it is Qdrant's."""

    name: str
    open: Callable[[Path], AnyStore]
    ours: bool = True


def _chroma(folder: Path) -> AnyStore:
    import chromadb
    from llama_index.vector_stores.chroma import ChromaVectorStore

    settings = chromadb.Settings(anonymized_telemetry=False)
    client = chromadb.PersistentClient(str(folder / "chroma"), settings)
    collection = client.get_or_create_collection("media", metadata={"hnsw:space": "cosine"})
    return as_searchable(ChromaVectorStore(chroma_collection=collection))


def _lance(folder: Path) -> AnyStore:
    from llama_index.vector_stores.lancedb import LanceDBVectorStore

    return as_searchable(LanceDBVectorStore(uri=str(folder / "lance")))


def _ours(opened: Callable[[Path, str, Stamp], MediaVectorStore], plan: PlanName) -> Callable[[Path], AnyStore]:
    return lambda folder: opened(folder, "media", stamp(plan))


OURS = [
    Engine(f"{name}-{plan}", _ours(opened, plan))
    for name, opened in (("edge", open_embedded), ("local", open_local))
    for plan in ("accurate", "balanced", "compact")
]
ENGINES = [*OURS, Engine("chroma", _chroma, ours=False), Engine("lance", _lance, ours=False)]


def direction(seed: int, dimension: int = DIMENSION) -> list[float]:
    """A vector of length 1, the same for the same seed; others are nearly at right angles to it."""
    vector = np.random.default_rng(seed).normal(size=dimension)
    return (vector / np.linalg.norm(vector)).astype(np.float32).tolist()  # type: ignore[no-any-return]


def media_node(
    number: int, modality: str = "text", *, words: str = "", dimension: int = DIMENSION, **extra: Any
) -> Node:
    """A node as the parser makes it, of document ``doc-<number>``, with the vector ``direction(number)``."""
    file = FileInfo(f"/files/{modality}-{number}.bin", f"{modality}-{number}.bin", "x/y", 1000 + number, "a" * 64)
    places = {
        "image": Locator(page_label="iv", page_start=4, boxes=((0.1, 0.2, 0.5, 0.75),), headings=("Oil", "Wärme")),
        "audio": Locator(start_seconds=0.0, end_seconds=2.5),
        "video": Locator(start_seconds=30.0, end_seconds=60.5, container_path="deck.pptx!/film.mp4"),
        "document": Locator(page_label="7", page_start=7, page_end=9),
    }
    types = {"image": "image/png", "audio": "audio/wav", "video": "video/mp4", "document": "application/pdf"}
    media = None
    if modality != "text":
        media = MediaItem(MediaRef("b" * 64), types[modality], Path(f"/media/{number}.bin"))
    where = places.get(modality, Locator()).metadata()
    node = build(
        Node,
        stable_id("node", str(number)),
        modality,  # type: ignore[arg-type]
        words or f"note number {number}",
        file.metadata() | where | extra,
        title=f"Title {number}",
        media=media,
    )
    node.relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id=f"doc-{number}")
    node.embedding = direction(number, dimension)
    return node


def where(key: str, value: Any, operator: FilterOperator = FilterOperator.EQ) -> MetadataFilters:
    """One condition."""
    return MetadataFilters(filters=[MetadataFilter(key=key, value=value, operator=operator)])


def plain(node: BaseNode) -> dict[str, Any]:
    """Everything of a node but its embedding."""
    return {**node.to_dict(), "embedding": None}


def ids(nodes: Sequence[BaseNode]) -> list[str]:
    """Their ids."""
    return [node.node_id for node in nodes]
