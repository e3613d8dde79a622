"""``kill -9`` at any moment, and the same sync again: the same points as if nothing had happened, and paid for once."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from kill_child import IN_FLIGHT
from sync_support import Points, assert_same, embedded_bench, identity, paid, write_book, write_mixed

from llama_index_gemini_mm.emulator import Fault, GeminiEmulator, RecordedRequest
from llama_index_gemini_mm.engine import EmbeddingCache
from llama_index_gemini_mm.sync import SyncReport
from media_samples import png

_CHILD = Path(__file__).with_name("kill_child.py")
_LATENCY = 0.05
_SEED = 5


@pytest.fixture
def emulator() -> Iterator[GeminiEmulator]:
    """An emulator that takes its time, so that there are requests in flight."""
    with GeminiEmulator(latency=_LATENCY) as running:
        yield running


@dataclass
class Scene:
    """A folder to sync, and the storage folder as it is before."""

    folder: Path
    storage: Path
    before: Path
    emulator: GeminiEmulator

    def restore(self) -> None:
        """Put the storage folder back, in its place, for paths are part of what is stored."""
        shutil.rmtree(self.storage, ignore_errors=True)
        shutil.copytree(self.before, self.storage)
        self.emulator.clear()
        self.emulator.faults.clear()

    def start(self, fatal_step: int = 0) -> subprocess.Popen[str]:
        """Sync in a process of its own."""
        command = [sys.executable, str(_CHILD), str(self.storage), str(self.folder), self.emulator.base_url]
        return subprocess.Popen([*command, str(fatal_step)], stdout=subprocess.PIPE, text=True)

    def undisturbed(self) -> tuple[Points, int, int]:
        """The points after a sync that nothing disturbs, its steps, and its requests."""
        self.restore()
        child = self.start()
        steps, _ = child.communicate(timeout=120)
        assert child.returncode == 0
        with embedded_bench(self.storage, self.emulator.base_url) as opened:
            return opened.points(), int(steps), len(self.emulator.requests)

    def resume(self) -> tuple[SyncReport, Points]:
        """The same sync again, and what is stored then."""
        with embedded_bench(self.storage, self.emulator.base_url) as opened:
            report = opened.synchronizer().run(self.folder)
            return report, opened.points()

    def settle(self) -> None:
        """Wait for the requests that a killed process had sent and the emulator has not yet taken in."""
        seen = -1
        while seen != len(self.emulator.requests):
            seen = len(self.emulator.requests)
            time.sleep(20 * _LATENCY)

    def kill_at_step(self, step: int) -> None:
        """Between two writes."""
        child = self.start(step)
        child.communicate(timeout=120)
        assert child.returncode == -signal.SIGKILL

    def kill_at_request(self, number: int) -> None:
        """While the ``number``-th request, and perhaps others, wait for their answers."""
        seen = 0

        def kill(_: RecordedRequest) -> bool:
            nonlocal seen
            seen += 1
            if seen == number:
                os.kill(child.pid, signal.SIGKILL)
            return False

        self.emulator.faults.add(Fault(), times=None, match=kill)
        child = self.start()
        child.communicate(timeout=120)
        assert child.returncode == -signal.SIGKILL


def check(scene: Scene, kill: Callable[[int], None], at: int, expected: Points) -> int:
    """Kill a sync, go on, and compare; how many vectors the killed one had paid for and kept."""
    scene.restore()
    cached = known_vectors(scene)
    kill(at)
    scene.settle()
    asked, kept = paid(scene.emulator), known_vectors(scene) - cached
    requests = [{identity(content) for content in request.contents} for request in scene.emulator.requests]

    report, points = scene.resume()

    assert_same(points, expected)
    twice = {content for content, times in paid(scene.emulator).items() if times > 1}
    assert max(paid(scene.emulator).values(), default=1) <= 2
    assert len(twice) == len(asked) - kept  # those whose answers had not come
    assert sum(bool(contents & twice) for contents in requests) <= IN_FLIGHT
    assert report.files == report.indexed + report.renamed + report.unchanged + len(report.skipped)
    again, same = scene.resume()
    assert (again.indexed, again.embedded, again.removed, same.keys()) == (0, 0, 0, points.keys())
    return kept


def known_vectors(scene: Scene) -> int:
    """How many vectors are in the cache."""
    with EmbeddingCache(scene.storage / "embeddings.sqlite3") as cache:
        return cache.stats().entries


@pytest.fixture
def first_sync(tmp_path: Path, emulator: GeminiEmulator) -> Scene:
    """Nothing is stored yet."""
    (tmp_path / "nothing").mkdir()
    folder = write_mixed(tmp_path / "files", texts=20)
    write_book(folder / "deep" / "book.md", nodes=700)
    return Scene(folder, tmp_path / "storage", tmp_path / "nothing", emulator)


@pytest.fixture
def later_sync(tmp_path: Path, emulator: GeminiEmulator) -> Scene:
    """All is stored, and then files are changed, removed, renamed and added."""
    scene = Scene(write_mixed(tmp_path / "files", texts=10), tmp_path / "storage", tmp_path / "before", emulator)
    scene.resume()
    shutil.copytree(scene.storage, scene.before)
    folder = scene.folder
    (folder / "long.txt").write_text("".join(f"Sentence {n} is on grease. " for n in range(1500)), encoding="utf-8")
    (folder / "note 000.txt").unlink()
    (folder / "deep" / "red.png").unlink()
    (folder / "deep" / "blue.png").write_bytes(png("white"))
    (folder / "deep" / "green.png").rename(folder / "verdant.png")
    (folder / "manual.pdf").rename(folder / "deep" / "manual.pdf")
    (folder / "new.txt").write_text("New words.", encoding="utf-8")
    return scene


@pytest.mark.timeout(600)
def test_a_first_sync_killed_at_ten_points(first_sync: Scene) -> None:
    """Five points between writes and five at requests, spread over the run by a seed."""
    scene = first_sync
    expected, steps, requests = scene.undisturbed()
    chance = random.Random(_SEED)
    assert steps >= 8
    assert requests >= 5

    kept = [check(scene, scene.kill_at_step, at, expected) for at in spread(chance, steps, 5)]
    kept += [check(scene, scene.kill_at_request, at, expected) for at in spread(chance, requests, 5)]

    assert len(expected) > 300
    assert max(kept) > 100
    assert len(set(kept)) > 3


@pytest.mark.timeout(600)
def test_a_later_sync_killed_between_any_two_writes(later_sync: Scene) -> None:
    """Changed, removed, renamed and new files, killed before and after writes of every kind."""
    scene = later_sync
    expected, steps, _ = scene.undisturbed()
    names = Counter(Path(payload["file_path"]).name for payload, _ in expected.values())
    assert not {"note 000.txt", "red.png", "green.png"} & names.keys()
    assert {"verdant.png", "new.txt", "manual.pdf"} <= names.keys()

    for at in spread(random.Random(_SEED), steps, 6):
        check(scene, scene.kill_at_step, at, expected)


def spread(chance: random.Random, count: int, parts: int) -> list[int]:
    """A number from each of ``parts`` equal stretches of 1 to ``count``."""
    edges = [1 + count * part // parts for part in range(parts + 1)]
    return [chance.randrange(low, max(low + 1, high)) for low, high in pairwise(edges)]
