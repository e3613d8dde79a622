"""What became of a file, in a form that fits into a golden file: the documents' media, places and words, or the reason.

    python tests/corpus_outcome.py            write tests/corpus/golden/*.json anew, from the files that lie beside them
    python tests/corpus_outcome.py FOLDER     print the same for the files of any folder

A golden file is looked through when it changes: it says what a user of these files finds in the index.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from llama_index.core.schema import BaseNode

from llama_index_gemini_mm import MediaReader, MediaStore, media
from llama_index_gemini_mm.readers import Skipped

CORPUS = Path(__file__).parent / "corpus"
GOLDEN = CORPUS / "golden"
PLACES = tuple(CORPUS / name for name in ("good", "own", "hard", "composite"))
"""The folders whose files have a golden file."""
_SHOWN = 40
"""Documents of one file that are written down one by one; of longer files the first ones."""
_PLACES = (media.PAGE_START, media.SLIDE, media.SHEET, media.LINE_START, media.START_SECONDS, media.END_SECONDS)
_WORDS = 8

Outcome = dict[str, Any]


def outcomes(reader: MediaReader, folder: Path, root: Path) -> dict[str, Outcome]:
    """What became of the files of a folder, by their path below ``root``; ``reader`` skips what it cannot read."""
    documents = reader.load_data(folder)
    return by_file(documents, reader.report.skipped, str(root))


def by_file(documents: Iterable[BaseNode], skipped: Iterable[Skipped], root: str) -> dict[str, Outcome]:
    """What became of each file, by its path below ``root``, from the documents and the report of all."""
    found: dict[str, list[BaseNode]] = defaultdict(list)
    told: dict[str, list[Skipped]] = defaultdict(list)
    for document in documents:
        found[str(document.metadata[media.FILE_PATH])].append(document)
    for each in skipped:
        told[each.file.partition("!/")[0]].append(each)
    locations = sorted(found.keys() | told.keys())
    return {x.removeprefix(root).lstrip("/"): outcome(found[x], told[x], x) for x in locations}


def outcome(documents: Sequence[BaseNode], skipped: Iterable[Skipped], location: str) -> Outcome:
    """The documents, the files inside that were left out, and the error, all without the path of this machine."""
    whole = [f"{s.error}: {s.reason}" for s in skipped if s.file == location]
    found: Outcome = {"error": whole[0]} if whole else {}
    if documents:
        found["counts"] = dict(sorted(Counter(str(d.metadata[media.MODALITY]) for d in documents).items()))
        found["documents"] = [line(document.metadata, document.get_content()) for document in documents[:_SHOWN]]
    told = [f"{Path(s.file).name}: {s.error}: {s.reason}" for s in skipped if s.file != location]
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


def golden_folders() -> dict[str, Path]:
    """The folder that each golden file speaks of: one for each kind of good file, and the others."""
    kinds = {f"good_{folder.name}": folder for folder in sorted((CORPUS / "good").iterdir())}
    return kinds | {folder.name: folder for folder in PLACES[1:]}


def truth() -> dict[str, Outcome]:
    """What all golden files say, by the path of the file below the corpus."""
    told = [json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8")) for name in golden_folders()]
    return {file: expected for each in told for file, expected in each.items()}


def differences(found: Mapping[str, Outcome], expected: Mapping[str, Outcome]) -> list[str]:
    """The files whose outcome is another, each with the first thing in which it is."""
    names = sorted(found.keys() | expected.keys())
    pairs = ((name, found.get(name, {}), expected.get(name, {})) for name in names)
    return [f"{name}: {_difference(*pair)}" for name, *pair in pairs if pair[0] != pair[1]]


def _difference(found: Outcome, expected: Outcome) -> str:
    """The first document that is another, else the first key."""
    key = next(key for key in ("error", "documents", "counts", "notes") if found.get(key) != expected.get(key))
    ours, theirs = found.get(key), expected.get(key)
    if key == "documents":
        pairs = enumerate(zip_longest(ours or (), theirs or ()), 1)
        number, (ours, theirs) = next((number, pair) for number, pair in pairs if pair[0] != pair[1])
        key = f"document {number}"
    return f"{key} is {ours!r}, not {theirs!r}"


def written(found: Mapping[str, Outcome]) -> str:
    """The text of a golden file."""
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """See above."""
    with tempfile.TemporaryDirectory() as folder:
        reader = MediaReader(MediaStore(folder), on_error="skip")
        if len(sys.argv) > 1:
            root = Path(sys.argv[1]).absolute()
            sys.stdout.write(written(outcomes(reader, root, root)))
            return
        GOLDEN.mkdir(exist_ok=True)
        for name, place in golden_folders().items():
            (GOLDEN / f"{name}.json").write_text(written(outcomes(reader, place, CORPUS)), encoding="utf-8")


if __name__ == "__main__":
    main()
