"""Office documents behind a password, old and new: msoffcrypto-tool opens them."""

from __future__ import annotations

import io
import struct
from typing import Any
from xml.parsers.expat import ExpatError

from llama_index_gemini_mm.errors import PASSWORD_HINT, EncryptedFile, FileTooLarge
from llama_index_gemini_mm.readers._base import corrupt
from llama_index_gemini_mm.readers._bounds import MAX_PART_BYTES
from llama_index_gemini_mm.source import Source

OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
BROKEN_OLE = (
    *(OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, AssertionError),
    *(ArithmeticError, RecursionError, struct.error, ExpatError),
)
"""What olefile and msoffcrypto raise, besides errors of their own, on broken files."""

_BUILT_IN = "VelvetSweatshop"
"""The password that Excel itself uses, and never asks for, on workbooks protected against changes only."""
_MAX_ROUNDS = 10_000_000
"""Rounds of hashing that make guessing slow; what the specification allows, and a hundred times what Office uses."""


def ole_streams(source: Source) -> frozenset[str]:
    """The names of the outermost streams of an OLE file, in lower case; empty for anything else."""
    if not source.head.startswith(OLE_MAGIC):
        return frozenset()
    import olefile

    try:
        with source.open() as stream, olefile.OleFileIO(stream) as ole:
            return frozenset(path[0].lower() for path in ole.listdir() if len(path) == 1)
    except BROKEN_OLE:
        return frozenset()


def unlocked(source: Source, passwords: tuple[str, ...]) -> Source:
    """``source`` itself, or under the same name what it holds once it is decrypted.

    Raises:
        EncryptedFile: it needs a password, and none of ``passwords`` fits.
        FileTooLarge: it is larger than a file inside another may be, or made to keep us busy.
        CorruptFile: it is broken.
    """
    from msoffcrypto import OfficeFile
    from msoffcrypto.exceptions import DecryptionError, FileFormatError, ParseError

    what, errors = "Office document", (FileFormatError, ParseError, DecryptionError, *BROKEN_OLE)
    with source.open() as stream:
        with corrupt(source, what, *errors):
            office = OfficeFile(stream)
            if not office.is_encrypted():
                return source
        _check(source, office)
        with corrupt(source, what, *errors):
            data = _decrypted(office, (*passwords, _BUILT_IN))
    if data is None:
        found = "none of the passwords fits" if passwords else f"needs a password; {PASSWORD_HINT}"
        raise EncryptedFile(source.location, found)
    return Source(source.location, data, source.container_path)


def _check(source: Source, office: Any) -> None:
    if source.size > MAX_PART_BYTES:
        reason = f"a locked document of {source.size >> 20} MiB, at most {MAX_PART_BYTES >> 20} are read"
        raise FileTooLarge(source.location, reason)
    info = getattr(office, "info", None)
    if isinstance(info, dict) and info.get("spinValue", 0) > _MAX_ROUNDS:
        raise FileTooLarge(source.location, f"a lock of more than {_MAX_ROUNDS:,} rounds")


def _decrypted(office: Any, passwords: tuple[str, ...]) -> bytes | None:
    from msoffcrypto.exceptions import InvalidKeyError

    is_package = office.format == "ooxml"
    for password in passwords:
        target = io.BytesIO()
        try:
            if is_package:
                office.load_key(password=password, verify_password=True)
            else:
                office.load_key(password=password)
            office.decrypt(target)
        except InvalidKeyError:
            continue
        return target.getvalue()
    return None
