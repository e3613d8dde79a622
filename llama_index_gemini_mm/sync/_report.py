"""What a sync did or would do, and how far it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from llama_index_gemini_mm.readers import Skipped


@dataclass(frozen=True)
class Change:
    """What a sync would do to a file; ``origin`` is where a renamed one was before."""

    path: str
    action: Literal["index", "rename", "remove"]
    origin: str | None = None


@dataclass(frozen=True)
class SyncReport:
    """What a sync did; with ``dry_run``, what it would do.

    ``files`` is the sum of ``indexed``, ``renamed``, ``unchanged`` and ``skipped``.

    Attributes:
        files: how many there are.
        indexed: new or changed, read and stored.
        unchanged: known by size and time, or by content; nothing was done.
        renamed: known content in a new place; the vectors were kept.
        removed: files that are gone, and with them their nodes.
        skipped: files left out, with the reason.
        notes: files inside others, such as attachments, and single nodes that were left out.
        nodes: the new ones, by modality.
        embedded: contents that were sent.
        tokens: what they were counted as.
        usd: what they cost, by estimate.
        seconds: how long it took; of a dry run, how long the sync will take at least, by the time reading took and the
            quota that the model was given.
        dry_run: whether nothing was sent and nothing stored.
        plan: with ``dry_run``, what would become of each file that is not left as it is.
    """

    files: int = 0
    indexed: int = 0
    unchanged: int = 0
    renamed: int = 0
    removed: int = 0
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[Skipped, ...] = ()
    nodes: dict[str, int] = field(default_factory=dict)
    embedded: int = 0
    tokens: int = 0
    usd: float = 0.0
    seconds: float = 0.0
    dry_run: bool = False
    plan: tuple[Change, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        values = asdict(self)
        return values | {name: list(values[name]) for name in ("skipped", "notes", "plan")}


@dataclass(frozen=True)
class Progress:
    """How far a sync is.

    Attributes:
        done: files that are dealt with, unchanged and skipped ones too.
        total: all files.
        nodes: those stored so far, or in a dry run to be stored.
        usd: US dollars spent so far, or in a dry run to be spent.
        file_name: the last file dealt with.
    """

    done: int
    total: int
    nodes: int
    usd: float
    file_name: str
