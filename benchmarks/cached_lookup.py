"""How long it takes to get cached vectors back as lists, next to ``ndarray.tolist()`` on the same vectors.

The lists are most of the cost and cannot be had cheaper, so ``tolist()`` is the measure. Times are medians of rounds in
which all take turns; memory is measured in processes of their own, as what the look-up needs beyond the lists.

    python benchmarks/cached_lookup.py [--texts 100000] [--dimension 768] [--rounds 5] [--out FILE.json]
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import sqlite3
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from llama_index_gemini_mm.engine.cache import EmbeddingCache
from llama_index_gemini_mm.engine.items import EmbedItem, Part
from llama_index_gemini_mm.engine.keys import Key, KeySpace

_OUT = Path(__file__).parent / "results" / "cached_lookup.json"
_BATCH = 100  # as the engine stores them: a reply at a time
_SEED = 20261124


def items_of(texts: int) -> list[EmbedItem]:
    """Short texts, all different."""
    return [
        EmbedItem((Part(text=f"Check of spindle {n}: oil, play and temperature of the bearing."),))
        for n in range(texts)
    ]


def keys_of(items: list[EmbedItem], dimension: int) -> list[Key]:
    """Their keys in one space."""
    space = KeySpace("gemini-embedding-2", dimension, "retrieval", 1, 1)
    return [space.key(item) for item in items]


def vectors_of(texts: int, dimension: int) -> np.ndarray:
    """Unit vectors, float32."""
    vectors = np.random.default_rng(_SEED).standard_normal((texts, dimension), dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def fill(path: Path, keys: list[Key], vectors: np.ndarray) -> float:
    """Store them a batch at a time; seconds taken."""
    started = time.perf_counter()
    with EmbeddingCache(path, max_bytes=None) as cache:
        for start in range(0, len(keys), _BATCH):
            batch = slice(start, start + _BATCH)
            cache.put_many(zip(keys[batch], vectors[batch].tolist(), strict=True))
    return time.perf_counter() - started


def seconds(work: Callable[[], object]) -> float:
    """Time of the work alone; what it returns is freed outside."""
    started = time.perf_counter()
    result = work()
    taken = time.perf_counter() - started
    del result
    return taken


def raw_look_ups(path: Path, keys: list[Key]) -> int:
    """The same statements without the lists: what SQLite itself takes."""
    found = 0
    database = sqlite3.connect(path)
    for start in range(0, len(keys), 500):
        chunk = keys[start : start + 500]
        marks = ",".join("?" * len(chunk))
        statement = f"SELECT key, vector FROM entries JOIN vectors USING (id) WHERE key IN ({marks})"
        found += sum(1 for _ in database.execute(statement, chunk))
    database.close()
    return found


def measure(path: Path, items: list[EmbedItem], vectors: np.ndarray, rounds: int) -> dict[str, list[float]]:
    """Seconds of every contestant in every round; a first round warms up and is not counted."""
    keys = keys_of(items, vectors.shape[1])
    with EmbeddingCache(path, max_bytes=None) as cache:
        contestants: dict[str, Callable[[], object]] = {
            "ndarray.tolist()": vectors.tolist,
            "EmbeddingCache.get_many": lambda: cache.get_many(keys, vectors.shape[1]),
            "SQLite alone": lambda: raw_look_ups(path, keys),
            "KeySpace.key": lambda: keys_of(items, vectors.shape[1]),
        }
        taken: dict[str, list[float]] = {name: [] for name in contestants}
        for number in range(rounds + 1):
            for name, work in contestants.items():
                spent = seconds(work)
                if number:
                    taken[name].append(spent)
    return taken


def peak_mib(what: str, path: Path, texts: int, dimension: int) -> float:
    """How much a fresh process grows while it makes the lists, in MiB."""
    command = [sys.executable, __file__, "--memory", what, "--cache", str(path)]
    command += ["--texts", str(texts), "--dimension", str(dimension)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True, timeout=600).stdout)


def grow(what: str, path: Path, texts: int, dimension: int) -> float:
    """In the fresh process: the lists alone, made one by one from the same bytes, or by the cache."""
    keys = keys_of(items_of(texts), dimension)
    form, blob = struct.Struct(f"<{dimension}f"), bytes(4 * dimension)
    with EmbeddingCache(path, max_bytes=None) as cache:
        before = _peak_kib()
        made = [list(form.unpack(blob)) for _ in keys] if what == "lists" else cache.get_many(keys, dimension)
        grown = _peak_kib() - before
    if len(made) != texts or None in made:
        raise SystemExit("the cache does not hold what was put into it")
    return grown / 1024


def _peak_kib() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 1024 if sys.platform == "darwin" else peak


def run(texts: int, dimension: int, rounds: int) -> dict[str, object]:
    """All measurements as one JSON object."""
    items, vectors = items_of(texts), vectors_of(texts, dimension)
    with tempfile.TemporaryDirectory(prefix="gemini-mm-") as folder:
        path = Path(folder) / "embeddings.sqlite3"
        filled = fill(path, keys_of(items, dimension), vectors)
        memory = {what: peak_mib(what, path, texts, dimension) for what in ("lists", "cache")}
        taken = measure(path, items, vectors, rounds)
        file_mib = path.stat().st_size / 2**20
    medians = {name: statistics.median(values) for name, values in taken.items()}
    return {
        "texts": texts,
        "dimension": dimension,
        "seconds": taken,
        "median_seconds": medians,
        "times_tolist": medians["EmbeddingCache.get_many"] / medians["ndarray.tolist()"],
        "store_seconds": filled,
        "file_mib": file_mib,
        "lists_mib": memory["lists"],
        "beyond_lists_mib": memory["cache"] - memory["lists"],
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "numpy": np.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
    }


def show(result: dict[str, object]) -> None:
    """A table for people."""
    medians: dict[str, float] = result["median_seconds"]  # type: ignore[assignment]
    table = Table("", "median s", "x tolist", title=f"{result['texts']:,} texts x {result['dimension']}")
    for name, value in medians.items():
        table.add_row(name, f"{value:.3f}", f"{value / medians['ndarray.tolist()']:.2f}")
    console = Console()
    console.print(table)
    console.print(
        f"memory beyond the lists: {result['beyond_lists_mib']:.0f} MiB (the lists: {result['lists_mib']:,.0f})"
    )
    console.print(
        f"stored in batches of {_BATCH} in {result['store_seconds']:.1f} s; file {result['file_mib']:.0f} MiB"
    )


def main() -> None:
    """Measure, show, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=768)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=_OUT)
    parser.add_argument("--memory", choices=("lists", "cache"), help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.memory:
        print(grow(given.memory, given.cache, given.texts, given.dimension))
        return
    result = run(given.texts, given.dimension, given.rounds)
    show(result)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
