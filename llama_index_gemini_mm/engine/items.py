"""What goes into the engine: parts, and the items they make."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from llama_index_gemini_mm.limits import Modality

Role = Literal["query", "document"]
Vector = list[float]


@dataclass(frozen=True)
class Part:
    """One piece of a Content: ``text``, or ``data``, or the ``uri`` of an uploaded file; the last two with a MIME type.

    ``tokens`` is what the piece costs of the model's window, where the maker of the part knows it (media).
    """

    text: str | None = None
    data: bytes | None = field(default=None, repr=False)
    mime_type: str | None = None
    tokens: int | None = None
    uri: str | None = None

    def __post_init__(self) -> None:
        missing = (self.text is None) + (self.data is None) + (self.uri is None)
        if missing != 2 or (self.text is None) != (self.mime_type is not None):
            raise ValueError("a part is either text, or data or a file with a MIME type")

    @property
    def modality(self) -> Modality:
        """Which medium this piece is."""
        if self.mime_type is None:
            return "text"
        kind = self.mime_type.partition("/")[0]
        return "document" if kind == "application" else kind  # type: ignore[return-value]

    @property
    def size(self) -> int:
        """Bytes before base64."""
        return len(self.data) if self.data is not None else len((self.text or "").encode())


@dataclass(frozen=True)
class EmbedItem:
    """One Content, and so one vector. ``name`` says in errors and reports what it is: a node id, or a file name."""

    parts: tuple[Part, ...]
    role: Role = "document"
    title: str = ""
    name: str = field(default="", compare=False)

    @property
    def size(self) -> int:
        """Bytes before base64."""
        return sum(part.size for part in self.parts)

    @property
    def is_text(self) -> bool:
        """Whether it holds words alone; only such items get a task prefix."""
        return all(part.text is not None for part in self.parts)
