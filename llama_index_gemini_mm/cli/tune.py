"""``gemini-mm tune``: measure on the user's own index what each plan of storage finds, takes and costs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.bar import Bar
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from llama_index_gemini_mm.cli._session import AsJson, Collection, QdrantKey, QdrantUrl, Storage, Wait, reported
from llama_index_gemini_mm.layout import DEFAULT_COLLECTION, DEFAULT_STORAGE

if TYPE_CHECKING:
    from llama_index_gemini_mm.tune import TuneReport

_BAR = 16
_Plot = Annotated[Path | None, typer.Option(help="Draw it into this PNG too; needs the extra plot.", dir_okay=False)]
_Sample = Annotated[int, typer.Option(help="Nodes to try at most.", min=2)]
_Target = Annotated[float, typer.Option(help="Recall a plan must reach in every medium.", min=0.0, max=1.0)]


def tune(
    storage: Storage = Path(DEFAULT_STORAGE),
    as_json: AsJson = False,
    plot: _Plot = None,
    sample: _Sample = 20_000,
    target: _Target = 0.95,
    qdrant_url: QdrantUrl = None,
    qdrant_api_key: QdrantKey = None,
    collection: Collection = DEFAULT_COLLECTION,
    wait: Wait = None,
) -> None:
    """Measure which plan of storage suits this index.

    A sample of its nodes is stored by each plan in a temporary folder and searched. Nothing is sent, no key is needed,
    and the index stays as it is.
    """
    with reported(), _progress() as on_plan:
        from llama_index_gemini_mm import tune as tuning
        from llama_index_gemini_mm.vector_store.stored import open_stored

        draw = _drawer(plot)
        with open_stored(storage, collection, qdrant_url, qdrant_api_key, wait) as store:
            report = tuning.tune(store, sample=sample, target=target, on_plan=on_plan)
        if draw is not None:
            draw(report)
    if as_json:
        typer.echo(json.dumps(report.as_dict(), indent=2))
    else:
        show(report, Console(highlight=False))


def _drawer(file: Path | None) -> Callable[[TuneReport], None] | None:
    """What draws the PNG; a missing library is told before the measuring, which takes minutes."""
    if file is None:
        return None
    from llama_index_gemini_mm.tune.plot import draw

    return lambda report: draw(report, file)


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """The plan under way, on stderr; silent where that is no terminal."""
    console = Console(stderr=True, highlight=False)
    with console.status("reading the index …") as status:
        yield lambda plan: status.update(f"trying the plan {plan} …")


def show(report: TuneReport, out: Console) -> None:
    """Two tables and the recommendation."""
    of = f"{report.sampled:,} of {report.points:,}" if report.sampled < report.points else f"all {report.points:,}"
    out.print(f"{of} nodes, {report.dimension:,} numbers a vector, stored by the plan {report.stored_plan}\n")
    out.print(_costs(report), "", _recalls(report), "", sep="\n")
    out.print(f"Take [bold]{report.recommended}[/]: {report.reason}.")
    if report.note:
        out.print(f"[yellow]{report.note}[/]")


def _costs(report: TuneReport) -> Table:
    table = _table("plan", ("disk/node", "in memory", "median", "p95", "recall@10"))
    table.add_column("disk")
    largest = max(row.disk_bytes for row in report.rows)
    for row in report.rows:
        table.add_row(
            row.plan,
            decimal(round(row.disk_bytes)),
            decimal(round(row.memory_bytes)),
            f"{row.median_ms:.2f} ms",
            f"{row.p95_ms:.2f} ms",
            f"{row.recall:.3f}",
            Bar(largest, 0, row.disk_bytes, width=_BAR, color="cyan"),
        )
    return table


def _recalls(report: TuneReport) -> Table:
    table = _table("recall@10", ("queries", *(row.plan for row in report.rows)))
    for modality, count in report.queries.items():
        shares = (row.recall_by_modality[modality] for row in report.rows)
        table.add_row(modality, f"{count:,}", *(_marked(share, report.target) for share in shares))
    return table


def _marked(share: float, target: float) -> str:
    return f"{share:.3f}" if share >= target else f"[red]{share:.3f}[/]"


def _table(first: str, numbers: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first)
    for name in numbers:
        table.add_column(name, justify="right")
    return table
