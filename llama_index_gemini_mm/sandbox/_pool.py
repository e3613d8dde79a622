"""The pool: tasks go to idle workers, or to new ones; what they yield comes back as streams."""

from __future__ import annotations

import atexit
import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Generic, ParamSpec, TypeVar

from llama_index_gemini_mm.sandbox._bounds import Bounds
from llama_index_gemini_mm.sandbox._process import Task, Worker
from llama_index_gemini_mm.sandbox._worker import PACKAGE

P = ParamSpec("P")
T = TypeVar("T")
Services = Mapping[str, Callable[..., Any]]
"""What a worker may ask of its parent, by name."""

_CPU_FACTOR = 4
"""Computing time, of all threads together, for each second by the clock. Ends what hangs when the parent is gone."""


class Stream(Generic[T]):
    """What a task yields. Read it to its end, or close it, from one thread."""

    def __init__(self, task: Task, bounds: Bounds, services: Services) -> None:
        self._task: Task | None = task
        self._bounds = bounds
        self._services = services
        self.when_over = task.when_over

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        while self._task is not None:
            try:
                kind, value = self._task.next(self._bounds.seconds, self._bounds.memory_bytes)
            except BaseException:
                self.close()
                raise
            if kind == "item":
                item: T = value
                return item
            if kind == "log":
                _log(*value)
            elif kind == "ask":
                self._answer(self._task, *value)
            else:
                self.close()
                if kind != "done":
                    raise value
        raise StopIteration

    def close(self) -> None:
        """Take no more of it; a worker in the midst of the task is lost."""
        if self._task is not None:
            task, self._task = self._task, None
            task.close()

    def _answer(self, task: Task, service: str, args: tuple[Any, ...]) -> None:
        try:
            task.answer((self._services[service](*args), None))
        except Exception as error:  # noqa: BLE001 - it is the answer, and raised in the worker
            task.answer((None, error))


class Sandbox:
    """Starts tasks in workers, and keeps up to ``keep`` idle ones for the next tasks.

    It sets no bound to the number at work: whoever starts tasks decides how many at once. Safe in threads; a forked
    process starts workers of its own.
    """

    def __init__(self, keep: int = 4) -> None:
        self._keep = keep
        self._idle: list[Worker] = []
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
        worker = self._idle_one() or Worker(self._take_back)
        log = logging.getLogger(PACKAGE).getEffectiveLevel()
        try:
            task = worker.begin((function, args, bounds.memory_bytes, bounds.seconds * _CPU_FACTOR, log))
        except BaseException:
            worker.end()
            raise
        return Stream(task, bounds, services)

    def call(self, function: Callable[P, T], bounds: Bounds, *args: P.args, **_: P.kwargs) -> T:
        """What a function of some module returns in a worker; as many at once as there are processors, others wait."""
        with self._answers:
            (answer,) = self.start(_once, bounds, {}, function, args)
            result: T = answer
            return result

    def _take_back(self, worker: Worker) -> None:
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

    def _idle_one(self) -> Worker | None:
        with self._lock:
            if self._process_id != os.getpid():
                self._process_id, self._idle = os.getpid(), []  # they belong to the process this one was forked from
            while self._idle:
                worker = self._idle.pop()
                if not worker.is_gone:
                    return worker
                worker.end()  # it crashed after its last task
        return None


def _once(function: Callable[..., T], args: tuple[Any, ...]) -> Iterator[T]:
    yield function(*args)


@cache
def shared() -> Sandbox:
    """The one that everything in this process uses unless told otherwise, so that starting workers is paid once."""
    return Sandbox()


def _log(name: str, level: int, text: str) -> None:
    logging.getLogger(name).log(level, "%s", text)
