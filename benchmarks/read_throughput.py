"""How fast files are read: PDFs, an hour of sound, ten minutes of film, and folders, next to the bare libraries.

Every subject runs in a process of its own; rounds are interleaved and medians reported. Peers are measured where they
are installed: ``--peer-python`` names an interpreter that has docling and unstructured.

    python benchmarks/read_throughput.py [--pdfs FOLDER] [--rounds 5] [--only NAME ...] [--json FILE.json]
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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import read_samples
from rich.console import Console
from rich.table import Table

_HERE = Path(__file__).parent
Values = Mapping[str, float]


@dataclass(frozen=True)
class Target:
    """What is demanded, and how it is read from the medians; ``at_most`` turns the comparison round."""

    says: str
    bound: float
    value: Callable[[Values], float]
    at_most: bool = False


@dataclass(frozen=True)
class Scenario:
    """One comparison: who does the work, on what, and what is demanded of the seconds or MiB they report."""

    name: str
    title: str
    subjects: tuple[str, ...]
    targets: tuple[Target, ...]
    unit: str = "s"
    rounds: int | None = None


@dataclass
class Measured:
    """What each round of a subject reported, and what it did."""

    scenario: str
    subject: str
    values: list[float] = field(default_factory=list)
    did: str = ""

    @property
    def median(self) -> float:
        """Of the rounds."""
        return statistics.median(self.values)


def scenarios() -> list[Scenario]:
    """All that is measured."""
    return [
        Scenario(
            "pdf",
            "PDF: text with boxes, pictures, tables, headings",
            ("pdf-bare", "pdf-ours", "pdf-workers-1", "pdf-workers-2"),
            (
                Target("speed of reading in terms of bare PyMuPDF", 0.7, lambda s: s["pdf-bare"] / s["pdf-ours"]),
                Target("two workers in terms of one", 1.7, lambda s: s["pdf-workers-1"] / s["pdf-workers-2"]),
            ),
        ),
        Scenario(
            "pdf-peers",
            "PDF, next to other readers",
            ("peers-ours", "docling", "unstructured"),
            (
                Target("times docling", 10, lambda s: s["docling"] / s["peers-ours"]),
                Target("times unstructured, strategy fast", 3, lambda s: s["unstructured"] / s["peers-ours"]),
            ),
            rounds=1,
        ),
        Scenario(
            "audio",
            "an hour of MP3 into segments cut at pauses, ready to upload",
            ("audio-bare", "audio-ours"),
            (Target("times a bare decode", 3, lambda s: s["audio-ours"] / s["audio-bare"], at_most=True),),
        ),
        Scenario(
            "video",
            "ten minutes of 720p MP4 into segments, ready to upload",
            ("video-ours",),
            (Target("times real time", 50, lambda s: read_samples.FILM_SECONDS / s["video-ours"]),),
        ),
        Scenario(
            "memory",
            "memory of the parent",
            ("memory-film", "memory-pdf", "memory-folder"),
            (
                Target("a film of two hours", 400, lambda s: s["memory-film"], at_most=True),
                Target("a PDF of 1,000 pages", 400, lambda s: s["memory-pdf"], at_most=True),
                Target("a folder of 20,000 files", 400, lambda s: s["memory-folder"], at_most=True),
            ),
            unit="MiB",
            rounds=1,
        ),
        Scenario(
            "start",
            "reading one small file, the first time and later",
            ("first-file", "later-file"),
            (Target("later as a share of the first", 0.2, lambda s: s["later-file"] / s["first-file"], at_most=True),),
        ),
    ]


def run(subject: str, samples: Path, python: str) -> dict[str, Any]:
    """One round of a subject in a process of its own: what it measured, and what it did."""
    command = [python, "-W", "ignore", str(_HERE / "read_worker.py"), subject, str(samples)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def measure(scenario: Scenario, rounds: int, samples: Path, peer_python: str | None) -> list[Measured]:
    """All rounds of all subjects, in turns; peers that cannot run are left out."""
    measured = [Measured(scenario.name, subject) for subject in scenario.subjects]
    for _ in range(scenario.rounds or rounds):
        for one in list(measured):
            python = sys.executable
            if one.subject in ("docling", "unstructured"):
                if peer_python is None:
                    measured.remove(one)
                    continue
                python = peer_python
            try:
                answer = run(one.subject, samples, python)
            except subprocess.CalledProcessError:
                measured.remove(one)
                continue
            one.values.append(answer["value"])
            one.did = answer["did"]
    return measured


def verdicts(scenario: Scenario, measured: Sequence[Measured]) -> list[dict[str, Any]]:
    """Each target with what came of it; nothing is said where a subject did not take part."""
    values = {one.subject: one.median for one in measured}
    rows = []
    for target in scenario.targets:
        try:
            value = round(target.value(values), 3)
        except KeyError:
            value = None
        met = None if value is None else value <= target.bound if target.at_most else value >= target.bound
        row = {"scenario": scenario.name, "target": target.says, "bound": target.bound, "value": value, "met": met}
        rows.append(row)
    return rows


def show(console: Console, scenario: Scenario, measured: Sequence[Measured], rows: Sequence[dict[str, Any]]) -> None:
    """Two tables: what was measured, and whether it is enough."""
    table = Table("subject", f"median {scenario.unit}", "range", "did", title=scenario.title)
    for one in measured:
        table.add_row(one.subject, f"{one.median:.2f}", f"{min(one.values):.2f} to {max(one.values):.2f}", one.did)
    console.print(table)
    for row in rows:
        met = {True: "met", False: "[bold]NOT met[/bold]", None: "not measured"}[row["met"]]
        console.print(f"{row['target']}: {row.get('value', '-')} (bound {row['bound']}), {met}")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pdfs", type=Path, help="a folder of PDFs to read besides the synthetic one")
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds")
    parser.add_argument("--only", nargs="+", choices=[s.name for s in scenarios()], help="scenarios to run")
    parser.add_argument("--peer-python", help="an interpreter that has docling and unstructured[pdf]")
    parser.add_argument("--samples", type=Path, help="where to keep the synthetic files; a temporary folder by default")
    parser.add_argument("--json", type=Path, help="where to write the results")
    return parser.parse_args()


def main() -> None:
    """Make the samples, measure, show, and write after each scenario."""
    args, console = arguments(), Console(width=140)
    chosen = [s for s in scenarios() if not args.only or s.name in args.only]
    found: dict[str, Any] = {
        "environment": {
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            "packages": {name: version(name) for name in ("llama-index-gemini-mm", "pymupdf", "av", "pillow")},
        },
        "measured": [],
        "targets": [],
    }
    with tempfile.TemporaryDirectory() as folder:
        samples = args.samples or Path(folder)
        for scenario in chosen:
            console.print(f"{scenario.title} …")
            read_samples.make(scenario.name, samples, args.pdfs)
            measured = measure(scenario, args.rounds, samples, args.peer_python)
            rows = verdicts(scenario, measured)
            show(console, scenario, measured, rows)
            found["measured"] += map(asdict, measured)
            found["targets"] += rows
            if args.json:
                args.json.parent.mkdir(parents=True, exist_ok=True)
                args.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
