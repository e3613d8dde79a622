"""A sync on real parts: files, reader, emulator, an embedded store, and a look at what came out of it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.schema import BaseNode
from llama_index.vector_stores.qdrant import QdrantVectorStore
from qdrant_client import QdrantClient, models

from llama_index_gemini_mm import GeminiMultimodalEmbedding, MediaNodeParser, MediaReader
from llama_index_gemini_mm.emulator import GeminiEmulator, RecordedContent
from llama_index_gemini_mm.manifest import Manifest
from llama_index_gemini_mm.sync import Synchronizer
from llama_index_gemini_mm.vector_store import MediaVectorStore, Space, Stamp, open_embedded, plan_named
from llama_index_gemini_mm.vector_store.plans import DENSE
from media_samples import pdf, png, wav

DIMENSION = 256
COLLECTION = "media"
Points = dict[str, tuple[Any, tuple[float, ...]]]


class RecordingStore(QdrantVectorStore):
    """A real store that writes down, in order, what was added and deleted."""

    _events: list[tuple[str, tuple[str, ...]]]

    def __init__(self, client: QdrantClient) -> None:
        super().__init__(COLLECTION, client=client)
        self._events = []

    @property
    def events(self) -> list[tuple[str, tuple[str, ...]]]:
        """What was done: ``add`` or ``delete``, and the ids."""
        return self._events

    def add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:  # type: ignore[override]
        """Add, then write it down."""
        ids: list[str] = super().add(list(nodes), **kwargs)
        self._events.append(("add", tuple(node.node_id for node in nodes)))
        return ids

    def delete_nodes(self, node_ids: list[str] | None = None, *args: Any, **kwargs: Any) -> None:
        """Write it down, then delete."""
        self._events.append(("delete", tuple(node_ids or ())))
        super().delete_nodes(node_ids, *args, **kwargs)


@dataclass
class Bench:
    """Everything a sync needs, in one storage folder."""

    model: GeminiMultimodalEmbedding
    store: Any
    manifest: Manifest
    workers: int = 2
    stored: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)

    def synchronizer(self, **options: Any) -> Synchronizer:
        """A new run."""
        media = self.model.media_store
        return Synchronizer(
            MediaReader(media, workers=self.workers),
            MediaNodeParser(media_store=media),
            self.model,
            self.store,
            self.manifest,
            on_stored=lambda nodes: self.stored.extend(node.node_id for node in nodes if node.embedding),
            on_removed=self.removed.extend,
            **options,
        )

    def points(self) -> Points:
        """Everything stored: payload and vector by id."""
        if isinstance(self.store, MediaVectorStore):
            found = [point for batch in self.store.points() for point in batch]
            return {point.id: (_plain(point.payload), tuple(point.vectors[DENSE])) for point in found}
        records, _ = self.store.client.scroll(COLLECTION, limit=100_000, with_vectors=True)
        return {str(record.id): (_plain(record.payload), tuple(record.vector)) for record in records}

    def names(self) -> Counter[str]:
        """How many points each file has, by name."""
        return Counter(Path(payload["file_path"]).name for payload, _ in self.points().values())


@contextmanager
def bench(storage: Path, emulator: GeminiEmulator, **settings: Any) -> Iterator[Bench]:
    """What a sync needs, over LlamaIndex's own store in local mode, which is watched."""
    client = QdrantClient(path=str(storage / "qdrant"), force_disable_check_same_thread=True)
    try:
        if not client.collection_exists(COLLECTION):
            vectors = models.VectorParams(size=DIMENSION, distance=models.Distance.COSINE)
            client.create_collection(COLLECTION, vectors_config=vectors)
        with model_of(storage, emulator.base_url, **settings) as model, manifest_of(storage) as manifest:
            yield Bench(model, RecordingStore(client), manifest)
    finally:
        client.close()


@contextmanager
def embedded_bench(storage: Path, base_url: str, **settings: Any) -> Iterator[Bench]:
    """What a sync needs, over the embedded engine that an index has by default."""
    with model_of(storage, base_url, **settings) as model, manifest_of(storage) as manifest:
        store = open_embedded(storage, COLLECTION, Stamp(Space.of(model), plan_named("accurate")))
        with closing(store):
            yield Bench(model, store, manifest)


@contextmanager
def manifest_of(storage: Path) -> Iterator[Manifest]:
    """The list of files in the storage folder."""
    with closing(Manifest(storage / "manifest.sqlite3", "embedded/media")) as manifest:
        yield manifest


def model_of(storage: Path, base_url: str, **settings: Any) -> GeminiMultimodalEmbedding:
    """A model with cache and media in the storage folder."""
    usual = {"embedding_cache": storage / "embeddings.sqlite3", "media_store": storage / "media", "max_retries": 0}
    return GeminiMultimodalEmbedding(
        api_key="offline", base_url=base_url, output_dimensionality=DIMENSION, **(usual | settings)
    )


def write_mixed(folder: Path, texts: int = 30) -> Path:
    """Texts short and long, pictures, sounds and a PDF, in two folders."""
    (folder / "deep").mkdir(parents=True)
    for number in range(texts):
        (folder / f"note {number:03}.txt").write_text(f"note number {number} on bearings", encoding="utf-8")
    (folder / "long.txt").write_text("".join(f"Sentence {n} is about oil. " for n in range(3000)), encoding="utf-8")
    for color in ("red", "green", "blue", "yellow"):
        (folder / "deep" / f"{color}.png").write_bytes(png(color))
    for pitch in (220, 440, 880):
        (folder / "deep" / f"tone {pitch}.wav").write_bytes(wav(1.0, pitch))
    (folder / "manual.pdf").write_bytes(pdf(("page one", "page two", "page three")))
    (folder / "broken.png").write_bytes(png("red")[:40])
    return folder


def assert_same(points: Points, expected: Points) -> None:
    """The same ids, payloads and vectors, but for rounding: in the cache, and where the store takes them in."""
    assert points.keys() == expected.keys()
    for point_id, (payload, vector) in points.items():
        assert payload == expected[point_id][0]
        assert vector == pytest.approx(expected[point_id][1], abs=1e-6)


def write_book(path: Path, nodes: int) -> Path:
    """A text in so many sections, each of which is a node and has a word of its own."""
    sections = (f"# Part {n}\n\nThe bearing word{n}x needs oil.\n" for n in range(nodes))
    path.write_text("\n".join(sections), encoding="utf-8")
    return path


def identity(content: RecordedContent) -> str:
    """What was paid for: the content by its hash."""
    parts = [[part.text, part.mime_type, part.sha256] for part in content.parts]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def paid(emulator: GeminiEmulator) -> Counter[str]:
    """How often each content was sent."""
    return Counter(identity(content) for request in emulator.requests for content in request.contents)


def ids_of(events: Iterable[tuple[str, tuple[str, ...]]], kind: str) -> set[str]:
    """The ids of all events of one kind."""
    return {node_id for what, ids in events if what == kind for node_id in ids}


def _plain(payload: Any) -> Any:
    """The payload with the node inside it as a value, so that the order of its keys does not matter."""
    return {**payload, "_node_content": json.loads(payload["_node_content"])}
