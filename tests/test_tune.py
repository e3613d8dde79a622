"""Tuning and statistics on real collections of the embedded engine: what is measured, said and left alone."""

from __future__ import annotations

import json
import pickle
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from llama_index.core.schema import Node
from PIL import Image
from qdrant_client import QdrantClient

from llama_index_gemini_mm import media
from llama_index_gemini_mm.errors import ConfigurationError
from llama_index_gemini_mm.manifest import FileRecord, Manifest
from llama_index_gemini_mm.tune import PlanRow, TuneReport, index_stats, recommend, tune
from llama_index_gemini_mm.tune.plot import draw
from llama_index_gemini_mm.vector_store import (
    MediaVectorStore,
    PlanName,
    QdrantMediaStore,
    Space,
    Stamp,
    open_embedded,
    plan_named,
)

DIMENSION = 1024
MEDIA = ("text", "text", "image", "audio")
TYPES = {"text": "text/plain", "image": "image/png", "audio": "audio/mpeg"}


def stamp(plan: PlanName = "accurate", dimension: int = DIMENSION) -> Stamp:
    return Stamp(Space("a-model", dimension, "retrieval", 1, 1, "stand-in"), plan_named(plan))


def nodes(count: int, *, copies: int = 1, dimension: int = DIMENSION) -> list[Node]:
    """Nodes around twenty centres, each vector ``copies`` times."""
    chance = np.random.default_rng(5)
    centres = chance.standard_normal((20, dimension))
    made = []
    for number in range(count // copies):
        vector = centres[number % 20] + chance.standard_normal(dimension)
        for copy in range(copies):
            modality = MEDIA[number % len(MEDIA)]
            facts = {media.FILE_PATH: f"/data/{number // 4}", media.FILE_TYPE: TYPES[modality]}
            node = media.build(Node, media.stable_id(str(number), str(copy)), modality, f"word{number}", facts)
            node.embedding = vector.tolist()
            made.append(node)
    return made


def filled(folder: Path, count: int = 400, plan: PlanName = "accurate", copies: int = 1) -> MediaVectorStore:
    store = open_embedded(folder, "media", stamp(plan))
    store.add(nodes(count, copies=copies))
    return store


Tuned = tuple[MediaVectorStore, TuneReport, list[str], list[Path]]


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tuned]:
    """A collection of 400 nodes, what tuning says of it, which plans it said it would try, and what files it left."""
    store = filled(tmp_path_factory.mktemp("storage"))
    told: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        # A temporary folder of its own: other processes tune meanwhile.
        patch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("temporary")))
        report = tune(store, on_plan=told.append)
        left_over = list(Path(tempfile.gettempdir()).iterdir())
    yield store, report, told, left_over
    store.close()


def test_each_plan_is_measured_in_each_modality(tuned: Tuned) -> None:
    """Rows in the order of the plans, queries by modality, and an exact plan that finds everything."""
    _, report, told, _ = tuned

    assert told == [row.plan for row in report.rows] == ["accurate", "balanced", "compact"]
    assert (report.points, report.sampled, report.dimension, report.stored_plan) == (400, 400, DIMENSION, "accurate")
    assert report.queries == {"audio": 100, "image": 100, "text": 200}
    for row in report.rows:
        assert row.recall_by_modality.keys() == report.queries.keys()
        assert 0.0 < row.median_ms <= row.p95_ms
        weighted = sum(row.recall_by_modality[m] * n for m, n in report.queries.items()) / 400
        assert row.recall == pytest.approx(weighted)
    accurate, balanced, compact = report.rows
    assert accurate.recall == 1.0
    assert 1.0 >= balanced.recall > 0.97
    assert balanced.recall > compact.recall > 0.3  # a prefix of vectors that are not Matryoshka's


def test_smaller_plans_take_less(tuned: Tuned) -> None:
    """On disk, by what was written there, and in memory."""
    accurate, balanced, compact = tuned[1].rows

    assert accurate.disk_bytes > balanced.disk_bytes > compact.disk_bytes > 0
    assert accurate.disk_bytes > DIMENSION * 4
    assert accurate.memory_bytes > balanced.memory_bytes > compact.memory_bytes


def test_the_index_is_left_alone(tuned: Tuned) -> None:
    """Same points, same plan, and no folder left over."""
    store, report, _, left_over = tuned

    assert store.count() == report.points == 400
    assert store.stamp == stamp()
    assert left_over == []


def test_a_report_travels(tuned: Tuned) -> None:
    """As JSON and as a pickle."""
    report = tuned[1]

    assert pickle.loads(pickle.dumps(report)) == report
    read = json.loads(json.dumps(report.as_dict()))
    assert read["recommended"] == report.recommended
    assert [row["recall_by_modality"] for row in read["rows"]] == [dict(r.recall_by_modality) for r in report.rows]


def test_a_picture(tuned: Tuned, tmp_path: Path) -> None:
    """A PNG with something in it."""
    draw(tuned[1], tmp_path / "plans.png")

    with Image.open(tmp_path / "plans.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > 2 * picture.height > 1000
        assert len(picture.convert("RGB").getcolors(2**20) or ()) > 100


def test_twins_are_as_good_as_each_other(tmp_path: Path) -> None:
    """Where every vector is there twelve times, any ten of the eleven others are the nearest ten."""
    store = filled(tmp_path, 240, copies=12)

    report = tune(store)
    store.close()

    assert report.rows[0].recall == 1.0


def test_a_sample(tmp_path: Path) -> None:
    """No more nodes than asked for are tried."""
    store = filled(tmp_path, 200)

    report = tune(store, sample=60, target=0.0)
    store.close()

    assert (report.points, report.sampled, sum(report.queries.values())) == (200, 60, 60)
    assert report.recommended == "compact"


def test_the_reference_of_an_index_that_has_lost_something(tmp_path: Path) -> None:
    """It is what the index holds, and the report says so."""
    store = filled(tmp_path, 60, "compact")

    report = tune(store)
    store.close()

    assert (report.stored_plan, report.dimension) == ("compact", 768)
    assert "768 of 1,024 numbers" in report.note
    assert report.rows[0].recall == 1.0


def test_an_index_in_local_mode(tmp_path: Path) -> None:
    """What is tuned may be kept by any engine."""
    store = QdrantMediaStore(QdrantClient(":memory:"), "media", stamp())
    store.add(nodes(60))

    assert tune(store).rows[0].recall == 1.0
    store.close()


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_to_tune(tmp_path: Path, count: int) -> None:
    """One node has no neighbour."""
    store = filled(tmp_path, count)

    with pytest.raises(ConfigurationError, match="fewer than two"):
        tune(store)
    store.close()


def row(plan: PlanName, recall: float, disk: float) -> PlanRow:
    return PlanRow(plan, recall, {"text": recall, "image": recall - 0.01}, disk, disk, 1.0, 2.0)


@pytest.mark.parametrize(
    ("recalls", "plan", "says"),
    [
        ((1.0, 0.999, 0.97), "compact", "15% of the largest plan's room"),
        ((1.0, 0.99, 0.955), "balanced", "compact, which is smaller, finds 0.945 (image)"),
        ((0.97, 0.9, 0.8), "accurate", "balanced, which is smaller, finds 0.890 (image)"),
        ((0.9, 0.8, 0.7), "accurate", "no plan finds 0.95"),
    ],
)
def test_recommendation(recalls: tuple[float, ...], plan: PlanName, says: str) -> None:
    """The smallest that is good enough in the modality where it is worst."""
    names: tuple[PlanName, ...] = ("accurate", "balanced", "compact")
    rows = [row(name, recall, disk) for name, recall, disk in zip(names, recalls, (13_000, 5_000, 1_950), strict=True)]

    taken, reason = recommend(rows, 0.95)

    assert taken == plan
    assert says in reason


def test_statistics(tmp_path: Path) -> None:
    """Counts by medium and type, files of this collection alone, and bytes that are there."""
    path = tmp_path / "manifest.sqlite3"
    with closing(Manifest(path, "embedded/media")) as manifest:
        manifest.finish([FileRecord(f"/data/{n}", 1, 1, "0") for n in range(10)])
    (tmp_path / "media" / "ab").mkdir(parents=True)
    (tmp_path / "media" / "ab" / "blob").write_bytes(b"x" * 10_000)
    store = filled(tmp_path, 40)

    found = index_stats(store, tmp_path, "embedded/media")
    other = index_stats(store, tmp_path, "embedded/other")
    store.close()

    assert (found.engine, found.plan, found.points, found.files, other.files) == ("Qdrant Edge", "accurate", 40, 10, 0)
    assert found.modalities == {"text": 20, "audio": 10, "image": 10}
    assert found.file_types == {"text/plain": 20, "audio/mpeg": 10, "image/png": 10}
    assert found.space == stamp().space
    assert found.bytes["vectors"] > 40 * DIMENSION * 4
    assert 10_000 <= found.bytes["media"] < 20_000
    assert found.bytes["manifest"] >= 4096
    assert found.bytes["cache"] == 0
    assert found.plans["accurate"].disk_bytes == 40 * (DIMENSION * 4 + 128)
    assert found.plans["accurate"].disk_bytes > found.plans["balanced"].disk_bytes > found.plans["compact"].disk_bytes


def test_statistics_of_nothing(tmp_path: Path) -> None:
    """An index without nodes has none, and no share of them."""
    store = filled(tmp_path, 0)

    found = index_stats(store, tmp_path, "embedded/media")
    store.close()

    assert (found.points, found.indexed, found.modalities, found.files) == (0, 0.0, {}, 0)
