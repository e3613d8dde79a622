"""One subject of ``index_and_search.py`` about syncing, in a process of its own; its job is JSON on the command line.

Answers each line on its standard input with what a round took, in seconds.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llama_index.core.schema import BaseNode

from llama_index_gemini_mm import GeminiMultimodalEmbedding, MediaIndex, MediaNodeParser, MediaReader, MediaStore

Answer = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """The files, the emulator, numbers in a vector, and the quota, if there is one."""

    files: str
    base_url: str
    dimension: int = 768
    contents_per_minute: int | None = None


def _model(job: Job, storage: Path) -> GeminiMultimodalEmbedding:
    return GeminiMultimodalEmbedding(
        base_url=job.base_url,
        api_key="offline",
        output_dimensionality=job.dimension,
        contents_per_minute=job.contents_per_minute,
        media_store=storage / "media",
    )


def _nodes(job: Job, store: MediaStore) -> Iterator[BaseNode]:
    """All nodes, read and split by two workers, as a sync does."""
    reader, parser = MediaReader(store, workers=2), MediaNodeParser(media_store=store)
    with closing(reader.read_all(reader.scan([job.files]), then=parser)) as files:
        for _, outcome in files:
            yield from outcome(_refused)


def _refused(*what: Any) -> None:
    raise SystemExit(f"could not be read: {what}")


def reading(job: Job) -> Iterator[Answer]:
    """Read and split, and nothing else."""
    for folder in _rounds():
        started = time.perf_counter()
        counts = Counter(str(node.metadata["modality"]) for node in _nodes(job, MediaStore(folder / "media")))
        yield {"seconds": time.perf_counter() - started, "nodes": counts.total(), "did": _said(counts)}


def embedding(job: Job) -> Iterator[Answer]:
    """Embed nodes that are read already, all in one call, and nothing else."""
    with tempfile.TemporaryDirectory() as kept, _model(job, Path(kept)) as model:
        nodes = list(_nodes(job, model.media_store))
        for _ in _rounds():
            for node in nodes:
                node.embedding = None
            started = time.perf_counter()
            model(nodes)
            yield {"seconds": time.perf_counter() - started, "nodes": len(nodes), "did": f"{len(nodes)} nodes"}


def sync(job: Job) -> Iterator[Answer]:
    """The whole job, into an empty storage folder."""
    for folder in _rounds():
        with MediaIndex.open(folder, embed_model=_model(job, folder)) as index:
            started = time.perf_counter()
            report = index.sync(job.files)
            seconds = time.perf_counter() - started
        counts = Counter(report.nodes)
        yield {"seconds": seconds, "nodes": counts.total(), "did": f"{report.indexed} files: {_said(counts)}"}


def again(job: Job) -> Iterator[Answer]:
    """Sync once, then, round by round, again without any change, next to a bare walk."""
    with tempfile.TemporaryDirectory() as folder:
        storage = Path(folder)
        with MediaIndex.open(storage, embed_model=_model(job, storage)) as index:
            started = time.perf_counter()
            report = index.sync(job.files)
            yield {"seconds": time.perf_counter() - started, "files": report.indexed}
            for _ in sys.stdin:
                started = time.perf_counter()
                files = _walk(job.files)
                walked = time.perf_counter() - started
                started = time.perf_counter()
                report = index.sync(job.files)
                seconds = time.perf_counter() - started
                if (report.unchanged, report.embedded) != (files, 0):
                    raise SystemExit(f"{files} files, but {report}")
                yield {"walk": walked, "sync": seconds, "files": files}


def _walk(folder: str) -> int:
    """How many files there are, each asked for its size and time."""
    count = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                count += _walk(entry.path)
            else:
                entry.stat()
                count += 1
    return count


def _rounds() -> Iterator[Path]:
    """An empty folder for each line of the standard input; the first one says that everything is loaded."""
    print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin:
        folder = Path(tempfile.mkdtemp())
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _said(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))


def main() -> None:
    """Answer in lines of JSON."""
    subject = {"reading": reading, "embedding": embedding, "sync": sync, "again": again}[sys.argv[1]]
    for answer in subject(Job(**json.loads(sys.argv[2]))):
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
