"""From what a user names (a file, a folder, a list, a URL) to sources, in a fixed order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from llama_index_gemini_mm.errors import SourceError
from llama_index_gemini_mm.source import Source

Readable = str | Path | PurePosixPath | Source
"""A local file or folder, an fsspec URL of one, or a source."""


def sources_of(
    named: Readable | Iterable[Readable], fs: Any = None, *, recursive: bool, hidden: bool
) -> Iterator[tuple[Source, str | None]]:
    """Yield every source that ``named`` means, with the folder it was found through, sorted by path.

    Raises:
        SourceError: nothing is there.
    """
    if isinstance(named, Source):
        yield named, None
    elif not isinstance(named, str | Path | PurePosixPath):
        for each in named:
            yield from sources_of(each, fs, recursive=recursive, hidden=hidden)
    elif fs is not None and not _is_local(fs):
        yield from _of_filesystem(fs, str(named), recursive=recursive, hidden=hidden, keep=True)
    elif "://" in str(named) and not str(named).startswith("file://"):
        from fsspec.core import url_to_fs

        yield from _of_filesystem(*url_to_fs(str(named)), recursive=recursive, hidden=hidden, keep=False)
    else:
        yield from _of_path(Path(str(named).removeprefix("file://")).expanduser(), recursive=recursive, hidden=hidden)


def _of_path(path: Path, *, recursive: bool, hidden: bool) -> Iterator[tuple[Source, str | None]]:
    if not path.exists():
        raise SourceError(str(path), "no such file or folder")
    if not path.is_dir():
        yield Source.of_path(path), None
        return
    root = path.resolve()
    for file in sorted(_files(path, recursive=recursive)):
        visible = hidden or not any(part.startswith(".") for part in file.relative_to(path).parts)
        if visible and file.resolve().is_relative_to(root):
            yield Source.of_path(file), str(path.absolute())


def _files(folder: Path, *, recursive: bool) -> Iterator[Path]:
    """Files below ``folder``; links to folders are not followed, so there are no loops."""
    try:
        entries = list(folder.iterdir())
    except OSError:
        # Given on as if it were a file, so that reading it names the folder and the reason.
        entries = []
        yield folder
    for entry in entries:
        if entry.is_dir():
            if recursive and not entry.is_symlink():
                yield from _files(entry, recursive=True)
        elif entry.is_file():
            yield entry


def _of_filesystem(
    fs: Any, path: str, *, recursive: bool, hidden: bool, keep: bool
) -> Iterator[tuple[Source, str | None]]:
    """Sources behind fsspec. With ``keep`` their bytes are fetched now, for a URL alone may lack the credentials."""
    if not fs.exists(path):
        raise SourceError(str(fs.unstrip_protocol(path)), "no such file or folder")
    folder = PurePosixPath(fs._strip_protocol(path))
    found = [str(folder)] if fs.isfile(path) else sorted(fs.find(path, maxdepth=None if recursive else 1))
    for file in found:
        parts = PurePosixPath(file).relative_to(folder).parts
        if hidden or not any(part.startswith(".") for part in parts):
            url = str(fs.unstrip_protocol(file))
            yield (Source(url, fs.cat_file(file)) if keep else Source.of_url(url)), None


def _is_local(fs: Any) -> bool:
    from fsspec.implementations.local import LocalFileSystem

    return isinstance(fs, LocalFileSystem)
