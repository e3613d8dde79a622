"""What an index holds and takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from llama_index_gemini_mm.engine.cache import CACHE_FILE
from llama_index_gemini_mm.manifest import Manifest
from llama_index_gemini_mm.media import FILE_TYPE, MODALITY
from llama_index_gemini_mm.vector_store import PLANS, MediaVectorStore, PlanName, Space

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


def index_stats(store: MediaVectorStore, storage: Path, manifest: Path, target: str) -> IndexStats:
    """Look through an open collection, every node's metadata once, and the storage folder.

    ``manifest`` is the list of files there, ``target`` the collection's name in it.
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
        files=_files(manifest, target),
        bytes={
            "vectors": held.disk_bytes,
            "media": _below(storage / "media"),
            "cache": _with_journal(storage / CACHE_FILE),
            "manifest": _with_journal(manifest),
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


def _below(folder: Path) -> int:
    return sum(map(_blocks, filter(Path.is_file, folder.rglob("*"))))


def _with_journal(file: Path) -> int:
    return sum(map(_blocks, file.parent.glob(f"{file.name}*")))


def _blocks(file: Path) -> int:
    """Bytes on disk: less than its size where it has holes."""
    stat = file.stat()
    return getattr(stat, "st_blocks", -(-stat.st_size // 512)) * 512
