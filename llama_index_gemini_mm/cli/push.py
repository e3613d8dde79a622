"""``gemini-mm push``: copy an index to a Qdrant server, without embedding anything again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llama_index_gemini_mm.cli._session import AsJson, Collection, QdrantKey, Storage, Wait, reported

if TYPE_CHECKING:
    from llama_index_gemini_mm.push import PushProgress

_To = Annotated[str, typer.Option("--to", help="The Qdrant server to copy to.", envvar="QDRANT_URL", metavar="URL")]
_Name = Annotated[str | None, typer.Option(help="Another name for the collection there.", show_default=False)]
_Plan = Annotated[
    str | None, typer.Option(help="Another plan for the collection there; one that needs no more.", show_default=False)
]


def push(
    to: _To,
    storage: Storage = Path("storage"),
    collection: Collection = "media",
    name: _Name = None,
    plan: _Plan = None,
    wait: Wait = None,
    qdrant_api_key: QdrantKey = None,
    as_json: AsJson = False,
) -> None:
    """Copy an embedded index to a Qdrant server, without embedding anything again.

    Run it again after a stop, or after a sync: only what is missing there is sent.
    """
    with reported():
        from llama_index_gemini_mm.push import push as copied
        from llama_index_gemini_mm.vector_store import Stamp, open_server, plan_named, valid_collection
        from llama_index_gemini_mm.vector_store.stored import open_stored

        target_name = valid_collection(name or collection)
        with open_stored(storage, collection, wait=wait) as source:
            stamp = Stamp(source.stamp.space, plan_named(plan)) if plan else source.stamp
            with closing(open_server(to, qdrant_api_key, target_name, stamp)) as target, _progress() as advance:
                report = copied(source, target, advance)
    if as_json:
        typer.echo(json.dumps(report.as_dict(), indent=2))
        return
    others = f"; {report.others:,} others in it were left alone" if report.others else ""
    typer.echo(
        f"{report.points:,} points: {report.copied:,} copied, {report.present:,} there already, in "
        f"{report.seconds:.1f} s{others}"
    )


@contextmanager
def _progress() -> Iterator[Callable[[PushProgress], None]]:
    """A bar of points; silent where stderr is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("copying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("copying", total=None)
        yield lambda state: bar.update(task, completed=state.done, total=state.total)
