"""Files inside archives and mails: names that lead nowhere, and bounds on what they unpack to."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from typing import BinaryIO, Protocol

from llama_index_gemini_mm.errors import FileTooLarge, SourceError
from llama_index_gemini_mm.readers._base import DocumentBuilder
from llama_index_gemini_mm.readers._bounds import MAX_PART_BYTES
from llama_index_gemini_mm.source import Source

MAX_RATIO = 200
"""Unpacked bytes for each packed one. Text packs to a tenth, logs to a fiftieth; only bombs and blanks pass this."""
RATIO_FLOOR = 8 * 2**20
"""Unpacked bytes below which the ratio does not matter."""
MAX_ENTRIES = 100_000
"""Entries of one archive, folders and links included."""
_CHUNK = 1 << 20
_MAX_NAME = 150
_DRIVE = re.compile(r"\A[A-Za-z]:")
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))
"""Unicode categories of characters that do not show, or turn the direction of writing."""
_LEFT_BY_SYSTEMS = frozenset(("__MACOSX", "Thumbs.db", "desktop.ini"))


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def harmless_name(name: str, otherwise: str = "unnamed") -> str:
    r"""A name from a stranger as a relative path below nothing: it only tells members apart and is never opened.

    ``..``, leading slashes, drives, control characters and signs that turn the writing around are dropped.
    ``C:\temp\..\a.txt`` becomes ``temp/a.txt``.
    """
    seen = "".join(c for c in name if unicodedata.category(c) not in _UNSEEN)
    parts = _DRIVE.sub("", seen.replace("\\", "/")).split("/")
    kept = (_shortened(part.strip().rstrip("!")) for part in parts if part.strip() not in ("", ".", ".."))
    return "/".join(filter(None, kept)) or otherwise


def _shortened(part: str) -> str:
    if len(part) <= _MAX_NAME:
        return part
    suffix = PurePosixPath(part).suffix[:20]
    return part[: _MAX_NAME - len(suffix)] + suffix


def is_hidden(name: str) -> bool:
    """Whether a harmless name is one that systems write for themselves, or that folders hide."""
    return any(part.startswith(".") or part in _LEFT_BY_SYSTEMS for part in name.split("/"))


@dataclass
class Names:
    """Keeps the names of one container apart: a second ``a.txt`` is called ``a (2).txt``."""

    _taken: set[str] = field(default_factory=set)
    _counts: dict[str, int] = field(default_factory=dict)

    def take(self, name: str, otherwise: str = "unnamed") -> str:
        """A harmless form of ``name`` that was not given before."""
        wanted = harmless_name(name, otherwise)
        found = wanted
        while found in self._taken:
            count = self._counts[wanted] = self._counts.get(wanted, 1) + 1
            path = PurePosixPath(wanted)
            found = str(path.with_name(f"{path.stem} ({count}){path.suffix}"))
        self._taken.add(found)
        return found


@dataclass(frozen=True)
class Refused(Source):
    """A file inside another that cannot be taken out of it: whoever reads it is told why, as of any unreadable file."""

    error: SourceError | None = None

    @cached_property
    def size(self) -> int:
        """Nothing was taken out."""
        return 0

    def open(self) -> BinaryIO:
        """Raises the reason."""
        if self.error is None:
            raise SourceError(self.location, "the file cannot be taken out")
        raise self.error


def refused(builder: DocumentBuilder, name: str, kind: type[SourceError], reason: str) -> Refused:
    """The member ``name``, which ends in an error of its own and costs the others nothing."""
    location = builder.source.location
    return Refused(location, container_path=builder.inside(name), error=kind(location, reason))


def check_declared(location: str, size: int, packed: int) -> None:
    """Refuse a member by what its archive says of it, before it is read.

    Raises ``FileTooLarge``.
    """
    if size > MAX_PART_BYTES:
        raise FileTooLarge(location, f"a file of {size >> 20} MiB inside, at most {MAX_PART_BYTES >> 20} are read")
    if size > RATIO_FLOOR and size > MAX_RATIO * max(packed, 1):
        raise FileTooLarge(location, f"a file inside unpacks to more than {MAX_RATIO} times its size")


def read_bounded(stream: _Readable, location: str, packed: int, limit: int = MAX_PART_BYTES) -> bytes:
    """All bytes of an unpacking stream whatever its archive declared; ``packed`` is how many bytes it came from.

    Raises ``FileTooLarge`` past ``limit`` bytes or past ``MAX_RATIO``, without having unpacked more than that.
    """
    allowed = min(limit, max(RATIO_FLOOR, MAX_RATIO * packed))
    data = bytearray()
    while chunk := stream.read(_CHUNK):
        data += chunk
        if len(data) > allowed:
            by_size = f"a file of more than {limit >> 20} MiB inside, at most {limit >> 20} are read"
            by_ratio = f"a file inside unpacks to more than {MAX_RATIO} times its size"
            raise FileTooLarge(location, by_size if allowed == limit else by_ratio)
    return bytes(data)
