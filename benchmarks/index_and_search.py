"""How fast an index is searched and brought up to date, what it takes, and what is found in it by each plan.

Searches go through LlamaIndex's ``query()``, nodes and all, next to the bare engine on the same open collection, query
by query in turns, and to LlamaIndex's own store in the local mode of ``qdrant-client``. Syncs run against an emulator
in a process of its own, next to reading alone and embedding alone. Rounds are interleaved, medians reported.

    python benchmarks/index_and_search.py [--quick] [--rounds 5] [--only NAME ...] [--json FILE.json]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import sync_samples
from embed_throughput import Process, Target, running
from rich.console import Console
from rich.table import Table

_HERE = Path(__file__).parent
_SEARCHES, _LOCAL_SEARCHES, _FEW_LOCAL_SEARCHES = 200, 20, 5
_SYNC_ROUNDS = 3
_LATENCY = 0.1
_QUOTA = 3000
"""Contents a minute, as the paid tier has them."""
_MINUTE = 61.0


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    few: int = 10_000
    many: int = 100_000
    plans: int = 10_000
    mixed: int = 2_000
    unchanged: int = 20_000


@dataclass
class Measured:
    """What each round of a subject gave, and what there is to say of it."""

    section: str
    subject: str
    unit: str
    values: list[float] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def median(self) -> float:
        """Of the rounds."""
        return statistics.median(self.values)


@dataclass(frozen=True)
class Setting:
    """Where and how much to measure."""

    folder: Path
    sizes: Sizes
    rounds: int


@dataclass(frozen=True)
class Section:
    """One table: how it is measured, and what is demanded of its medians."""

    name: str
    title: str
    measure: Callable[[Setting], list[Measured]]
    targets: tuple[Target, ...] = ()


def share(of: str, one: str) -> Callable[[dict[str, float]], float]:
    """``of`` in terms of ``one``."""
    return lambda values: values[of] / values[one]


def sections(sizes: Sizes) -> list[Section]:
    """All that is measured, what is against the clock first."""
    nodes_too = "times the bare engine, nodes and all"
    return [
        Section(
            "search-few",
            f"searches, {sizes.few:,} nodes × 768",
            search_few,
            (
                Target("times faster than local mode", 10, share("local", "ours")),
                Target("times faster than local mode, filtered", 10, share("local, filtered", "ours, filtered")),
                Target(nodes_too, 1.5, share("ours", "bare"), at_most=True),
                Target(f"{nodes_too}, filtered", 1.5, share("ours, filtered", "bare, filtered"), at_most=True),
            ),
        ),
        Section(
            "search-many",
            f"searches, {sizes.many:,} nodes × 768",
            search_many,
            (
                Target(nodes_too, 1.5, share("ours", "bare"), at_most=True),
                Target(f"{nodes_too}, filtered", 1.5, share("ours, filtered", "bare, filtered"), at_most=True),
            ),
        ),
        Section(
            "sync-quota",
            f"sync of {sizes.mixed:,} mixed files, 100 ms latency, {_QUOTA:,} contents a minute",
            sync_at_quota,
            (Target("times the longer of its parts", 1.2, _of_the_longer, at_most=True),),
        ),
        Section("sync", f"sync of {sizes.mixed:,} mixed files, 100 ms latency, no quota", sync),
        Section(
            "unchanged",
            f"another sync of {sizes.unchanged:,} unchanged files",
            unchanged,
            (Target("times (two walks and a second)", 1.0, lambda v: v["sync"] / (2 * v["walk"] + 1), at_most=True),),
        ),
        Section(
            "plans",
            f"plans, {sizes.plans:,} vectors × 3,072",
            plans,
            (
                Target("recall@10 of balanced", 0.98, lambda values: values["balanced"]),
                Target("recall@10 of compact", 0.95, lambda values: values["compact"]),
            ),
        ),
        Section(
            "memory",
            f"memory of the process that stores {sizes.many:,} nodes × 768",
            memory,
            (
                Target("MiB of its own", 600, lambda values: values["anonymous"], at_most=True),
                Target("MiB with the files mapped into it", 600, lambda values: values["resident"], at_most=True),
            ),
        ),
    ]


def _of_the_longer(values: Mapping[str, float]) -> float:
    return values["sync"] / max(values["reading"], values["embedding"])


@contextmanager
def worker(script: str, subject: str, **job: Any) -> Iterator[Process]:
    """A subject in a process of its own; what it says first is its greeting."""
    with running(sys.executable, script, subject, json.dumps(job)) as process:
        yield process


def once(subject: str, **job: Any) -> dict[str, Any]:
    """The one answer of a subject of ``search_worker.py``."""
    command = [sys.executable, "-W", "ignore", str(_HERE / "search_worker.py"), subject, json.dumps(job)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def built(setting: Setting, count: int) -> tuple[Path, dict[str, Any]]:
    """A collection of ``count`` nodes × 768, made when it is not there, and what making it took."""
    folder = setting.folder / f"nodes-{count}"
    told = setting.folder / f"nodes-{count}.json"
    if not told.exists():
        told.write_text(json.dumps(once("build", folder=str(folder), count=count)), encoding="utf-8")
    return folder, json.loads(told.read_text(encoding="utf-8"))


def search_few(setting: Setting) -> list[Measured]:
    """Ours, the bare engine, and local mode."""
    return _of_count(setting, "search-few", setting.sizes.few, _LOCAL_SEARCHES)


def _of_count(setting: Setting, section: str, count: int, local_searches: int) -> list[Measured]:
    folder, _ = built(setting, count)
    with ExitStack() as stack:
        enter = stack.enter_context
        edge = enter(worker("search_worker.py", "edge", folder=str(folder), count=count, searches=_SEARCHES))
        local = enter(worker("search_worker.py", "local", folder="", count=count, searches=local_searches))
        return _searched(section, setting.rounds, [edge, local])


def search_many(setting: Setting) -> list[Measured]:
    """The same; of local mode, which takes seconds for a filtered search, few."""
    return _of_count(setting, "search-many", setting.sizes.many, _FEW_LOCAL_SEARCHES)


def _searched(section: str, rounds: int, processes: Sequence[Process]) -> list[Measured]:
    """Everyone once without counting, then in turns."""
    found: dict[str, Measured] = {}
    for number in range(rounds + 1):
        for process in processes:
            for subject, times in process.ask().items():
                if number:
                    one = found.setdefault(subject, Measured(section, subject, "ms", more={"p95": []}))
                    one.values.append(times["median"])
                    one.more["p95"].append(times["p95"])
    for one in found.values():
        one.more["p95"] = round(statistics.median(one.more["p95"]), 3)
    return [found[subject] for subject in sorted(found)]


def sync_at_quota(setting: Setting) -> list[Measured]:
    """As a user of the paid tier has it, once: the quota decides, and each begins with a whole minute's worth of it."""
    return _synced(setting, "sync-quota", 1, _QUOTA)


def sync(setting: Setting) -> list[Measured]:
    """As fast as this machine can."""
    return _synced(setting, "sync", min(setting.rounds, _SYNC_ROUNDS))


def _synced(setting: Setting, section: str, rounds: int, quota: int | None = None) -> list[Measured]:
    """Reading alone, embedding alone, and all together, each into empty folders; the first round is not counted."""
    files = setting.folder / "mixed"
    sync_samples.mixed(files, setting.sizes.mixed)
    measured = [Measured(section, subject, "s") for subject in ("reading", "embedding", "sync")]
    limits = [f"--contents-per-minute={quota}"] if quota else []
    with ExitStack() as stack:
        emulator = stack.enter_context(running(sys.executable, "emulator_process.py", f"--latency={_LATENCY}", *limits))
        job = {"files": str(files), "base_url": emulator.greeting["base_url"], "contents_per_minute": quota}
        processes = [stack.enter_context(worker("sync_worker.py", one.subject, **job)) for one in measured]
        for number in range(rounds + 1):
            answers = []
            for process in processes:
                time.sleep(_MINUTE if quota else 0.0)
                answers.append(process.ask())
            if len({answer["nodes"] for answer in answers}) != 1:
                raise SystemExit(f"not the same work: {answers}")
            for one, answer in zip(measured, answers, strict=True):
                one.more["did"] = answer["did"]
                if number:
                    one.values.append(answer["seconds"])
    return measured


def unchanged(setting: Setting) -> list[Measured]:
    """The second sync and every later one, and a bare walk before each."""
    files = setting.folder / "tiny"
    sync_samples.tiny(files, setting.sizes.unchanged)
    walk, again = Measured("unchanged", "walk", "s"), Measured("unchanged", "sync", "s")
    with running(sys.executable, "emulator_process.py") as emulator:
        job = {"files": str(files), "base_url": emulator.greeting["base_url"], "dimension": 128}
        with worker("sync_worker.py", "again", **job) as process:
            again.more["first sync, s"] = round(process.greeting["seconds"], 2)
            for _ in range(setting.rounds):
                answer = process.ask()
                walk.values.append(answer["walk"])
                again.values.append(answer["sync"])
    return [walk, again]


def plans(setting: Setting) -> list[Measured]:
    """Recall of each plan against an exact search over the whole vectors; also that of an exact one over prefixes."""
    job = {"folder": str(setting.folder), "count": setting.sizes.plans, "dimension": 3072, "searches": 500}
    return [
        Measured("plans", name, "recall@10", [found.pop("recall")], {key: round(v, 2) for key, v in found.items()})
        for name, found in once("plans", **job).items()
    ]


def memory(setting: Setting) -> list[Measured]:
    """Peaks of the process that stored the collection of ``search-many``; graphs are built in another one."""
    _, told = built(setting, setting.sizes.many)
    more = {"count": told["count"], "seconds": round(told["stored_seconds"] + told["optimized_seconds"], 1)}
    subjects = ("before", "anonymous", "resident, storing", "resident", "optimizer")
    return [Measured("memory", subject, "MiB", [told[subject]], more) for subject in subjects]


def show(console: Console, section: Section, measured: Sequence[Measured], rows: Sequence[dict[str, Any]]) -> None:
    """Two tables: what was measured, and whether it is enough."""
    table = Table("subject", f"median {measured[0].unit}", "range", "more", title=section.title)
    for one in measured:
        spread = f"{min(one.values):.3f} to {max(one.values):.3f}" if len(one.values) > 1 else ""
        more = ", ".join(f"{name} {value}" for name, value in one.more.items())
        table.add_row(one.subject, f"{one.median:.3f}", spread, more)
    console.print(table)
    for row in rows:
        met = {True: "met", False: "[bold]NOT met[/bold]", None: "not measured"}[row["met"]]
        console.print(f"{row['target']}: {row['value']} (bound {row['bound']}), {met}")


def environment() -> dict[str, Any]:
    """What was measured, and on what."""
    names = ("llama-index-gemini-mm", "llama-index-core", "qdrant-client", "qdrant-edge-py")
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "packages": {name: version(name) for name in (*names, "llama-index-vector-stores-qdrant")},
    }


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a round of little work, to see whether it runs")
    parser.add_argument("--rounds", type=int, default=None, help="counted rounds; 5 by default, of whole syncs 3")
    parser.add_argument("--only", nargs="+", choices=[s.name for s in sections(Sizes())], help="sections to run")
    parser.add_argument("--folder", type=Path, help="where to keep what is made; a temporary folder by default")
    parser.add_argument("--json", type=Path, help="where to write the results")
    return parser.parse_args()


def main() -> None:
    """Measure, show, and write after each section: a run that is stopped has not run in vain."""
    args, console = arguments(), Console(width=140)
    sizes = Sizes(1_000, 3_000, 2_000, 60, 300) if args.quick else Sizes()
    rounds = args.rounds or (1 if args.quick else 5)
    found: dict[str, Any] = {"environment": environment(), "sizes": asdict(sizes), "measured": [], "targets": []}
    with tempfile.TemporaryDirectory() as temporary:
        setting = Setting(args.folder or Path(temporary), sizes, rounds)
        setting.folder.mkdir(parents=True, exist_ok=True)
        for section in sections(sizes):
            if args.only and section.name not in args.only:
                continue
            console.print(f"{section.title} …")
            measured = section.measure(setting)
            medians = {one.subject: one.median for one in measured}
            rows = [target.row(section.name, medians) for target in section.targets]
            show(console, section, measured, rows)
            found["measured"] += map(asdict, measured)
            found["targets"] += rows
            if args.json:
                args.json.parent.mkdir(parents=True, exist_ok=True)
                args.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
