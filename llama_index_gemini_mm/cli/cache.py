"""``gemini-mm cache``: what the embedding cache of a storage folder holds, and how to empty it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.filesize import decimal

from llama_index_gemini_mm.cli._session import AsJson, Storage, reported
from llama_index_gemini_mm.errors import ConfigurationError
from llama_index_gemini_mm.layout import DEFAULT_STORAGE

if TYPE_CHECKING:
    from llama_index_gemini_mm.engine.cache import CacheStats, EmbeddingCache

cache_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="See or empty the cache of paid vectors.")

_NOT_OF_THE_FILE = ("max_bytes", "hits", "misses")
"""What only the process that embeds can know."""


@cache_app.command()
def stats(storage: Storage = Path(DEFAULT_STORAGE), as_json: AsJson = False) -> None:
    """Show how many vectors are kept, and their size.

    On disk, in bytes, with the times of the oldest and the newest use.
    """
    with _opened(storage) as cache:
        found = cache.stats()
    typer.echo(_as_json(found) if as_json else _as_text(found))


@cache_app.command()
def clear(storage: Storage = Path(DEFAULT_STORAGE), as_json: AsJson = False) -> None:
    """Forget all kept vectors.

    The index stays as it is, but embedding the same again is paid again.
    """
    with _opened(storage) as cache:
        before = cache.stats().file_bytes
        removed = cache.clear()
        freed = max(before - cache.stats().file_bytes, 0)
    if as_json:
        typer.echo(json.dumps({"removed": removed, "freed_bytes": freed}, indent=2))
    else:
        typer.echo(f"removed {removed:,} vectors, {decimal(freed)} on disk")


@contextmanager
def _opened(storage: Path) -> Iterator[EmbeddingCache]:
    """The cache that is there; looking at it must not make one."""
    with reported():
        from llama_index_gemini_mm.engine.cache import CACHE_FILE, EmbeddingCache

        path = storage / CACHE_FILE
        if not path.is_file():
            raise ConfigurationError(f"there is no embedding cache in {storage}; gemini-mm index makes one")
        with EmbeddingCache(path) as cache:
            yield cache


def _as_json(found: CacheStats) -> str:
    values = dataclasses.asdict(found)
    return json.dumps({name: value for name, value in values.items() if name not in _NOT_OF_THE_FILE}, indent=2)


def _as_text(found: CacheStats) -> str:
    lines = [f"{found.entries:,} vectors, {decimal(found.bytes)}; {decimal(found.file_bytes)} on disk"]
    if found.oldest_use is not None:
        lines.append(f"last used between {found.oldest_use} and {found.newest_use}")
    return "\n".join(lines)
