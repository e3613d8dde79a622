"""What an index holds and takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from llama_index_gemini_mm.engine.cache import CACHE_FILE
from llama_index_gemini_mm.layout import MANIFEST_FILE, MEDIA_FOLDER
from llama_index_gemini_mm.manifest import Manifest
from llama_index_gemini_mm.media import FILE_TYPE, MODALITY
from llama_index_gemini_mm.vector_store import PLANS, MediaVectorStore, PlanName, Space
from llama_index_gemini_mm.vector_store.edge_files import disk_bytes

_UNKNOWN = "unknown"


@dataclass(frozen=True)
class PlanSize:
    """What all vectors of an index take by a plan, by arithmetic: bytes on disk, and those of them kept in memory."""

    disk_bytes: int
    memory_bytes: int


@dataclass(frozen=True)
class IndexStats:
    """What is stored.

    Args:
        engine: what keeps the vectors.
        collection: its name.
        plan: how vectors are stored.
        space: which vectors they are.
        points: nodes.
        indexed: share of the nodes that are in a graph; small collections are searched without one.
        modalities: nodes by modality.
        file_types: nodes by MIME type of their file.
        files: files in the manifest.
        bytes: on this disk, by what they are for; a server does not tell its own.
        plans: what the vectors take by each plan.
    """

    engine: str
    collection: str
    plan: PlanName
    space: Space
    points: int
    indexed: float
    modalities: Mapping[str, int]
    file_types: Mapping[str, int]
    files: int
    bytes: Mapping[str, int]
    plans: Mapping[PlanName, PlanSize]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


def index_stats(store: MediaVectorStore, storage: Path, target: str) -> IndexStats:
    """Look through an open collection, every node's metadata once, and the storage folder.

    ``target`` is the collection's name in the manifest there.
    """
    modalities: Counter[str] = Counter()
    types: Counter[str] = Counter()
    for batch in store.points(vectors=False, batch_size=1024):
        modalities.update(str(point.payload.get(MODALITY, "text")) for point in batch)
        types.update(str(point.payload.get(FILE_TYPE, _UNKNOWN)) for point in batch)
    held, stamp = store.info(), store.stamp
    dimension = stamp.space.dimension
    return IndexStats(
        engine=held.engine,
        collection=store.collection_name,
        plan=stamp.plan.name,
        space=stamp.space,
        points=held.points,
        indexed=min(1.0, held.indexed / held.points) if held.points else 0.0,
        modalities=_ordered(modalities),
        file_types=_ordered(types),
        files=_files(storage / MANIFEST_FILE, target),
        bytes={
            "vectors": held.disk_bytes,
            "media": disk_bytes(storage / MEDIA_FOLDER),
            "cache": disk_bytes(storage, f"{CACHE_FILE}*"),
            "manifest": disk_bytes(storage, f"{MANIFEST_FILE}*"),
        },
        plans={name: _size(name, held.points, dimension) for name in PLANS},
    )


def _size(name: PlanName, points: int, dimension: int) -> PlanSize:
    plan = PLANS[name]
    return PlanSize(round(points * plan.disk_bytes(dimension)), round(points * plan.memory_bytes(dimension)))


def _ordered(counts: Counter[str]) -> dict[str, int]:
    """Most first, and by name where there are as many."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _files(path: Path, target: str) -> int:
    if not path.is_file():
        return 0
    with closing(Manifest(path, target)) as manifest:
        return len(manifest.files())
