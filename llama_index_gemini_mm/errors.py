"""Every error this package raises on purpose.

    GeminiMMError
    ├── ConfigurationError      a setting that cannot work: no key, an impossible value
    ├── SourceError             a file that cannot be read; ``path`` and ``reason``
    │   ├── UnsupportedFormat   no reader knows this kind of content
    │   ├── CorruptFile         the content is broken, cut off, or not what it claims to be
    │   ├── EncryptedFile       the content needs a password
    │   ├── FileTooLarge        the content passes a documented bound
    │   ├── NothingToRead       sound but silent, pages but blank: there is nothing in it to be found by
    │   └── MissingDependency   a reader exists, the library behind it is not installed
    ├── MediaMissing            a ``media://`` reference whose bytes are gone or have changed
    ├── LimitExceeded           more than the model accepts; ``modality``, ``limit``, ``actual``
    ├── BudgetExceeded          the next request would cost more than was allowed; ``limit``, ``spent``, ``needed``
    ├── ApiError                the service said no; ``code``, ``status``, ``retryable``
    │   ├── AuthError           the key or its permissions
    │   ├── QuotaExhausted      the day's quota is used up
    │   ├── InvalidRequest      this very input is refused
    │   └── BadReply            an answer that cannot be trusted: count, dimension, numbers
    ├── IndexMismatch           an index made by another model or dimension; ``expected``, ``found``
    ├── IndexLocked             an embedded index that is open already; ``pid``, ``host``, ``since``
    │   └── SyncUnderWay        a storage folder that somebody syncs into
    └── IndexUnavailable        a Qdrant server that does not answer, or refuses

Errors carry fields besides their text, survive pickling (worker processes send them home), and own the exit code the
command line ends with. Their text says what to do next; it never holds a key or the content of a file.
"""

from __future__ import annotations

import copy
import os
import platform
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any


def _revive(cls: type[GeminiMMError], args: tuple[Any, ...], state: dict[str, Any]) -> GeminiMMError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class GeminiMMError(Exception):
    """Root of the tree.

    Attributes:
        exit_code: what ``gemini-mm`` ends with when this error stops it.
        completed: when embedding ended in this error, the vectors that were made before it, by position in the call.
        position: its place in the call, where the error is about one item.
        node_id: the node that item comes from, where that is known.
    """

    exit_code = 1
    completed: Mapping[int, list[float]] = MappingProxyType({})
    position: int | None = None
    node_id: str | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by state, because the constructors take fields and not the finished message."""
        return _revive, (type(self), self.args, self.__dict__)


class ConfigurationError(GeminiMMError):
    """A setting that cannot work; the message names it and a value that would."""

    exit_code = 2


class SourceError(GeminiMMError):
    """A file that cannot be read. In a folder it costs that file alone."""

    exit_code = 10

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: {reason}")

    def at(self, path: str) -> SourceError:
        """The same error about another path: a file inside the one that was opened."""
        moved = copy.copy(self)
        moved.path, moved.args = path, (f"{path}: {self.reason}",)
        return moved


PASSWORD_HINT = "give it in ReaderOptions(passwords=…), or to gemini-mm in GEMINI_MM_PASSWORDS or --password-file"  # noqa: S105 - a sentence


class UnsupportedFormat(SourceError):
    """No reader knows this kind of content."""

    exit_code = 11


class CorruptFile(SourceError):
    """The content is broken, cut off, empty, or not what it claims to be."""

    exit_code = 12


class EncryptedFile(SourceError):
    """The content needs a password; ``PASSWORD_HINT`` says where to give it."""

    exit_code = 13


class FileTooLarge(SourceError):
    """The content passes a documented bound."""

    exit_code = 14


class NothingToRead(SourceError):
    """The content is in order, and there is nothing in it to be found by: silence, blank pages, no words."""

    exit_code = 16


class MissingDependency(SourceError):
    """A reader for this format exists, but what it needs is not installed: a library, which an extra brings, or a
    program, for which ``how`` says how to get it.
    """

    exit_code = 15

    def __init__(self, path: str, package: str, extra: str = "", how: str = "") -> None:
        self.package = package
        self.extra = extra
        how = how or f"pip install 'llama-index-gemini-mm[{extra}]'"
        super().__init__(path, f"needs {package}: {how}")


class MediaMissing(GeminiMMError):
    """The bytes behind a ``media://`` reference are gone, or are no longer the bytes it names."""

    exit_code = 20

    def __init__(self, media_ref: str, path: str | None, reason: str) -> None:
        self.media_ref = media_ref
        self.path = path
        self.reason = reason
        where = f" ({path})" if path else ""
        super().__init__(f"{media_ref}{where}: {reason}")


class LimitExceeded(GeminiMMError):
    """More than the model accepts. ``limit`` and ``actual`` share the unit named in the message."""

    exit_code = 21

    def __init__(self, modality: str, limit: float, actual: float, unit: str, remedy: str) -> None:
        self.modality = modality
        self.limit = limit
        self.actual = actual
        self.unit = unit
        super().__init__(f"{modality}: {actual:g} {unit}, the model accepts {limit:g}; {remedy}")


class BudgetExceeded(GeminiMMError):
    """The next request would cost more than was allowed, so it was not sent. All three are US dollars.

    Args:
        limit: what may be spent in all.
        spent: what was spent, and is set aside for requests under way.
        needed: what the next request is estimated to cost.
    """

    exit_code = 23

    def __init__(self, limit: float, spent: float, needed: float) -> None:
        self.limit = limit
        self.spent = spent
        self.needed = needed
        super().__init__(
            f"max_cost of ${limit:.6g} would be passed: ${spent:.6f} spent or under way, ${needed:.6f} for the next "
            "request; what was embedded is kept, raise max_cost to go on"
        )


class ApiError(GeminiMMError):
    """The service refused or failed.

    Args:
        code: HTTP status; 0 when the connection itself failed.
        status: Google's name for it (``RESOURCE_EXHAUSTED``), or the transport's.
        message: the server's words, shortened.
        retryable: whether the same request may succeed later.
    """

    exit_code = 30

    def __init__(self, code: int, status: str, message: str, *, retryable: bool = False) -> None:
        self.code = code
        self.status = status
        self.retryable = retryable
        super().__init__(f"Gemini API {code or 'connection'} {status}: {message}")


class AuthError(ApiError):
    """The key is missing, wrong, or not allowed to do this."""

    exit_code = 31


class QuotaExhausted(ApiError):
    """The quota of the day is used up; ``resets_at`` is the ISO 8601 time at which it starts anew."""

    exit_code = 32

    def __init__(self, code: int, status: str, message: str, *, resets_at: str) -> None:
        self.resets_at = resets_at
        super().__init__(code, status, f"{message}; the quota starts anew at {resets_at}")


class InvalidRequest(ApiError):
    """This very input is refused; sending it again will not help."""

    exit_code = 33


class BadReply(ApiError):
    """An answer that cannot be trusted: too few vectors, another dimension, or numbers that are none."""

    exit_code = 34


class IndexMismatch(GeminiMMError):
    """An index whose vectors live in another space; ``expected`` and ``found`` describe both."""

    exit_code = 40

    def __init__(self, expected: str, found: str, remedy: str) -> None:
        self.expected = expected
        self.found = found
        super().__init__(f"this index holds {found}, but {expected} was asked for; {remedy}")


_WAIT = "--wait, wait=seconds"


class IndexLocked(GeminiMMError):
    """An embedded index that is open already: in another process, or elsewhere in this one.

    Args:
        path: the storage folder.
        pid: the process that holds it; 0 when that is not known.
        host: the computer that process runs on.
        since: the ISO 8601 time at which it took it.
    """

    exit_code = 41

    def __init__(self, path: str, pid: int = 0, host: str = "", since: str = "") -> None:
        self.path = path
        self.pid = pid
        self.host = host
        self.since = since
        when = f" since {since}" if since else ""
        if (pid, host) == (os.getpid(), platform.node()):
            super().__init__(
                f"{path} is open in this very process ({pid}){when}; an embedded index is opened once: use the "
                "MediaIndex that holds it, or close that one first; several at once need a server (qdrant_url)"
            )
            return
        who = f"process {pid} on {host}" if pid else "another process"
        super().__init__(
            f"{path} is held by {who}{when}; an embedded index belongs to one process at a time: wait for it "
            f"({_WAIT}), or use a server, which many can share (--qdrant-url, qdrant_url=)"
        )


class SyncUnderWay(IndexLocked):
    """A storage folder that is being synced into already, where the vectors are on a server or in another store."""

    exit_code = 43

    def __init__(self, path: str, pid: int = 0, host: str = "", since: str = "") -> None:
        super().__init__(path, pid, host, since)
        who = f"process {pid} on {host}" if pid else "another process"
        when = f" since {since}" if since else ""
        self.args = (f"{who} syncs into {path}{when}; searches may go on, a second sync waits ({_WAIT}) or fails",)


class IndexUnavailable(GeminiMMError):
    """A Qdrant server that cannot be reached, or does not let us in."""

    exit_code = 42

    def __init__(self, url: str, reason: str) -> None:
        self.url = url
        self.reason = reason
        super().__init__(f"the Qdrant server at {url} cannot be used: {reason}")


ONE_INPUTS_FAULT = (SourceError, MediaMissing, LimitExceeded, InvalidRequest)
"""What costs one file, or one node, and stops no other."""
