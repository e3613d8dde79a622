"""What the tests of the sandbox run in workers. Each is a generator function, as the readers are."""

from __future__ import annotations

import ctypes
import logging
import os
import pickle
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from llama_index_gemini_mm.sandbox import ask_parent

log = logging.getLogger("llama_index_gemini_mm.sandbox.tests")


def counting(count: int) -> Iterator[int]:
    yield from range(count)


def process_id() -> Iterator[int]:
    yield os.getpid()


def process_id_and_more() -> Iterator[int]:
    yield os.getpid()
    time.sleep(600)


def environment() -> Iterator[list[str]]:
    yield sorted(os.environ)


def asking(number: int) -> Iterator[int]:
    yield ask_parent("double", number)


def asking_for_its_process() -> Iterator[int]:
    yield ask_parent("double", os.getpid()) // 2


def asking_in_vain() -> Iterator[str]:
    try:
        ask_parent("refuse")
    except ValueError as error:
        yield str(error)


def logging_a_line() -> Iterator[None]:
    log.warning("a picture of %d pixels", 7)
    yield None


def printing() -> Iterator[str]:
    print("on standard output")  # noqa: T201 - that is what is tested
    os.write(1, b"from C")
    yield "undisturbed"


def hanging() -> Iterator[int]:
    yield 1
    time.sleep(600)


def spinning() -> Iterator[int]:
    while True:
        pass
    yield 0


def crashing() -> Iterator[int]:
    yield 1
    ctypes.string_at(0)


def crashing_later(seconds: float) -> Iterator[int]:
    threading.Timer(seconds, lambda: os.kill(os.getpid(), signal.SIGSEGV)).start()
    yield os.getpid()


def giving_up() -> Iterator[int]:
    yield os.getpid()
    raise GeneratorExit  # no Exception, as what a library in Rust raises that gives up


def heavy(count: int, size: int) -> Iterator[bytes]:
    for _ in range(count):
        yield bytes(size)


def growing(size: int) -> Iterator[int]:
    yield len(bytearray(size))


def failing() -> Iterator[int]:
    yield 1
    raise ValueError("as planned")


def failing_with(name: str) -> Iterator[int]:
    raise type(name, (Exception,), {})("of a class that nobody else knows")
    yield 0


def connecting(port: int) -> Iterator[str]:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5)
    except PermissionError:
        yield "refused by Python"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.socket(socket.AF_INET, socket.SOCK_STREAM, 0) < 0:
        yield f"refused by the kernel: {ctypes.get_errno()}"
    if libc.socket(socket.AF_INET6, socket.SOCK_STREAM, 0) < 0:
        yield f"refused by the kernel: {ctypes.get_errno()}"


def leaving_files() -> Iterator[str]:
    handle, name = tempfile.mkstemp()
    os.write(handle, b"left")
    yield name
    yield str(Path("relative").absolute())


class Hostile:
    """Unpickled without care, it would run a command."""

    def __init__(self, target: str) -> None:
        self._target = target

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (Path(self._target),)


def sending(target: str) -> Iterator[Hostile]:
    yield Hostile(target)


def pickled(value: object) -> bytes:
    return pickle.dumps(value)
