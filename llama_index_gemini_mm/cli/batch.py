"""``gemini-mm batch``: embed folders through the Batch API, at half the price and within a day."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    service_of,
)
from llama_index_gemini_mm.errors import ConfigurationError
from llama_index_gemini_mm.layout import DEFAULT_STORAGE, MEDIA_FOLDER

if TYPE_CHECKING:
    from llama_index_gemini_mm.batch import BatchEmbedding, CollectReport, JobStatus
    from llama_index_gemini_mm.readers import Skipped

batch_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Embed at half the price, within a day.\n\n"
    "The jobs stand in the storage folder, so each step may run in a process of its own. To try it without a key, run "
    "gemini-mm emulate in another terminal, export the two variables that it prints, and use batch and index as ever; "
    "or submit --offline, which does all three steps at once.",
)

BaseUrl = Annotated[
    str | None,
    typer.Option(help="Another address of the service, such as the one gemini-mm emulate prints; any key goes there."),
]
_Wait = Annotated[bool, typer.Option("--wait", help="Stay until the jobs have ended, and collect.")]
_Tokens = Annotated[
    int, typer.Option(help="Quota of tokens in jobs under way: 500,000, 5 or 10 million in tiers 1, 2 and 3.", min=8192)
]
_POLL_SECONDS, _OFFLINE_POLL_SECONDS = 30.0, 0.1


@batch_app.command()
def submit(
    inputs: Annotated[list[str], typer.Argument(help="Files, folders or fsspec URLs.", metavar="FOLDER...")],
    storage: Storage = Path(DEFAULT_STORAGE),
    offline: Offline = False,
    as_json: AsJson = False,
    dimensions: Dimensions = None,
    base_url: BaseUrl = None,
    password_file: PasswordFile = None,
    fetch_remote: FetchRemote = False,
    workers: Workers = 2,
    wait: _Wait = False,
    max_enqueued_tokens: _Tokens = 500_000,
) -> None:
    """Submit what is not cached or under way yet. Files are read and split as index does.

    With --offline the service lives no longer than the command, so it waits and collects at once.
    """
    skipped: list[Skipped] = []
    how = HowToRead(password_file, fetch_remote, workers)
    with _opened(storage, base_url, offline, dimensions, max_enqueued_tokens) as batch:
        nodes = list(nodes_of(inputs, batch.embed_model.media_store, skipped, how))
        jobs = batch.submit(nodes)
        report = _waited(batch, _OFFLINE_POLL_SECONDS if offline else _POLL_SECONDS) if offline or wait else None
        left_out = [*map(asdict, skipped), *map(asdict, batch.skipped)]
    if as_json:
        shown = {"nodes": len(nodes), "jobs": list(map(asdict, jobs)), "skipped": left_out}
        _print_json(shown if report is None else {**shown, "collected": asdict(report)})
        return
    requests, usd = sum(job.requests for job in jobs), sum(job.usd for job in jobs)
    typer.echo(f"{len(nodes):,} nodes: {requests:,} submitted in {len(jobs)} jobs, about ${usd:.4f}")
    _print_jobs(jobs)
    for each in left_out:
        typer.echo(f"skipped {each.get('file') or each.get('node_id')}: {each['error']}: {each['reason']}")
    if report is not None:
        _print_report(report)


@batch_app.command()
def status(storage: Storage = Path(DEFAULT_STORAGE), as_json: AsJson = False, base_url: BaseUrl = None) -> None:
    """Ask how the jobs stand that are not collected, and send those that waited for room."""
    with _opened(_existing(storage), base_url) as batch:
        jobs = batch.poll()
    if as_json:
        _print_json(list(map(asdict, jobs)))
    elif jobs:
        _print_jobs(jobs)
    else:
        typer.echo("no jobs under way")


@batch_app.command()
def collect(
    storage: Storage = Path(DEFAULT_STORAGE), as_json: AsJson = False, base_url: BaseUrl = None, wait: _Wait = False
) -> None:
    """Fetch the vectors of jobs that have ended into the cache, where index finds them."""
    with _opened(_existing(storage), base_url) as batch:
        report = _waited(batch, _POLL_SECONDS) if wait else batch.collect()
    if as_json:
        _print_json(asdict(report))
    else:
        _print_report(report)
    if not report.vectors and (report.failed or report.problems):
        raise typer.Exit(1)


@contextmanager
def _opened(
    storage: Path,
    base_url: str | None,
    offline: bool = False,
    dimensions: int | None = None,
    max_enqueued_tokens: int = 500_000,
) -> Iterator[BatchEmbedding]:
    with reported(), service_of(offline) as (emulator_url, api_key, service):
        from llama_index_gemini_mm.batch import JOURNAL_FILE, BatchEmbedding
        from llama_index_gemini_mm.embedding import GeminiMultimodalEmbedding
        from llama_index_gemini_mm.engine.cache import CACHE_FILE

        model = GeminiMultimodalEmbedding(
            output_dimensionality=Target(storage, dimensions=dimensions).dimensions_of_vectors(),
            base_url=emulator_url or base_url,
            api_key=api_key,
            media_store=storage / MEDIA_FOLDER,
            embedding_cache=storage / CACHE_FILE,
            service=service,
            on_item_error="skip",
        )
        with (
            model,
            BatchEmbedding(model, storage / JOURNAL_FILE, max_enqueued_tokens=max_enqueued_tokens) as batch,
        ):
            yield batch


def _existing(storage: Path) -> Path:
    """The folder, if there are jobs in it; looking at it must not make a journal."""
    with reported():
        from llama_index_gemini_mm.batch import JOURNAL_FILE

        if not (storage / JOURNAL_FILE).is_file():
            raise ConfigurationError(f"there are no batch jobs in {storage}; run: gemini-mm batch submit FOLDER")
    return storage


def _waited(batch: BatchEmbedding, seconds: float) -> CollectReport:
    from llama_index_gemini_mm.engine.batch.journal import FINAL

    while any(job.state not in FINAL for job in batch.poll()):
        time.sleep(seconds)
    return batch.collect()


def _print_jobs(jobs: Sequence[JobStatus]) -> None:
    for job in jobs:
        line = f"{job.id}  {job.state:9}  {job.requests:>6,} requests  {job.created}  {job.name}"
        typer.echo(f"{line}  {job.reason}".rstrip())


def _print_report(report: CollectReport) -> None:
    line = f"collected {report.vectors:,} vectors from {len(report.jobs)} jobs, {report.tokens:,} tokens"
    typer.echo(f"{line}; {report.unfinished} jobs unfinished")
    for failed in report.failed:
        typer.echo(f"failed {', '.join(failed.node_ids)}: {failed.reason}")
    for problem in report.problems:
        typer.echo(f"job {problem.job.id} {problem.job.state}, {len(problem.node_ids)} nodes: {problem.remedy}")


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))
