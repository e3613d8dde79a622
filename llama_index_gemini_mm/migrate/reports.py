"""What a migration will take, and what it did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from llama_index_gemini_mm.calls import SkippedItem
from llama_index_gemini_mm.limits import Modality


@dataclass(frozen=True)
class MigrationPlan:
    """What a migration will take. Prices are estimates in US dollars, and rather high.

    Attributes:
        source: what is read.
        collection: what is filled.
        records: entries of the old index.
        nodes: nodes that they become; more than ``records`` when long texts are cut.
        contents: nodes to be embedded; equal ones in different parts of the index may be counted twice.
        cached: nodes whose vectors are known already and cost nothing.
        tokens: of the contents, by modality.
        usd: the price.
        usd_batch: the price through the Batch API.
        split: records whose text is too long for the model and is cut.
        skipped: records that cannot be migrated, with the reason.
    """

    source: str
    collection: str
    records: int
    nodes: int
    contents: int
    cached: int
    tokens: Mapping[Modality, int]
    usd: float
    usd_batch: float
    split: int
    skipped: tuple[SkippedItem, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self) | {"tokens": dict(self.tokens), "skipped": [asdict(each) for each in self.skipped]}


@dataclass(frozen=True)
class MigrationProgress:
    """How far a migration is: records looked at out of all, nodes stored by this run, US dollars spent."""

    done: int
    total: int
    stored: int
    usd: float


@dataclass
class MigrationReport:
    """What a run did.

    Attributes:
        records: entries of the old index that were looked at.
        unchanged: nodes that the new collection held already.
        stored: nodes that this run stored.
        waiting: nodes whose vectors are in batch jobs under way; run again later.
        split: records whose text was too long for the model and was cut.
        skipped: records that could not be migrated, with the reason; they are in the old index alone.
        embedded: contents that were sent, but for batch jobs.
        tokens: of these.
        usd: of these, or submitted in batch jobs; estimated.
        seconds: how long it took.
        cancelled: whether ``cancel`` ended it early.
    """

    records: int = 0
    unchanged: int = 0
    stored: int = 0
    waiting: int = 0
    split: int = 0
    skipped: list[SkippedItem] = field(default_factory=list)
    embedded: int = 0
    tokens: int = 0
    usd: float = 0.0
    seconds: float = 0.0
    cancelled: bool = False

    @property
    def finished(self) -> bool:
        """Whether all that can be migrated is in the new collection."""
        return not self.cancelled and self.waiting == 0

    @property
    def complete(self) -> bool:
        """Whether every record of the old index is in the new collection."""
        return self.finished and not self.skipped

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self) | {"finished": self.finished, "complete": self.complete}
