"""``gemini-mm push``: copy an index to a Qdrant server, without embedding anything again."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from llama_index_gemini_mm.cli._session import AsJson, Collection, QdrantKey, Storage, Wait, reported
from llama_index_gemini_mm.layout import DEFAULT_COLLECTION, DEFAULT_STORAGE

_To = Annotated[str, typer.Option("--to", help="The Qdrant server to copy to.", envvar="QDRANT_URL", metavar="URL")]
_Name = Annotated[str | None, typer.Option(help="Another name for the collection there.", show_default=False)]
_Plan = Annotated[
    str | None, typer.Option(help="Another plan for the collection there; one that needs no more.", show_default=False)
]


def push(
    to: _To,
    storage: Storage = Path(DEFAULT_STORAGE),
    collection: Collection = DEFAULT_COLLECTION,
    name: _Name = None,
    plan: _Plan = None,
    wait: Wait = None,
    qdrant_api_key: QdrantKey = None,
    as_json: AsJson = False,
) -> None:
    """Copy an index to a Qdrant server.

    Nothing is embedded again. Run it again after a stop, or after a sync: only what is missing there is sent.
    """
    with reported():
        from llama_index_gemini_mm.cli.console import counted
        from llama_index_gemini_mm.push import push as copied
        from llama_index_gemini_mm.vector_store import Stamp, open_server, plan_named, valid_collection
        from llama_index_gemini_mm.vector_store.stored import open_stored

        target_name = valid_collection(name or collection)
        with open_stored(storage, collection, wait=wait) as source:
            stamp = Stamp(source.stamp.space, plan_named(plan)) if plan else source.stamp
            with closing(open_server(to, qdrant_api_key, target_name, stamp)) as target, counted("copying") as advance:
                report = copied(source, target, lambda state: advance(state.done, state.total))
    if as_json:
        typer.echo(json.dumps(report.as_dict(), indent=2))
        return
    others = f"; {report.others:,} others in it were left alone" if report.others else ""
    typer.echo(
        f"{report.points:,} points: {report.copied:,} copied, {report.present:,} there already, in "
        f"{report.seconds:.1f} s{others}"
    )
