"""``gemini-mm stats``: what an index holds, by which plan, and what it takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from llama_index_gemini_mm.cli._session import AsJson, Collection, QdrantKey, QdrantUrl, Storage, Wait, reported
from llama_index_gemini_mm.layout import DEFAULT_COLLECTION, DEFAULT_STORAGE, manifest_target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llama_index_gemini_mm.tune import IndexStats

_TYPES_SHOWN = 12


def stats(
    storage: Storage = Path(DEFAULT_STORAGE),
    as_json: AsJson = False,
    qdrant_url: QdrantUrl = None,
    qdrant_api_key: QdrantKey = None,
    collection: Collection = DEFAULT_COLLECTION,
    wait: Wait = None,
) -> None:
    """Show what is stored.

    Engine, plan and space of the vectors; files, nodes by medium and file type; bytes on disk, and what each plan
    would take. No key is needed.
    """
    with reported():
        from llama_index_gemini_mm.tune import index_stats
        from llama_index_gemini_mm.vector_store.stored import open_stored

        with open_stored(storage, collection, qdrant_url, qdrant_api_key, wait) as store:
            found = index_stats(store, storage, manifest_target(collection, qdrant_url))
    if as_json:
        typer.echo(json.dumps(found.as_dict(), ensure_ascii=False, indent=2))
    else:
        show(found, Console(highlight=False))


def show(found: IndexStats, out: Console) -> None:
    """Lines of facts, then a table of the plans."""
    facts = Table(box=None, pad_edge=False, show_header=False)
    facts.add_column(style="bold")
    facts.add_column(overflow="fold")
    for name, value in _facts(found):
        facts.add_row(name, value)
    out.print(facts)
    out.print()
    out.print(_plans(found))


def _facts(found: IndexStats) -> list[tuple[str, str]]:
    space, other = found.space, len(found.file_types) - _TYPES_SHOWN
    indexed = f"{found.indexed:.0%} of the nodes" if found.indexed else "none; so few are searched one by one"
    types = dict(list(found.file_types.items())[:_TYPES_SHOWN])
    return [
        ("engine", f"{found.engine}, collection {found.collection}"),
        ("plan", found.plan),
        ("space", str(space)),
        ("nodes", f"{found.points:,}: {_counts(found.modalities)}" if found.points else "0"),
        ("files", f"{found.files:,}"),
        ("file types", _counts(types) + (f", and {other} more" if other > 0 else "") or "none"),
        ("in the graph", indexed),
        ("on disk", ", ".join(f"{name} {decimal(taken)}" for name, taken in found.bytes.items() if taken)),
    ]


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())


def _plans(found: IndexStats) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("plan")
    for name in ("its vectors on disk", "of these in memory"):
        table.add_column(name, justify="right")
    for plan, size in found.plans.items():
        mark = " (this one)" if plan == found.plan else ""
        table.add_row(plan + mark, decimal(size.disk_bytes), decimal(size.memory_bytes))
    return table
