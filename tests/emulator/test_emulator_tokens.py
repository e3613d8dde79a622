"""Token counts, and the fast writing of vectors."""

from __future__ import annotations

import json

import numpy as np
import pytest

from llama_index_gemini_mm.emulator.tokens import count_tokens, cut_to_tokens
from llama_index_gemini_mm.emulator.vectors import json_numbers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hello", 1),
        ("title: none | text: hello", 7),
        ("title: Greeting | text: hello", 7),
        ("task: classification | query: hello", 7),
        ("task: clustering | query: hello", 7),
        ("task: sentence similarity | query: hello", 8),
        ("task: search result | query: Hello, world!", 11),
        ("task: question answering | query: Hello, world!", 11),
        ("", 0),
        (" \t ", 0),
        ("a\n\nb", 3),
        ("2026", 4),
        ("snake_case", 3),
        ("\u4e3b\u8ef8CNC", 3),
        ("x" * 100, 8),
    ],
)
def test_counts(text: str, expected: int) -> None:
    """Counts recorded from the service, and the rules between them."""
    assert count_tokens(text) == expected


@pytest.mark.parametrize("limit", [-1, 0, 1, 5, 7, 100])
def test_cut(limit: int) -> None:
    """A cut text is a beginning of the text, costs what it may, and is whole when it fits."""
    text = "task: search result | query: Hello, world!"

    cut = cut_to_tokens(text, limit)

    assert text.startswith(cut)
    assert count_tokens(cut) == max(0, min(limit, 11))
    assert (cut == text) == (limit >= 11)


def test_numbers_are_json() -> None:
    """What is written reads back within half a unit of the ninth decimal, signs, ones and zeros included."""
    vector = np.array([1.0, -1.0, 0.0, -0.0, 0.123456789, -1e-10, 0.9999999999])

    written = json.loads(json_numbers(vector))

    assert written == pytest.approx(vector, abs=5.01e-10)
    assert len(json.loads(json_numbers(np.array([0.5])))) == 1


@pytest.mark.parametrize("values", [[], [np.nan], [np.inf], [5.0]])
def test_numbers_outside_a_unit_vector(values: list[float]) -> None:
    """Whatever cannot come from a unit vector is a bug and is named as one."""
    with pytest.raises(ValueError, match="finite"):
        json_numbers(np.array(values))
