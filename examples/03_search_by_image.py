"""Search by a picture, alone and together with words: python examples/03_search_by_image.py [PICTURE]."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from service import HANDBOOK, QUERY_PICTURE, embed_model

from llama_index_gemini_mm import MediaIndex
from llama_index_gemini_mm.index import MediaHit


def show(question: str, hits: Sequence[MediaHit]) -> None:
    """One line a hit."""
    print(question)
    for hit in hits:
        print(f"  {hit.score:.3f} {hit.modality:8} {Path(hit.file_path or '').name:28} {hit.title}")


def main(picture: Path) -> None:
    """What does this picture show, and what does the handbook say of it?"""
    with (
        TemporaryDirectory() as storage,
        embed_model(storage) as model,
        MediaIndex.open(storage, embed_model=model) as index,
    ):
        index.sync(HANDBOOK)
        show(f"pictures like {picture.name}:", index.search(image=picture, modalities=["image"], top_k=3))
        both = index.search("grinding noise, worn bearing", image=picture, top_k=5)
        show("anything about this picture and “grinding noise, worn bearing”:", both)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else QUERY_PICTURE)
