"""The folder of an embedded collection: its shard, and beside it, for a while, the one that will replace it.

    gemini_mm_space.json   the stamp; the collection exists when this does
    current                the name of the shard that counts
    unoptimized            how many points were written since the last optimization
    shard-<name>/          the engine's own files

Which shard counts is changed in one step, by replacing ``current``; so a process may end at any moment, and exactly one
complete collection is there. What else lies in the folder is left over from such an end, and is removed at the next
opening.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from llama_index_gemini_mm.vector_store.space import write_whole

STAMP_FILE = "gemini_mm_space.json"
_CURRENT, _UNOPTIMIZED, _SHARD = "current", "unoptimized", "shard-"
_BLOCK = 4 * 2**20


def new_shard(folder: Path) -> Path:
    """Where another shard goes; not made yet."""
    return folder / f"{_SHARD}{uuid.uuid4().hex[:12]}"


def current_shard(folder: Path) -> Path:
    """The shard that counts."""
    return folder / (folder / _CURRENT).read_text("utf-8")


def make_current(shard: Path) -> None:
    """Let this one count from now on, whatever happens next."""
    write_whole(shard.parent / _CURRENT, shard.name)


def remove_leftovers(folder: Path, kept: Path | None = None) -> None:
    """Remove every shard but one. What another process still holds open stays until the next time."""
    for shard in folder.glob(f"{_SHARD}*"):
        if shard != kept:
            shutil.rmtree(shard, ignore_errors=True)


def unoptimized(folder: Path) -> int:
    """Points written since the last optimization, as last noted; 0 when that is not known."""
    try:
        return int((folder / _UNOPTIMIZED).read_text("ascii"))
    except (OSError, ValueError):
        return 0


def note_unoptimized(folder: Path, count: int) -> None:
    """Note how many points were written. A guess is as good after a power failure, so nothing waits for the disk."""
    (folder / _UNOPTIMIZED).write_text(str(count), "ascii")


def disk_bytes(folder: Path, pattern: str = "**/*") -> int:
    """What the files take on disk: less than their size where they have holes."""
    taken = 0
    for file in filter(Path.is_file, folder.glob(pattern)):
        with contextlib.suppress(FileNotFoundError):  # the engine is at work
            status = file.stat()
            taken += getattr(status, "st_blocks", -(-status.st_size // 512)) * 512
    return taken


def copy_shard(source: Path, target: Path) -> None:
    """Copy a shard that nobody writes to. Files the engine made larger than their content stay as small on disk."""
    shutil.copytree(source, target, copy_function=_copy_file)


def _copy_file(source: str, target: str) -> None:
    with open(source, "rb") as original, open(target, "wb") as copy:  # noqa: PTH123 - what copytree hands over
        copy.truncate(os.fstat(original.fileno()).st_size)
        for start, end in _filled(original.fileno()):
            original.seek(start)
            copy.seek(start)
            for position in range(start, end, _BLOCK):
                copy.write(original.read(min(_BLOCK, end - position)))
        copy.flush()
        os.fsync(copy.fileno())  # before it counts; the former one is deleted then


def _filled(file: int) -> Iterator[tuple[int, int]]:
    """The stretches of a file that are not holes; all of it where the system cannot tell."""
    size, end = os.fstat(file).st_size, 0
    if not hasattr(os, "SEEK_DATA"):
        yield 0, size
        return
    while end < size:
        try:
            start = os.lseek(file, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole up to the end
                return
            raise
        end = os.lseek(file, start, os.SEEK_HOLE)
        yield start, end
