"""BM25 vectors: which terms a text is found by, in which scripts, and what they weigh."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_gemini_mm.sparse import Bm25, SparseVector, document_vector, query_vector, terms

INDEX_OF_SPINDLE = 2_063_893_085
"""BLAKE2b of four bytes of "spindle", little-endian. Stored indexes depend on it."""


def found(query: str, text: str) -> int:
    """How many of the query's terms the text has."""
    asked, there = query_vector(query), document_vector(text)
    assert asked
    assert there
    return len({*asked.indices} & {*there.indices})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Spindle, the SPINDLE", ["the", "spindle", "the", "spindle"]),
        ("XJ-900/4b", ["xj9004b", "xj", "900", "4b", "4", "b"]),
        ("10mm", ["10mm", "10", "mm"]),
        ("1.5 at 12:30", ["1.5", "1", "5", "at", "12:30", "12", "30"]),
        ("max_retries", ["maxretries", "max", "retries"]),
        ("don't l’eau", ["don", "t", "l", "eau"]),
        ("end.", ["end"]),
        ("Ärger über Straße", ["arger", "uber", "strasse"]),
        ("ﬁne ㎜", ["fine", "mm"]),
        ("Αθήνας", ["αθηνασ"]),  # Greek accents, last sigma
        ("שָׁלוֹם", ["שלום"]),  # Hebrew points
        ("عَرَبي ٣٤", ["عربي", "34"]),  # Arabic, digits
        ("हिन्दी", ["हिन्दी"]),  # Hindi: vowels stay
        ("日本語 猫", ["日本", "本語", "猫"]),  # Han by pairs, one alone
        ("ガギ", ["ガギ"]),  # kana keep their voicing marks
        ("한국어를", ["한국", "국어", "어를"]),  # Hangul
        ("ง่าย", ["ง่า", "าย"]),  # Thai: a tone is part of its letter
        ("第3章", ["第", "3", "章"]),
        ("co\u00adoperate …!", ["cooperate"]),
        ("", []),
    ],
)
def test_terms(text: str, expected: list[str]) -> None:
    """Case, accents and width folded; parts of terms beside the whole; scripts without blanks by pairs."""
    assert terms(text) == expected


@pytest.mark.parametrize("query", ["XJ-900/4b", "xj-900/4B", "XJ–900/4b", "XJ9004b", "XJ 900", "4b"])
def test_part_numbers_are_found_however_they_are_written(query: str) -> None:
    """Whole and by part; another number shares less."""
    text = "Replace the bearing XJ-900/4b at once."

    assert found(query, text) == len(set(terms(query)))
    assert found("XJ-900/4b", text) > found("XJ-900/4b", "Replace the bearing XJ-905/4b at once.")


def test_pairs_find_words_inside_of_sentences() -> None:
    """Chinese, Thai, Khmer: the query stands within a sentence without blanks."""
    assert found("轴承", "更换主轴轴承。") == 1
    assert found("ภาษา", "เรียนภาษาไทย") == 3


def test_values_are_bm25() -> None:
    """Saturation by count, discount by length; the same index for document and query."""
    bm25 = Bm25(k1=1.2, b=0.75, average_length=8)
    vector, query = document_vector("oil oil leak valve", bm25), query_vector("oil")
    assert vector
    assert query
    values = dict(zip(vector.indices, vector.values, strict=True))
    discount = 1 - 0.75 + 0.75 * 4 / 8

    assert values[query.indices[0]] == pytest.approx(2 * 2.2 / (2 + 1.2 * discount))
    assert sorted(values.values())[:2] == pytest.approx([2.2 / (1 + 1.2 * discount)] * 2)
    assert query.values == (1.0,)
    assert query_vector("oil oil OIL") == query


def test_no_words_no_vector() -> None:
    """Neither of a document nor of a query."""
    assert document_vector(" … ") is None
    assert query_vector("?!") is None


@given(st.text(max_size=300))
def test_any_text_makes_a_valid_vector(text: str) -> None:
    """Ascending 32-bit indices, each once, positive values; the document has every term of the query it is itself."""
    document, query = document_vector(text), query_vector(text)

    assert (document is None) == (query is None) == (not terms(text))
    if document and query:
        assert document.indices == query.indices == tuple(sorted({*document.indices}))
        assert 0 <= document.indices[0] <= document.indices[-1] < 2**32
        assert min(document.values) > 0


def test_indices_are_the_same_in_every_process() -> None:
    """They are stored, so neither the process's hash seed nor its run may show in them."""
    text = "spindle XJ-900 日本語"
    program = f"from llama_index_gemini_mm.sparse import document_vector; print(document_vector({text!a}))"

    printed = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }

    assert printed == {f"{document_vector(text)}\n"}
    assert query_vector("spindle") == SparseVector((INDEX_OF_SPINDLE,), (1.0,))
