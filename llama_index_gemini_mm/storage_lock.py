"""StorageLock: an embedded index belongs to one process at a time, and the next one is told whose it is.

The lock is the operating system's, so that the end of its holder, however it comes, sets it free. Who holds it stands
in a file beside it, because a locked file cannot be read everywhere.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import platform
import sys
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from llama_index_gemini_mm.errors import ConfigurationError, IndexLocked

LOCK_FILE, HOLDER_FILE = "index.lock", "index.lock.json"
_POLL_SECONDS = 0.2
_HELD = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)
"""What systems say of a file that somebody else has locked."""


@dataclass(frozen=True)
class Holder:
    """Who holds a storage: process id, name of the computer, and the local time, in ISO 8601, it was taken at."""

    pid: int = 0
    host: str = ""
    since: str = ""


class StorageLock:
    """The right to open the embedded index in ``folder``; a context manager that takes it and gives it back.

    Args:
        folder: the storage folder; made when missing.
        wait: seconds that the context manager waits for another holder.
        refusal: what is raised when somebody else holds it.
    """

    def __init__(self, folder: str | Path, wait: float | None = None, refusal: type[IndexLocked] = IndexLocked) -> None:
        self.folder = Path(folder)
        self._wait = wait
        self._refusal = refusal
        self._file: IO[bytes] | None = None
        self._pid = 0

    @property
    def holder(self) -> Holder:
        """Who holds it, or held it last; empty when nobody ever did."""
        try:
            return Holder(**json.loads((self.folder / HOLDER_FILE).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return Holder()

    def acquire(self, wait: float | None = None) -> None:
        """Take it, after at most ``wait`` seconds; without ``wait``, at once or not at all.

        Raises:
            IndexLocked: somebody else holds it: another process, or another part of this one.
            ConfigurationError: the folder lies where nothing can be locked.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + (wait or 0.0)
        while not self._taken():
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise self._refusal(str(self.folder), **asdict(self.holder))
            time.sleep(min(_POLL_SECONDS, remaining))

    def release(self) -> None:
        """Give it back; a forked child, which has a copy of this object, cannot."""
        file, self._file = self._file, None
        if file is not None and self._pid == os.getpid():
            with contextlib.suppress(OSError):
                (self.folder / HOLDER_FILE).unlink()
            file.close()

    def __enter__(self) -> Self:
        self.acquire(self._wait)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _taken(self) -> bool:
        file = (self.folder / LOCK_FILE).open("ab")
        try:
            _lock(file)
        except OSError as error:
            file.close()
            if error.errno in _HELD:
                return False
            remedy = "keep the storage on a local disk, or use a server (qdrant_url)"
            raise ConfigurationError(f"{self.folder} cannot be locked ({error.strerror}); {remedy}") from error
        self._file, self._pid = file, os.getpid()
        self._say()
        return True

    def _say(self) -> None:
        """Write down who holds it, in one step, so that no reader sees half of it."""
        holder = Holder(os.getpid(), platform.node(), datetime.now().astimezone().isoformat(timespec="seconds"))
        draft = self.folder / f"{HOLDER_FILE}.{os.getpid()}"
        draft.write_text(json.dumps(asdict(holder)), encoding="utf-8")
        draft.replace(self.folder / HOLDER_FILE)


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[Any]) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(file: IO[Any]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
