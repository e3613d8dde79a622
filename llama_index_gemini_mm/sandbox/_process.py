"""One worker as its parent sees it: the process, and what comes from it, task by task."""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from typing import IO, Any

from llama_index_gemini_mm.sandbox._bounds import WorkerLost, loss_of
from llama_index_gemini_mm.sandbox._channel import Channel

_START = "from llama_index_gemini_mm.sandbox._worker import main; main()"
_START_SECONDS = 60.0
_GOOD_ENDS = ("done", "failed")
_ENDS = (*_GOOD_ENDS, "broken", "out of memory")
"""Messages after which nothing more comes for a task; after a good one the worker takes another."""
_READ_AHEAD = 32 * 2**20
"""Bytes of one worker's items that wait in the parent; a worker that is further ahead waits itself."""
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


class Task:
    """What comes from a worker for one task, in its order. It may wait here long after the worker has gone on.

    ``is_over`` says that nothing more will come, ``is_kept`` that the worker has other tasks now.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._messages: queue.SimpleQueue[tuple[str, Any, int]] = queue.SimpleQueue()
        self._when_over: list[Callable[[], None]] = []
        self._lock = threading.Lock()
        self.is_over = self.is_kept = self._is_closed = False

    def when_over(self, call: Callable[[], None]) -> None:
        """Call this once nothing more will come, from some thread; at once if that is so already."""
        with self._lock:
            if not self.is_over:
                self._when_over.append(call)
                return
        call()

    def put(self, kind: str, value: Any, size: int) -> None:
        """Another message."""
        with self._lock:
            if not self._is_closed:
                self._messages.put((kind, value, size))
                return
        self._worker.taken(size)

    def end(self, *, keeps: bool) -> bool:
        """Nothing more will come. ``keeps`` the worker, unless the task was closed before; whether it does."""
        with self._lock:
            self.is_over = True
            self.is_kept = keeps and not self._is_closed
            return self.is_kept

    def tell(self) -> None:
        """Call those who asked when it is over."""
        with self._lock:
            calls, self._when_over = self._when_over, []
        for call in calls:
            call()

    def next(self, seconds: float, memory_bytes: int = 0) -> tuple[str, Any]:
        """The next message; raises ``WorkerLost`` when none comes in time, or ever."""
        try:
            kind, value, size = self._messages.get(timeout=seconds)
        except queue.Empty:
            raise WorkerLost("time", f"nothing came out of it within {seconds:.0f} s") from None
        self._worker.taken(size)
        if kind == "gone":
            lost = loss_of(self._worker.wait())
        elif kind == "untrue":
            lost = WorkerLost("crash", "what came out of the process is not to be trusted")
        elif kind == "out of memory":
            lost = WorkerLost("memory", "")
        else:
            return kind, value
        if lost.cause == "memory":
            lost = WorkerLost("memory", f"reading it took more than {memory_bytes >> 20:,} MiB of memory")
        raise lost

    def answer(self, answer: tuple[Any, Exception | None]) -> None:
        """Send the worker what it asked for."""
        self._worker.send(answer)

    def close(self) -> None:
        """Nobody takes any more of it; a worker in the midst of it is lost."""
        with self._lock:
            self._is_closed = True
        if not self.is_kept:
            self._worker.end()
        with contextlib.suppress(queue.Empty):
            while True:
                _, _, size = self._messages.get_nowait()
                self._worker.taken(size)


class Worker:
    """One process, its pipes, and the folder for its temporary files, which goes when it goes.

    Args:
        when_free: told when a task has ended well, and another may begin.
    """

    def __init__(self, when_free: Callable[[Worker], None]) -> None:
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
        self.is_gone = False
        self._when_free = when_free
        self._waiting = 0
        self._taken = threading.Condition()
        self._is_ready = False
        self._task = Task(self)
        threading.Thread(target=self._listen, daemon=True).start()

    def begin(self, message: Any) -> Task:
        """Give it a task; raises ``WorkerLost`` when it does not even start."""
        if not self._is_ready:
            self._task.next(_START_SECONDS)
            self._is_ready = True
        self._task = task = Task(self)
        if self.is_gone:
            self._end_of(task, "gone")
        self.send(message)
        return task

    def send(self, message: Any) -> None:
        """Send it something."""
        with contextlib.suppress(OSError):  # it has gone; the next message says how
            self.channel.send(message)

    def wait(self) -> int:
        """The exit code, when it has ended."""
        return self._process.wait()

    def taken(self, size: int) -> None:
        """So many bytes of what came from it are in use, and wait no more."""
        with self._taken:
            self._waiting -= size
            self._taken.notify()

    def end(self) -> None:
        """Kill it, and remove what it left."""
        self._process.kill()
        self._process.wait()
        self.is_gone = True
        self.taken(self._waiting)
        self.channel.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _listen(self) -> None:
        """Take messages in as they come, so that workers do not wait for each other."""
        try:
            while True:
                (kind, value), size = self.channel.receive_sized()
                self._take_in(self._task, kind, value, size)
        except (EOFError, OSError):
            end = "gone"
        except (pickle.UnpicklingError, ValueError, TypeError):
            self._process.kill()
            end = "untrue"
        self.is_gone = True
        self._end_of(self._task, end)

    def _take_in(self, task: Task, kind: str, value: Any, size: int) -> None:
        with self._taken:
            self._waiting += size
        if kind not in _ENDS:
            task.put(kind, value, size)
        with self._taken:
            self._taken.wait_for(lambda: self._waiting < _READ_AHEAD or self.is_gone)
        if kind in _ENDS:
            if task.end(keeps=kind in _GOOD_ENDS):
                self._when_free(self)  # before anyone who waits for the end begins the next task
            task.put(kind, value, size)
            task.tell()

    def _end_of(self, task: Task, how: str) -> None:
        """The process has ended before the task, or with it."""
        if not task.is_over:
            task.put(how, None, 0)
            task.end(keeps=False)
            task.tell()


def _opened(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise RuntimeError("the pipe was asked for")
    return pipe


def _environment(folder: str) -> dict[str, str]:
    """What a worker sees of the environment: how to find code and time zones, and no keys."""
    kept = {k: v for k, v in os.environ.items() if k in _KEPT or k.startswith(_KEPT_PREFIXES)}
    paths = os.pathsep.join(path for path in sys.path if path)
    return kept | {"PYTHONPATH": paths, "PYTHONHASHSEED": "0", "TMPDIR": folder, "TEMP": folder, "TMP": folder}
