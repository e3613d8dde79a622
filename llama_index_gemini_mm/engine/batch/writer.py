"""JobWriter: items into input files on disk, one line each, cut into jobs that stay below every limit."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from llama_index_gemini_mm.engine.batch.journal import WAITING, JobStatus
from llama_index_gemini_mm.engine.batch.lines import line_of
from llama_index_gemini_mm.engine.items import EmbedItem
from llama_index_gemini_mm.engine.keys import Key
from llama_index_gemini_mm.engine.prices import Prices
from llama_index_gemini_mm.engine.tokens import tokens_by_modality
from llama_index_gemini_mm.errors import ConfigurationError
from llama_index_gemini_mm.limits import FILES_MAX_BYTES, MAX_INPUT_TOKENS


@dataclass(frozen=True)
class JobBounds:
    """What one job may hold: bytes of its input file, requests, and tokens.

    Raises:
        ConfigurationError: bounds that the service does not allow, or that no item would fit into.
    """

    max_bytes: int = 256 * 2**20
    max_requests: int = 2000
    max_tokens: int = 500_000

    def __post_init__(self) -> None:
        if not 0 < self.max_bytes <= FILES_MAX_BYTES:
            raise ConfigurationError(f"max_job_bytes must be from 1 to {FILES_MAX_BYTES}, what an input file may have")
        if self.max_requests < 1:
            raise ConfigurationError("max_job_requests must be at least 1")
        if self.max_tokens < MAX_INPUT_TOKENS:
            raise ConfigurationError(f"max_enqueued_tokens must be at least {MAX_INPUT_TOKENS}, what one item may cost")


@dataclass
class _Open:
    """The job that is being written."""

    id: str
    file: BinaryIO
    items: dict[Key, list[str]]
    bytes: int = 0
    tokens: int = 0
    usd: float = 0.0


class JobWriter:
    """Holds one line in memory at a time. What it wrote counts only once the journal knows of it.

    Args:
        folder: where the files go, each under the id of its job.
        bounds: what one job may hold; an item that is larger has a job of its own.
        model: name of the embedding model.
        dimension: numbers in a vector.
        prices: what things cost.
    """

    def __init__(self, folder: Path, bounds: JobBounds, model: str, dimension: int, prices: Prices) -> None:
        self._folder = folder
        self._bounds = bounds
        self._model = model
        self._dimension = dimension
        self._prices = prices
        self._open: _Open | None = None
        self._done: list[tuple[JobStatus, dict[Key, list[str]]]] = []

    def add(self, key: Key, item: EmbedItem, node_ids: list[str]) -> None:
        """Write one item, which several nodes may stand for."""
        line, spent = line_of(key, item, self._dimension), tokens_by_modality(item)
        tokens = sum(spent.values())
        if self._open is not None and self._is_full(self._open, len(line), tokens):
            self._close()
        job = self._open = self._open or self._begun()
        job.file.write(line)
        job.items[key] = node_ids
        job.bytes += len(line)
        job.tokens += tokens
        job.usd += self._prices.usd(spent, batch=True)

    def finish(self) -> list[tuple[JobStatus, dict[Key, list[str]]]]:
        """The jobs, ready for the journal, whose files are safe on disk."""
        self._close()
        return self._done

    def abandon(self) -> None:
        """Close what is open; the files belong to nobody and are deleted when next somebody tidies up."""
        if self._open is not None:
            self._open.file.close()

    def _is_full(self, job: _Open, size: int, tokens: int) -> bool:
        bounds = self._bounds
        return (
            job.bytes + size > bounds.max_bytes
            or len(job.items) >= bounds.max_requests
            or job.tokens + tokens > bounds.max_tokens
        )

    def _begun(self) -> _Open:
        self._folder.mkdir(parents=True, exist_ok=True)
        job_id = secrets.token_hex(8)
        return _Open(job_id, (self._folder / f"{job_id}.jsonl").open("xb"), {})

    def _close(self) -> None:
        job, self._open = self._open, None
        if job is None:
            return
        with job.file:
            job.file.flush()
            os.fsync(job.file.fileno())
        status = JobStatus(
            id=job.id,
            name="",
            state=WAITING,
            model=self._model,
            dimension=self._dimension,
            requests=len(job.items),
            tokens=job.tokens,
            usd=job.usd,
            created=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        )
        self._done.append((status, job.items))
