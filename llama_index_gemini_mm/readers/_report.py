"""What became of the files of one call."""

from __future__ import annotations

from dataclasses import dataclass, field

from llama_index_gemini_mm.errors import SourceError


@dataclass(frozen=True)
class Skipped:
    """A file that gave no documents: its location, the name of the error, and the reason in one line."""

    file: str
    error: str
    reason: str


@dataclass
class ReadReport:
    """Counts and the files left out. One report belongs to one call; it is complete when that call has returned."""

    files: int = 0
    documents: int = 0
    skipped: list[Skipped] = field(default_factory=list)

    def skip(self, error: SourceError) -> None:
        """Record a file that could not be read."""
        self.skipped.append(Skipped(error.path, type(error).__name__, error.reason))

    def __str__(self) -> str:
        lines = [f"{s.file}: {s.error}: {s.reason}" for s in self.skipped]
        return "\n".join([f"{self.documents} documents from {self.files} files, {len(lines)} skipped", *lines])
