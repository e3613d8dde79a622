"""The offline count of tokens: never far off, never too low for what people write."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_index_gemini_mm.engine.items import EmbedItem, Part
from llama_index_gemini_mm.engine.scripts import costs
from llama_index_gemini_mm.engine.tokens import text_tokens, tokens_by_modality, tokens_of, truncated

LIVE = {
    "hello": 1,
    "title: none | text: hello": 7,
    "title: Greeting | text: hello": 7,
    "task: classification | query: hello": 7,
    "task: clustering | query: hello": 7,
    "task: sentence similarity | query: hello": 8,
    "task: search result | query: Hello, world!": 11,
    "task: question answering | query: Hello, world!": 11,
    "Hello, world!": 5,
}
"""Counts that the service reported."""
LANGUAGES = json.loads((Path(__file__).parents[1] / "corpus/languages/article_1.json").read_text(encoding="utf-8"))
MADE = {
    "code": ("    def f(self, x: int) -> None:\n        return self._y[x]\n" * 20, 460),
    "table": ("| a | b |\n|---|---|\n" * 30, 300),
    "address": ("https://www.example.com/a/b?c=d&e=f#g " * 20, 421),
    "numbers": ("1234567890 " * 50, 550),
    "blanks": (" " * 100 + "x", 5),
    "rule": ("-" * 99, 7),
    "a blank behind": ("a ", 2),
    "windows lines": ("a\r\nb\r\n", 6),
}
"""Texts that are no prose, and their counts by the Gemma 3 tokenizer."""
ANY_TEXT = st.text(st.characters(codec=None), max_size=60) | st.text("the ofbearingXY 5-\n", max_size=60)


@pytest.mark.parametrize(("text", "counted"), LIVE.items())
def test_live_counts(text: str, counted: int) -> None:
    """What the service has counted is never undercut, and at most doubled."""
    assert counted <= text_tokens(text) <= 2 * counted


@pytest.mark.parametrize("sample", LANGUAGES, ids=[sample["language"] for sample in LANGUAGES])
def test_languages(sample: dict[str, str | int]) -> None:
    """The same sentences in the scripts of the world: not too low, and within the stated factor."""
    counted = int(sample["tokens"])

    assert counted <= text_tokens(str(sample["text"])) <= 2.1 * counted


@pytest.mark.parametrize("name", MADE)
def test_what_is_no_prose(name: str) -> None:
    """Code, tables, addresses, figures and blanks."""
    text, counted = MADE[name]

    assert counted <= text_tokens(text) <= 2 * counted + 5


def test_chance_costs_more_than_words() -> None:
    """Letters that no language puts together cost nearly a token each."""
    assert text_tokens("xkqzvwjh") >= 5
    assert text_tokens("spindles") <= 3


def test_capitals_cost_more() -> None:
    """Words in capitals are rarer in the vocabulary, and so are capitals inside words."""
    for word in ("international", "шпиндель", "άνθρωποι"):
        assert text_tokens(word.upper()) > text_tokens(word)
    assert text_tokens("getElementById") > text_tokens("getelementbyid") - 2


@given(ANY_TEXT)
@settings(max_examples=300, deadline=None)
def test_bounds(text: str) -> None:
    """No character is free, none costs more than its bytes, and the same text always costs the same."""
    tokens = text_tokens(text)

    assert tokens == text_tokens(text)
    assert tokens <= len(text.encode("utf-8", "surrogatepass")) + 1
    assert tokens > 0 or not text


@given(ANY_TEXT, ANY_TEXT)
@settings(max_examples=300, deadline=None)
def test_more_text_costs_more(first: str, second: str) -> None:
    """Two texts together cost at least what each does, to a token where they join in the middle of a word."""
    joined = text_tokens(first + second)

    assert joined >= text_tokens(first)
    assert joined >= text_tokens(second) - 1
    assert text_tokens(f"{first}\n{second}") >= max(text_tokens(first), text_tokens(second))


@given(st.text("the ofbearing\nслово5 ", min_size=20_000 // 40, max_size=600).map(lambda text: text * 80))
@settings(max_examples=5, deadline=None)
def test_long_texts_have_no_seams(text: str) -> None:
    """Where a long text is cut into blocks for counting makes no difference."""
    whole = np.concatenate(list(costs(text)))
    moved = np.concatenate(list(costs("x" * 777 + text)))[777:]

    assert len(whole) == len(text)
    assert (whole[2:] == moved[2:]).all()


def test_speed() -> None:
    """Two megabytes take a fraction of a second, so that every text can be counted."""
    text = "The grinding noise from the spindle is caused by a worn bearing. " * 30_000
    started = time.perf_counter()

    assert text_tokens(text) > 300_000
    assert time.perf_counter() - started < 2


def test_media_cost_what_their_parts_say() -> None:
    """Words are counted, media and parts that know their count are believed."""
    words = Part(text="a worn bearing")
    sound = Part(data=b"x", mime_type="audio/mpeg", tokens=1500)
    pages = Part(uri="files/1", mime_type="application/pdf", tokens=516)
    item = EmbedItem((words, sound, pages, Part(text="counted already", tokens=40)))

    text = text_tokens("a worn bearing") + 40
    assert tokens_by_modality(item) == {"text": text, "audio": 1500, "document": 516}
    assert tokens_of(item) == text + 2016


@given(ANY_TEXT.map(lambda text: text * 5), st.integers(0, 100))
@settings(max_examples=200, deadline=None)
def test_truncation(text: str, limit: int) -> None:
    """What is left is the longest beginning that fits."""
    (part,) = truncated(EmbedItem((Part(text=text),)), limit).parts
    left = part.text or ""

    assert text.startswith(left)
    assert text_tokens(left) <= limit
    assert left == text or text_tokens(text[: len(left) + 1]) > limit


def test_truncation_of_a_long_text() -> None:
    """Far beyond the first block the cut is as exact."""
    text = "bearing " * 40_000
    (part,) = truncated(EmbedItem((Part(text=text),)), 60_000).parts
    left = part.text or ""

    assert text_tokens(left) == 60_000
    assert text.startswith(left)


def test_truncation_spares_media() -> None:
    """Words make room, from the last ones on; title, role and media stay."""
    image = Part(data=b"x", mime_type="image/png", tokens=258)
    item = EmbedItem((Part(text="oil " * 100), image, Part(text="grease " * 100)), "query", "Manual")
    limit = 258 + text_tokens("oil " * 100) + 50

    cut = truncated(item, limit)
    assert cut.parts[:2] == item.parts[:2]
    assert tokens_of(cut) == limit
    assert (cut.role, cut.title) == ("query", "Manual")
    assert truncated(item, 10_000) == item
    assert [part.text for part in truncated(item, 100).parts] == ["", None, ""]
