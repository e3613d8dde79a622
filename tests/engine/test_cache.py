"""The embedding cache: real SQLite files, several threads, forks, processes, crashes, damage."""

from __future__ import annotations

import hashlib
import os
import pickle
import signal
import sqlite3
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_gemini_mm.engine.cache import EmbeddingCache
from llama_index_gemini_mm.errors import ConfigurationError

ON_DISK = "embeddings.sqlite3"


def key(name: object) -> bytes:
    return hashlib.sha256(str(name).encode()).digest()


def vector(start: float, dimension: int = 4) -> list[float]:
    """Numbers that float32 holds exactly."""
    return [start + n / 8 for n in range(dimension)]


def age(path: Path, seconds: int) -> None:
    """Make all uses noted so far older, as time would."""
    database = sqlite3.connect(path)
    database.execute("UPDATE entries SET used = used - ?", (seconds,))
    database.commit()
    database.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a cache will be, in a folder that does not exist yet."""
    return tmp_path / "storage" / ON_DISK


@pytest.fixture
def cache(path: Path) -> Iterator[EmbeddingCache]:
    """An empty cache."""
    with EmbeddingCache(path) as opened:
        yield opened


@pytest.mark.parametrize("dimension", [128, 768, 1536, 3072])
def test_round_trip(cache: EmbeddingCache, dimension: int) -> None:
    """Vectors come back as lists of floats, in the order asked for, missing ones as None."""
    cache.put_many((key(n), vector(n, dimension)) for n in range(3))

    found = cache.get_many([key(2), key("unknown"), key(0)], dimension)

    assert found == [vector(2, dimension), None, vector(0, dimension)]
    assert type(found[0]) is list
    assert type(found[0][0]) is float


@given(st.lists(st.lists(st.floats(width=32, allow_nan=False), min_size=3, max_size=3), max_size=8))
def test_float32_is_kept_exactly(tmp_path_factory: pytest.TempPathFactory, vectors: list[list[float]]) -> None:
    """The API sends float32 numbers; every one of them survives."""
    with EmbeddingCache(tmp_path_factory.mktemp("exact") / ON_DISK) as cache:
        cache.put_many((key(n), each) for n, each in enumerate(vectors))

        assert cache.get_many([key(n) for n in range(len(vectors))], 3) == vectors


def test_other_precision_is_rounded_to_float32(cache: EmbeddingCache) -> None:
    """A float that is none of float32's comes back as the nearest one."""
    cache.put_many([(key(1), [0.1])])

    assert cache.get_many([key(1)], 1) == [[struct.unpack("<f", struct.pack("<f", 0.1))[0]]]


def test_more_keys_than_one_statement_takes(cache: EmbeddingCache) -> None:
    """Order holds across statements, present and missing in turn."""
    cache.put_many((key(n), vector(n)) for n in range(0, 2600, 2))

    found = cache.get_many([key(n) for n in reversed(range(2600))], 4)

    assert found == [None if n % 2 else vector(n) for n in reversed(range(2600))]


def test_equal_keys_get_lists_of_their_own(cache: EmbeddingCache) -> None:
    """Changing one does not change the other."""
    cache.put_many([(key(1), vector(1))])

    first, missing, second = cache.get_many([key(1), key(2), key(1)], 4)

    assert first == second == vector(1)
    assert first is not second
    assert missing is None


def test_nothing_in_nothing_out(cache: EmbeddingCache) -> None:
    """No keys and no items are no error."""
    cache.put_many([])

    assert cache.get_many([], 4) == []
    assert cache.stats().entries == 0


def test_another_dimension_counts_as_missing(cache: EmbeddingCache) -> None:
    """A vector of another length is never handed out."""
    cache.put_many([(key(1), vector(1, 8))])

    assert cache.get_many([key(1)], 4) == [None]
    assert cache.get_many([key(1)], 8) == [vector(1, 8)]


def test_the_last_vector_of_a_key_holds(cache: EmbeddingCache) -> None:
    """In one call and in later ones, and the replaced one takes no room."""
    cache.put_many([(key(1), vector(1)), (key(1), vector(2))])
    assert cache.get_many([key(1)], 4) == [vector(2)]

    cache.put_many([(key(1), vector(3, 8))])

    assert cache.get_many([key(1)], 8) == [vector(3, 8)]
    assert (cache.stats().entries, cache.stats().bytes) == (1, 32)


def test_all_or_none(cache: EmbeddingCache) -> None:
    """Items that fail while they are made leave nothing of their call."""

    def items() -> Iterator[tuple[bytes, list[float]]]:
        yield key(1), vector(1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.put_many(items())

    assert cache.get_many([key(1)], 4) == [None]


def test_it_lasts(path: Path) -> None:
    """A cache that was closed is opened again by the next call, and by the next cache."""
    with EmbeddingCache(path) as cache:
        cache.put_many([(key(1), vector(1))])
    assert cache.get_many([key(1)], 4) == [vector(1)]
    cache.close()

    with EmbeddingCache(str(path)) as again:
        assert again.get_many([key(1)], 4) == [vector(1)]


def test_stats(cache: EmbeddingCache, path: Path) -> None:
    """Counts, bytes, and times of use in UTC."""
    assert cache.stats().oldest_use is cache.stats().newest_use is None
    cache.put_many((key(n), vector(n)) for n in range(5))
    age(path, 86_400)
    cache.put_many([(key(5), vector(5))])
    cache.get_many([key(5), key(5), key("unknown")], 4)

    stats = cache.stats()

    assert (stats.entries, stats.bytes, stats.hits, stats.misses) == (6, 6 * 16, 2, 1)
    assert stats.file_bytes >= sum(each.stat().st_size for each in path.parent.glob("*sqlite3"))
    assert stats.max_bytes == 2 * 2**30
    assert stats.oldest_use is not None
    assert stats.newest_use is not None
    assert stats.oldest_use[:10] < stats.newest_use[:10]
    assert stats.newest_use.endswith("Z")


def test_clear_gives_the_space_back(cache: EmbeddingCache, path: Path) -> None:
    """Everything is gone, the file is small again, and the cache goes on working."""
    cache.put_many((key(n), vector(n, 3072)) for n in range(200))
    full = cache.stats().file_bytes

    assert cache.clear() == 200

    assert cache.stats().file_bytes < full / 10
    assert path.stat().st_size < 200_000
    assert cache.get_many([key(1)], 3072) == [None]
    cache.put_many([(key(1), vector(1))])
    assert cache.stats().entries == 1


# --- the bound ---


def test_what_was_not_used_for_longest_goes(path: Path) -> None:
    """Reading keeps a vector, although it was stored first."""
    with EmbeddingCache(path, max_bytes=10 * 16) as cache:
        cache.put_many((key(n), vector(n)) for n in range(10))
        age(path, 7200)
        cache.get_many([key(0), key(1), key(2)], 4)

        cache.put_many([(key(10), vector(10))])

        left = [n for n in range(11) if cache.get_many([key(n)], 4) != [None]]
        assert left == [0, 1, 2, 5, 6, 7, 8, 9, 10]
        assert cache.stats().bytes == 9 * 16


def test_the_bound_holds_all_the_way(path: Path) -> None:
    """However much is written, and the newest is always there."""
    with EmbeddingCache(path, max_bytes=1000 * 16) as cache:
        for start in range(0, 5000, 50):
            cache.put_many((key(n), vector(n)) for n in range(start, start + 50))

            assert cache.stats().bytes <= 1000 * 16
            assert cache.get_many([key(start + 49)], 4) == [vector(start + 49)]
        assert cache.stats().entries >= 900


def test_two_writers_keep_one_bound(path: Path) -> None:
    """Each counts only its own writes at each step, yet the sum passes the bound by a 50th for each at most."""
    bound = 1000 * 16
    with EmbeddingCache(path, max_bytes=bound) as one, EmbeddingCache(path, max_bytes=bound) as other:
        for start in range(0, 4000, 20):
            one.put_many((key(n), vector(n)) for n in range(start, start + 10))
            other.put_many((key(n), vector(n)) for n in range(start + 10, start + 20))

            assert one.stats().bytes <= bound * (1 + 2 / 50)


def test_without_a_bound_nothing_goes(path: Path) -> None:
    """None means none."""
    with EmbeddingCache(path, max_bytes=None) as cache:
        cache.put_many((key(n), vector(n)) for n in range(1000))

        assert cache.stats().entries == 1000
        assert cache.stats().max_bytes is None


def test_reading_writes_at_most_once_an_hour(cache: EmbeddingCache, path: Path) -> None:
    """A second connection sees the file change at the first read after an hour, and at no other."""
    cache.put_many((key(n), vector(n)) for n in range(3))
    watcher = sqlite3.connect(path)

    def version() -> int:
        return int(watcher.execute("PRAGMA data_version").fetchone()[0])

    fresh = version()
    cache.get_many([key(0), key(1)], 4)
    assert version() == fresh

    age(path, 3700)
    old = version()
    cache.get_many([key(0), key(1)], 4)
    noted = version()
    cache.get_many([key(0), key(1)], 4)

    assert noted != old
    assert version() == noted
    watcher.close()


# --- threads, forks, processes ---


def test_threads_share_a_cache(cache: EmbeddingCache) -> None:
    """Eight write and read at once; everybody finds what is theirs, and the counts are exact."""

    def work(thread: int) -> bool:
        names = [(thread, n) for n in range(40)]
        for name in names:
            cache.put_many([(key(name), vector(name[1]))])
        return cache.get_many([key(name) for name in names], 4) == [vector(n) for _, n in names]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))

    assert (cache.stats().entries, cache.stats().hits, cache.stats().misses) == (320, 320, 0)


def test_many_make_the_same_file_at_once(path: Path) -> None:
    """One makes it, the others wait; nobody is told that it is locked."""
    ready = threading.Barrier(8)

    def work(number: int) -> int:
        ready.wait()
        with EmbeddingCache(path) as cache:
            cache.put_many([(key(number), vector(number))])
        return number

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(work, range(8))) == list(range(8))

    with EmbeddingCache(path) as cache:
        assert cache.stats().entries == 8


def test_pickling_takes_the_path_along(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy opens the same file, with the same bound, from another folder too."""
    path.parent.mkdir()
    monkeypatch.chdir(path.parent)
    with EmbeddingCache(ON_DISK, max_bytes=12345) as cache:
        cache.put_many([(key(1), vector(1))])
        pickled = pickle.dumps(cache)
        monkeypatch.chdir("/")

        with pickle.loads(pickled) as copy:
            assert copy.get_many([key(1)], 4) == [vector(1)]
            assert (copy.path, copy.max_bytes) == (path, 12345)


def start_fork(work: Callable[[], bool]) -> int:
    """A forked child, which ends with status 0 when ``work`` says that all is well."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if work() else 1)
        finally:
            os._exit(2)
    return child


def test_a_fork_opens_the_file_anew(cache: EmbeddingCache) -> None:
    """A child writes on after its parent closed the file: it has locks of its own, so the log stays."""
    cache.put_many([(key("before"), vector(1))])
    child_wrote, parent_closed = os.pipe(), os.pipe()

    def in_the_child() -> bool:
        cache.put_many([(key("child"), vector(2))])
        os.write(child_wrote[1], b"1")
        os.read(parent_closed[0], 1)
        cache.put_many([(key("child again"), vector(3))])
        return cache.get_many([key("before")], 4) == [vector(1)]

    child = start_fork(in_the_child)
    os.read(child_wrote[0], 1)
    found_by_parent = cache.get_many([key("before"), key("child")], 4)
    cache.close()
    os.write(parent_closed[1], b"1")

    assert found_by_parent == [vector(1), vector(2)]
    assert os.waitpid(child, 0)[1] == 0
    assert cache.get_many([key("child"), key("child again")], 4) == [vector(2), vector(3)]


def test_a_fork_in_the_middle_of_a_write(cache: EmbeddingCache) -> None:
    """Another thread writes on while forks are made; the child neither hangs nor finds half a transaction."""
    stop = threading.Event()
    written: list[int] = []

    def write() -> None:
        while not stop.is_set():
            number = len(written)
            cache.put_many([(key((number, half)), vector(number)) for half in "ab"])
            written.append(number)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        statuses = [os.waitpid(start_fork(lambda: cache.stats().entries % 2 == 0), 0)[1] for _ in range(10)]
    finally:
        stop.set()
        thread.join()

    assert statuses == [0] * 10
    assert cache.stats().entries == 2 * len(written)


WRITER = """
import hashlib, itertools, sys
from llama_index_gemini_mm.engine.cache import EmbeddingCache
path, name, batches = sys.argv[1], sys.argv[2], int(sys.argv[3])
key = lambda name: hashlib.sha256(name.encode()).digest()
with EmbeddingCache(path) as cache:
    for batch in itertools.count() if batches < 0 else range(batches):
        names = [f"{name}{batch}.{n}" for n in range(10)]
        cache.put_many((key(each), [float(batch)] * 64) for each in names)
        assert cache.get_many([key(each) for each in names], 64) == [[float(batch)] * 64] * 10
        print(batch, flush=True)
"""


def writer(path: Path, name: str, batches: int) -> subprocess.Popen[str]:
    """A process that writes batches of ten, and says so after each."""
    command = [sys.executable, "-c", WRITER, str(path), name, str(batches)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_processes_write_and_read_at_once(path: Path) -> None:
    """Two others and this one; nobody fails, and everything is there at the end."""
    writers = [writer(path, name, 100) for name in ("one", "two")]
    with EmbeddingCache(path) as cache:
        for batch in range(100):
            cache.put_many((key(f"three{batch}.{n}"), [float(batch)] * 64) for n in range(10))
        complaints = [each.communicate(timeout=60)[1] for each in writers]

        assert complaints == ["", ""]
        names = [(name, batch, n) for name in ("one", "two", "three") for batch in range(100) for n in range(10)]
        found = cache.get_many([key(f"{name}{batch}.{n}") for name, batch, n in names], 64)
        assert found == [[float(batch)] * 64 for _, batch, _ in names]


def test_a_killed_writer_loses_nothing_it_was_told_is_stored(path: Path) -> None:
    """SIGKILL in the middle: all batches that returned are there, and of the one under way all or nothing."""
    process = writer(path, "w", -1)
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(20)]
    process.send_signal(signal.SIGKILL)
    said += process.stdout.read().split()  # and not communicate(), which leaves out what readline() read ahead
    process.communicate(timeout=20)
    last = max(map(int, said))

    with EmbeddingCache(path) as cache:
        stored = [(batch, n) for batch in range(last + 1) for n in range(10)]
        found = cache.get_many([key(f"w{batch}.{n}") for batch, n in stored], 64)
        assert found == [[float(batch)] * 64 for batch, _ in stored]
        assert cache.stats().entries - len(stored) in (0, 10)


# --- files that cannot be used ---


def rewrite(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))


def test_a_changed_vector_is_found_out(path: Path) -> None:
    """A bit that fell over on disk is never handed out as a vector."""
    with EmbeddingCache(path) as cache:
        cache.put_many((key(n), vector(n, 768)) for n in range(10))
    stored = struct.pack("<768f", *vector(7, 768))
    rewrite(path, stored, stored[:-1] + bytes([stored[-1] ^ 1]))

    with EmbeddingCache(path) as cache:
        assert cache.get_many([key(6)], 768) == [vector(6, 768)]
        with pytest.raises(ConfigurationError, match="damaged; delete it"):
            cache.get_many([key(7)], 768)


def test_a_file_that_was_cut_off(path: Path) -> None:
    """Half of the pages are gone."""
    with EmbeddingCache(path) as cache:
        cache.put_many((key(n), vector(n, 768)) for n in range(200))
    os.truncate(path, path.stat().st_size // 2)

    with (
        pytest.raises(ConfigurationError, match=r"damaged; delete it|cannot be used"),
        EmbeddingCache(path) as cache,
    ):
        cache.get_many([key(n) for n in range(200)], 768)


def test_pages_that_were_overwritten(path: Path) -> None:
    """Zeros in place of the tables."""
    with EmbeddingCache(path) as cache:
        cache.put_many((key(n), vector(n, 768)) for n in range(200))
    content = path.read_bytes()
    path.write_bytes(content[:32768] + bytes(len(content) - 32768))

    with pytest.raises(ConfigurationError, match="damaged; delete it"), EmbeddingCache(path) as cache:
        cache.put_many([(key(1), vector(1, 768))])


@pytest.mark.parametrize("content", [b"Dear diary, " * 500, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_file_that_is_no_cache(path: Path, content: bytes) -> None:
    """It is refused in one line, and stays as it is."""
    path.parent.mkdir()
    path.write_bytes(content)

    with pytest.raises(ConfigurationError, match="no embedding cache") as caught:
        EmbeddingCache(path)

    assert "\n" not in str(caught.value)
    assert path.read_bytes() == content


def test_another_programs_database(path: Path) -> None:
    """Its tables are not touched, nor its journal mode."""
    path.parent.mkdir()
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE recipes (name)")
    database.commit()
    database.close()
    before = path.read_bytes()

    with pytest.raises(ConfigurationError, match="another program's file"):
        EmbeddingCache(path)

    assert path.read_bytes() == before


def test_a_cache_of_another_version(cache: EmbeddingCache, path: Path) -> None:
    """A later layout is not read as if it were ours."""
    cache.close()
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()

    with pytest.raises(ConfigurationError, match="another version"):
        cache.stats()


def test_an_empty_file_becomes_a_cache(path: Path) -> None:
    """As one that mktemp made, or a crash left behind."""
    path.parent.mkdir()
    path.touch()

    with EmbeddingCache(path) as cache:
        cache.put_many([(key(1), vector(1))])
        assert cache.stats().entries == 1


def test_places_where_no_file_can_be(tmp_path: Path) -> None:
    """A folder, a folder that is a file, and a file system that does not write."""
    (tmp_path / "file").touch()

    for path in (tmp_path, tmp_path / "file" / ON_DISK, Path("/proc/storage") / ON_DISK):
        with pytest.raises(ConfigurationError, match="cannot be used"):
            EmbeddingCache(path)


def test_a_full_disk(cache: EmbeddingCache) -> None:
    """What does not fit is refused in one line; what was there stays."""
    cache.put_many([(key(1), vector(1))])
    with cache._file.connection() as database:
        database.execute("PRAGMA max_page_count = 8")

    with pytest.raises(ConfigurationError, match="full"):
        cache.put_many((key(n), vector(n, 3072)) for n in range(100))

    assert cache.get_many([key(1)], 4) == [vector(1)]
    assert cache.stats().entries == 1
