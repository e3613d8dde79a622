"""How fast texts and pictures are embedded: this package, its peers, and a bare HTTP client that only posts and parses.

``ours`` is the embedding model as LlamaIndex calls it, ``engine`` what is under it. Each subject runs in a process of
its own against one emulator in another; rounds are interleaved, and medians reported. The peers need google-genai 2
and get an environment of their own (``.venv-peers``, made when needed).

    python benchmarks/embed_throughput.py [--quick] [--rounds 5] [--only NAME ...] [--json FILE.json]
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
import venv
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table
from throughput_worker import Job

_HERE = Path(__file__).parent
_PEERS = ("llama-index", "langchain")
_PEER_PACKAGES = ("llama-index-embeddings-google-genai", "langchain-google-genai", "google-genai<3")
_PICTURE_SIDE = 258  # of noise, which PNG cannot shrink: 200 kB
_QUOTA = 3_000
_QUOTA_MINUTES = 4


@dataclass(frozen=True)
class Target:
    """What is demanded of a scenario, and how it is read from the medians; ``at_most`` turns the comparison round."""

    says: str
    bound: float
    value: Callable[[dict[str, float]], float]
    at_most: bool = False

    def row(self, scenario: str, rates: dict[str, float]) -> dict[str, Any]:
        """The target and what came of it; nothing is said where a subject did not take part."""
        try:
            value = self.value(rates)
        except (KeyError, ValueError):
            return {"scenario": scenario, "target": self.says, "bound": self.bound, "value": None, "met": None}
        met = value <= self.bound if self.at_most else value >= self.bound
        return {"scenario": scenario, "target": self.says, "bound": self.bound, "value": round(value, 4), "met": met}


@dataclass(frozen=True)
class Scenario:
    """One table: the work, who does it, and what is demanded.

    ``peer_count`` is for peers that send one request after the other: they do part of the work, as their time grows
    evenly with it.
    """

    name: str
    title: str
    job: Job
    subjects: tuple[str, ...]
    targets: tuple[Target, ...]
    latency: float = 0.0
    peer_count: int | None = None


@dataclass
class Measured:
    """Seconds of each round of one subject."""

    scenario: str
    subject: str
    count: int
    seconds: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Contents a second, of the median round."""
        return self.count / statistics.median(self.seconds)


def of_bare(subject: str) -> Callable[[dict[str, float]], float]:
    """A subject's speed as a share of the bare client's."""
    return lambda rates: rates[subject] / rates["bare"]


def of_best_peer(rates: dict[str, float]) -> float:
    """The synchronous call's speed in terms of the best peer's."""
    return rates["ours"] / max(rate for name, rate in rates.items() if name in _PEERS)


def scenarios(*, quick: bool) -> list[Scenario]:
    """All that is measured against the clock."""
    part = 5 if quick else 1
    long, short = Job("", count=0, dimension=3072), Job("", count=0, dimension=768)
    everyone = ("ours", "ours-async", "bare", *_PEERS)
    return [
        Scenario(
            "no-latency",
            f"{5000 // part:,} texts, 3,072 numbers, no latency",
            replace(long, count=5000 // part),
            ("engine", *everyone),
            (
                Target("share of the bare client's speed, engine alone", 0.7, of_bare("engine")),
                Target("share of the bare client's speed, sync", 0.7, of_bare("ours")),
                Target("share of the bare client's speed, async", 0.7, of_bare("ours-async")),
            ),
        ),
        Scenario(
            "latency",
            f"{2000 // part:,} texts, 768 numbers, 100 ms",
            replace(short, count=2000 // part),
            everyone,
            (Target("times the best peer, sync", 8, of_best_peer),),
            latency=0.1,
        ),
        Scenario(
            "vertex",
            f"Vertex, {2000 // part:,} texts one a call, 768 numbers, 100 ms",
            replace(short, count=2000 // part, vertex=True),
            everyone,
            (Target("times the best peer, sync", 12, of_best_peer),),
            latency=0.1,
            peer_count=100 // part,
        ),
        Scenario(
            "pictures",
            f"{500 // part} pictures of 200 kB, 768 numbers, no latency",
            replace(short, count=500 // part, pictures="pictures"),
            ("engine", "bare"),
            (
                Target(
                    "times the bare client's time",
                    1.3,
                    lambda rates: rates["bare"] / rates["engine"],
                    at_most=True,
                ),
            ),
        ),
    ]


class Process:
    """A Python script that answers each line on its standard input with one of JSON."""

    def __init__(self, python: str, script: str, *args: str) -> None:
        self._process = subprocess.Popen(
            [python, "-W", "ignore", str(_HERE / script), *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={name: value for name, value in os.environ.items() if not name.startswith(("GOOGLE_", "GEMINI_"))},
        )
        self.greeting = self._line()

    def start(self) -> None:
        """Ask for an answer without waiting for it."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def ask(self) -> dict[str, Any]:
        """The answer to one line."""
        self.start()
        return self._line()

    def answer(self) -> dict[str, Any]:
        """The answer to what was started."""
        return self._line()

    def close(self) -> None:
        """End it and wait."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{' '.join(map(str, self._process.args[3:5]))} failed")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def running(python: str, script: str, *args: str) -> Iterator[Process]:
    """A process that ends with the block."""
    process = Process(python, script, *args)
    try:
        yield process
    finally:
        process.close()


def measure(scenario: Scenario, rounds: int, pictures: Path, peer_python: str | None) -> list[Measured]:
    """Run a scenario: everyone once without counting, which also fills the emulator's memory, then in turns."""
    with ExitStack() as stack:
        emulator = stack.enter_context(running(sys.executable, "emulator_process.py", f"--latency={scenario.latency}"))
        job = replace(scenario.job, base_url=emulator.greeting["base_url"])
        job = replace(job, pictures=str(pictures) if job.pictures else None)
        turns: list[tuple[Measured, Process]] = []
        for subject in scenario.subjects:
            python = peer_python if subject in _PEERS else sys.executable
            if python is not None:
                own = replace(job, count=(subject in _PEERS and scenario.peer_count) or job.count)
                worker = running(python, "throughput_worker.py", subject, json.dumps(asdict(own)))
                turns.append((Measured(scenario.name, subject, own.count), stack.enter_context(worker)))
        for number in range(rounds + 1):
            for measured, worker_process in turns:
                answer = worker_process.ask()
                if answer["shape"] != [measured.count, job.dimension]:
                    raise SystemExit(f"{measured.subject} gave {answer['shape']}")
                if number:
                    measured.seconds.append(answer["seconds"])
        return [measured for measured, _ in turns]


def quota_rows() -> list[dict[str, Any]]:
    """Embed at a quota for some minutes, and ask the emulator what came of it after the first."""
    with ExitStack() as stack:
        emulator = stack.enter_context(
            running(sys.executable, "emulator_process.py", f"--contents-per-minute={_QUOTA}")
        )
        job = Job(
            emulator.greeting["base_url"],
            count=_QUOTA * (_QUOTA_MINUTES + 1),
            dimension=128,
            contents_per_minute=_QUOTA,
        )
        worker = stack.enter_context(running(sys.executable, "throughput_worker.py", "ours", json.dumps(asdict(job))))
        began = time.monotonic()
        worker.start()
        time.sleep(60)
        first = emulator.ask()
        time.sleep(began + 60 * _QUOTA_MINUTES - time.monotonic())
        last = emulator.ask()
        worker.answer()
        whole = emulator.ask()
    used = (last["contents"] - first["contents"]) / (_QUOTA * (_QUOTA_MINUTES - 1))
    refused = whole["refused"] / (whole["requests"] + whole["refused"])
    share = Target("share of the quota used after the first minute", 0.95, lambda rates: rates["used"])
    rejected = Target("share of requests rejected", 0.01, lambda rates: rates["refused"], at_most=True)
    return [target.row("quota", {"used": used, "refused": refused}) for target in (share, rejected)]


def make_pictures(folder: Path, count: int) -> None:
    """Noise as PNG, all different."""
    noise = np.random.default_rng(20261124)
    for number in range(count):
        pixels = noise.integers(0, 256, (_PICTURE_SIDE, _PICTURE_SIDE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png", compress_level=1)


def peers_python() -> str:
    """The interpreter of the peers' environment, which is made when it is not there."""
    folder = _HERE.parent / ".venv-peers"
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *_PEER_PACKAGES], check=True)
    return str(python)


def environment(peer_python: str | None) -> dict[str, Any]:
    """What was measured, and on what."""
    asked = "import importlib.metadata as m, json; print(json.dumps({p: m.version(p) for p in %r}))"
    names = [name.partition("<")[0] for name in _PEER_PACKAGES]
    peers = subprocess.run([peer_python, "-c", asked % names], check=True, capture_output=True) if peer_python else None
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "packages": {name: version(name) for name in ("llama-index-gemini-mm", "google-genai", "aiohttp", "orjson")},
        "peers": json.loads(peers.stdout) if peers else {},
    }


@dataclass
class Report:
    """What is known so far, printed and written after every scenario: a run that is stopped has not run in vain."""

    console: Console
    file: Path | None
    environment: dict[str, Any]
    titles: dict[str, str]
    measured: list[Measured] = field(default_factory=list)
    targets: list[dict[str, Any]] = field(default_factory=list)

    def add(self, measured: Sequence[Measured], targets: Sequence[dict[str, Any]]) -> None:
        """Take in a scenario."""
        self.measured += measured
        self.targets += targets
        if measured:
            self.console.print(self._speeds(measured))
        self.console.print(_verdicts(targets))
        if self.file:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            parts = {
                "environment": self.environment,
                "measured": [asdict(one) for one in self.measured],
                "targets": self.targets,
            }
            self.file.write_text(json.dumps(parts, indent=2) + "\n", encoding="utf-8")

    def _speeds(self, measured: Sequence[Measured]) -> Table:
        table = Table("scenario", "subject", "median s", "range s", "contents/s")
        for one in measured:
            spread = f"{min(one.seconds):.2f} to {max(one.seconds):.2f}"
            median = f"{statistics.median(one.seconds):.2f}"
            counted = f"{one.subject} ({one.count:,})"
            table.add_row(self.titles[one.scenario], counted, median, spread, f"{one.rate:,.0f}")
        return table


def _verdicts(targets: Sequence[dict[str, Any]]) -> Table:
    table = Table("scenario", "target", "bound", "measured", "met")
    for row in targets:
        met = {True: "yes", False: "NO", None: "not measured"}[row["met"]]
        table.add_row(row["scenario"], row["target"], str(row["bound"]), str(row["value"]), met)
    return table


def arguments() -> argparse.Namespace:
    """The command line."""
    names = [scenario.name for scenario in scenarios(quick=True)]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round of a fifth of the work, and no quota run")
    parser.add_argument("--rounds", type=int, default=None, help="counted rounds; 5 by default")
    parser.add_argument("--only", nargs="+", choices=[*names, "quota"], help="scenarios to run")
    parser.add_argument("--no-peers", action="store_true", help="leave the peers out")
    parser.add_argument("--peer-python", help="an interpreter that has the peers, instead of .venv-peers")
    parser.add_argument("--json", type=Path, help="where to write the results")
    return parser.parse_args()


def main() -> None:
    """Measure, show, write."""
    args, console = arguments(), Console(width=140)
    rounds = args.rounds or (1 if args.quick else 5)
    peer_python = None if args.no_peers else args.peer_python or peers_python()
    chosen = args.only or [s.name for s in scenarios(quick=True)] + ([] if args.quick else ["quota"])
    work = [scenario for scenario in scenarios(quick=args.quick) if scenario.name in chosen]
    report = Report(console, args.json, environment(peer_python), {s.name: s.title for s in work})
    with tempfile.TemporaryDirectory() as folder:
        make_pictures(Path(folder), max((s.job.count for s in work if s.job.pictures), default=0))
        for scenario in work:
            console.print(f"{scenario.title} …")
            results = measure(scenario, rounds, Path(folder), peer_python)
            rates = {one.subject: one.rate for one in results}
            report.add(results, [target.row(scenario.name, rates) for target in scenario.targets])
    if "quota" in chosen:
        console.print(f"{_QUOTA:,} contents a minute, {_QUOTA_MINUTES} minutes …")
        report.add([], quota_rows())


if __name__ == "__main__":
    main()
