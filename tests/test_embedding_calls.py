"""Through LlamaIndex: nothing that was paid for is lost, bad nodes are named, and a call can be stopped."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from llama_index.core.schema import TextNode

from llama_index_gemini_mm import GeminiMultimodalEmbedding, MediaIndex
from llama_index_gemini_mm.emulator import Fault, GeminiEmulator
from llama_index_gemini_mm.engine import Prices
from llama_index_gemini_mm.errors import AuthError, BudgetExceeded, InvalidRequest, LimitExceeded
from support import contents_of

DIMENSION = 128


def model_of(emulator: GeminiEmulator, **settings: object) -> GeminiMultimodalEmbedding:
    return GeminiMultimodalEmbedding(
        api_key="k", base_url=emulator.base_url, output_dimensionality=DIMENSION, max_retries=0, **settings
    )


def nodes(count: int) -> list[TextNode]:
    return [TextNode(id_=f"node-{n}", text=f"text number {n}!") for n in range(count)]


def refuse(emulator: GeminiEmulator, text: str) -> None:
    """Let every request with this text fail."""
    emulator.faults.add(
        Fault(status=400), times=None, match=lambda record: any(text in c.text for c in record.contents)
    )


def test_a_later_portion_does_not_lose_the_earlier_ones(emulator: GeminiEmulator) -> None:
    """LlamaIndex hands over three portions; the third fails; the error carries the other two, by position."""
    model = model_of(emulator, embed_batch_size=10)
    texts = [f"text number {n}" for n in range(30)]
    emulator.faults.add(Fault(status=403), times=None, after=2)

    with pytest.raises(AuthError) as caught:
        model.get_text_embedding_batch(texts)

    assert sorted(caught.value.completed) == list(range(20))
    emulator.faults.clear()
    assert caught.value.completed[13] == model.get_text_embedding(texts[13])
    model.close()


async def test_the_same_asynchronously(emulator: GeminiEmulator) -> None:
    """All portions are under way at once; what came back is kept."""
    model = model_of(emulator, embed_batch_size=10)
    refuse(emulator, "text number 25")

    with pytest.raises(InvalidRequest) as caught:
        await model.aget_text_embedding_batch([f"text number {n}" for n in range(30)])

    assert set(range(20, 25)) <= caught.value.completed.keys()
    assert 25 not in caught.value.completed
    model.close()


def test_a_bad_node_is_named(emulator: GeminiEmulator) -> None:
    """By its id, in the field and in the text; the vectors of the others are in the error."""
    model = model_of(emulator)
    refuse(emulator, "number 7!")

    with pytest.raises(InvalidRequest, match="node-7") as caught:
        model(nodes(100))

    assert caught.value.node_id == "node-7"
    assert caught.value.position == 7
    assert sorted(caught.value.completed) == [n for n in range(100) if n != 7]
    assert pickle.loads(pickle.dumps(caught.value)).node_id == "node-7"
    model.close()


@pytest.mark.parametrize("asynchronous", [False, True])
def test_bad_nodes_can_be_skipped(emulator: GeminiEmulator, asynchronous: bool) -> None:
    """As a pipeline step the model leaves them out and lists them; the rest have their vectors."""
    model = model_of(emulator, on_item_error="skip")
    refuse(emulator, "number 7!")
    refuse(emulator, "number 42!")
    made = nodes(100)

    kept = asyncio.run(model.acall(made)) if asynchronous else model(made)

    assert [n.node_id for n in kept] == [f"node-{n}" for n in range(100) if n not in (7, 42)]
    assert all(len(n.embedding or []) == DIMENSION for n in kept)
    assert [(s.node_id, s.error) for s in model.skipped] == [
        ("node-7", "InvalidRequest"),
        ("node-42", "InvalidRequest"),
    ]
    model.close()


def test_bare_strings_are_not_skipped(emulator: GeminiEmulator) -> None:
    """There is nothing to leave out of a list of vectors."""
    model = model_of(emulator, on_item_error="skip")
    refuse(emulator, "text number 1")

    with pytest.raises(InvalidRequest):
        model.get_text_embedding_batch(["text number 0", "text number 1"])
    model.close()


def test_the_cache(emulator: GeminiEmulator, tmp_path: Path) -> None:
    """Another model over the same file sends nothing; another dimension, task or service does."""
    cache = tmp_path / "cache.sqlite3"
    first = model_of(emulator, embedding_cache=cache)
    texts = ["one", "two", "three"]
    vectors = first.get_text_embedding_batch(texts)
    first.close()
    emulator.clear()

    again = model_of(emulator, embedding_cache=cache, timeout=3.0, max_concurrency=1, embed_batch_size=2)
    assert again.get_text_embedding_batch(texts) == [pytest.approx(v, abs=1e-6) for v in vectors]
    assert contents_of(emulator) == []
    assert again.usage.usd == 0.0

    again.get_query_embedding("one")
    assert [c.text for c in contents_of(emulator)] == ["task: search result | query: one"]
    for changed in ({"task": "clustering"}, {"service": "stand-in"}, {"output_dimensionality": 256}):
        emulator.clear()
        other = model_of(emulator, embedding_cache=cache).model_copy(update=changed)
        other.get_text_embedding("one")
        assert len(contents_of(emulator)) == 1
        other.close()
    again.close()


def test_cached_media_are_not_even_cut(emulator: GeminiEmulator, tmp_path: Path) -> None:
    """When the vector is known, the file need not be read again, nor be there at all."""
    from llama_index_gemini_mm import MediaNodeParser, MediaReader, MediaStore
    from media_samples import png

    picture, store = tmp_path / "red.png", MediaStore(tmp_path / "media")
    picture.write_bytes(png("red"))
    made = MediaNodeParser(media_store=store).get_nodes_from_documents(
        MediaReader(media_store=store).load_data(picture)
    )
    model = model_of(emulator, embedding_cache=tmp_path / "cache.sqlite3", media_store=store)
    model(made)
    vector = made[0].embedding
    picture.unlink()
    emulator.clear()

    model(made)

    assert made[0].embedding == pytest.approx(vector, abs=1e-6)
    assert emulator.requests == []
    model.close()


def test_money(emulator: GeminiEmulator) -> None:
    """Prices can be set, and a budget stops the call before the request that would pass it."""
    dear = Prices({"text": 1000.0, "image": 0, "audio": 0, "video": 0, "document": 0})
    model = model_of(emulator, prices=dear, max_cost=5.0, max_concurrency=1)

    with pytest.raises(BudgetExceeded) as caught:
        model(nodes(1000))

    assert 0 < len(caught.value.completed) < 1000
    assert 0 < model.usage.usd <= 5.0
    assert sum(len(r.contents) for r in emulator.requests) == len(caught.value.completed)
    model.close()


def test_text_that_is_too_long(emulator: GeminiEmulator) -> None:
    """Refused by name, or cut where that is allowed."""
    long = TextNode(id_="long", text="bearing " * 9000)
    model = model_of(emulator)
    with pytest.raises(LimitExceeded, match="long"):
        model([long])
    assert emulator.requests == []
    model.close()

    cutting = model_of(emulator, truncate=True)
    assert len(cutting([long])[0].embedding or []) == DIMENSION
    cutting.close()


def test_after_a_fork(emulator: GeminiEmulator) -> None:
    """A forked child makes its own connection, and the parent's keeps working."""
    program = textwrap.dedent(f"""
        import os
        from llama_index_gemini_mm import GeminiMultimodalEmbedding
        model = GeminiMultimodalEmbedding(api_key="k", base_url={emulator.base_url!r}, output_dimensionality=128)
        before = model.get_text_embedding("hello")
        child = os.fork()
        same = model.get_text_embedding("hello") == before
        if child == 0:
            os._exit(0 if same else 1)
        _, status = os.waitpid(child, 0)
        print(same, os.waitstatus_to_exitcode(status))
    """)

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)

    assert done.stdout.strip() == "True 0", done.stderr


def test_an_interrupt_stops_at_once_and_keeps_what_was_paid_for(emulator: GeminiEmulator, tmp_path: Path) -> None:
    """Ctrl-C while a request hangs: the process ends within moments, and the cache holds what came before."""
    cache = tmp_path / "cache.sqlite3"
    program = textwrap.dedent(f"""
        import signal
        from llama_index_gemini_mm import GeminiMultimodalEmbedding
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the suite runs in the background
        model = GeminiMultimodalEmbedding(api_key="k", base_url={emulator.base_url!r}, output_dimensionality=128,
                                          embedding_cache={str(cache)!r}, max_concurrency=1)
        print("ready", flush=True)
        model.get_text_embedding_batch([f"text number {{n}}" for n in range(400)])
    """)
    emulator.faults.add(Fault(hang=60.0), route="batchEmbedContents", times=None, after=2)
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        while len(emulator.requests) < 3 and process.poll() is None:
            time.sleep(0.05)
        interrupted = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=20)
        assert time.monotonic() - interrupted < 5
        assert "KeyboardInterrupt" in complaint
    finally:
        process.kill()
        process.wait()

    emulator.faults.clear()
    emulator.clear()
    model = model_of(emulator, embedding_cache=cache)
    assert len(model.get_text_embedding_batch([f"text number {n}" for n in range(400)])) == 400
    assert len(contents_of(emulator)) == 200
    model.close()


def test_a_killed_run_repeats_at_most_the_requests_in_flight(emulator: GeminiEmulator, tmp_path: Path) -> None:
    """Kill -9 in the middle of a sync, then the same again: what was answered before is not paid twice."""
    files = tmp_path / "files"
    files.mkdir()
    for number in range(300):
        (files / f"{number:03}.txt").write_text(f"note number {number}", encoding="utf-8")
    program = textwrap.dedent(f"""
        from llama_index_gemini_mm import GeminiMultimodalEmbedding, MediaIndex
        model = GeminiMultimodalEmbedding(api_key="k", base_url={emulator.base_url!r}, output_dimensionality=128,
                                          media_store={str(tmp_path / "s" / "media")!r}, max_concurrency=1)
        MediaIndex.open({str(tmp_path / "s")!r}, embed_model=model).sync({str(files)!r})
    """)
    emulator.faults.add(Fault(hang=60.0), route="batchEmbedContents", times=None, after=2)
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len(emulator.requests) < 3 and process.poll() is None:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()

    emulator.faults.clear()
    emulator.clear()
    model = model_of(emulator, media_store=tmp_path / "s" / "media")
    with MediaIndex.open(tmp_path / "s", embed_model=model) as index:
        report = index.sync(files)
        assert len(index.vector_store.get_nodes()) == 300

    assert report.embedded == 100
    assert len(contents_of(emulator)) == 100


def test_an_index_has_a_cache(emulator: GeminiEmulator, tmp_path: Path) -> None:
    """In its storage folder: a lost collection is filled again without paying."""
    import shutil

    (tmp_path / "a.txt").write_text("the bearing needs oil", encoding="utf-8")
    for expected in (1, 0):
        emulator.clear()
        with MediaIndex.open(tmp_path / "s", embed_model=model_of(emulator, media_store=tmp_path / "s/media")) as index:
            assert index.sync(tmp_path / "a.txt").indexed == 1
        assert len(contents_of(emulator)) == expected
        shutil.rmtree(tmp_path / "s" / "edge")
    assert (tmp_path / "s" / "embeddings.sqlite3").is_file()


def test_an_estimate_before(emulator: GeminiEmulator, tmp_path: Path) -> None:
    """Tokens and dollars before anything is sent, not below what it costs then; what is cached costs nothing."""
    model = model_of(emulator, embedding_cache=tmp_path / "cache.sqlite3", contents_per_minute=60)

    before = model.estimate(nodes(120))

    assert emulator.requests == []
    assert (before.contents, before.cached, before.minutes) == (120, 0, 2.0)
    assert before.usd_batch == pytest.approx(before.usd / 2)
    model(nodes(20))
    assert 0 < model.usage.usd <= before.usd * 20 / 120 * 1.1
    after = model.estimate(nodes(120))
    assert (after.contents, after.cached) == (100, 20)
    model.close()
