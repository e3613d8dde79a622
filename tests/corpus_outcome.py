"""What became of a file, in a form that fits into a golden file: the documents' media, places and words, or the reason.

    python tests/corpus_outcome.py            write tests/corpus/golden/*.json anew, from the files that lie beside them
    python tests/corpus_outcome.py FOLDER     print the same for the files of any folder

A golden file is looked through when it changes: it says what a user of these files finds in the index.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from llama_index.core.schema import BaseNode

from llama_index_gemini_mm import MediaReader, MediaStore, media
from llama_index_gemini_mm.errors import SourceError
from llama_index_gemini_mm.source import Source

CORPUS = Path(__file__).parent / "corpus"
GOLDEN = CORPUS / "golden"
_SHOWN = 40
"""Documents of one file that are written down one by one; of longer files the first ones."""
_PLACES = (media.PAGE_START, media.SLIDE, media.SHEET, media.LINE_START, media.START_SECONDS, media.END_SECONDS)
_WORDS = 8

Outcome = dict[str, Any]


def files_of(folder: Path) -> list[Path]:
    """All files below a folder, sorted."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def outcomes(reader: MediaReader, files: Iterable[Path]) -> Iterator[tuple[Path, Outcome]]:
    """Each file with what became of it."""
    for source, documents in reader.read_all((Source.of_path(file), str(file.parent)) for file in files):
        notes: list[SourceError] = []
        found: list[BaseNode] = []
        error: SourceError | None = None
        try:
            found.extend(documents(notes.append))
        except SourceError as raised:
            error = raised
        yield Path(source.location), outcome(found, notes, error, source.location)


def outcome(
    documents: Iterable[BaseNode], notes: Iterable[SourceError], error: SourceError | None, location: str
) -> Outcome:
    """The documents, the files inside that were left out, and the error, all without the path of this machine."""
    documents = list(documents)
    found: Outcome = {}
    if error is not None:
        found["error"] = f"{type(error).__name__}: {error.reason}"
    if documents:
        found["counts"] = dict(sorted(Counter(str(d.metadata[media.MODALITY]) for d in documents).items()))
        found["documents"] = [line(document.metadata, document.get_content()) for document in documents[:_SHOWN]]
    told = [f"{Path(note.path.replace(location, '')).name}: {type(note).__name__}: {note.reason}" for note in notes]
    return found | ({"notes": told[:_SHOWN]} if told else {})


def line(metadata: Mapping[str, Any], text: str) -> str:
    """One document: medium, place, title, and its first and last words."""
    place = " ".join(f"{key}={metadata[key]}" for key in _PLACES if key in metadata)
    inside = str(metadata.get(media.CONTAINER_PATH, "")).partition("!/")[2]
    heading = metadata.get(media.HEADING_PATH, "")
    words = text.split()
    shown = " ".join(words if len(words) <= 2 * _WORDS else [*words[:_WORDS], "…", *words[-_WORDS:]])
    named = [str(metadata[media.MODALITY]), place, inside and f"in {inside}", heading and f"under {heading}"]
    return f"{' · '.join(filter(None, named))} | {metadata.get(media.TITLE, '')} | {shown}"


def golden_files() -> dict[str, list[Path]]:
    """The golden files by name: one for each kind of good file, one for each of the other folders."""
    kinds = {f"good_{folder.name}": files_of(folder) for folder in sorted((CORPUS / "good").iterdir())}
    return kinds | {name: files_of(CORPUS / name) for name in ("own", "hard", "composite")}


def written(results: Iterable[tuple[Path, Outcome]], root: Path) -> str:
    """The text of a golden file."""
    by_name = {path.relative_to(root).as_posix(): found for path, found in results}
    return json.dumps(by_name, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """See above."""
    with tempfile.TemporaryDirectory() as folder:
        reader = MediaReader(MediaStore(folder))
        if len(sys.argv) > 1:
            root = Path(sys.argv[1]).absolute()
            sys.stdout.write(written(outcomes(reader, files_of(root)), root))
            return
        GOLDEN.mkdir(exist_ok=True)
        for name, files in golden_files().items():
            (GOLDEN / f"{name}.json").write_text(written(outcomes(reader, files), CORPUS), encoding="utf-8")


if __name__ == "__main__":
    main()
