"""``gemini-mm``: index a folder, search it, see a demo, run the emulator.

Results go to stdout, progress and messages to stderr. Everything heavy is imported inside the commands, so that
``--help`` answers at once.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar, cast

import typer

from llama_index_gemini_mm.cli._session import (
    AsJson,
    Collection,
    Dimensions,
    FetchRemote,
    HowToRead,
    Offline,
    PasswordFile,
    Plan,
    QdrantKey,
    QdrantUrl,
    Storage,
    Target,
    Wait,
    Workers,
    opened,
    reported,
)
from llama_index_gemini_mm.cli.batch import batch_app
from llama_index_gemini_mm.cli.cache import cache_app
from llama_index_gemini_mm.cli.estimate import estimate
from llama_index_gemini_mm.cli.migrate import migrate
from llama_index_gemini_mm.cli.push import push
from llama_index_gemini_mm.cli.stats import stats
from llama_index_gemini_mm.cli.tune import tune
from llama_index_gemini_mm.layout import DEFAULT_COLLECTION, DEFAULT_STORAGE

if TYPE_CHECKING:
    from llama_index_gemini_mm.index import MediaHit, MediaIndex
    from llama_index_gemini_mm.limits import Modality
    from llama_index_gemini_mm.retriever import Where
    from llama_index_gemini_mm.sync import SyncReport

Number = TypeVar("Number", int, float)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help: the rich one takes longer to import than everything else here
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="One index for text, pictures, sounds, films and documents, through gemini-embedding-2.",
)


@app.command()
def index(
    inputs: Annotated[list[str], typer.Argument(help="Files, folders or fsspec URLs.", metavar="FOLDER...")],
    storage: Storage = Path(DEFAULT_STORAGE),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done and cost.")] = False,
    offline: Offline = False,
    as_json: AsJson = False,
    dimensions: Dimensions = None,
    plan: Plan = None,
    password_file: PasswordFile = None,
    fetch_remote: FetchRemote = False,
    workers: Workers = 2,
    wait: Wait = None,
    qdrant_url: QdrantUrl = None,
    qdrant_api_key: QdrantKey = None,
    collection: Collection = DEFAULT_COLLECTION,
) -> None:
    """Bring the index up to date with files.

    New and changed ones are embedded, unchanged ones cost nothing, those that are gone are deleted. Stop it when you
    like and run it again: it goes on where it was.
    """
    from llama_index_gemini_mm.cli import console

    target = Target(storage, collection, qdrant_url, qdrant_api_key, dimensions, plan, wait)
    with opened(target, offline, HowToRead(password_file, fetch_remote, workers)) as media_index:
        with console.progress() as on_progress:
            report = media_index.sync(inputs, dry_run=dry_run, wait=wait, on_progress=on_progress)
        console.show_report(report, as_json=as_json)
    if report.skipped and not report.indexed and not report.unchanged:
        raise typer.Exit(_exit_code(report))


@app.command()
def search(
    text: Annotated[str, typer.Argument(help="Words to search by.", show_default=False)] = "",
    image: Annotated[Path | None, typer.Option(help="A picture to search by.")] = None,
    audio: Annotated[Path | None, typer.Option(help="A sound to search by.")] = None,
    video: Annotated[Path | None, typer.Option(help="A film to search by.")] = None,
    document: Annotated[Path | None, typer.Option(help="A PDF to search by.")] = None,
    modality: Annotated[
        list[str] | None, typer.Option(help="Only text, image, audio, video or document; may be repeated.")
    ] = None,
    top: Annotated[int, typer.Option(help="How many results.", min=1)] = 10,
    file: Annotated[list[str] | None, typer.Option(help="Only in this file; may be repeated.")] = None,
    folder: Annotated[str | None, typer.Option(help="Only in files below this folder.", show_default=False)] = None,
    page: Annotated[str | None, typer.Option(help="Only on this page, or these: 3 or 3-5.", show_default=False)] = None,
    seconds: Annotated[
        str | None, typer.Option(help="Only within these seconds of recordings: 60-90.", show_default=False)
    ] = None,
    quota: Annotated[
        list[str] | None, typer.Option(help="At least so many results of a medium: audio=2; may be repeated.")
    ] = None,
    neighbours: Annotated[int, typer.Option(help="Nodes before and after each result, in the JSON.", min=0)] = 0,
    explain: Annotated[bool, typer.Option("--explain", help="Show how each score came about.")] = False,
    storage: Storage = Path(DEFAULT_STORAGE),
    offline: Offline = False,
    as_json: AsJson = False,
    dimensions: Dimensions = None,
    wait: Wait = None,
    qdrant_url: QdrantUrl = None,
    qdrant_api_key: QdrantKey = None,
    collection: Collection = DEFAULT_COLLECTION,
) -> None:
    """Search by words, by media, or by both together."""
    from llama_index_gemini_mm.cli import console

    target = Target(storage, collection, qdrant_url, qdrant_api_key, dimensions, wait=wait)
    with reported():
        target.require()
    with opened(target, offline) as media_index:
        hits = media_index.search(
            text,
            image=image,
            audio=audio,
            video=video,
            document=document,
            top_k=top,
            modalities=cast("list[Modality]", modality or []),
            where=_where(file, folder, page, seconds),
            quotas=_quotas(quota or []),
            neighbours=neighbours,
            explain=explain,
        )
        console.show_hits(hits, as_json=as_json)


@app.command()
def demo(
    storage: Annotated[Path | None, typer.Option(help="Keep the index here; by default it is thrown away.")] = None,
    offline: Annotated[
        bool, typer.Option("--offline/--online", help="Stand-in model, or Gemini with your key.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Index a small handbook with all five media and search it."""
    from tempfile import TemporaryDirectory

    from llama_index_gemini_mm import demo as bundled
    from llama_index_gemini_mm.cli import console

    with (
        TemporaryDirectory(prefix="gemini-mm-") as scratch,
        opened(Target(storage or Path(scratch)), offline) as media_index,
    ):
        with console.progress() as on_progress:
            report = media_index.sync(bundled.HANDBOOK, on_progress=on_progress)
        results = [(query, _ask(media_index, query)) for query in bundled.QUERIES]
        console.show_demo(report, results, as_json=as_json)
    if not all(query.answered_by(hits) for query, hits in results):
        raise typer.Exit(1)


@app.command()
def emulate(
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)] = 8765,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    allow_remote: Annotated[bool, typer.Option("--allow-remote", help="Let other machines in.")] = False,
    api_key: Annotated[str | None, typer.Option(help="The only key to accept; any when not given.")] = None,
    modality_gap: Annotated[float, typer.Option(help="How far the media are set apart.", min=0.0)] = 0.3,
    latency: Annotated[float, typer.Option(help="Seconds before each answer.", min=0.0)] = 0.0,
) -> None:
    """Run a local Gemini, to develop without a key.

    It speaks the wire protocol of the embedding API; its vectors come from a stand-in model.
    """
    from llama_index_gemini_mm.cli import console
    from llama_index_gemini_mm.emulator import GeminiEmulator, serve

    with reported():
        emulator = GeminiEmulator(
            api_key,
            modality_gap=modality_gap,
            host=host,
            port=port,
            latency=latency,
            allow_remote=allow_remote,
            keep=0,
        )
        emulator.start()
        console.show_emulator(emulator.base_url)
        serve(emulator)


# Help lists commands as they are added: what people do first comes first.
for command in (estimate, stats, tune, push, migrate):
    app.command()(command)
app.add_typer(batch_app, name="batch")
app.add_typer(cache_app, name="cache")


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.", is_eager=True)] = False,
) -> None:
    if version:
        from llama_index_gemini_mm import __version__

        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """The entry point ``gemini-mm``."""
    app()


def _ask(media_index: MediaIndex, query: object) -> list[MediaHit]:
    from llama_index_gemini_mm.demo import DemoQuery

    asked = cast("DemoQuery", query)
    return media_index.search(asked.text, image=asked.image, modalities=asked.modalities, top_k=3)


def _where(file: list[str] | None, folder: str | None, page: str | None, seconds: str | None) -> Where:
    from llama_index_gemini_mm.retriever import Where

    pages = _span("--page", page, int)
    return Where(files=file or (), folder=folder, pages=pages, seconds=_span("--seconds", seconds, float))


def _span(option: str, text: str | None, number: Callable[[str], Number]) -> tuple[Number, Number] | None:
    """``3-5``, or ``3`` for 3 to 3."""
    if text is None:
        return None
    first, _, last = text.partition("-")
    try:
        return number(first), number(last or first)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no number and no range such as 3-5", param_hint=option) from None


def _quotas(given: list[str]) -> dict[Modality, int]:
    quotas: dict[Modality, int] = {}
    for each in given:
        modality, _, count = each.partition("=")
        if not count.isdecimal():
            raise typer.BadParameter(f"{each!r} is not like audio=2", param_hint="--quota")
        quotas[cast("Modality", modality)] = int(count)
    return quotas


def _exit_code(report: SyncReport) -> int:
    from llama_index_gemini_mm import errors

    return int(getattr(errors, report.skipped[0].error).exit_code)
