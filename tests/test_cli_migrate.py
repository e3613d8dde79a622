"""``gemini-mm migrate``: the plan, the price, the question, the run, the comparison, and the end of the old index."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path

import pytest
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.schema import TextNode
from llama_index.core.storage.docstore import SimpleDocumentStore
from typer.testing import CliRunner, Result

from llama_index_gemini_mm import errors
from llama_index_gemini_mm.cli import app
from llama_index_gemini_mm.emulator import GeminiEmulator
from llama_index_gemini_mm.vector_store import Point, open_embedded, read_stamp
from llama_index_gemini_mm.vector_store.aliases import Aliases
from llama_index_gemini_mm.vector_store.points import point_id
from support import contents_of


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[GeminiEmulator]:
    """One that runs beside the commands, with the variables set that it tells people to set."""
    with GeminiEmulator(batch_seconds=0.1) as running:
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", running.base_url)
        monkeypatch.setenv("GOOGLE_API_KEY", "offline")
        yield running


def persisted(texts: Sequence[str], folder: str = "old") -> None:
    """A LlamaIndex storage of another model, in the current folder; its nodes are named by their place."""
    context = StorageContext.from_defaults(docstore=SimpleDocumentStore())
    nodes = [TextNode(text=text, id_=point_id(str(n))) for n, text in enumerate(texts)]
    VectorStoreIndex(nodes, embed_model=MockEmbedding(4), storage_context=context)
    context.persist(folder)


def run(*arguments: str) -> Result:
    """One command in this process."""
    return CliRunner().invoke(app, ["migrate", *arguments], catch_exceptions=False)


def plan_of(storage: str) -> str:
    """By which plan an index is stored."""
    stats = CliRunner().invoke(app, ["stats", "--storage", storage, "--json"], catch_exceptions=False)
    return str(json.loads(stats.stdout)["plan"])


TEXTS = ["the bearing of the spindle needs oil", "a filter is changed each year", "never open the lid while it runs"]


def test_from_plan_to_flip(emulator: GeminiEmulator) -> None:
    """A dry run sends nothing; the run stores, compares and says which name leads there; a second one costs nothing."""
    persisted(TEXTS)

    planned = run("old", "--to", "s", "--dry-run", "--dimensions", "256")
    assert contents_of(emulator) == []
    assert not Path("s/edge").exists()
    done = run("old", "--to", "s", "--dimensions", "256")
    sent = [c.text for c in contents_of(emulator)]
    emulator.clear()
    again = run("old", "--to", "s", "--dimensions", "256", "--sample", "0")

    assert "3 records, 3 nodes: 3 to embed, 0 known already" in planned.stdout
    assert re.search(r"price, estimated: \$0\.0000, as batch jobs \$0\.0000", planned.stdout)
    assert "3 records: 3 nodes stored, 0 there already" in done.stdout
    assert "neighbours" in done.stdout
    assert "not which is better" in done.stdout
    assert "media leads to the new collection media" in done.stdout
    assert {f"title: none | text: {text}" for text in TEXTS} <= {*sent}
    assert {text for text in sent if text.startswith("task: ")} == {
        f"task: search result | query: {text}" for text in TEXTS
    }
    assert "0 nodes stored, 3 there already" in again.stdout
    assert "neighbours" not in again.stdout
    assert contents_of(emulator) == []
    assert [r.exit_code for r in (planned, done, again)] == [0, 0, 0]


def test_a_storage_in_place_and_the_end_of_the_old(emulator: GeminiEmulator) -> None:
    """What IndexMismatch advises: the storage goes to other settings, and --drop-old clears away."""
    persisted(TEXTS)
    run("old", "--to", "s", "--dimensions", "128", "--sample", "0")

    moved = run("s", "--dimensions", "256", "--json")
    name = Aliases(Path("s")).resolve("media")
    both = sorted(each.name for each in Path("s/edge").iterdir())
    dropped = run("s", "--dimensions", "256", "--drop-old", "--sample", "0")
    nothing = run("s", "--dimensions", "256")

    shown = json.loads(moved.stdout)
    assert (shown["report"]["stored"], shown["live"], shown["dropped"]) == (3, "media", False)
    assert shown["comparison"]["measures"][0]["asked"] == 3
    assert both == sorted(["media", name])
    assert "deleted: s, collection media" in dropped.stdout
    assert [each.name for each in Path("s/edge").iterdir()] == [name]
    assert (nothing.exit_code, "already" in nothing.stderr) == (2, True)


def test_no_flip(emulator: GeminiEmulator) -> None:
    """The name stays where it was."""
    persisted(TEXTS)
    run("old", "--to", "s", "--dimensions", "128", "--sample", "0")

    done = run("s", "--dimensions", "256", "--sample", "0", "--no-flip")

    assert done.exit_code == 0
    assert Aliases(Path("s")).resolve("media") == "media"


def test_much_money_is_asked_about(emulator: GeminiEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody can answer it ends with the price and how to go on; --yes goes on."""
    persisted(TEXTS)
    monkeypatch.setattr(import_module("llama_index_gemini_mm.cli.migrate"), "_ASK_FROM_USD", 1e-9)

    asked = run("old", "--to", "s")
    agreed = run("old", "--to", "s", "--yes", "--sample", "0")

    assert (asked.exit_code, agreed.exit_code) == (2, 0)
    assert "3 records" in asked.stdout
    assert re.search(r"costs about \$0\.00 and nobody can be asked here; run it again with --yes", asked.stderr)


def test_batch(emulator: GeminiEmulator) -> None:
    """Submitted by one command and stored by the next; the second waits for what is not done."""
    persisted(TEXTS)

    first = run("old", "--to", "s", "--batch")
    second = run("old", "--to", "s", "--batch", "--wait", "--json")

    assert "3 nodes wait for batch jobs; run the same command again later" in first.stdout
    assert "(batch chosen)" in first.stdout
    assert "leads to" not in first.stdout
    assert json.loads(second.stdout)["report"]["complete"]
    assert [r.route for r in emulator.requests].count("asyncBatchEmbedContent") == 1
    documents = [r for r in emulator.requests if r.route == "batchEmbedContents" and "title: " in str(r.body)]
    assert documents == []


def test_offline_with_questions(tmp_path: Path) -> None:
    """No key and no network; own questions need the old model, and that is said."""
    persisted(TEXTS)
    Path("questions.txt").write_text("where does oil go?\n\nwhat is forbidden?\n", encoding="utf-8")

    done = run("old", "--to", "s", "--offline", "--batch", "--queries", "questions.txt")
    unreadable = run("old", "--to", "s", "--offline", "--queries", "nowhere.txt")

    assert done.exit_code == 0, done.stderr
    assert "your questions" in done.stdout
    assert "your questions were not asked" in done.stdout
    assert (unreadable.exit_code, "nowhere.txt cannot be read" in unreadable.stderr) == (2, True)


def test_records_that_stay_behind(emulator: GeminiEmulator) -> None:
    """They are named with their reason, and keep the old index from being dropped."""
    persisted(TEXTS)
    data = json.loads(Path("old/docstore.json").read_text(encoding="utf-8"))
    del data["docstore/data"][point_id("1")]
    Path("old/docstore.json").write_text(json.dumps(data), encoding="utf-8")

    done = run("old", "--to", "s", "--sample", "0", "--drop-old")

    assert f"not migrated {point_id('1')}: NoNode: docstore.json has no node of this id" in done.stdout
    assert done.exit_code == 2
    assert "the old index is kept: 0 nodes wait for batch jobs, 1 records could not be migrated" in done.stderr


def test_an_incomplete_one_takes_no_name_unasked(emulator: GeminiEmulator) -> None:
    """A storage of which a part cannot be migrated keeps its name until --flip."""
    persisted(TEXTS)
    run("old", "--to", "s", "--dimensions", "128", "--sample", "0")
    store = open_embedded(Path("s"), "media", read_stamp(Path("s/edge/media/gemini_mm_space.json")))  # type: ignore[arg-type]
    [[point, *_]] = store.points()
    store.put([Point(point_id("odd"), {"no": "text"}, point.vectors)])
    store.close()

    left = run("s", "--dimensions", "256", "--sample", "0")
    before = Aliases(Path("s")).resolve("media")
    forced = run("s", "--dimensions", "256", "--sample", "0", "--flip")

    assert "--flip lets it lead to the new one all the same" in left.stdout
    assert before == "media"
    assert "media leads to the new collection media-256-" in forced.stdout
    assert Aliases(Path("s")).resolve("media").startswith("media-256-")


@pytest.mark.parametrize(
    ("arguments", "words", "error"),
    [
        (["nowhere"], "is no folder", errors.ConfigurationError),
        (["."], "holds no index that is known", errors.ConfigurationError),
        (["http://127.0.0.1:9"], "127.0.0.1:9", errors.IndexUnavailable),
        (["old", "--plan", "tiny"], "plan 'tiny' is unknown", errors.ConfigurationError),
    ],
)
def test_what_cannot_work(
    emulator: GeminiEmulator, arguments: list[str], words: str, error: type[errors.GeminiMMError]
) -> None:
    """One line, and the error's own exit code."""
    persisted(TEXTS)

    failed = run(*arguments)

    assert failed.exit_code == error.exit_code
    assert words in failed.stderr
    assert failed.stderr.count("\n") == 1


def test_another_plan_costs_nothing(emulator: GeminiEmulator) -> None:
    """Our own index in another form: the vectors come from the cache, and the files still count as indexed."""
    Path("files").mkdir()
    for number, text in enumerate(TEXTS):
        Path(f"files/{number}.txt").write_text(text, encoding="utf-8")
    index = ["index", "files", "--storage", "s"]
    CliRunner().invoke(app, [*index, "--dimensions", "1024"], catch_exceptions=False)
    emulator.clear()

    done = run("s", "--plan", "compact", "--sample", "10")

    assert done.exit_code == 0, done.stderr
    assert "0 to embed, 3 known already" in done.stdout
    assert {content.text[:4] for content in contents_of(emulator)} <= {"task"}  # the questions of the comparison
    assert "3 unchanged" in CliRunner().invoke(app, index, catch_exceptions=False).stdout
    assert plan_of("s") == "compact"
    run("s", "--dimensions", "512", "--sample", "0")
    assert plan_of("s") == "compact"  # as it was, for no other was asked for
