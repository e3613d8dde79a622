"""TAR archives, packed or not, and single files packed by gzip, bzip2 or xz."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import PurePosixPath
from typing import BinaryIO, cast

from llama_index_gemini_mm.errors import CorruptFile, FileTooLarge, SourceError, UnsupportedFormat
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers._archive import (
    MAX_ENTRIES,
    MAX_RATIO,
    Names,
    check_declared,
    harmless_name,
    is_hidden,
    read_bounded,
    refused,
)
from llama_index_gemini_mm.readers._base import DocumentBuilder, Format, Piece, ReaderOptions, corrupt
from llama_index_gemini_mm.readers._bounds import MAX_PART_BYTES
from llama_index_gemini_mm.source import Source

_BLOCK = 512
_IN_MEMORY = 16 * 2**20
_MAX_UNPACKED = 2 * 2**30
"""A bound on a packed TAR archive as a whole, which is unpacked before its list of members is known."""
_CHUNK = 1 << 20
_OPENERS: dict[bytes, Callable[[BinaryIO], object]] = {
    b"\x1f\x8b\x08": lambda stream: gzip.GzipFile(fileobj=stream),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}
_PACKED_TAR = {".tgz": ".tar", ".tbz": ".tar", ".tbz2": ".tar", ".txz": ".tar"}
_PACKED_PICTURES = (".svgz", ".emz", ".wmz")
_BROKEN = (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError, ValueError, OverflowError)


class TarFormat(Format):
    """TAR archives and what gzip, bzip2 and xz have packed."""

    name = "tar"
    suffixes = (".tar", ".tgz", ".tbz", ".tbz2", ".txz", ".gz", ".bz2", ".xz")
    mime_types = ("application/x-tar", "application/gzip", "application/x-bzip2", "application/x-xz")

    def score(self, source: Source) -> int:
        """Match the first bytes, or the checksum in the first header of a TAR archive."""
        packed = _opener(source) is not None and source.suffix not in _PACKED_PICTURES
        return self.score_by_magic(source, matches=packed or _is_tar(source.head[:_BLOCK]))

    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Piece]:
        """Yield the files inside by name, or the one file that is packed."""
        builder = DocumentBuilder(source, store, self.mime_types[0])
        with ExitStack() as stack:
            stream = stack.enter_context(source.open())
            opener = _opener(source)
            if opener is not None:
                with corrupt(source, "packed file", *_BROKEN):
                    is_archive = _is_tar(cast("BinaryIO", opener(stream)).read(_BLOCK))
                    stream.seek(0)
                    unpacking = cast("BinaryIO", opener(stream))
                    if not is_archive:
                        yield builder.part(_bare_name(source), read_bounded(unpacking, source.location, source.size))
                        return
                    stream = stack.enter_context(_unpacked(source, unpacking))
            yield from _members(source, stream, builder)


def _opener(source: Source) -> Callable[[BinaryIO], object] | None:
    return next((opener for magic, opener in _OPENERS.items() if source.head.startswith(magic)), None)


def _is_tar(header: bytes) -> bool:
    """Whether a block is the header of a TAR member: its checksum counts the eight bytes of itself as blanks."""
    if len(header) < _BLOCK or not header[0]:
        return False
    try:
        checksum = int(header[148:156].strip(b" \0") or b"0", 8)
    except ValueError:
        return False
    return checksum == sum(header[:148]) + 8 * 32 + sum(header[156:_BLOCK])


def _bare_name(source: Source) -> str:
    """``notes.txt.gz`` holds ``notes.txt``."""
    path = PurePosixPath(source.name)
    return harmless_name(path.stem + _PACKED_TAR.get(path.suffix.lower(), ""))


def _unpacked(source: Source, stream: BinaryIO) -> BinaryIO:
    """A whole archive unpacked into a file without a name, which is gone when it is closed.

    Raises ``FileTooLarge`` past the bounds, and what the libraries raise.
    """
    allowed = min(_MAX_UNPACKED, max(_IN_MEMORY, MAX_RATIO * source.size))
    target = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115
    size = 0
    while chunk := stream.read(_CHUNK):
        size += len(chunk)
        if size > allowed:
            target.close()
            raise FileTooLarge(source.location, f"the archive unpacks to more than {allowed >> 20} MiB")
        target.write(chunk)
    target.seek(0)
    return cast("BinaryIO", target)


def _members(source: Source, stream: BinaryIO, builder: DocumentBuilder) -> Iterator[Piece]:
    names = Names()
    with corrupt(source, "TAR archive", *_BROKEN), tarfile.open(fileobj=stream, mode="r:") as archive:
        for member in sorted(_files(source, archive), key=lambda m: m.name):
            taken = names.take(member.name)
            try:
                data = _data(source, archive, member)
            except SourceError as error:
                yield refused(builder, taken, type(error), error.reason)
            else:
                yield builder.part(taken, data)


def _files(source: Source, archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The files to be read. Links and devices hold nothing themselves.

    Headers are read one by one: one of negative size would lead ``tarfile`` in a circle.
    """
    count, place = 0, -1
    while (member := archive.next()) is not None:
        count += 1
        if archive.offset <= place or member.size < 0:
            raise CorruptFile(source.location, "not a readable TAR archive: its members lie in a circle")
        if count > MAX_ENTRIES:
            raise FileTooLarge(source.location, f"more than {MAX_ENTRIES:,} entries in the archive")
        place = archive.offset
        if member.isreg() and not is_hidden(harmless_name(member.name)):
            yield member


def _data(source: Source, archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    check_declared(source.location, member.size, source.size)
    stream = archive.extractfile(member)
    if stream is None:
        raise UnsupportedFormat(source.location, "no file that holds anything itself")
    with stream:
        data = read_bounded(cast("BinaryIO", stream), source.location, MAX_PART_BYTES)
    if len(data) < member.size:
        raise CorruptFile(source.location, "a file inside the archive is cut off")
    return data


FORMAT = TarFormat()
