"""The bundled handbook and the searches that are shown on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llama_index_gemini_mm.index import MediaHit
from llama_index_gemini_mm.limits import Modality


def _bundled() -> Path:
    """Inside the installed package, or in the checkout it is made from."""
    packaged = Path(__file__).parent / "bundled"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "examples"


HANDBOOK = _bundled() / "handbook"
QUERY_PICTURE = _bundled() / "query_spindle.jpg"


@dataclass(frozen=True)
class DemoQuery:
    """A search with the file that must come first; ``page`` too where it is given."""

    label: str
    answer: str
    text: str = ""
    image: Path | None = None
    modalities: tuple[Modality, ...] = ()
    page: str | None = None

    def answered_by(self, hits: Sequence[MediaHit]) -> bool:
        """Whether the first hit is right."""
        first = hits[0] if hits else None
        right_file = first is not None and Path(first.file_path or "").name == self.answer
        return right_file and first is not None and self.page in (None, first.page_label)


QUERIES = (
    DemoQuery("text → text", "troubleshooting.docx", "tool change stops, alarm 4020", modalities=("text",)),
    DemoQuery("text → image", "coolant_leak.jpg", "puddle of coolant under the pump", modalities=("image",)),
    DemoQuery("text → audio", "spindle_grinding.mp3", "grinding noise of a worn bearing", modalities=("audio",)),
    DemoQuery("text → video", "belt_replacement.mp4", "how to replace the drive belt", modalities=("video",)),
    DemoQuery(
        "text → document",
        "operators_manual.pdf",
        "exploded view of the coolant pump",
        modalities=("document",),
        page="5",
    ),
    DemoQuery("image → image", "spindle_cutaway.png", image=QUERY_PICTURE, modalities=("image",)),
)
