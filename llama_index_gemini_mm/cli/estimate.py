"""``gemini-mm estimate``: what it would cost to index files, before anything is sent."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llama_index_gemini_mm.cli._session import (
    AsJson,
    Dimensions,
    FetchRemote,
    HowToRead,
    Offline,
    PasswordFile,
    Storage,
    Target,
    Workers,
    nodes_of,
    reported,
)
from llama_index_gemini_mm.layout import DEFAULT_STORAGE, MEDIA_FOLDER

if TYPE_CHECKING:
    from llama_index_gemini_mm.embedding import GeminiMultimodalEmbedding
    from llama_index_gemini_mm.engine.money import Estimate
    from llama_index_gemini_mm.readers import Skipped

_Contents = Annotated[int | None, typer.Option(help="Quota of contents a minute, to tell how long it takes.", min=1)]
_Tokens = Annotated[int | None, typer.Option(help="Quota of tokens a minute, likewise.", min=1)]


def estimate(
    inputs: Annotated[list[str], typer.Argument(help="Files, folders or fsspec URLs.", metavar="FOLDER...")],
    storage: Storage = Path(DEFAULT_STORAGE),
    offline: Offline = False,
    as_json: AsJson = False,
    dimensions: Dimensions = None,
    password_file: PasswordFile = None,
    fetch_remote: FetchRemote = False,
    workers: Workers = 2,
    contents_per_minute: _Contents = None,
    tokens_per_minute: _Tokens = None,
) -> None:
    """Tell what it would cost to index files.

    Tokens, US dollars and time, by medium. Nothing is sent and no key is needed. Files are read and split as index
    does; media taken out of them are kept in the storage folder for it.
    """
    how = HowToRead(password_file, fetch_remote, workers)
    with reported(), _model(storage, offline, dimensions, contents_per_minute, tokens_per_minute) as model:
        skipped: list[Skipped] = []
        found = model.estimate(list(nodes_of(inputs, model.media_store, skipped, how)))
        typer.echo(_as_json(found, skipped, model) if as_json else _as_text(found, skipped, model))


def _model(
    storage: Path, offline: bool, dimensions: int | None, contents_per_minute: int | None, tokens_per_minute: int | None
) -> GeminiMultimodalEmbedding:
    """The model that ``index`` would use, but without a key, since it sends nothing, and without making a cache."""
    from llama_index_gemini_mm.embedding import GeminiMultimodalEmbedding
    from llama_index_gemini_mm.engine.cache import CACHE_FILE

    cache = storage / CACHE_FILE

    return GeminiMultimodalEmbedding(
        api_key="not used",
        vertexai=False,
        output_dimensionality=Target(storage, dimensions=dimensions).dimensions_of_vectors(),
        media_store=storage / MEDIA_FOLDER,
        service="stand-in" if offline else "gemini",
        embedding_cache=cache if cache.is_file() else None,
        contents_per_minute=contents_per_minute,
        tokens_per_minute=tokens_per_minute,
    )


def _as_json(found: Estimate, skipped: Sequence[Skipped], model: GeminiMultimodalEmbedding) -> str:
    more = {"skipped": [asdict(each) for each in skipped], "prices_read_on": model.prices.read_on}
    return json.dumps(asdict(found) | more, ensure_ascii=False, indent=2)


def _as_text(found: Estimate, skipped: Sequence[Skipped], model: GeminiMultimodalEmbedding) -> str:
    lines = [f"{found.contents:,} contents to embed, {found.cached:,} known already"]
    for modality, count in found.tokens.items():
        lines.append(f"{modality:9} {count:>12,} tokens  ${found.usd_by_modality[modality]:.4f}")
    lines.append(
        f"{'total':9} {found.total_tokens:>12,} tokens  ${found.usd:.4f}, as a batch job ${found.usd_batch:.4f}"
    )
    if found.minutes is not None:
        lines.append(f"at least {found.minutes:.1f} minutes at this quota")
    lines.append(f"text tokens are estimated on the high side; prices as of {model.prices.read_on or 'unknown'}")
    lines += [f"skipped {each.file}: {each.error}: {each.reason}" for each in skipped]
    return "\n".join(lines)
