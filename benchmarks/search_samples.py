"""Nodes with vectors, as many as wanted, the same each time: contract nodes of five media, without files behind them.

Real vectors cannot be had without a key, so these follow an assumption. Vectors of a Matryoshka model carry most in
their first numbers: here the variance of the n-th number falls as 1/n, the spectrum that natural data usually have.
Then the first 768 of 3,072 numbers hold 83 % of a vector, and an exact search over them finds 96 % of the nearest ten.
That last number is measured along, because no plan that stores a prefix can find more.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from llama_index.core.schema import Node, NodeRelationship, RelatedNodeInfo

from llama_index_gemini_mm import media
from llama_index_gemini_mm.limits import Modality
from llama_index_gemini_mm.media import FileInfo, Fragment, Locator, MediaItem, MediaRef

Matrix = npt.NDArray[np.float32]
_CENTRES = 200
_WORDS = 60
_NODES_PER_FILE = 8
_MEDIA: tuple[tuple[Modality, str], ...] = (
    ("text", "text/plain"),
    ("text", "text/html"),
    ("image", "image/png"),
    ("audio", "audio/mpeg"),
    ("video", "video/mp4"),
    ("document", "application/pdf"),
)


class Matryoshka:
    """Unit vectors around 200 centres; centres and what lies around them have the same decaying spectrum."""

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self._scale = (np.arange(1, dimension + 1) ** -0.5).astype(np.float32)

    @cached_property
    def _centres(self) -> Matrix:
        return self._noise(np.random.default_rng(0), _CENTRES)

    def _noise(self, chance: np.random.Generator, count: int) -> Matrix:
        noise: Matrix = chance.standard_normal((count, self.dimension), dtype=np.float32) * self._scale
        return noise

    def draw(self, count: int, seed: int) -> Matrix:
        """Shape (count, dimension)."""
        chance = np.random.default_rng(seed)
        found = self._centres[chance.integers(0, _CENTRES, count)] + self._noise(chance, count)
        unit: Matrix = found / np.linalg.norm(found, axis=1, keepdims=True)
        return unit


def prefix(vectors: Matrix, size: int) -> Matrix:
    """The first numbers of each, at unit length."""
    head = vectors[:, :size]
    unit: Matrix = head / np.linalg.norm(head, axis=1, keepdims=True)
    return unit


def nearest(vectors: Matrix, queries: Matrix, count: int = 10) -> npt.NDArray[np.intp]:
    """The rows nearest to each query, in any order; shape (queries, count)."""
    return np.argpartition(-(queries @ vectors.T), count, axis=1)[:, :count]


def batches(count: int, dimension: int, size: int = 256) -> Iterator[list[Node]]:
    """``count`` nodes with embeddings, batch by batch; nothing is kept."""
    vectors, chance = Matryoshka(dimension), random.Random(1)
    words = ["".join(chance.choices("abcdefghijklmnoprstuvz", k=chance.randint(3, 9))) for _ in range(5000)]
    for start in range(0, count, size):
        rows = vectors.draw(min(size, count - start), seed=start + 1)
        nodes = [_node(start + row, words, chance) for row in range(len(rows))]
        for node, row in zip(nodes, rows, strict=True):
            node.embedding = row.tolist()
        yield nodes


def vectors_of(count: int, dimension: int, size: int = 256) -> Matrix:
    """The embeddings of those nodes as one matrix."""
    vectors = Matryoshka(dimension)
    return np.concatenate([vectors.draw(min(size, count - at), seed=at + 1) for at in range(0, count, size)])


def _node(number: int, words: list[str], chance: random.Random) -> Node:
    modality, mime_type = _MEDIA[number // _NODES_PER_FILE % len(_MEDIA)]
    file, page = number // _NODES_PER_FILE, number % _NODES_PER_FILE + 1
    sha256 = f"{file:064x}"
    info = FileInfo(f"/data/handbook/{file // 100}/file-{file}", f"file-{file}", mime_type, 4096 + file, sha256)
    place = Locator(page_label=str(page), page_start=page, headings=("Handbook", f"Chapter {page}"))
    item = MediaItem(MediaRef(sha256, Fragment(first_page=page)), mime_type, Path(info.path))
    node = media.build(
        Node,
        media.stable_id("benchmark", str(number)),
        modality,
        " ".join(chance.choices(words, k=_WORDS)),
        info.metadata() | place.metadata(),
        title=f"Chapter {page} of file {file}",
        media=None if modality == "text" else item,
    )
    node.relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id=media.stable_id("file", str(file)))
    return node
