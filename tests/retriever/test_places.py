"""Which nodes are of one place, and that joining them loses, repeats and reorders nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_gemini_mm.retriever import Explanation, Match, Place
from llama_index_gemini_mm.retriever._places import places_of, same_place
from llama_index_gemini_mm.vector_store import Found
from llama_index_gemini_mm.vector_store.points import PlainRow

WHY = Explanation(("dense",), ("text",), 0.5, None, 1, None, None)
LEFT, RIGHT, ALL = [0.0, 0.1, 0.5, 0.5], [0.5, 0.1, 1.0, 0.5], [0.0, 0.0, 1.0, 0.6]


def node(modality: str, **places: Any) -> dict[str, Any]:
    """The metadata of a node of one file."""
    if "bbox" in places:
        places["bbox"] = json.dumps([places["bbox"]])
    return {"modality": modality, "file_path": "/a/manual", **places}


def seconds(modality: str, start: float, end: float, **more: Any) -> dict[str, Any]:
    return node(modality, start_seconds=start, end_seconds=end, **more)


def page(modality: str, number: int, last: int | None = None, **more: Any) -> dict[str, Any]:
    return node(modality, page_start=number, page_end=last or number, **more)


def lines(first: int, last: int) -> dict[str, Any]:
    return node("text", line_start=first, line_end=last)


def matches(*metadata: dict[str, Any]) -> list[Match]:
    return [Match(Found(1 - i / 100, PlainRow(str(i), data)), 1 - i / 100, WHY) for i, data in enumerate(metadata)]


def ids(places: list[Place]) -> list[list[str]]:
    return [[match.found.id for match in place.matches] for place in places]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param(seconds("video", 0, 30), seconds("audio", 0, 30), True, id="film and its sound"),
        pytest.param(seconds("video", 0, 30), seconds("image", 0, 30), True, id="film and its key frame"),
        pytest.param(seconds("audio", 0, 60), seconds("audio", 55, 115), False, id="segments with the usual overlap"),
        pytest.param(seconds("audio", 0, 60), seconds("audio", 30, 90), True, id="segments that overlap by half"),
        pytest.param(seconds("audio", 0, 60), seconds("audio", 55, 63), True, id="most of a short rest"),
        pytest.param(seconds("audio", 0, 60), seconds("audio", 60, 120), False, id="one after the other"),
        pytest.param(page("image", 3, bbox=LEFT), page("document", 3), True, id="figure and its page"),
        pytest.param(page("image", 3, bbox=LEFT), page("text", 3, bbox=ALL), True, id="figure in a section"),
        pytest.param(page("image", 3, bbox=LEFT), page("text", 3, bbox=RIGHT), False, id="figure beside a section"),
        pytest.param(page("image", 3, bbox=LEFT), page("image", 3, bbox=RIGHT), False, id="two figures"),
        pytest.param(page("text", 3), page("document", 3), True, id="text on a page that is seen"),
        pytest.param(page("text", 3, bbox=ALL), page("text", 3, bbox=ALL), False, id="two chunks of one section"),
        pytest.param(page("document", 1, 6), page("document", 7, 9), False, id="other pages"),
        pytest.param(page("document", 1, 6), page("text", 6), True, id="the last of several pages"),
        pytest.param(page("text", 3), node("image", slide=3, bbox=LEFT), False, id="a page is no slide"),
        pytest.param(node("text", slide=3), node("image", slide=3, bbox=LEFT), True, id="a picture on its slide"),
        pytest.param(node("text", slide=4), seconds("audio", 0, 3, slide=4), True, id="a sound on its slide"),
        pytest.param(
            node("text", line_start=1, line_end=40),
            node("text", line_start=35, line_end=70),
            False,
            id="chunks of code",
        ),
        pytest.param(
            node("text", line_start=1, line_end=40), node("text", line_start=11, line_end=50), True, id="the same lines"
        ),
        pytest.param(node("text"), node("image"), False, id="no place known"),
    ],
)
def test_one_place(one: dict[str, Any], other: dict[str, Any], same: bool) -> None:
    """The rule, both ways round."""
    assert same_place(one, other) is same
    assert same_place(other, one) is same


def test_other_files_are_other_places() -> None:
    """Neither another file's page 3 nor that of another file in the same archive is this one."""
    ours = page("document", 3)
    deck = node("text", slide=2, container_path="all.zip!/deck.pptx")

    assert not same_place(ours, {**page("image", 3), "file_path": "/b/manual"})
    assert not same_place(
        {**ours, "container_path": "all.zip!/a.pdf"}, page("image", 3, container_path="all.zip!/b.pdf")
    )
    assert same_place(deck, node("image", slide=2, container_path="all.zip!/deck.pptx!/ppt/media/1.png"))
    assert not same_place({"modality": "document", "page_start": 1, "page_end": 1}, {"modality": "image"})


def test_no_chain_joins_a_whole_recording() -> None:
    """Each overlaps the next by half; a place holds what overlaps its best."""
    chain = [seconds("audio", start, start + 60) for start in (0, 30, 60, 90)]

    assert ids(places_of(matches(*chain))) == [["0", "1"], ["2", "3"]]


def test_the_page_gathers_what_stands_on_it() -> None:
    """With the page first all is one; with a section first, the others stay apart."""
    whole, left, right = page("document", 3), page("text", 3, bbox=LEFT), page("text", 3, bbox=RIGHT)

    assert ids(places_of(matches(whole, left, right))) == [["0", "1", "2"]]
    assert ids(places_of(matches(left, right, whole))) == [["0", "2"], ["1"]]


SPANS = st.tuples(st.integers(0, 20), st.integers(1, 20)).map(lambda each: (each[0], each[0] + each[1]))
BOXES = st.sampled_from([LEFT, RIGHT, ALL])
MODALITIES = st.sampled_from(["text", "image", "audio", "video", "document"])
NODES = st.one_of(
    st.builds(lambda m, span: seconds(m, *span), MODALITIES, SPANS),
    st.builds(lambda m, number: page(m, number), MODALITIES, st.integers(1, 3)),
    st.builds(lambda m, number, box: page(m, number, bbox=box), MODALITIES, st.integers(1, 3), BOXES),
    st.builds(lambda m, number: node(m, slide=number), MODALITIES, st.integers(1, 3)),
    st.builds(lambda m: node(m), MODALITIES),
)


@given(st.lists(NODES, max_size=12))
def test_nothing_is_lost(found: list[dict[str, Any]]) -> None:
    """Places hold every match once, stand in the order of their best, and share the place with it."""
    given_ = matches(*found)

    places = places_of(given_)

    assert sorted(each for place in ids(places) for each in place) == sorted(m.found.id for m in given_)
    assert [place.score for place in places] == sorted((place.score for place in places), reverse=True)
    for number, place in enumerate(places):
        assert [m.score for m in place.matches] == sorted((m.score for m in place.matches), reverse=True)
        assert all(same_place(place.best.metadata, m.metadata) for m in place.matches[1:])
        assert not any(same_place(earlier.best.metadata, place.best.metadata) for earlier in places[:number])
