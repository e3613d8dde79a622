"""The lock of a storage: one holder, who is named to the next, and whose end sets it free."""

from __future__ import annotations

import os
import pickle
import platform
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from llama_index_gemini_mm.errors import IndexLocked
from llama_index_gemini_mm.storage_lock import Holder, StorageLock

_HOLD = """
import sys
from llama_index_gemini_mm.storage_lock import StorageLock
with StorageLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.readline()
print("free", flush=True)
"""


@contextmanager
def held_by_another(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock until it is written a line."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", _HOLD, str(folder)], text=True, **pipes) as process:  # type: ignore[call-overload]
        try:
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def test_the_second_process_is_told_who_and_since_when(tmp_path: Path) -> None:
    """At once, in one line, with the two ways out."""
    with held_by_another(tmp_path) as process:
        started = time.monotonic()
        with pytest.raises(IndexLocked) as caught:
            StorageLock(tmp_path).acquire()

        assert time.monotonic() - started < 1
        error = caught.value
        assert (error.path, error.pid, error.host) == (str(tmp_path), process.pid, platform.node())
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", error.since)
        text = str(error)
        assert "\n" not in text
        for word in (str(process.pid), platform.node(), error.since, "--wait", "wait=", "qdrant_url"):
            assert word in text
        assert str(pickle.loads(pickle.dumps(error))) == text
        assert pickle.loads(pickle.dumps(error)).pid == process.pid


def test_a_killed_holder_sets_it_free(tmp_path: Path) -> None:
    """The details that it left behind keep nobody out."""
    with held_by_another(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert StorageLock(tmp_path).holder.pid == process.pid

        with StorageLock(tmp_path) as lock:
            assert lock.holder.pid == os.getpid()
    assert StorageLock(tmp_path).holder == Holder()


def test_waiting_until_it_is_free(tmp_path: Path) -> None:
    """Whoever waits gets it when the holder is done."""
    with held_by_another(tmp_path) as process:
        lock = StorageLock(tmp_path)
        waiter = threading.Thread(target=lock.acquire, args=(60.0,))
        waiter.start()
        waiter.join(0.5)
        assert waiter.is_alive()

        process.stdin.write("\n")  # type: ignore[union-attr]
        process.stdin.flush()  # type: ignore[union-attr]
        waiter.join(30)

        assert not waiter.is_alive()
        assert lock.holder.pid == os.getpid()
        lock.release()


def test_waiting_has_an_end(tmp_path: Path) -> None:
    """After the time that was given, the same error."""
    with held_by_another(tmp_path) as process:
        started = time.monotonic()
        with pytest.raises(IndexLocked, match=str(process.pid)), StorageLock(tmp_path, wait=0.5):
            pytest.fail("it is held")
        assert 0.5 <= time.monotonic() - started < 5


def test_twice_in_one_process(tmp_path: Path) -> None:
    """The second one is told that it is this very process, and what to do."""
    with StorageLock(tmp_path), pytest.raises(IndexLocked, match=f"this very process .{os.getpid()}.") as caught:
        StorageLock(tmp_path).acquire()

    assert "MediaIndex" in str(caught.value)
    assert caught.value.pid == os.getpid()
    StorageLock(tmp_path).acquire()


def test_a_forked_child_cannot_give_it_back(tmp_path: Path) -> None:
    """What a copy of the process does with its copy of the lock changes nothing."""
    with StorageLock(tmp_path) as lock:
        child = os.fork()
        if not child:
            lock.release()
            os._exit(0)
        os.waitpid(child, 0)

        with pytest.raises(IndexLocked):
            StorageLock(tmp_path).acquire()
        assert lock.holder.pid == os.getpid()


def test_without_details(tmp_path: Path) -> None:
    """A holder that could not write down who it is still holds it."""
    with StorageLock(tmp_path) as lock:
        (tmp_path / "index.lock.json").write_text("{broken", encoding="utf-8")
        with pytest.raises(IndexLocked, match="another process"):
            StorageLock(tmp_path).acquire()
        assert lock.holder == Holder()
