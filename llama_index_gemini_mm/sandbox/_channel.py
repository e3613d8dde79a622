"""Messages between a worker and its parent: pickles, each behind its length.

A worker trusts its parent. The parent does not trust a worker, which a hostile file may have taken over: of what comes
from there only data are made, documents and errors, and no function is ever called.
"""

from __future__ import annotations

import builtins
import io
import pickle
import struct
import threading
from typing import IO, Any, ClassVar

_LENGTH = struct.Struct("<Q")
_MAX_MESSAGE = 2**30
"""Bytes; far more than any document or extracted picture has."""
_PACKAGES = ("llama_index.core.", "llama_index_gemini_mm.", "pathlib")
"""Whose classes may come from a worker, besides Python's own exceptions."""
_REVIVERS = frozenset((("llama_index_gemini_mm.errors", "_revive"),))
"""Functions that make this package's errors anew."""


class _DataOnly(pickle.Unpickler):
    """Makes objects of known classes, and refuses everything else that a pickle can do."""

    known: ClassVar[dict[tuple[str, str], Any]] = {}
    """What was allowed before; every document names the same few classes."""

    def find_class(self, module: str, name: str) -> Any:
        """The class, or ``pickle.UnpicklingError``."""
        if (module, name) not in self.known:
            self.known[module, name] = self._allowed(module, name)
        return self.known[module, name]

    def _allowed(self, module: str, name: str) -> Any:
        if (module, name) in _REVIVERS:
            return super().find_class(module, name)
        if module == "builtins" and is_exception(getattr(builtins, name, None)):
            return getattr(builtins, name)
        found = super().find_class(module, name) if f"{module}.".startswith(_PACKAGES) else None
        if isinstance(found, type) and f"{found.__module__}.".startswith(_PACKAGES):
            return found
        raise pickle.UnpicklingError(f"a worker sent a {module}.{name}")


def is_exception(value: object) -> bool:
    """Whether it is a class of exceptions."""
    return isinstance(value, type) and issubclass(value, Exception)


def data_only(data: bytes) -> Any:
    """What a pickle holds if it is data; else ``pickle.UnpicklingError``."""
    return _DataOnly(io.BytesIO(data)).load()


class Channel:
    """Two pipes, and whether what comes in is trusted. Sending is safe from several threads, receiving is not."""

    def __init__(self, reading: IO[bytes], writing: IO[bytes], *, trusted: bool) -> None:
        self._reading = reading
        self._writing = writing
        self._loads = pickle.loads if trusted else data_only
        self._lock = threading.Lock()

    def send(self, message: Any) -> None:
        """Send a message, waiting while the other side is busy; raises ``OSError`` when it is gone."""
        data = pickle.dumps(message, protocol=5)
        with self._lock:
            self._writing.write(_LENGTH.pack(len(data)))
            self._writing.write(data)
            self._writing.flush()

    def receive(self) -> Any:
        """The next message; raises ``EOFError`` when the other side is gone, and ``pickle.UnpicklingError``."""
        return self.receive_sized()[0]

    def receive_sized(self) -> tuple[Any, int]:
        """The next message and its length in bytes."""
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size))
        if length > _MAX_MESSAGE:
            raise pickle.UnpicklingError("a message of more than 1 GiB")
        return self._loads(self._exactly(length)), length

    def close(self) -> None:
        """Close both pipes."""
        for stream in (self._writing, self._reading):
            try:
                stream.close()
            except OSError:
                continue  # the other side has gone first

    def _exactly(self, count: int) -> bytes:
        data = self._reading.read(count)
        if len(data) < count:
            raise EOFError
        return data


class Link:
    """A worker's way to its parent. There is one in a worker, and none elsewhere."""

    def __init__(self) -> None:
        self.channel: Channel | None = None

    def ask(self, service: str, *args: Any) -> Any:
        """Let the parent do something that is forbidden here."""
        if self.channel is None:
            raise RuntimeError("only a worker has a parent to ask")
        self.channel.send(("ask", (service, args)))
        answer, error = self.channel.receive()
        if error is not None:
            raise error
        return answer


LINK = Link()


def inside_worker() -> bool:
    """Whether this process is a worker."""
    return LINK.channel is not None


def ask_parent(service: str, *args: Any) -> Any:
    """What the parent's service of this name answers; raises what it raises, and ``KeyError`` when there is none."""
    return LINK.ask(service, *args)
