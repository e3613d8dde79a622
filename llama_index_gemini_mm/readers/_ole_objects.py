"""The files that people drag into office documents, which lie there wrapped in OLE objects."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from llama_index_gemini_mm.readers._text import decode

_OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_BROKEN = (
    *(OSError, EOFError, ValueError, LookupError, TypeError, AttributeError),
    *(ArithmeticError, RecursionError, struct.error),
)
"""What olefile and ``struct`` raise on broken objects."""
_WHOLE = {"worddocument": ".doc", "workbook": ".xls", "book": ".xls", "powerpoint document": ".ppt"}
"""Streams of old Office files: the object itself is the file."""
_ONE_STREAM = ("package", "contents", "embeddedodf")
"""Streams that are a file: of Office, of Acrobat, of LibreOffice."""
_LOCKED = "encryptedpackage"
_NATIVE = "\x01ole10native"
_PACKAGED = 2
"""The first word of a native stream that holds a file with its name."""


def embedded_files(blob: bytes, name: str) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the bytes of each file in an embedded part of an office document.

    A part that is no OLE object is a file itself, and so is a broken or locked one, so that its refusal can be
    reported. An object that holds no file, such as an equation, yields nothing.

    Args:
        blob: the part.
        name: its name in the package, such as ``word/embeddings/oleObject1.bin``. The names yielded are below it where
            the file has one of its own, as in ``word/embeddings/oleObject1/readings.csv``, so that they never collide.
    """
    if not blob.startswith(_OLE_MAGIC):
        yield name, blob
        return
    try:
        found = list(_files(blob, name))
    except _BROKEN:
        found = [(name, blob)]
    yield from found


def _files(blob: bytes, name: str) -> Iterator[tuple[str, bytes]]:
    import olefile

    with olefile.OleFileIO(io.BytesIO(blob)) as ole:
        streams = {path[0].lower(): path[0] for path in ole.listdir() if len(path) == 1}
        stem = str(PurePosixPath(name).with_suffix(""))
        if _LOCKED in streams:
            yield name, blob
        whole = next((suffix for stream, suffix in _WHOLE.items() if stream in streams), None)
        if whole:
            yield stem + whole, blob
        elif _NATIVE in streams:
            yield _native(_read(ole, streams[_NATIVE]), stem)
        for stream in () if whole else _ONE_STREAM:
            if data := _read(ole, streams[stream]) if stream in streams else b"":
                yield stem + _suffix(data), data


def _read(ole: Any, stream: str) -> bytes:
    return bytes(ole.openstream(stream).read())


def _suffix(data: bytes) -> str:
    return ".pdf" if data.startswith(b"%PDF") else ""


def _native(data: bytes, stem: str) -> tuple[str, bytes]:
    """The packaged file and its name, or what some other program has put there.

    The name is stored in the code page of the writer's machine, and by newer programs again in UTF-16 at the end.
    """
    stream = io.BytesIO(data)
    size, kind = struct.unpack("<IH", stream.read(6))
    if kind != _PACKAGED:
        return stem, data[4 : 4 + size]
    label = decode(_c_string(stream)) or ""
    _c_string(stream)
    stream.seek(4, io.SEEK_CUR)
    _sized(stream)
    content = _sized(stream)
    _sized(stream, 2)
    label = _sized(stream, 2).decode("utf-16-le", errors="replace") or label
    own = PurePosixPath(label.replace("\\", "/")).name
    own = "".join(c for c in own if c.isprintable())
    return f"{stem}/{own}" if own else stem, content


def _c_string(stream: io.BytesIO) -> bytes:
    start = stream.tell()
    end = stream.getvalue().index(b"\0", start)
    stream.seek(end + 1)
    return stream.getvalue()[start:end]


def _sized(stream: io.BytesIO, width: int = 1) -> bytes:
    """What follows its own length in units of ``width`` bytes; empty at the end."""
    head = stream.read(4)
    return stream.read(width * struct.unpack("<I", head)[0]) if len(head) == 4 else b""
