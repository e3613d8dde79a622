"""ZIP packages opened within bounds: for archives, and for the e-books that are one."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from llama_index_gemini_mm.errors import (
    PASSWORD_HINT,
    CorruptFile,
    EncryptedFile,
    FileTooLarge,
    SourceError,
    UnsupportedFormat,
)
from llama_index_gemini_mm.readers._archive import MAX_ENTRIES, check_declared, read_bounded
from llama_index_gemini_mm.readers._bounds import MAX_PART_BYTES
from llama_index_gemini_mm.readers.zip import aes
from llama_index_gemini_mm.source import Source

MAGIC = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_ENTRY = b"PK\x01\x02"
_END, _END_SIZE, _END_BYTES = b"PK\x05\x06", 22, 22 + 0xFFFF
"""What stands behind the list of entries, with a comment of up to 64 KiB."""
_LOCATOR, _LOCATOR_SIZE = b"PK\x06\x07", 20
_LARGE, _LARGE_SIZE = b"PK\x06\x06", 56
_CHUNK = 1 << 22
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError, struct.error, OverflowError)
"""What ``zipfile`` raises on packages that are broken or cut off."""
_ENCRYPTED = 0x1


@contextmanager
def opened_zip(source: Source, what: str) -> Iterator[zipfile.ZipFile]:
    """A package whose list of members is of a size to be read, and whose members do not share their bytes.

    Raises:
        CorruptFile: it is broken or cut off.
        FileTooLarge: too many members, or members that overlap, as in bombs.
    """
    with source.open() as stream:
        _check_entries(source, stream)
        try:
            package = zipfile.ZipFile(stream)
        except (*BROKEN, NotImplementedError) as error:
            raise CorruptFile(source.location, f"not a readable {what}: it is broken or cut off") from error
        with package:
            if sum(member.compress_size for member in package.infolist()) > source.size:
                raise FileTooLarge(source.location, f"files in the {what} share their bytes, as bombs do")
            yield package


def _check_entries(source: Source, stream: BinaryIO) -> None:
    """Count the entries by their signature: ``zipfile`` makes an object of each before it can be asked.

    They stand in a list at the end of the file, whose length stands behind it; all else is not read.
    """
    stream.seek(max(source.size - _END_BYTES, 0))
    tail = stream.read()
    end = tail.rfind(_END)
    if end >= 0 and end + _END_SIZE <= len(tail):
        listed, behind = _listed_bytes(stream, tail, end)
        stream.seek(max(source.size - len(tail) + end - behind - listed, 0))
        count, rest = 0, b""
        while listed > 0 and (chunk := stream.read(min(_CHUNK, listed))):
            count += (rest + chunk).count(_ENTRY)
            rest, listed = chunk[-len(_ENTRY) + 1 :], listed - len(chunk)
            if count > MAX_ENTRIES:
                raise FileTooLarge(source.location, f"more than {MAX_ENTRIES:,} entries in the archive")
    stream.seek(0)


def _listed_bytes(stream: BinaryIO, tail: bytes, end: int) -> tuple[int, int]:
    """The length of the list of entries, and of what lies between it and ``end``: records that large ones have."""
    (length,) = struct.unpack_from("<I", tail, end + 12)
    locator = end - _LOCATOR_SIZE
    if locator < 0 or not tail.startswith(_LOCATOR, locator):
        return length, 0
    stream.seek(-(len(tail) - locator + _LARGE_SIZE), io.SEEK_END)
    record = stream.read(_LARGE_SIZE)
    if not record.startswith(_LARGE):
        return length, 0
    return struct.unpack_from("<Q", record, 40)[0], _LOCATOR_SIZE + _LARGE_SIZE


def member_names(source: Source) -> frozenset[str] | None:
    """The names in a package; ``None`` when it is none, or cannot be opened."""
    if not source.head.startswith(MAGIC):
        return None
    try:
        with opened_zip(source, "package") as package:
            return frozenset(package.namelist())
    except SourceError:
        return None


def read_member(
    package: zipfile.ZipFile,
    member: zipfile.ZipInfo,
    location: str,
    passwords: tuple[str, ...] = (),
    limit: int = MAX_PART_BYTES,
) -> bytes:
    """All bytes of one member; ``passwords`` are tried in turn on one that is locked.

    Raises:
        FileTooLarge: it unpacks to more than ``limit`` bytes, or far more than it was packed into.
        EncryptedFile: no password opens it.
        UnsupportedFormat: packed by a method that is not known.
        CorruptFile: broken.
    """
    check_declared(location, member.file_size, member.compress_size)
    try:
        if not member.flag_bits & _ENCRYPTED:
            with package.open(member) as stream:
                return read_bounded(stream, location, member.compress_size, limit)
        for password in passwords:
            if (data := _unlocked(package, member, location, password)) is not None:
                return data
    except NotImplementedError as error:
        raise UnsupportedFormat(location, "a file inside is packed by a method that is not read") from error
    except (*BROKEN, RuntimeError) as error:
        raise CorruptFile(location, "a file inside the archive is broken or cut off") from error
    tried = "none of the passwords fits" if passwords else PASSWORD_HINT
    raise EncryptedFile(location, f"a file inside needs a password; {tried}")


def _unlocked(package: zipfile.ZipFile, member: zipfile.ZipInfo, location: str, password: str) -> bytes | None:
    """The bytes when ``password`` fits. The old cipher tells most wrong ones at once, the rest by the checksum."""
    if member.compress_type == aes.METHOD:
        return aes.unlocked(package, member, location, password)
    try:
        with package.open(member, pwd=password.encode()) as stream:
            return read_bounded(stream, location, member.compress_size)
    except (RuntimeError, zipfile.BadZipFile, zlib.error, EOFError):
        return None
