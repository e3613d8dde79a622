"""Index a folder of mixed media and search it by words: python examples/01_index_a_folder.py [FOLDER]."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from service import HANDBOOK, embed_model

from llama_index_gemini_mm import MediaIndex


def main(folder: Path) -> None:
    """Sync, then ask one question of everything and one of the recordings alone."""
    with (
        TemporaryDirectory() as storage,
        embed_model(storage) as model,
        MediaIndex.open(storage, embed_model=model) as index,
    ):
        report = index.sync(folder)
        print(f"{report.indexed} files, nodes {report.nodes}, about ${report.usd:.4f}")
        for skipped in report.skipped:
            print(f"skipped {skipped.file}: {skipped.reason}")

        for modalities in ((), ("audio",)):
            print(f"\ngrinding noise from the spindle, in {modalities or 'everything'}:")
            for hit in index.search("grinding noise from the spindle", top_k=3, modalities=modalities):
                print(f"  {hit.score:.3f} {hit.modality:8} {Path(hit.file_path or '').name:28} {hit.title}")

        print(f"\na second sync embeds {index.sync(folder).embedded} nodes")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HANDBOOK)
