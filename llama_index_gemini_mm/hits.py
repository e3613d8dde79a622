"""MediaHit: one result, as plain as it can be."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from llama_index.core.schema import BaseNode

from llama_index_gemini_mm import media
from llama_index_gemini_mm.retriever import Explanation, Place

_OBJECTS = ("node", "nodes", "context")
"""Fields that are no plain values."""


@dataclass(frozen=True)
class MediaHit:
    """One place, with what describes its best node. What does not apply is ``None``.

    Attributes:
        score: calibrated, a cosine less what an unrelated node of this modality would have; or as ``ranking`` has it.
        bbox: boxes, 0 to 1, origin top left.
        node: the best node.
        nodes: all nodes found in this place, the best one first: film and sound of the same seconds, say.
        context: neighbours and the text around, when they were asked for.
        explanation: how the score came about, with ``explain=True``.
    """

    score: float
    modality: str
    file_path: str | None
    page_label: str | None
    bbox: list[list[float]] | None
    start_seconds: float | None
    end_seconds: float | None
    title: str | None
    text: str
    media_ref: str | None
    node_id: str
    node: BaseNode = field(repr=False, compare=False)
    nodes: tuple[BaseNode, ...] = field(default=(), repr=False, compare=False)
    context: tuple[BaseNode, ...] = field(default=(), repr=False, compare=False)
    explanation: Explanation | None = None

    @classmethod
    def of(cls, place: Place, *, explain: bool = False) -> MediaHit:
        """A hit from a place that the retriever found."""
        best, data = place.best, place.best.node.metadata
        return cls(
            score=float(place.score),
            modality=data.get(media.MODALITY, "text"),
            file_path=data.get(media.FILE_PATH),
            page_label=data.get(media.PAGE_LABEL),
            bbox=media.boxes_of(data) or None,
            start_seconds=data.get(media.START_SECONDS),
            end_seconds=data.get(media.END_SECONDS),
            title=data.get(media.TITLE),
            text=best.node.get_content(),
            media_ref=data.get(media.MEDIA_REF),
            node_id=best.node.node_id,
            node=best.node,
            nodes=tuple(match.node for match in place.matches),
            context=place.context,
            explanation=best.explanation if explain else None,
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; of all nodes the ids, of what stands around the text, if it was asked for."""
        plain = {key: getattr(self, key) for key in self.__dataclass_fields__ if key not in (*_OBJECTS, "explanation")}
        plain["node_ids"] = [node.node_id for node in self.nodes]
        around = [{"node_id": node.node_id, "text": node.get_content()} for node in self.context]
        asked = {"context": around, "explanation": self.explanation and asdict(self.explanation)}
        return plain | {name: value for name, value in asked.items() if value}
