"""What commands share: options, the opened index, and errors as one line with an exit code."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llama_index_gemini_mm.errors import ConfigurationError, GeminiMMError
from llama_index_gemini_mm.layout import DEFAULT_COLLECTION, MEDIA_FOLDER

if TYPE_CHECKING:
    from llama_index.core.schema import BaseNode

    from llama_index_gemini_mm.index import MediaIndex
    from llama_index_gemini_mm.media_store import MediaStore
    from llama_index_gemini_mm.readers import ReaderOptions, Skipped
    from llama_index_gemini_mm.vector_store import Stamp

_INTERRUPTED = 130
_PASSWORDS = "GEMINI_MM_PASSWORDS"

Storage = Annotated[Path, typer.Option(help="Folder that holds the index.", envvar="GEMINI_MM_STORAGE")]
Offline = Annotated[bool, typer.Option("--offline", help="No key, no network: use the emulator's stand-in model.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Dimensions = Annotated[
    int | None,
    typer.Option(
        help="Numbers in a vector, 128 to 3072; 768, 1536 or 3072 are recommended. By default those of the index, or "
        "of a new one 3072.",
        show_default=False,
    ),
]
Plan = Annotated[
    str | None,
    typer.Option(
        help="How vectors are stored: accurate, balanced or compact. By default as the index has it.",
        show_default=False,
    ),
]
Wait = Annotated[
    float | None,
    typer.Option(help="Seconds to wait for another process that has the index open.", min=0, show_default=False),
]
QdrantUrl = Annotated[str | None, typer.Option(help="Keep the vectors on this Qdrant server.", envvar="QDRANT_URL")]
QdrantKey = Annotated[str | None, typer.Option(help="Its key.", envvar="QDRANT_API_KEY", show_envvar=True)]
Collection = Annotated[str, typer.Option(help="Name of the collection.")]
PasswordFile = Annotated[
    Path | None,
    typer.Option(help=f"Passwords for locked files, one a line; {_PASSWORDS} takes them too.", show_default=False),
]
FetchRemote = Annotated[
    bool,
    typer.Option(
        "--fetch-remote", help="Fetch pictures that documents link to by http(s), from public addresses only."
    ),
]
Workers = Annotated[
    int,
    typer.Option(
        help="Files read at once, each in a process of its own; 0 reads in this one, for files you trust.", min=0
    ),
]


@dataclass(frozen=True)
class Target:
    """Which index a command is about, and how it is opened."""

    storage: Path
    collection: str = DEFAULT_COLLECTION
    qdrant_url: str | None = None
    qdrant_api_key: str | None = None
    dimensions: int | None = None
    plan: str | None = None
    wait: float | None = None

    def require(self) -> None:
        """Raise ``ConfigurationError`` when there is no such index: looking for something makes none."""
        if self.stamp is None:
            from llama_index_gemini_mm.vector_store.stored import no_index

            raise no_index(self.storage, self.collection, self.qdrant_url)

    def dimensions_of_vectors(self) -> int:
        """As many as were asked for; else as many as the collection's vectors have, or as a new one gets."""
        from llama_index_gemini_mm.limits import DIMENSIONS_DEFAULT

        if self.dimensions is not None:
            return self.dimensions
        stamp = self.stamp
        return stamp.space.dimension if stamp else DIMENSIONS_DEFAULT

    @cached_property
    def stamp(self) -> Stamp | None:
        """The space and plan of the collection, if there is one; asked for once a command."""
        from llama_index_gemini_mm.vector_store.stored import stored_stamp

        return stored_stamp(self.storage, self.collection, self.qdrant_url, self.qdrant_api_key)


@dataclass(frozen=True)
class HowToRead:
    """How a command reads files."""

    password_file: Path | None = None
    fetch_remote: bool = False
    workers: int = 2

    @property
    def options(self) -> ReaderOptions:
        """The same for the reader; passwords come from the file and from the environment."""
        from llama_index_gemini_mm.readers import ReaderOptions

        return ReaderOptions(passwords=self._passwords(), fetch_remote=self.fetch_remote)

    def _passwords(self) -> tuple[str, ...]:
        given = os.environ.get(_PASSWORDS, "")
        if self.password_file is not None:
            try:
                given += "\n" + self.password_file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigurationError(f"{self.password_file} cannot be read as passwords, one a line") from error
        return tuple(filter(None, given.splitlines()))


@contextmanager
def opened(target: Target, offline: bool, how: HowToRead = HowToRead()) -> Iterator[MediaIndex]:
    """The index; offline it is backed by an emulator that lives as long as the command."""
    with reported(), service_of(offline) as (base_url, api_key, service):
        from llama_index_gemini_mm.embedding import GeminiMultimodalEmbedding
        from llama_index_gemini_mm.index import MediaIndex
        from llama_index_gemini_mm.vector_store import plan_named

        model = GeminiMultimodalEmbedding(
            output_dimensionality=target.dimensions_of_vectors(),
            base_url=base_url,
            api_key=api_key,
            media_store=target.storage / MEDIA_FOLDER,
            service=service,
        )
        with MediaIndex.open(
            target.storage,
            qdrant_url=target.qdrant_url,
            qdrant_api_key=target.qdrant_api_key,
            collection=target.collection,
            plan=plan_named(target.plan).name if target.plan else None,
            wait=target.wait,
            embed_model=model,
            reader_options=how.options,
            workers=how.workers,
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


def nodes_of(inputs: list[str], store: MediaStore, skipped: list[Skipped], how: HowToRead) -> Iterator[BaseNode]:
    """The nodes of all files, one file after the other; those that cannot be read go to ``skipped``."""
    from llama_index_gemini_mm.errors import SourceError
    from llama_index_gemini_mm.node_parser import MediaNodeParser
    from llama_index_gemini_mm.readers import MediaReader, ReadReport

    reader = MediaReader(store, how.options, workers=how.workers)
    parser = MediaNodeParser(media_store=store)
    report = ReadReport(skipped=skipped)
    with closing(reader.read_all(reader.scan(inputs), then=parser)) as files:
        for _, nodes in files:
            try:
                yield from nodes(report.skip)
            except SourceError as error:
                report.skip(error)
