"""What every command shares: options, the opened index, and errors as one line with an exit code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llama_index_gemini_mm.errors import GeminiMMError

if TYPE_CHECKING:
    from llama_index.core.schema import BaseNode

    from llama_index_gemini_mm.index import MediaIndex
    from llama_index_gemini_mm.media_store import MediaStore
    from llama_index_gemini_mm.readers import Skipped

_INTERRUPTED = 130

Storage = Annotated[Path, typer.Option(help="Folder that holds the index.", envvar="GEMINI_MM_STORAGE")]
Offline = Annotated[bool, typer.Option("--offline", help="No key, no network: use the emulator's stand-in model.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Dimensions = Annotated[int, typer.Option(help="Numbers in a vector, 128 to 3072; 768, 1536 or 3072 are recommended.")]
QdrantUrl = Annotated[str | None, typer.Option(help="Keep the vectors on this Qdrant server.", envvar="QDRANT_URL")]
QdrantKey = Annotated[str | None, typer.Option(help="Its key.", envvar="QDRANT_API_KEY", show_envvar=True)]
Collection = Annotated[str, typer.Option(help="Name of the collection.")]


@contextmanager
def opened(
    storage: Path,
    offline: bool,
    dimensions: int = 3072,
    qdrant_url: str | None = None,
    qdrant_api_key: str | None = None,
    collection: str = "media",
) -> Iterator[MediaIndex]:
    """The index of ``storage``; offline it is backed by an emulator that lives as long as the command."""
    with reported(), service_of(offline) as (base_url, api_key, service):
        from llama_index_gemini_mm.embedding import GeminiMultimodalEmbedding
        from llama_index_gemini_mm.index import MediaIndex

        model = GeminiMultimodalEmbedding(
            output_dimensionality=dimensions,
            base_url=base_url,
            api_key=api_key,
            media_store=storage / "media",
            service=service,
        )
        with MediaIndex.open(
            storage,
            qdrant_url=qdrant_url,
            qdrant_api_key=qdrant_api_key,
            collection=collection,
            embed_model=model,
        ) as media_index:
            yield media_index


@contextmanager
def service_of(offline: bool) -> Iterator[tuple[str | None, str | None, str]]:
    """Address, key and name of what embeds."""
    if not offline:
        yield None, None, "gemini"
        return
    from llama_index_gemini_mm.cli import console
    from llama_index_gemini_mm.emulator import GeminiEmulator

    console.say_stand_in()
    with GeminiEmulator(keep=0) as emulator:
        yield emulator.base_url, emulator.api_key, "stand-in"


@contextmanager
def reported() -> Iterator[None]:
    """Turn this package's errors into one line and their exit code."""
    try:
        yield
    except GeminiMMError as error:
        fail(error)
    except KeyboardInterrupt:
        typer.echo("interrupted; what was stored stays", err=True)
        raise typer.Exit(_INTERRUPTED) from None


def fail(error: GeminiMMError) -> None:
    typer.echo(f"error: {error}", err=True)
    raise typer.Exit(error.exit_code)


def nodes_of(inputs: list[str], store: MediaStore, skipped: list[Skipped]) -> Iterator[BaseNode]:
    """The nodes of all files, one file after the other; those that cannot be read go to ``skipped``."""
    from llama_index_gemini_mm.errors import SourceError
    from llama_index_gemini_mm.node_parser import MediaNodeParser
    from llama_index_gemini_mm.readers import MediaReader, ReadReport

    reader, parser = MediaReader(store), MediaNodeParser(media_store=store)
    report = ReadReport(skipped=skipped)
    with closing(reader.read_all(reader.scan(inputs), then=parser)) as files:
        for _, nodes in files:
            try:
                yield from nodes(report.skip)
            except SourceError as error:
                report.skip(error)
