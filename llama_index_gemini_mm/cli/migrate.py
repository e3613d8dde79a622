"""``gemini-mm migrate``: an index of another model or space into a new collection, with the price told first."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llama_index_gemini_mm.cli._session import (
    AsJson,
    Dimensions,
    Offline,
    Plan,
    QdrantKey,
    Target,
    reported,
    service_of,
)
from llama_index_gemini_mm.errors import ConfigurationError
from llama_index_gemini_mm.layout import DEFAULT_COLLECTION, DEFAULT_STORAGE, MEDIA_FOLDER

if TYPE_CHECKING:
    from llama_index_gemini_mm.migrate import (
        Comparison,
        Measure,
        Migration,
        MigrationPlan,
        MigrationProgress,
        MigrationReport,
        SelfRecall,
    )

_ASK_FROM_USD = 1.0
_POLL_SECONDS, _OFFLINE_POLL_SECONDS = 30.0, 0.1
_SHOWN = 20
_Source = Annotated[
    str,
    typer.Argument(
        help="URL of a Qdrant server; or a folder: of this package, Qdrant's local mode, Chroma, LanceDB, or one that "
        "LlamaIndex has persisted.",
        metavar="SOURCE",
    ),
]
_To = Annotated[
    Path | None,
    typer.Option(help="Storage folder for the new collection; by default it stands beside the old one where it can."),
]
_Storage = Annotated[
    Path, typer.Option(help="Storage folder for everything else: cache, media, jobs.", envvar="GEMINI_MM_STORAGE")
]
_Old = Annotated[str, typer.Option("--collection", help="The old collection, if there are several.")]
_Name = Annotated[str, typer.Option(help="Name of the new collection in another storage folder.")]
_Batch = Annotated[bool, typer.Option("--batch", help="Half the price, within a day: submit now, run again later.")]
_Wait = Annotated[bool, typer.Option("--wait", help="With --batch: stay until the jobs have ended.")]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Only tell what it would take.")]
_Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, whatever it costs.")]
_Questions = Annotated[Path | None, typer.Option("--queries", help="File with a question a line, to compare by.")]
_Sample = Annotated[int, typer.Option(help="Nodes to compare by; 0 for no comparison.", min=0)]
_Flip = Annotated[
    bool | None,
    typer.Option(
        "--flip/--no-flip", help="Let the name lead to the new collection; by default if all of the old one is in it."
    ),
]
_DropOld = Annotated[bool, typer.Option("--drop-old", help="Delete the old index, if all of it has been migrated.")]
_BaseUrl = Annotated[str | None, typer.Option(help="Another address of the embedding service.")]


@dataclass(frozen=True)
class _Steps:
    """What is to be done."""

    batch: bool
    wait: bool
    sample: int
    questions: tuple[str, ...]
    flip: bool | None
    drop_old: bool
    poll_seconds: float


def migrate(
    source: _Source,
    to: _To = None,
    storage: _Storage = Path(DEFAULT_STORAGE),
    collection: _Old = "",
    name: _Name = DEFAULT_COLLECTION,
    plan: Plan = None,
    dimensions: Dimensions = None,
    batch: _Batch = False,
    wait: _Wait = False,
    dry_run: _DryRun = False,
    yes: _Yes = False,
    queries: _Questions = None,
    sample: _Sample = 100,
    flip: _Flip = None,
    drop_old: _DropOld = False,
    offline: Offline = False,
    as_json: AsJson = False,
    qdrant_api_key: QdrantKey = None,
    base_url: _BaseUrl = None,
) -> None:
    """Move an index to gemini-embedding-2, or to other settings of it.

    Texts and media are embedded again from the stored nodes, into a new collection; ids and metadata stay. The old one
    is only read. Stop it when you like and run it again: nothing that was paid for is paid again. In the end both are
    compared, and the name leads to the new one; the old one stays until --drop-old.
    """
    poll_seconds = _OFFLINE_POLL_SECONDS if offline else _POLL_SECONDS
    with reported():
        # The offline service lives no longer than the command, so its jobs must end within it.
        steps = _Steps(batch, wait or offline, sample, _questions(queries), flip, drop_old, poll_seconds)
        with _opened(source, to, storage, collection, name, plan, dimensions, offline, base_url, qdrant_api_key) as job:
            shown = _done(job, steps, dry_run=dry_run, yes=yes, say=_quiet if as_json else typer.echo)
    if as_json:
        typer.echo(json.dumps(shown, ensure_ascii=False, indent=2))


def _done(job: Migration, steps: _Steps, *, dry_run: bool, yes: bool, say: Callable[[str], None]) -> dict[str, Any]:
    plan = job.plan()
    say(_plan_text(plan, batch=steps.batch))
    shown: dict[str, Any] = {"plan": plan.as_dict()}
    if dry_run:
        return shown
    _agree(plan.usd_batch if steps.batch else plan.usd, yes=yes)
    with _progress(job):
        report = job.run(batch=steps.batch, wait=steps.wait, poll_seconds=steps.poll_seconds)
    say(_report_text(report))
    shown["report"] = report.as_dict()
    if not report.finished:
        say(f"{report.waiting:,} nodes wait for batch jobs; run the same command again later")
        return shown
    if steps.sample or steps.questions:
        comparison = job.compare(sample=steps.sample, questions=steps.questions)
        say(_comparison_text(comparison))
        shown["comparison"] = comparison.as_dict()
    if steps.flip or (steps.flip is None and report.complete):
        shown["live"] = job.flip()
        say(f"{shown['live']} leads to the new collection {job.target.collection}")
    elif steps.flip is None and not job.target.live:
        say("the name leads to the old index still, which holds more; --flip lets it lead to the new one all the same")
    if steps.drop_old:
        job.drop_old(report)
        say(f"deleted: {job.source.title}")
    shown["dropped"] = steps.drop_old
    return shown


@contextmanager
def _opened(
    source: str,
    to: Path | None,
    storage: Path,
    collection: str,
    name: str,
    plan: str | None,
    dimensions: int | None,
    offline: bool,
    base_url: str | None,
    qdrant_api_key: str | None,
) -> Iterator[Migration]:
    with service_of(offline) as (emulator_url, api_key, service):
        from llama_index_gemini_mm.embedding import GeminiMultimodalEmbedding
        from llama_index_gemini_mm.migrate import open_migration, storage_of
        from llama_index_gemini_mm.vector_store import DEFAULT_PLAN, plan_named

        old = _old_one(source, collection, dimensions, qdrant_api_key)
        stamp = old.stamp
        model = GeminiMultimodalEmbedding(
            output_dimensionality=old.dimensions_of_vectors(),
            base_url=emulator_url or base_url,
            api_key=api_key,
            media_store=storage_of(source, to, storage) / MEDIA_FOLDER,
            service=service,
            on_item_error="skip",
        )
        with open_migration(
            source,
            to=to,
            collection=collection,
            name=name,
            embed_model=model,
            plan=plan_named(plan or (stamp.plan.name if stamp else DEFAULT_PLAN)).name,
            qdrant_api_key=qdrant_api_key,
            storage=storage,
        ) as job:
            yield job


def _old_one(source: str, collection: str, dimensions: int | None, qdrant_api_key: str | None) -> Target:
    """The old index, whose dimension and plan the new one gets unless others are asked for, if it is one of ours."""
    url = source if "://" in source else None
    return Target(Path(source), collection or DEFAULT_COLLECTION, url, qdrant_api_key, dimensions)


def _questions(file: Path | None) -> tuple[str, ...]:
    if file is None:
        return ()
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read as questions, one a line: {error}") from error
    return tuple(line.strip() for line in lines if line.strip())


def _agree(usd: float, *, yes: bool) -> None:
    """Ask before much is spent; where nobody can answer, stop and say how to go on."""
    if yes or usd < _ASK_FROM_USD:
        return
    if not sys.stdin.isatty():
        raise ConfigurationError(f"this costs about ${usd:.2f} and nobody can be asked here; run it again with --yes")
    if not typer.confirm(f"This costs about ${usd:.2f}. Go on?", err=True):
        raise ConfigurationError("nothing was embedded")


@contextmanager
def _progress(job: Migration) -> Iterator[None]:
    """A bar of records with nodes and money."""
    from llama_index_gemini_mm.cli.console import counted

    with counted("migrating") as advance:

        def tell(state: MigrationProgress) -> None:
            advance(state.done, state.total, f"{state.stored} stored  ${state.usd:.4f}")

        job.on_progress = tell
        yield


def _plan_text(plan: MigrationPlan, *, batch: bool) -> str:
    tokens = ", ".join(f"{count:,} of {modality}" for modality, count in plan.tokens.items()) or "0"
    price = f"${plan.usd:.4f}, as batch jobs ${plan.usd_batch:.4f}"
    lines = [
        f"from {plan.source}",
        f"to the new collection {plan.collection}",
        f"{plan.records:,} records, {plan.nodes:,} nodes: {plan.contents:,} to embed, {plan.cached:,} known already",
        f"tokens, estimated on the high side: {tokens}",
        f"price, estimated: {price}{' (batch chosen)' if batch else ''}",
    ]
    if plan.split:
        lines.append(f"{plan.split:,} records are longer than the model's window and are cut")
    return "\n".join(lines + _skipped_lines(list(plan.skipped)))


def _report_text(report: MigrationReport) -> str:
    head = f"{report.records:,} records: {report.stored:,} nodes stored, {report.unchanged:,} there already"
    money = f"embedded {report.embedded:,}, {report.tokens:,} tokens, about ${report.usd:.4f}, {report.seconds:.1f} s"
    return "\n".join([head, money, *_skipped_lines(report.skipped)])


def _skipped_lines(skipped: list[Any]) -> list[str]:
    lines = [f"not migrated {each.node_id}: {each.error}: {each.reason}" for each in skipped[:_SHOWN]]
    if len(skipped) > _SHOWN:
        lines.append(f"and {len(skipped) - _SHOWN:,} more; --json lists all")
    return lines


def _comparison_text(comparison: Comparison) -> str:
    lines = [f"{'asked by':15} {'asked':>6} {'overlap@10':>11} {'finds itself@10, mean rank':>28}"]
    lines.append(f"{'':34} {'old':>14} {'new':>14}")
    lines += [_measure_line(each) for each in comparison.measures]
    lines.append(
        "overlap: how much of the old ten the new ten hold. It tells how much changes, not which is better; another "
        "model is meant to rank otherwise. Own words flatter, as they stand in the text."
    )
    return "\n".join([*lines, *comparison.notes])


def _measure_line(measure: Measure) -> str:
    overlap = "-" if measure.overlap is None else f"{measure.overlap:.2f}"
    return f"{measure.name:15} {measure.asked:>6} {overlap:>11} {_found(measure.old):>14} {_found(measure.new):>14}"


def _found(found: SelfRecall | None) -> str:
    if found is None:
        return "-"
    rank = "-" if found.mean_rank is None else f"{found.mean_rank:.1f}"
    return f"{found.recall:.2f}, {rank}"


def _quiet(_: str) -> None:
    """For machines, who get it all in the end."""
