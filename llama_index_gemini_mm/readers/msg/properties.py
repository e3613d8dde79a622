"""The properties of an Outlook message: texts in the code page of their time, dates, and files.

``oxmsg`` opens the storages. Its own texts end at code pages that Python names otherwise, and it passes over messages
inside messages, so the streams are read here.
"""

from __future__ import annotations

import codecs
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from oxmsg.storage import Storage

from llama_index_gemini_mm.readers._text import decode

_PROPERTIES = "__properties_version1.0"
_UNICODE, _BYTES_TEXT, _BINARY, _OBJECT = 0x001F, 0x001E, 0x0102, 0x000D
_INTEGER, _TIME = 0x0003, 0x0040
_ENTRY = struct.Struct("<HH4x8s")
_MESSAGE_CODE_PAGE, _INTERNET_CODE_PAGE = 0x3FFD, 0x3FDE
_CODE_PAGES = {
    20127: "ascii",
    20866: "koi8-r",
    21866: "koi8-u",
    50220: "iso2022-jp",
    50221: "iso2022-jp",
    50225: "iso2022-kr",
    51932: "euc-jp",
    51936: "gb2312",
    51949: "euc-kr",
    54936: "gb18030",
    65000: "utf-7",
    65001: "utf-8",
}
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)


class Properties:
    """What one storage (a message, a receiver, an attachment) says.

    Args:
        storage: the storage.
        header: bytes before the list of its properties: 32 for a message, 24 for one inside another, 8 otherwise.
        code_page: of the message around, for texts that are not Unicode.
    """

    def __init__(self, storage: Storage, header: int, code_page: str | None = None) -> None:
        self._storage = storage
        self._streams = {stream.name: stream.bytes_ for stream in storage.streams}
        fixed = self._streams.get(_PROPERTIES, b"")[header:]
        whole = len(fixed) - len(fixed) % _ENTRY.size
        self._fixed = {(pid, kind): value for kind, pid, value in _ENTRY.iter_unpack(fixed[:whole])}
        self.code_page = _encoding(self.number(_MESSAGE_CODE_PAGE)) or code_page
        self.body_code_page = _encoding(self.number(_INTERNET_CODE_PAGE)) or self.code_page

    def text(self, *ids: int) -> str:
        """The first of these properties that is a text and not empty."""
        for pid in ids:
            wide, narrow = self._stream(pid, _UNICODE), self._stream(pid, _BYTES_TEXT)
            text = wide.decode("utf-16-le", errors="replace") if wide else decode(narrow, self.code_page) or ""
            if text := text.replace("\0", "").replace("\r\n", "\n").strip():
                return text
        return ""

    def data(self, pid: int) -> bytes:
        """A property of bytes; empty when it is missing."""
        return self._stream(pid, _BINARY)

    def number(self, pid: int) -> int | None:
        """A property of 32 bits."""
        value = self._fixed.get((pid, _INTEGER))
        return int.from_bytes(value[:4], "little") if value else None

    def time(self, *ids: int) -> str:
        """The first of these properties that is a date, in ISO 8601 and UTC; empty when none is."""
        for pid in ids:
            ticks = int.from_bytes(self._fixed.get((pid, _TIME), b""), "little")
            try:
                if ticks:
                    return (_EPOCH + timedelta(microseconds=ticks // 10)).replace(microsecond=0).isoformat()
            except OverflowError:
                continue
        return ""

    def inside(self, pid: int) -> Storage | None:
        """A property that is a storage of its own: a message attached to this one."""
        name = f"__substg1.0_{pid:04X}{_OBJECT:04X}"
        return next((storage for storage in self._storage.storages if storage.name == name), None)

    def storages(self, prefix: str) -> Iterator[Storage]:
        """The storages whose names begin so, in their order."""
        found = (storage for storage in self._storage.storages if storage.name.startswith(prefix))
        yield from sorted(found, key=lambda storage: storage.name)

    def _stream(self, pid: int, kind: int) -> bytes:
        return self._streams.get(f"__substg1.0_{pid:04X}{kind:04X}", b"")


def _encoding(code_page: int | None) -> str | None:
    """Python's name of a code page of Windows."""
    if code_page is None:
        return None
    if 28590 < code_page < 28606:
        return f"iso8859-{code_page - 28590}"
    name = _CODE_PAGES.get(code_page, f"cp{code_page}")
    try:
        return codecs.lookup(name).name
    except LookupError:
        return None
