"""The parent's side: workers that are started, watched, kept and ended."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import pickle
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import IO, Any, Generic, Literal, ParamSpec, TypeVar

from llama_index_gemini_mm.errors import CorruptFile, FileTooLarge
from llama_index_gemini_mm.sandbox._channel import Channel
from llama_index_gemini_mm.sandbox._worker import PACKAGE

P = ParamSpec("P")
T = TypeVar("T")
Services = Mapping[str, Callable[..., Any]]
"""What a worker may ask of its parent, by name."""

_START = "from llama_index_gemini_mm.sandbox._worker import main; main()"
_START_SECONDS = 60.0
_READ_AHEAD = 32 * 2**20
"""Bytes of one worker's items that wait in the parent; a worker that is further ahead waits itself."""
_CPU_FACTOR = 4
"""Computing time, of all threads together, for each second by the clock. Ends what hangs when the parent is gone."""
_KEPT = (
    "PATH",
    "HOME",
    "LANG",
    "TZ",
    "SYSTEMROOT",
    "LD_LIBRARY_PATH",
    "NLTK_DATA",
    "TIKTOKEN_CACHE_DIR",
    "XDG_CACHE_HOME",
)
_KEPT_PREFIXES = ("LC_", "COV_", "COVERAGE_")


@dataclass(frozen=True)
class Bounds:
    """What a worker may use.

    Attributes:
        memory_bytes: beyond what it needs by itself; enforced on Linux.
        seconds: between two items, by the clock.
    """

    memory_bytes: int = 4 * 2**30
    seconds: float = 120.0


_SECONDS_PER_MIB = 2.0
"""Long recordings are decoded as a whole before the first item of them appears."""


def bounds_for(size: int, bounds: Bounds | None = None) -> Bounds:
    """``bounds``, or the usual ones, with more time for a file of so many bytes."""
    bounds = bounds or Bounds()
    return replace(bounds, seconds=bounds.seconds + _SECONDS_PER_MIB * size / 2**20)


class WorkerLost(Exception):
    """A worker ended before its task. ``cause`` says how, the text why."""

    def __init__(self, cause: Literal["time", "memory", "crash"], text: str) -> None:
        self.cause = cause
        super().__init__(text)


@contextlib.contextmanager
def guarded(location: str) -> Iterator[None]:
    """Turn the loss of a worker into an error of the file at ``location``: ``CorruptFile`` or ``FileTooLarge``."""
    try:
        yield
    except WorkerLost as lost:
        kind = CorruptFile if lost.cause == "crash" else FileTooLarge
        raise kind(location, str(lost)) from lost


class _Worker:
    """One process, its pipes, and the folder for its temporary files, which goes when it goes."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="gemini-mm-")
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter, and no word of anyone else's
            [sys.executable, "-W", "ignore", "-c", _START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(self.folder),
            cwd=self.folder,
        )
        self.channel = Channel(_opened(self._process.stdout), _opened(self._process.stdin), trusted=False)
        self._inbox: queue.Queue[tuple[str, Any, int]] = queue.Queue()
        self._waiting = 0
        self._taken = threading.Condition()
        threading.Thread(target=self._listen, daemon=True).start()
        self._is_ready = False

    def send(self, message: Any) -> None:
        """Give it something to do."""
        if not self._is_ready:
            self._next(_START_SECONDS)
            self._is_ready = True
        with contextlib.suppress(OSError):  # it has gone; the next message says how
            self.channel.send(message)

    def next(self, seconds: float, memory_bytes: int) -> tuple[str, Any]:
        """Its next message; raises ``WorkerLost`` when none comes in time, or ever."""
        try:
            return self._next(seconds)
        except WorkerLost as lost:
            if lost.cause == "memory":
                raise WorkerLost("memory", f"reading it took more than {memory_bytes >> 20:,} MiB of memory") from None
            raise

    def end(self) -> None:
        """Kill it, and remove what it left."""
        self._process.kill()
        self._process.wait()
        with self._taken:
            self._waiting = 0
            self._taken.notify()
        self.channel.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _next(self, seconds: float) -> tuple[str, Any]:
        try:
            kind, value, size = self._inbox.get(timeout=seconds)
        except queue.Empty:
            raise WorkerLost("time", f"nothing came out of it within {seconds:.0f} s") from None
        with self._taken:
            self._waiting -= size
            self._taken.notify()
        if kind == "gone":
            raise _loss(self._process.wait())
        if kind == "untrue":
            raise WorkerLost("crash", "what came out of the process is not to be trusted")
        if kind == "out of memory":
            raise WorkerLost("memory", "")
        return kind, value

    def _listen(self) -> None:
        """Take messages in as they come, so that workers do not wait for each other."""
        try:
            while True:
                (kind, value), size = self.channel.receive_sized()
                self._inbox.put((kind, value, size))
                with self._taken:
                    self._waiting += size
                    self._taken.wait_for(lambda: self._waiting < _READ_AHEAD)
        except (EOFError, OSError):
            self._inbox.put(("gone", None, 0))
        except (pickle.UnpicklingError, ValueError, TypeError):
            self._process.kill()
            self._inbox.put(("untrue", None, 0))


def _opened(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise RuntimeError("the pipe was asked for")
    return pipe


def _loss(code: int) -> WorkerLost:
    """What an exit code says."""
    name = signal.Signals(-code).name if code < 0 and -code in set(signal.Signals) else f"exit code {code}"
    if name == "SIGXCPU":
        return WorkerLost("time", "computing took too long")
    if name == "SIGKILL":
        return WorkerLost("memory", "")
    return WorkerLost("crash", f"reading it crashed ({name})")


class Stream(Generic[T]):
    """What a task yields. Read it to its end, or close it, from one thread."""

    def __init__(self, sandbox: Sandbox, worker: _Worker, bounds: Bounds, services: Services) -> None:
        self._sandbox = sandbox
        self._worker: _Worker | None = worker
        self._bounds = bounds
        self._services = services

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        while self._worker is not None:
            try:
                kind, value = self._worker.next(self._bounds.seconds, self._bounds.memory_bytes)
            except BaseException:
                self.close()
                raise
            if kind == "item":
                item: T = value
                return item
            if kind == "log":
                _log(*value)
            elif kind == "ask":
                self._answer(self._worker, *value)
            else:
                self._release()
                if kind == "failed":
                    raise value
        raise StopIteration

    def close(self) -> None:
        """End the task, if it has not ended; a worker in the midst of one is lost."""
        if self._worker is not None:
            worker, self._worker = self._worker, None
            worker.end()

    def _release(self) -> None:
        if self._worker is not None:
            worker, self._worker = self._worker, None
            self._sandbox.take_back(worker)

    def _answer(self, worker: _Worker, service: str, args: tuple[Any, ...]) -> None:
        try:
            worker.send((self._services[service](*args), None))
        except Exception as error:  # noqa: BLE001 - it is the answer, and raised in the worker
            worker.send((None, error))


class Sandbox:
    """Starts tasks in workers, and keeps up to ``keep`` idle ones for the next tasks.

    It sets no bound to the number at work: whoever starts tasks decides how many at once. Safe in threads; a forked
    process starts workers of its own.
    """

    def __init__(self, keep: int = 4) -> None:
        self._keep = keep
        self._idle: list[_Worker] = []
        self._lock = threading.Lock()
        self._process_id = os.getpid()
        self._answers = threading.BoundedSemaphore(max(2, os.cpu_count() or 1))
        atexit.register(self.close)

    def start(
        self,
        function: Callable[P, Iterable[T]],
        bounds: Bounds,
        services: Services,
        *args: P.args,
        **_: P.kwargs,
    ) -> Stream[T]:
        """Run a generator function of some module in a worker; arguments and items are pickled.

        The stream raises ``WorkerLost``, or what the function raised, with a note of where.
        """
        worker = self._idle_one() or _Worker()
        log = logging.getLogger(PACKAGE).getEffectiveLevel()
        try:
            worker.send((function, args, bounds.memory_bytes, bounds.seconds * _CPU_FACTOR, log))
        except BaseException:
            worker.end()
            raise
        return Stream(self, worker, bounds, services)

    def call(self, function: Callable[P, T], bounds: Bounds, *args: P.args, **_: P.kwargs) -> T:
        """What a function of some module returns in a worker; as many at once as there are processors, others wait."""
        with self._answers:
            (answer,) = self.start(_once, bounds, {}, function, args)
            result: T = answer
            return result

    def take_back(self, worker: _Worker) -> None:
        """Keep an idle worker, or end it."""
        with self._lock:
            keeps = len(self._idle) < self._keep and self._process_id == os.getpid()
            if keeps:
                self._idle.append(worker)
        if not keeps:
            worker.end()

    def close(self) -> None:
        """End the idle workers; new tasks start new ones."""
        while worker := self._idle_one():
            worker.end()

    def _idle_one(self) -> _Worker | None:
        with self._lock:
            if self._process_id != os.getpid():
                self._process_id, self._idle = os.getpid(), []  # they belong to the process this one was forked from
            return self._idle.pop() if self._idle else None


def _once(function: Callable[..., T], args: tuple[Any, ...]) -> Iterator[T]:
    yield function(*args)


@cache
def shared() -> Sandbox:
    """The one that everything in this process uses unless told otherwise, so that starting workers is paid once."""
    return Sandbox()


def _log(name: str, level: int, text: str) -> None:
    logging.getLogger(name).log(level, "%s", text)


def _environment(folder: str) -> dict[str, str]:
    """What a worker sees of the environment: how to find code and time zones, and no keys."""
    kept = {k: v for k, v in os.environ.items() if k in _KEPT or k.startswith(_KEPT_PREFIXES)}
    paths = os.pathsep.join(path for path in sys.path if path)
    return kept | {"PYTHONPATH": paths, "PYTHONHASHSEED": "0", "TMPDIR": folder, "TEMP": folder, "TMP": folder}
