"""The embedded engine by itself: optimizing aside, every way to be stopped, and the files it keeps."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from llama_index_gemini_mm.errors import IndexMismatch
from llama_index_gemini_mm.vector_store import Search, edge_files, edge_optimize, read_stamp, write_stamp
from llama_index_gemini_mm.vector_store import edge as edge_module
from llama_index_gemini_mm.vector_store.edge import EdgeVectorStore
from store_support import direction, ids, media_node, stamp

MANY = 3000
"""Enough for the engine to build a graph."""
SUPPORT = str(Path(__file__).parent.parent)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EdgeVectorStore]:
    """An empty store that optimizes soon."""
    opened = EdgeVectorStore(tmp_path / "media", "media", stamp(), optimize_from=100)
    yield opened
    opened.close()


def shards(folder: Path) -> list[Path]:
    """What lies in the folder besides small files."""
    return [path for path in folder.iterdir() if path.is_dir()]


def nearest(store: EdgeVectorStore, number: int) -> str:
    """The id of the node nearest to a node's vector."""
    return store.search([Search(1, vector=direction(number))])[0][0].node_id


def test_searches_answer_while_it_optimizes(store: EdgeVectorStore, tmp_path: Path) -> None:
    """They find the right node all the time; a write waits and is kept; afterwards there is a graph, and one copy."""
    nodes = [media_node(number) for number in range(MANY)]
    store.add(nodes)
    before, done = store.info(), threading.Event()
    answers: list[tuple[float, bool]] = []

    def look() -> None:
        number = 0
        while not done.is_set():
            found = nearest(store, number)
            answers.append((time.monotonic(), found == nodes[number].node_id))
            number = (number + 1) % 50

    looking = threading.Thread(target=look)
    looking.start()
    writing = threading.Thread(target=store.add, args=([media_node(MANY)],))
    started = time.monotonic()
    optimizing = threading.Thread(target=store.optimize)
    optimizing.start()
    while store._child is None and optimizing.is_alive():
        time.sleep(0.01)
    writing.start()
    optimizing.join()
    ended = time.monotonic()
    writing.join()
    done.set()
    looking.join()

    assert before.indexed == 0
    assert len([at for at, _ in answers if started < at < ended]) > 20
    assert all(right for _, right in answers)
    assert store.count() == MANY + 1
    assert store.info().indexed == MANY
    assert sorted(ids(store.get_nodes())) == sorted([*ids(nodes), media_node(MANY).node_id])
    assert len(shards(tmp_path / "media")) == 1
    assert all(nearest(store, number) == nodes[number].node_id for number in range(0, MANY, 100))


def test_it_is_cheap_when_it_does_not_pay(store: EdgeVectorStore, tmp_path: Path) -> None:
    """Too few new points: nothing is copied."""
    store.add([media_node(number) for number in range(99)])
    (before,) = shards(tmp_path / "media")

    store.optimize()

    assert shards(tmp_path / "media") == [before]
    store.add([media_node(99)])
    store.optimize()
    assert shards(tmp_path / "media") != [before]
    (after,) = shards(tmp_path / "media")
    store.optimize()
    assert shards(tmp_path / "media") == [after]


def test_what_was_written_is_counted_over_openings(tmp_path: Path) -> None:
    """Points of former processes count too, those of before an optimization do not."""
    for number in range(0, 120, 60):
        store = EdgeVectorStore(tmp_path / "media", "media", stamp(), optimize_from=100)
        (before,) = shards(tmp_path / "media")
        store.add([media_node(each) for each in range(number, number + 60)])
        store.optimize()
        assert (shards(tmp_path / "media") == [before]) == (number == 0)
        store.close()
    assert edge_files.unoptimized(tmp_path / "media") == 0


@pytest.fixture
def broken(tmp_path: Path) -> str:
    """A program in place of the optimizer, which fails at once."""
    program = tmp_path / "broken.py"
    program.write_text("raise SystemExit(3)", "utf-8")
    return str(program)


def test_a_failed_optimization_changes_nothing(
    store: EdgeVectorStore,
    broken: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log says so; everything is there, and the next one may work."""
    store.add([media_node(number) for number in range(100)])
    (before,) = shards(tmp_path / "media")
    with monkeypatch.context() as patched:
        patched.setattr(edge_optimize, "__file__", broken)
        store.optimize()

    assert "was not optimized and stays as it was" in caplog.text
    assert shards(tmp_path / "media") == [before]
    assert (store.count(), nearest(store, 5)) == (100, media_node(5).node_id)
    store.optimize()
    assert shards(tmp_path / "media") != [before]
    assert store.count() == 100


def test_writing_optimizes_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never is more than a quarter of the points in no graph, but for the first hundred; nothing is lost."""
    monkeypatch.setattr(edge_module, "BYTES_UNOPTIMIZED", 0)
    store = EdgeVectorStore(tmp_path / "media", "media", stamp(), optimize_from=100)
    seen = set(shards(tmp_path / "media"))

    for start in range(0, 900, 30):
        store.add([media_node(number) for number in range(start, start + 30)])
        assert store._unoptimized < max(100, 0.25 * store.count())
        assert len(shards(tmp_path / "media")) == 1
        seen.update(shards(tmp_path / "media"))

    assert 4 < len(seen) < 9
    assert sorted(ids(store.get_nodes())) == sorted(media_node(number).node_id for number in range(900))
    assert [nearest(store, number) for number in (0, 899)] == [media_node(0).node_id, media_node(899).node_id]
    store.close()


def test_what_cannot_be_optimized_is_not_tried_at_every_write(
    broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Again when twice as much is there: the copy takes time and space."""
    monkeypatch.setattr(edge_module, "BYTES_UNOPTIMIZED", 0)
    monkeypatch.setattr(edge_optimize, "__file__", broken)
    store = EdgeVectorStore(tmp_path / "media", "media", stamp(), optimize_from=100)

    for start in range(0, 500, 50):
        store.add([media_node(number) for number in range(start, start + 50)])

    assert [record.message.count("was not optimized") for record in caplog.records] == [1, 1, 1]
    assert (store.count(), nearest(store, 5)) == (500, media_node(5).node_id)
    store.close()


def test_an_optimized_copy_that_cannot_be_opened(
    store: EdgeVectorStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The collection is open again as it was."""
    store.add([media_node(number) for number in range(100)])
    (before,) = shards(tmp_path / "media")
    spoiler = tmp_path / "spoiler.py"
    spoiler.write_text("import pathlib, shutil, sys; shutil.rmtree(sys.argv[1]); pathlib.Path(sys.argv[1]).mkdir()")
    monkeypatch.setattr(edge_optimize, "__file__", str(spoiler))

    store.optimize()

    assert "stays as it was: the other one cannot be opened" in caplog.text
    assert shards(tmp_path / "media") == [before]
    assert (store.count(), nearest(store, 5)) == (100, media_node(5).node_id)
    store.add([media_node(100)])
    assert store.count() == 101


def test_an_optimized_copy_that_lacks_points(store: EdgeVectorStore, tmp_path: Path) -> None:
    """The process that optimizes tells by its exit."""
    store.add([media_node(number) for number in range(10)])
    store.close()
    (shard,) = (tmp_path / "media").glob("shard-*")

    command = [sys.executable, edge_optimize.__file__, str(shard), str(os.getpid()), "11"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)

    assert (done.returncode, done.stderr.strip()) == (1, "10 points, and not 11, are there after optimizing")


def test_the_optimizer_sees_no_keys(store: EdgeVectorStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its environment is what it needs to find code."""
    monkeypatch.setenv("GEMINI_API_KEY", "a-secret-key")
    spy = tmp_path / "spy.py"
    spy.write_text(f"import os, pathlib; pathlib.Path({str(tmp_path / 'seen')!r}).write_text(str(dict(os.environ)))")
    monkeypatch.setattr(edge_optimize, "__file__", str(spy))
    store.add([media_node(number) for number in range(100)])

    store.optimize()

    seen = (tmp_path / "seen").read_text("utf-8")
    assert "PATH" in seen
    assert "secret" not in seen


def test_closing_gives_up_an_optimization(tmp_path: Path) -> None:
    """It does not wait for the end, and nothing is lost."""
    store = EdgeVectorStore(tmp_path / "media", "media", stamp(), optimize_from=100)
    store.add([media_node(number) for number in range(MANY)])
    optimizing = threading.Thread(target=store.optimize)
    optimizing.start()
    while store._child is None and optimizing.is_alive():
        time.sleep(0.01)

    store.close()
    optimizing.join()

    again = EdgeVectorStore(tmp_path / "media", "media", stamp())
    assert again.count() == MANY
    assert nearest(again, 7) == media_node(7).node_id
    assert len(shards(tmp_path / "media")) == 1
    again.close()


_KILLED = """
import os, signal, sys, threading, time
sys.path[:0] = [{support!r}]
from pathlib import Path
from store_support import media_node, stamp
from llama_index_gemini_mm.vector_store import edge, edge_files
from llama_index_gemini_mm.vector_store.edge import EdgeVectorStore

def end(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def after(function):
    def called(*args):
        function(*args)
        end()
    return called

store = EdgeVectorStore(Path({folder!r}), "media", stamp(), optimize_from=100)
store.add([media_node(number) for number in range({count})])
{phase}
store.optimize()
"""
PHASES = {
    "before the copy": "edge_files.copy_shard = end",
    "after the copy": "edge_files.copy_shard = after(edge_files.copy_shard)",
    "after the optimizer": "EdgeVectorStore._run_optimizer = after(EdgeVectorStore._run_optimizer)",
    "before it counts": "edge_files.make_current = end",
    "after it counts": "edge_files.make_current = after(edge_files.make_current)",
    "before the old one goes": "edge_files.remove_leftovers = end",
    "half written": "edge_files.note_unoptimized = end",
}


def killed(folder: Path, phase: str, count: int = 300) -> str:
    """Run a process that fills a store and is killed in a phase of optimizing; returns what it printed."""
    program = _KILLED.format(support=SUPPORT, folder=str(folder), count=count, phase=phase)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=200)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize("phase", PHASES)
def test_killed_at_any_moment(tmp_path: Path, phase: str) -> None:
    """One complete collection is there, with every point once; it can be written to and optimized."""
    folder = tmp_path / "media"
    killed(folder, PHASES[phase])

    store = EdgeVectorStore(folder, "media", stamp(), optimize_from=100)
    assert sorted(ids(store.get_nodes())) == sorted(media_node(number).node_id for number in range(300))
    assert nearest(store, 299) == media_node(299).node_id
    assert len(shards(folder)) == 1
    store.add([media_node(number) for number in range(300, 400)])
    store.optimize()
    assert store.count() == 400
    assert len(shards(folder)) == 1
    store.close()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_killed_before_it_exists(tmp_path: Path) -> None:
    """What was half made is made again."""
    folder = tmp_path / "media"
    program = _KILLED.format(support=SUPPORT, folder=str(folder), count=1, phase="")
    program = program.replace("store = Edge", "edge.write_stamp = end\nstore = Edge")
    subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=100)
    assert len(shards(folder)) == 1

    store = EdgeVectorStore(folder, "media", stamp())
    store.add([media_node(1)])

    assert store.count() == 1
    assert len(shards(folder)) == 1
    store.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it ends by itself, on its own copy")
def test_the_optimizer_ends_with_its_parent(tmp_path: Path) -> None:
    """Nobody goes on working for a process that was killed."""
    when_it_runs = """
def watch():
    while store._child is None:
        time.sleep(0.01)
    print(store._child.pid, flush=True)
    end()
threading.Thread(target=watch, daemon=True).start()
"""
    child = int(killed(tmp_path / "media", when_it_runs, MANY))

    deadline = time.monotonic() + 20
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.05)

    assert not _runs(child)
    store = EdgeVectorStore(tmp_path / "media", "media", stamp())
    assert store.count() == MANY
    store.close()


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not hasattr(os, "SEEK_DATA"), reason="the system does not tell holes")
def test_a_copy_takes_no_more_than_the_original(tmp_path: Path) -> None:
    """Files the engine made larger than their content stay as small on disk, byte for byte the same."""
    source = tmp_path / "shard"
    (source / "wal").mkdir(parents=True)
    with (source / "wal" / "open-1").open("wb") as file:
        file.write(b"start" * 1000)
        file.seek(20 * 2**20)
        file.write(b"middle" * 1000)
        file.truncate(32 * 2**20)
    (source / "empty").write_bytes(b"")
    (source / "full").write_bytes(os.urandom(9 * 2**20 + 1))

    edge_files.copy_shard(source, tmp_path / "copy")

    for name in ("wal/open-1", "empty", "full"):
        assert (tmp_path / "copy" / name).read_bytes() == (source / name).read_bytes()
    assert edge_files.disk_bytes(tmp_path / "copy") < 10 * 2**20


def test_the_stamp_of_another_space(tmp_path: Path) -> None:
    """Refused at the opening, by space and by plan."""
    with closing(EdgeVectorStore(tmp_path / "media", "media", stamp())) as store:
        store.add([media_node(1)])
    with pytest.raises(IndexMismatch, match=r"1024-dimensional.*but 768-dimensional"):
        EdgeVectorStore(tmp_path / "media", "media", stamp(dimension=768))
    with pytest.raises(IndexMismatch, match="by the plan accurate, but the plan compact"):
        EdgeVectorStore(tmp_path / "media", "media", stamp("compact"))


def test_an_empty_collection_takes_any_stamp(tmp_path: Path) -> None:
    """A dry run, or a sync of nothing, decides nothing."""
    EdgeVectorStore(tmp_path / "media", "media", stamp()).close()

    with closing(EdgeVectorStore(tmp_path / "media", "media", stamp("compact"))) as store:
        store.add([media_node(1)])
    with closing(EdgeVectorStore(tmp_path / "media", "media", stamp("compact"))) as store:
        assert store.count() == 1
    assert len(shards(tmp_path / "media")) == 1


def test_stamps_in_files(tmp_path: Path) -> None:
    """What is written is read; nothing is none; and what is no stamp is refused."""
    path = tmp_path / "stamp.json"
    assert read_stamp(path) is None
    write_stamp(path, stamp("compact"))
    assert read_stamp(path) == stamp("compact")
    assert [each.name for each in tmp_path.iterdir()] == ["stamp.json"]
    for text in ("", "[]", "{}", json.dumps({**stamp().as_dict(), "plan": "huge"})):
        path.write_text(text, "utf-8")
        with pytest.raises(IndexMismatch, match="cannot be read"):
            read_stamp(path)
