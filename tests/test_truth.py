"""What is known to be in long recordings and in documents with pictures lies where the nodes say it does."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from llama_index.core.schema import BaseNode

from corpus_outcome import CORPUS
from llama_index_gemini_mm import MediaNodeParser, MediaReader, MediaStore, media

Span = tuple[float, float]


def truth(name: str) -> list[Span]:
    """The stretches of a recording in which something is known to be."""
    with (CORPUS / "long" / name).open(encoding="utf-8", newline="") as file:
        return [(float(row["start_s"]), float(row["end_s"])) for row in csv.DictReader(file)]


def nodes_of(path: Path, store: MediaStore) -> list[BaseNode]:
    return MediaNodeParser(media_store=store).get_nodes_from_documents(MediaReader(store).load_data(path))


def spans(nodes: list[BaseNode], modality: str) -> Iterator[Span]:
    for node in nodes:
        if node.metadata[media.MODALITY] == modality:
            yield node.metadata[media.START_SECONDS], node.metadata[media.END_SECONDS]


def test_every_word_in_an_hour_of_silence_lies_in_a_segment(store: MediaStore) -> None:
    """Thirty spoken digits, each whole in one segment, and the silence between them in none."""
    segments = list(spans(nodes_of(CORPUS / "long" / "one_hour_sparse_digits.flac", store), "audio"))

    for start, end in truth("one_hour_sparse_digits_truth.csv"):
        assert any(first <= start and end <= last for first, last in segments), (start, end)
    assert len(segments) == 30
    assert sum(end - start for start, end in segments) < 120


def test_every_clip_of_a_film_lies_in_a_segment_of_pictures_and_of_sound(store: MediaStore) -> None:
    nodes = nodes_of(CORPUS / "long" / "ten_minutes.mp4", store)
    seen, heard = list(spans(nodes, "video")), list(spans(nodes, "audio"))

    for start, end in truth("ten_minutes_truth.csv"):
        assert any(first <= start + 0.5 and end - 0.5 <= last for first, last in seen), (start, end)
    assert set(heard) <= set(seen)
    assert len(seen) < 45


@pytest.mark.parametrize("name", ["report_0.docx", "report_1.pdf", "report_2.pptx"])
def test_pictures_stand_where_they_stood(name: str, store: MediaStore) -> None:
    """As many as there are, in their order, each under the heading or on the page of its place."""
    with (CORPUS / "composite" / "truth.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["file"].endswith(name)]
    documents = MediaReader(store).load_data(CORPUS / "composite" / name)
    pictures = [d for d in documents if d.metadata[media.MODALITY] == "image"]

    assert len(pictures) == len(rows)
    places = [(d.metadata.get(media.SLIDE), d.metadata.get(media.PAGE_START)) for d in pictures]
    assert places == sorted(places, key=lambda place: place[0] or place[1] or 0)
    assert len({d.metadata[media.MEDIA_REF] for d in pictures}) == len(rows)
