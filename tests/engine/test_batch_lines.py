"""The lines of result files, as they come and as they should not."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from llama_index_gemini_mm.engine import EmbedItem, Part
from llama_index_gemini_mm.engine.batch.lines import Result, line_of, result_of

KEY = bytes(range(32))
GOOD = [0.6, 0.8]


def line(**answer: Any) -> bytes:
    return json.dumps({"key": KEY.hex(), **answer}).encode()


def embedding(values: Any, **more: Any) -> bytes:
    return line(response={"embedding": {"values": values}, **more})


def test_a_request() -> None:
    """Key, parts in order, media in base64, and the dimension, all on one line of ASCII."""
    item = EmbedItem((Part(text="größe\u2028\n"), Part(data=b"\xfb\xff", mime_type="image/png")))

    written = line_of(KEY, item, 256)

    assert written.isascii()
    assert written.splitlines(keepends=True) == [written]
    request = json.loads(written)
    assert request["key"] == KEY.hex()
    assert request["request"]["output_dimensionality"] == 256
    text, media = request["request"]["content"]["parts"]
    assert text == {"text": "größe\u2028\n"}
    assert media["inline_data"]["mime_type"] == "image/png"
    assert base64.b64decode(media["inline_data"]["data"]) == b"\xfb\xff"


def test_a_good_result() -> None:
    """The vector, and the count, which the service writes as a string."""
    assert result_of(embedding(GOOD, tokenCount="7"), 2) == Result(KEY, GOOD, 7)
    assert result_of(embedding([0, 1]), 2) == Result(KEY, [0.0, 1.0], 0)


@pytest.mark.parametrize(
    "broken", [b"", b"{", b"[1]", b"null", b"{}", b'{"key": 7}', b'{"key": "xyz", "response": {}}', b"\xff\xfe"]
)
def test_lines_that_name_no_request(broken: bytes) -> None:
    """They are nobody's answer."""
    assert result_of(broken, 2) is None


@pytest.mark.parametrize(
    ("broken", "word"),
    [
        (line(), "no numbers"),
        (line(response=7), "no numbers"),
        (line(response={"embedding": None}), "no numbers"),
        (embedding([]), "no numbers"),
        (embedding([1.0]), "1 numbers"),
        (embedding(["x", "y"]), "could not convert"),
        (embedding([None, None]), "float"),
        (embedding(["NaN", 1]), "not finite"),
        (line(error={"code": 3, "message": "bad\nthing"}), "3 bad thing"),
        (line(error="all bad"), "all bad"),
    ],
)
def test_results_without_a_vector(broken: bytes, word: str) -> None:
    """They say why in one line."""
    result = result_of(broken, 2)

    assert result is not None
    assert result.vector is None
    assert word in result.reason
    assert "\n" not in result.reason
