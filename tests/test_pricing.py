"""What nodes will cost, told before anything is cut, agrees with what is sent."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from llama_index.core.schema import MetadataMode

from llama_index_gemini_mm import GeminiMultimodalEmbedding, MediaNodeParser, MediaReader
from llama_index_gemini_mm.emulator import GeminiEmulator
from llama_index_gemini_mm.engine.prefixes import prefixed
from llama_index_gemini_mm.engine.prices import Prices
from llama_index_gemini_mm.engine.tokens import tokens_by_modality
from llama_index_gemini_mm.errors import MediaMissing
from llama_index_gemini_mm.pricing import estimate_texts, weighed
from media_samples import film, pdf, png, wav
from support import media_sent


@pytest.fixture
def texts(tmp_path: Path, model: GeminiMultimodalEmbedding) -> list[str]:
    """Nodes of all five media, as they are embedded."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "words.md").write_text("# Care\n\nthe bearing needs oil", encoding="utf-8")
    (folder / "red.png").write_bytes(png("red"))
    (folder / "tone.wav").write_bytes(wav(70.0, 440))
    (folder / "film.mp4").write_bytes(film())
    (folder / "pages.pdf").write_bytes(pdf())
    documents = MediaReader(model.media_store).load_data(folder)
    nodes = MediaNodeParser(media_store=model.media_store).get_nodes_from_documents(documents)
    return [node.get_content(MetadataMode.EMBED) for node in nodes]


def test_weighed_as_it_is_sent(texts: list[str], model: GeminiMultimodalEmbedding) -> None:
    """Each node's tokens by medium are those of the item that is made for it."""
    kinds: Counter[str] = Counter()
    for text in texts:
        expected = tokens_by_modality(prefixed(model.item_of(text), model.task))
        assert tokens_by_modality(weighed(text, model.media_store, model.task)) == expected
        kinds.update(expected)
    assert {"text", "image", "audio", "video"} <= set(kinds)


def test_estimate_agrees_with_the_bill(
    texts: list[str], model: GeminiMultimodalEmbedding, emulator: GeminiEmulator
) -> None:
    """The estimate sends nothing; afterwards media have cost what it said, to the rounding, and text no more."""
    found = estimate_texts(texts, model.media_store, model.task, contents_per_minute=60)
    assert emulator.requests == []
    assert found.minutes == pytest.approx(found.contents / 60)

    model.get_text_embedding_batch(texts)

    used = model.usage
    assert len(media_sent(emulator)) > 3
    assert used.contents == found.contents == len(set(texts))
    media = {modality: count for modality, count in found.tokens.items() if modality != "text"}
    assert {m: n for m, n in used.tokens.items() if m != "text"} == pytest.approx(media, rel=0.01)
    assert 0.4 * found.tokens["text"] < used.tokens["text"] <= found.tokens["text"]
    assert used.usd <= found.usd


def test_equal_and_known_texts_are_free(texts: list[str], model: GeminiMultimodalEmbedding) -> None:
    """What is said twice is embedded once, and what is in the cache not at all."""
    prices = Prices({"text": 1.0, "image": 1.0, "audio": 1.0, "video": 1.0, "document": 1.0})
    once = estimate_texts(texts, model.media_store, model.task, prices=prices)

    assert estimate_texts(texts * 2, model.media_store, model.task, prices=prices) == once
    rest = estimate_texts(texts, model.media_store, model.task, prices=prices, cached={texts[0]})
    assert (rest.contents, rest.cached) == (once.contents - 1, 1)
    assert rest.usd < once.usd
    assert estimate_texts(texts, model.media_store, model.task, cached=set(texts)).usd == 0


def test_query_and_other_tasks(model: GeminiMultimodalEmbedding) -> None:
    """The prefix that is sent is counted, for the task and the role."""
    store = model.media_store

    assert weighed("oil", store, "retrieval").parts[0].text == "title: none | text: oil"
    assert weighed("title: Manual\n\noil", store, "retrieval").parts[0].text == "title: Manual | text: oil"
    assert weighed("oil", store, "retrieval", "query").parts[0].text == "task: search result | query: oil"
    assert weighed("oil", store, "clustering").parts[0].text == "task: clustering | query: oil"


def test_pages_are_weighed_by_their_number(model: GeminiMultimodalEmbedding) -> None:
    """Two pages of a PDF cost two pages and their caption."""
    sha256 = model.media_store.add_bytes(pdf(), "application/pdf")

    item = weighed(f"media_ref: media://{sha256}#page=2-3\n\nDrawing", model.media_store, "retrieval")
    assert tokens_by_modality(item)["document"] == 2 * 258
    assert item.parts[0].text == "Drawing"


def test_media_that_are_gone(model: GeminiMultimodalEmbedding) -> None:
    """A reference to nothing has no price."""
    text = f"media_ref: media://{'0' * 64}\n\nA bell"
    with pytest.raises(MediaMissing):
        estimate_texts([text], model.media_store, model.task)
