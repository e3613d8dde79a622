"""From what a user names (a file, a folder, a list, a URL) to sources, in a fixed order."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from operator import attrgetter
from pathlib import Path, PurePosixPath
from typing import Any

from llama_index_gemini_mm.errors import SourceError
from llama_index_gemini_mm.media_store import STORAGE_MARK
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
    if (path / STORAGE_MARK).exists():
        raise SourceError(str(path), "the storage of an index or a media store, which holds no files to read")
    root, top = path.resolve(), str(path.absolute())
    for location in _files(top, root, recursive=recursive, hidden=hidden):
        yield Source(location), top


def _files(folder: str, root: Path, *, recursive: bool, hidden: bool) -> Iterator[str]:
    """Files below ``folder`` in the order of their paths, as text, which is much faster here than ``Path``.

    Links to folders are not followed, so there are no loops; links to files count when they lead into ``root``. What
    this package stores itself is left out.
    """
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=attrgetter("name"))
    except OSError:
        # Given on as if it were a file, so that reading it names the folder and the reason.
        entries = []
        yield folder
    if any(entry.name == STORAGE_MARK for entry in entries):
        return
    for entry in entries:
        if entry.name.startswith(".") and not hidden:
            continue
        if entry.is_dir():
            if recursive and not entry.is_symlink():
                yield from _files(entry.path, root, recursive=True, hidden=hidden)
        elif entry.is_file() and (not entry.is_symlink() or Path(entry.path).resolve().is_relative_to(root)):
            yield entry.path


def _of_filesystem(
    fs: Any, path: str, *, recursive: bool, hidden: bool, keep: bool
) -> Iterator[tuple[Source, str | None]]:
    """Sources behind fsspec. With ``keep`` their bytes are fetched now, for a URL alone may lack the credentials."""
    if not fs.exists(path):
        raise SourceError(str(fs.unstrip_protocol(path)), "no such file or folder")
    folder = PurePosixPath(fs._strip_protocol(path))
    found = [str(folder)] if fs.isfile(path) else sorted(fs.find(path, maxdepth=None if recursive else 1))
    own = {PurePosixPath(file).parent for file in found if PurePosixPath(file).name == STORAGE_MARK}
    for file in found:
        parts = PurePosixPath(file).relative_to(folder).parts
        if not own.isdisjoint(PurePosixPath(file).parents):
            continue
        if hidden or not any(part.startswith(".") for part in parts):
            url = str(fs.unstrip_protocol(file))
            yield (Source(url, fs.cat_file(file)) if keep else Source.of_url(url)), None


def _is_local(fs: Any) -> bool:
    from fsspec.implementations.local import LocalFileSystem

    return isinstance(fs, LocalFileSystem)
