"""Workers: what they may do, and what becomes of those that do more."""

from __future__ import annotations

import itertools
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sandbox_tasks as tasks

from llama_index_gemini_mm.sandbox import Bounds, Sandbox, Stream, WorkerLost, ask_parent, bounds_for

SHORT = Bounds(memory_bytes=600 * 2**20, seconds=2.0)
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds memory and the network of C libraries")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """One whose workers end with the test."""
    made = Sandbox()
    yield made
    made.close()


def test_items_come_in_order(sandbox: Sandbox) -> None:
    assert list(sandbox.start(tasks.counting, Bounds(), {}, 500)) == list(range(500))


def test_a_worker_is_kept_for_the_next_task(sandbox: Sandbox) -> None:
    first, second = (list(sandbox.start(tasks.process_id, Bounds(), {})) for _ in range(2))

    assert first == second != [os.getpid()]


def test_tasks_run_side_by_side(sandbox: Sandbox) -> None:
    double = {"double": lambda number: 2 * number}
    streams = [sandbox.start(tasks.asking_for_its_process, Bounds(), double) for _ in range(3)]

    assert len({pid for stream in streams for pid in stream}) == 3


def over(stream: Stream[Any]) -> threading.Event:
    """Set when the worker has done all of the task."""
    event = threading.Event()
    stream.when_over(event.set)
    return event


def test_a_worker_goes_on_while_its_items_wait(sandbox: Sandbox) -> None:
    """Who takes them may take long; then they are all there."""
    first = sandbox.start(tasks.counting, Bounds(), {}, 50)
    assert over(first).wait(20)
    (pid,) = sandbox.start(tasks.process_id, Bounds(), {})
    second = sandbox.start(tasks.process_id, Bounds(), {})
    assert over(second).wait(20)
    assert over(second).is_set()

    assert list(first) == list(range(50))
    assert list(second) == [pid]


def test_closing_what_is_over_ends_nobody(sandbox: Sandbox) -> None:
    """The worker has another task by then."""
    first = sandbox.start(tasks.counting, Bounds(), {}, 50)
    assert over(first).wait(20)
    second = sandbox.start(tasks.asking, Bounds(), {"double": lambda number: 2 * number}, 4)

    first.close()

    assert list(second) == [8]
    assert list(first) == []


def test_a_worker_that_ends_while_idle_costs_no_task(sandbox: Sandbox) -> None:
    """Neither one that crashed after its task, nor one whose library gave up in it."""
    (crashed,) = sandbox.start(tasks.crashing_later, Bounds(), {}, 0.2)
    time.sleep(1)
    stream = sandbox.start(tasks.giving_up, Bounds(), {})
    broken = next(stream)
    with pytest.raises(RuntimeError, match="GeneratorExit"):
        next(stream)

    (pid,) = sandbox.start(tasks.process_id, Bounds(), {})

    assert len({crashed, broken, pid}) == 3


def test_what_waits_is_bounded(sandbox: Sandbox) -> None:
    """A worker that is far ahead waits, and is free again when some of it was taken; so is one whose task is closed."""
    stream = sandbox.start(tasks.heavy, Bounds(), {}, 20, 4 * 2**20)
    finished = over(stream)
    assert not finished.wait(1.5)
    assert sum(map(len, itertools.islice(stream, 15))) == 60 * 2**20
    assert finished.wait(20)
    assert len(list(stream)) == 5
    stopped = sandbox.start(tasks.heavy, Bounds(), {}, 20, 4 * 2**20)
    next(stopped)
    stopped.close()
    assert over(stopped).wait(20)


def test_a_worker_sees_no_keys(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    (names,) = sandbox.start(tasks.environment, Bounds(), {})

    assert "PATH" in names
    assert not {"GOOGLE_API_KEY", "AWS_SECRET_ACCESS_KEY"} & set(names)


def test_a_worker_asks_its_parent(sandbox: Sandbox) -> None:
    assert list(sandbox.start(tasks.asking, Bounds(), {"double": lambda n: 2 * n}, 21)) == [42]


def test_what_a_service_raises_is_raised_in_the_worker(sandbox: Sandbox) -> None:
    def refuse() -> None:
        raise ValueError("not here")

    assert list(sandbox.start(tasks.asking_in_vain, Bounds(), {"refuse": refuse})) == ["not here"]


def test_nobody_but_a_worker_has_a_parent() -> None:
    with pytest.raises(RuntimeError, match="worker"):
        ask_parent("double", 1)


def test_log_records_arrive(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "llama_index_gemini_mm"):
        list(sandbox.start(tasks.logging_a_line, Bounds(), {}))

    assert [(r.name, r.getMessage()) for r in caplog.records] == [
        ("llama_index_gemini_mm.sandbox.tests", "a picture of 7 pixels")
    ]


def test_what_is_printed_disturbs_nobody(sandbox: Sandbox, capfd: pytest.CaptureFixture[str]) -> None:
    assert list(sandbox.start(tasks.printing, Bounds(), {})) == ["undisturbed"]
    assert capfd.readouterr() == ("", "")


def test_an_exception_is_raised_here_and_says_where(sandbox: Sandbox) -> None:
    stream = sandbox.start(tasks.failing, Bounds(), {})

    assert next(stream) == 1
    with pytest.raises(ValueError, match="as planned") as caught:
        next(stream)
    assert "sandbox_tasks.py" in caught.value.__notes__[0]


def test_an_exception_that_cannot_travel_becomes_its_likeness(sandbox: Sandbox) -> None:
    with pytest.raises(RuntimeError, match="Strange: of a class that nobody else knows"):
        list(sandbox.start(tasks.failing_with, Bounds(), {}, "Strange"))


def test_a_hang_is_ended(sandbox: Sandbox) -> None:
    stream = sandbox.start(tasks.hanging, SHORT, {})

    assert next(stream) == 1
    with pytest.raises(WorkerLost, match="within 2 s") as caught:
        next(stream)
    assert caught.value.cause == "time"


def test_a_crash_is_named(sandbox: Sandbox) -> None:
    with pytest.raises(WorkerLost, match="SIGSEGV") as caught:
        list(sandbox.start(tasks.crashing, Bounds(), {}))
    assert caught.value.cause == "crash"


@LINUX
def test_memory_is_bounded(sandbox: Sandbox) -> None:
    assert list(sandbox.start(tasks.growing, SHORT, {}, 2**20)) == [2**20]
    with pytest.raises(WorkerLost, match="more than 600 MiB") as caught:
        list(sandbox.start(tasks.growing, SHORT, {}, 2**30))
    assert caught.value.cause == "memory"


def test_after_a_loss_the_next_task_is_done(sandbox: Sandbox) -> None:
    with pytest.raises(WorkerLost):
        list(sandbox.start(tasks.crashing, Bounds(), {}))

    assert list(sandbox.start(tasks.counting, Bounds(), {}, 3)) == [0, 1, 2]


@LINUX
def test_there_is_no_network(sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        said = list(sandbox.start(tasks.connecting, Bounds(), {}, server.getsockname()[1]))

    assert said == ["refused by Python", "refused by the kernel: 13", "refused by the kernel: 13"]


def test_temporary_files_go_with_the_worker(sandbox: Sandbox) -> None:
    left, relative = sandbox.start(tasks.leaving_files, Bounds(), {})
    folder = Path(left).parent
    assert Path(left).read_bytes() == b"left"
    assert Path(relative).parent == folder

    sandbox.close()

    assert not folder.exists()


def test_a_stream_that_is_closed_early_ends_its_worker(sandbox: Sandbox) -> None:
    stream = sandbox.start(tasks.process_id_and_more, Bounds(), {})
    pid = next(stream)

    stream.close()

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert list(stream) == []


def test_a_worker_may_not_make_its_parent_call_anything(sandbox: Sandbox, tmp_path: Path) -> None:
    """Whatever a file makes of the process that reads it: from there come data alone."""
    target = tmp_path / "touched"

    with pytest.raises(WorkerLost, match="not to be trusted"):
        list(sandbox.start(tasks.sending, Bounds(), {}, str(target)))

    assert not target.exists()


def test_threads_have_workers_of_their_own(sandbox: Sandbox) -> None:
    found: list[int] = []

    def work() -> None:
        found.extend(sandbox.start(tasks.counting, Bounds(), {}, 50))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(found) == sorted(4 * list(range(50)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_starts_workers_of_its_own(sandbox: Sandbox) -> None:
    (theirs,) = sandbox.start(tasks.process_id, Bounds(), {})
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        (own,) = sandbox.start(tasks.process_id, Bounds(), {})
        sandbox.close()
        os.write(writing, str(own).encode())
        os._exit(0)
    os.waitpid(child, 0)

    assert int(os.read(reading, 20)) != theirs
    assert list(sandbox.start(tasks.process_id, Bounds(), {})) == [theirs]


@LINUX
def test_what_hangs_ends_without_its_parent() -> None:
    """A parent that is killed cannot end its workers; their own bound of computing time does."""
    program = (
        "import os, sys; sys.path.insert(0, sys.argv[1]); import sandbox_tasks as tasks\n"
        "from llama_index_gemini_mm.sandbox import *\n"
        "box = Sandbox(); (pid,) = box.start(tasks.process_id, Bounds(), {}); print(pid, flush=True)\n"
        "next(box.start(tasks.spinning, Bounds(seconds=0.25), {}))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(Path(__file__).parent)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    for _ in range(300):
        if not _is_running(worker):
            return
        time.sleep(0.1)
    pytest.fail("the worker goes on for ever")


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_large_files_have_more_time() -> None:
    assert bounds_for(100 * 2**20).seconds == Bounds().seconds + 200
    assert bounds_for(0, SHORT) == SHORT
