"""One subject of ``index_and_search.py`` in a process of its own; ``SUBJECT`` and its job as JSON on the command line.

``build`` stores nodes and tells what memory that took, ``plans`` tries the plans of storage; both print one answer. The
others answer each line on their standard input with the milliseconds of a round of searches.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from llama_index.core.vector_stores.types import MetadataFilter, MetadataFilters, VectorStoreQuery
from search_samples import Matryoshka, batches, nearest, prefix, vectors_of

from llama_index_gemini_mm.media import MODALITY
from llama_index_gemini_mm.vector_store import PLANS, MediaVectorStore, PlanName, Search, Space, Stamp

TOP = 10
_SEED = 10**9  # of the queries, which are no stored vectors
_FILTER = MetadataFilters(filters=[MetadataFilter(key=MODALITY, value="image")])
Answer = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """How many nodes of how many numbers, in which folder, and how many searches make a round."""

    folder: str
    count: int
    dimension: int = 768
    searches: int = 200


def _store(folder: Path, dimension: int, plan: PlanName = "accurate", optimize_from: int = 1) -> MediaVectorStore:
    from llama_index_gemini_mm.vector_store.edge import EdgeVectorStore

    stamp = Stamp(Space("benchmark", dimension, "retrieval", 1, 1), PLANS[plan])
    return EdgeVectorStore(folder, "benchmark", stamp, optimize_from=optimize_from)


def build(job: Job) -> Answer:
    """Store nodes that come from a generator, optimize, and tell the peaks of this process's memory in MiB."""
    before, peak = _memory(), 0.0
    started = time.perf_counter()
    store = _store(Path(job.folder), job.dimension)
    for nodes in batches(job.count, job.dimension):
        store.add(nodes)
        peak = max(peak, _memory()["RssAnon"])
    stored, resident = time.perf_counter() - started, _peak(resource.RUSAGE_SELF)
    store.optimize()
    built = time.perf_counter() - started - stored
    peak = max(peak, _memory()["RssAnon"])
    answer = {
        "count": store.count(),
        "before": before["VmRSS"],
        "anonymous": peak,
        "resident, storing": resident,
        "resident": _peak(resource.RUSAGE_SELF),
        "optimizer": _peak(resource.RUSAGE_CHILDREN),
        "stored_seconds": stored,
        "optimized_seconds": built,
        "disk_bytes": store.info().disk_bytes,
    }
    store.close()
    return answer


def _peak(whose: int) -> float:
    """MiB that were in memory at most, files mapped into it too."""
    return resource.getrusage(whose).ru_maxrss / 1024


def _memory() -> dict[str, float]:
    """MiB: ``VmRSS`` is all that is in memory, files mapped into it too; ``RssAnon`` what is this process's alone."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return {
        name: int(rest.split()[0]) / 1024
        for name, _, rest in (line.partition(":") for line in lines)
        if name in ("VmRSS", "RssAnon")
    }


def plans(job: Job) -> Answer:
    """Recall, bytes and milliseconds by plan, and the recall of an exact search over the first 768 numbers."""
    held = vectors_of(job.count, job.dimension)
    queries = Matryoshka(job.dimension).draw(job.searches, _SEED)
    truth = nearest(held, queries, TOP)
    short = nearest(prefix(held, 768), prefix(queries, 768), TOP)
    answer: Answer = {"exact-768": {"recall": _recall(truth, short)}}
    for plan in PLANS:
        with tempfile.TemporaryDirectory(dir=job.folder) as folder:
            answer[plan] = _of_plan(plan, Path(folder), job, queries, truth)
    return answer


def _of_plan(plan: PlanName, folder: Path, job: Job, queries: Any, truth: Any) -> Answer:
    from llama_index_gemini_mm.vector_store.edge_files import current_shard, disk_bytes

    store = _store(folder, job.dimension, plan)
    places: dict[str, int] = {}
    for nodes in batches(job.count, job.dimension):
        places |= {node.node_id: len(places) + at for at, node in enumerate(nodes)}
        store.add(nodes)
    store.optimize()
    found: list[list[int]] = []
    times: list[float] = []
    for query in queries.tolist():
        started = time.perf_counter()
        hits = store.search([Search(TOP, vector=query)])[0]
        times.append((time.perf_counter() - started) * 1000)
        found.append([places[hit.id] for hit in hits])
    disk = disk_bytes(current_shard(folder) / "segments") / job.count
    store.close()
    memory = PLANS[plan].memory_bytes(job.dimension)
    return {"recall": _recall(truth, found), "disk_bytes": disk, "memory_bytes": memory} | _summary(times)


def _recall(truth: Sequence[Sequence[int]], found: Sequence[Sequence[int]]) -> float:
    return statistics.fmean(len({*a} & {*b}) / TOP for a, b in zip(truth, found, strict=True))


def _summary(times: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(times), "p95": float(np.percentile(times, 95))}


def edge(job: Job) -> Iterator[Answer]:
    """Our store and the bare engine by turns, query by query, on one open collection."""
    import qdrant_edge

    store = _store(Path(job.folder), job.dimension)
    shard: qdrant_edge.EdgeShard = store.client
    image = qdrant_edge.FieldCondition(key=MODALITY, match=qdrant_edge.MatchValue(value="image"))

    def bare(vector: list[float], filtered: bool) -> int:
        query = qdrant_edge.Query.Nearest(vector, using="text-dense")
        condition = qdrant_edge.Filter(must=[image]) if filtered else None
        found = shard.query(qdrant_edge.QueryRequest(limit=TOP, query=query, filter=condition, with_payload=True))
        return len([point.payload for point in found])

    subjects = {"ours": _through(store), "bare": bare}
    yield {"count": store.count()}
    yield from _rounds(subjects, job)


def local(job: Job) -> Iterator[Answer]:
    """LlamaIndex's own store in the local mode of ``qdrant-client``, in memory."""
    from llama_index.vector_stores.qdrant import QdrantVectorStore
    from qdrant_client import QdrantClient

    client = QdrantClient(":memory:")
    store = QdrantVectorStore("benchmark", client=client)
    for nodes in batches(job.count, job.dimension):
        store.add(nodes)
    yield {"count": client.count("benchmark").count}
    yield from _rounds({"local": _through(store)}, job)


def _through(store: Any) -> Callable[[list[float], bool], int]:
    """The way LlamaIndex takes: a query in, nodes out."""

    def search(vector: list[float], filtered: bool) -> int:
        query = VectorStoreQuery(vector, similarity_top_k=TOP, filters=_FILTER if filtered else None)
        return len(store.query(query).nodes)

    return search


def _rounds(subjects: dict[str, Callable[[list[float], bool], int]], job: Job) -> Iterator[Answer]:
    """A round for each line of the standard input; who asks first changes, for the second finds things warm."""
    queries = Matryoshka(job.dimension).draw(job.searches, _SEED).tolist()
    for _ in sys.stdin:
        times: dict[str, list[float]] = {}
        for filtered in (False, True):
            for number, query in enumerate(queries):
                names = list(subjects) if number % 2 else list(reversed(subjects))
                for name in names:
                    started = time.perf_counter()
                    found = subjects[name](query, filtered)
                    taken = (time.perf_counter() - started) * 1000
                    if found != TOP:
                        raise SystemExit(f"{name} found {found}")
                    times.setdefault(f"{name}, filtered" if filtered else name, []).append(taken)
        yield {name: _summary(taken) for name, taken in times.items()}


def main() -> None:
    """Answer in lines of JSON."""
    name, job = sys.argv[1], Job(**json.loads(sys.argv[2]))
    if name in ("build", "plans"):
        print(json.dumps({"build": build, "plans": plans}[name](job)), flush=True)
        return
    for answer in {"edge": edge, "local": local}[name](job):
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
