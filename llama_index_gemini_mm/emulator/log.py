"""What the emulator was sent: immutable records, and a log that any thread may read."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class RecordedPart:
    """One part as it arrived: ``text``, or inline bytes with their ``mime_type``, or a ``file_uri``.

    ``data`` holds the bytes after base64, ``size`` counts them and ``sha256`` is their lower-case hex digest.
    """

    text: str | None = None
    mime_type: str | None = None
    data: bytes | None = field(default=None, repr=False)
    sha256: str | None = None
    size: int | None = None
    file_uri: str | None = None


@dataclass(frozen=True)
class RecordedContent:
    """One Content, that is one vector, with the options that came along with it."""

    parts: tuple[RecordedPart, ...]
    output_dimensionality: int | None = None
    task_type: str | None = None
    title: str | None = None

    @property
    def text(self) -> str:
        """The text parts, one a line."""
        return "\n".join(part.text for part in self.parts if part.text is not None)


@dataclass(frozen=True)
class RecordedRequest:
    """One HTTP request. Secrets are not kept.

    Attributes:
        method: HTTP verb.
        path: path without query.
        route: what was asked for, such as ``batchEmbedContents`` or ``files.get``.
        headers: names in lower case; key and token are replaced.
        body: parsed JSON, with a short note in the place of inline data; None when the body was none.
        contents: what was to be embedded or counted, in order; empty on other routes and for a malformed body.
    """

    method: str
    path: str
    route: str
    headers: Mapping[str, str]
    body: Any
    contents: tuple[RecordedContent, ...] = ()


class RequestLog:
    """The last ``keep`` requests in order of arrival; all of them when ``keep`` is None."""

    def __init__(self, keep: int | None = None) -> None:
        self._records: deque[RecordedRequest] = deque(maxlen=keep)
        self._lock = threading.Lock()

    def add(self, record: RecordedRequest) -> None:
        """Append one record."""
        with self._lock:
            self._records.append(record)

    def snapshot(self) -> list[RecordedRequest]:
        """A copy that later requests do not change."""
        with self._lock:
            return list(self._records)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._records.clear()
