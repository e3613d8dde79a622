"""BatchJournal: which jobs there are and what is in them, in one SQLite file, written before and after every step.

waiting ─ sending ─▶ pending, running ─▶ succeeded | failed | cancelled | expired | lost ─▶ collected
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from llama_index_gemini_mm.engine.keys import Key
from llama_index_gemini_mm.errors import ConfigurationError

WAITING, SENDING, SUCCEEDED, FAILED, LOST = "waiting", "sending", "succeeded", "failed", "lost"
GONE = (FAILED, "cancelled", "expired", LOST)
"""States from which no vectors are to be hoped for, so that the same items may be submitted again."""
FINAL = (SUCCEEDED, *GONE)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, under_way INTEGER NOT NULL, record TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS items (
    key BLOB NOT NULL, job TEXT NOT NULL, node_id TEXT NOT NULL, PRIMARY KEY (key, job, node_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS items_of_job ON items (job);
"""
_PUT = """
INSERT INTO jobs (id, under_way, record) VALUES (?, ?, ?)
ON CONFLICT (id) DO UPDATE SET under_way = excluded.under_way, record = excluded.record
"""
_JOB_OF_KEY = "SELECT job FROM items JOIN jobs ON id = job WHERE key = ? AND under_way ORDER BY number LIMIT 1"
_WAIT_SECONDS = 5.0


@dataclass(frozen=True)
class JobStatus:
    """One job.

    Attributes:
        id: this package's own name for it, known before the service has one.
        name: the service's name, ``batches/…``; empty until it is known.
        state: ``waiting`` (not sent yet), ``sending``, then the service's own: ``pending``, ``running``, ``succeeded``,
            ``failed``, ``cancelled``, ``expired``; or ``lost`` when it, its requests or its results are not there.
        model: the embedding model.
        dimension: numbers in a vector.
        requests: how many vectors were asked for.
        tokens: what they are estimated to cost of the quota of enqueued tokens.
        usd: the estimated price in US dollars.
        created: when the job was put together, ISO 8601 in UTC.
        input_file: the service's name of the uploaded requests, or nothing.
        result_file: the service's name of the results, or nothing.
        succeeded: vectors that were collected.
        failed: requests without one.
        collected: whether nothing is left to do.
        reason: why it is where it is, if that needs saying.
    """

    id: str
    name: str
    state: str
    model: str
    dimension: int
    requests: int
    tokens: int
    usd: float
    created: str
    input_file: str = ""
    result_file: str = ""
    succeeded: int = 0
    failed: int = 0
    collected: bool = False
    reason: str = ""

    @property
    def under_way(self) -> bool:
        """Whether vectors are still to be hoped for."""
        return not self.collected and self.state not in GONE


class BatchJournal:
    """Thread-safe; what a method writes is on disk when it returns.

    Every method raises ``ConfigurationError`` for a file that cannot be used.

    Args:
        path: the SQLite file; beside it lie a lock and a folder with the requests of jobs that were not sent yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = path.with_suffix(".jobs")
        self._lock = threading.RLock()
        with _explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")  # what is forgotten here is paid twice
            self._db.executescript(_SCHEMA)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Let no other process or thread work on these jobs meanwhile; ended by the system if this process dies.

        Raises:
            ConfigurationError: another one is at it.
        """
        with closing(sqlite3.connect(f"{self.path}.lock", timeout=_WAIT_SECONDS, isolation_level=None)) as lock:
            try:
                lock.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError as error:
                busy = f"another process is at work on {self.path}; wait until it has finished"
                raise ConfigurationError(busy) from error
            yield

    def add(self, jobs: Iterable[tuple[JobStatus, Mapping[Key, Sequence[str]]]]) -> None:
        """Enter jobs with their keys and the nodes behind each, all or none."""
        with self._transaction() as db:
            for job, items in jobs:
                db.execute(_PUT, _row(job))
                rows = ((key, job.id, node_id) for key, ids in items.items() for node_id in ids)
                db.executemany("INSERT INTO items VALUES (?, ?, ?)", rows)

    def put(self, job: JobStatus) -> JobStatus:
        """Enter what has become of a job, and give it back; the keys of a collected one are forgotten."""
        with self._transaction() as db:
            db.execute(_PUT, _row(job))
            if job.collected:
                db.execute("DELETE FROM items WHERE job = ?", (job.id,))
        return job

    def jobs(self) -> list[JobStatus]:
        """All jobs, oldest first."""
        with self._reading() as db:
            return [JobStatus(**json.loads(row[0])) for row in db.execute("SELECT record FROM jobs ORDER BY number")]

    def open(self) -> list[JobStatus]:
        """The jobs that are not collected, oldest first."""
        return [job for job in self.jobs() if not job.collected]

    def items(self, job_id: str) -> dict[Key, list[str]]:
        """The keys of a job, and the ids of the nodes behind each."""
        found: dict[Key, list[str]] = {}
        with self._reading() as db:
            for key, node_id in db.execute("SELECT key, node_id FROM items WHERE job = ?", (job_id,)):
                found.setdefault(key, []).append(node_id)
        return found

    def joined(self, wanted: Mapping[Key, Sequence[str]]) -> set[Key]:
        """The keys that jobs under way hold already; the nodes behind them are entered as waiting for those too."""
        held: set[Key] = set()
        with self._transaction() as db:
            for key, node_ids in wanted.items():
                for (job_id,) in db.execute(_JOB_OF_KEY, (key,)).fetchall():
                    held.add(key)
                    rows = ((key, job_id, node_id) for node_id in node_ids)
                    db.executemany("INSERT OR IGNORE INTO items VALUES (?, ?, ?)", rows)
        return held

    def lines_of(self, job_id: str) -> Path:
        """Where the requests of a job lie until the service has them."""
        return self.folder / f"{job_id}.jsonl"

    def tidy(self) -> None:
        """Delete the requests of jobs that no longer need them, and of those that were never entered."""
        needed = {self.lines_of(job.id) for job in self.open() if job.state in (WAITING, SENDING)}
        for file in self.folder.glob("*.jsonl"):
            if file not in needed:
                file.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _explained(self.path):
            yield self._db

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as db, db:
            db.execute("BEGIN IMMEDIATE")
            yield db


def _row(job: JobStatus) -> tuple[str, bool, str]:
    return job.id, job.under_way, json.dumps(asdict(job))


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise ConfigurationError(f"the journal of batch jobs {path} cannot be used: {reason}") from error
