"""Source: where bytes come from. A path, an fsspec URL, or bytes in memory, behind one small face."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from llama_index_gemini_mm.errors import SourceError

HEAD_BYTES = 8192
"""Enough for every magic number, and for telling text from data."""
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Source:
    """Bytes with a name.

    Make one with ``Source.of_path``, ``Source.of_url`` (any fsspec URL) or ``Source.of_bytes``. ``location`` identifies
    it (absolute path, URL, or the given name) and is what documents carry as ``file_path``.
    """

    location: str
    data: bytes | None = field(default=None, repr=False)
    container_path: str | None = None
    """Set for content found inside another file: ``mail.eml!/report.pdf``."""
    copy: Path | None = field(default=None, repr=False, compare=False)
    """A file on this disk with the same bytes, for a location that is not."""

    @classmethod
    def of_path(cls, path: str | Path) -> Source:
        """A local file; symbolic links are kept as they are named."""
        return cls(str(Path(path).expanduser().absolute()))

    @classmethod
    def of_url(cls, url: str) -> Source:
        """Anything fsspec can open: ``s3://bucket/key``, ``memory://x``, ``file:///…``."""
        return cls.of_path(url.removeprefix("file://")) if url.startswith("file://") else cls(url)

    @classmethod
    def of(cls, location: str | Path) -> Source:
        """A path or a URL, told apart by ``://``."""
        return cls.of_url(location) if isinstance(location, str) and "://" in location else cls.of_path(location)

    @classmethod
    def of_bytes(cls, data: bytes, name: str) -> Source:
        """Bytes in memory; ``name`` is the file name they would have."""
        return cls(name, data)

    @property
    def name(self) -> str:
        """The last part of the location."""
        return PurePosixPath((self.container_path or self.location).replace("\\", "/")).name

    @property
    def suffix(self) -> str:
        """Lower case, with the dot; empty when there is none."""
        return PurePosixPath(self.name).suffix.lower()

    @property
    def is_url(self) -> bool:
        """Whether the bytes lie behind fsspec rather than on this disk or in memory."""
        return self.data is None and "://" in self.location

    @property
    def local_path(self) -> Path | None:
        """The file on this disk, if there is one."""
        return None if self.data is not None or self.is_url else Path(self.location)

    def open(self) -> BinaryIO:
        """A new seekable stream over the bytes; raises ``SourceError`` when there are none to be had."""
        if self.data is not None:
            return io.BytesIO(self.data)
        try:
            return self._open_stored()
        except OSError as error:
            raise SourceError(self.location, _reason(error)) from error

    def _open_stored(self) -> BinaryIO:
        if self.copy is not None:
            return self.copy.open("rb")
        if not self.is_url:
            return Path(self.location).open("rb")
        import fsspec

        return cast("BinaryIO", fsspec.open(self.location, "rb").open())

    def read(self) -> bytes:
        """All bytes."""
        if self.data is not None:
            return self.data
        with self.open() as stream:
            return stream.read()

    @cached_property
    def head(self) -> bytes:
        """The first 8,192 bytes."""
        with self.open() as stream:
            return stream.read(HEAD_BYTES)

    @cached_property
    def size(self) -> int:
        """Length in bytes."""
        with self.open() as stream:
            return stream.seek(0, io.SEEK_END)

    @cached_property
    def sha256(self) -> str:
        """Hex digest of the bytes, read in pieces."""
        digest = hashlib.sha256()
        with self.open() as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
        return digest.hexdigest()


def _reason(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file"
    return error.strerror or type(error).__name__
