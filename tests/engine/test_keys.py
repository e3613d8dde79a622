"""Keys: what decides a vector changes them, and nothing else does."""

from __future__ import annotations

import dataclasses
import pickle
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_gemini_mm.engine.items import EmbedItem, Part
from llama_index_gemini_mm.engine.keys import KeySpace

SPACE = KeySpace("gemini-embedding-2", 768, "retrieval", 1, 1)

# Few characters, and those that quoting and encoding could trip over: a pair of surrogates is not the character.
WORDS = st.text(alphabet="ab'\"\\,( \n\x00é😀\ud83d\ude00", max_size=4)
MIMES = st.sampled_from(["image/png", "image/jpeg", "text/plain"])
PARTS = st.one_of(
    st.builds(Part, text=WORDS),
    st.builds(Part, data=st.binary(max_size=2), mime_type=MIMES),
    st.builds(Part, uri=WORDS, mime_type=MIMES),
)
ITEMS = st.builds(
    EmbedItem, st.lists(PARTS, min_size=1, max_size=3).map(tuple), st.sampled_from(["query", "document"]), WORDS
)


def item(*parts: Part | str, role: str = "document", title: str = "", name: str = "") -> EmbedItem:
    made = tuple(Part(text=part) if isinstance(part, str) else part for part in parts)
    return EmbedItem(made, role, title, name)  # type: ignore[arg-type]


def picture(data: bytes, mime_type: str = "image/png", tokens: int | None = None) -> Part:
    return Part(data=data, mime_type=mime_type, tokens=tokens)


@given(ITEMS, ITEMS)
def test_different_items_have_different_keys(one: EmbedItem, other: EmbedItem) -> None:
    """Two keys are equal when the items are, and only then."""
    assert (SPACE.key(one) == SPACE.key(other)) == (one == other)
    assert len(SPACE.key(one)) == 32


@given(ITEMS, WORDS)
def test_a_name_is_no_item(one: EmbedItem, identity: str) -> None:
    """Items known by name have keys of their own, by name and role."""
    assert SPACE.named_key(identity, "document") != SPACE.key(one)
    assert SPACE.named_key(identity, "document") != SPACE.named_key(identity, "query")
    assert SPACE.named_key(identity, "document") != SPACE.named_key(identity + "a", "document")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (item("ab", "c"), item("a", "bc")),
        (item("ab"), item("a", "b")),
        (item("a"), item("a", "")),
        (item("a', 'b"), item("a", "b")),
        (item("a", "b"), item("b", "a")),
        (item("a"), item("a", role="query")),
        (item("a"), item("a", title="t")),
        (item("ta"), item("a", title="t")),
        (item(picture(b"a")), item("a")),
        (item(picture(b"a")), item(picture(b"b"))),
        (item(picture(b"a")), item(picture(b"a", "image/jpeg"))),
        (item(picture(b"a"), picture(b"b")), item(picture(b"ab"))),
        (item(Part(uri="f/1", mime_type="video/mp4")), item(Part(uri="f/2", mime_type="video/mp4"))),
    ],
    ids=lambda each: "+".join(p.text or p.uri or repr(p.data) for p in each.parts),
)
def test_what_decides_a_vector_is_in_the_key(one: EmbedItem, other: EmbedItem) -> None:
    """Where one part ends and the next begins, their order, type and content; role and title."""
    assert SPACE.key(one) != SPACE.key(other)


def test_names_and_counts_are_not_in_the_key() -> None:
    """What only says how to call an item, or what it costs."""
    assert SPACE.key(item("a", name="node-1")) == SPACE.key(item("a", name="node-2"))
    assert SPACE.key(item(picture(b"a", tokens=258))) == SPACE.key(item(picture(b"a")))


@pytest.mark.parametrize(
    "change",
    [
        {"model": "gemini-embedding-001"},
        {"dimension": 1536},
        {"task": "similarity"},
        {"prefix_version": 2},
        {"preprocessing_version": 2},
        {"service": "stand-in"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_field_of_the_space_changes_every_key(change: dict[str, object]) -> None:
    """Vectors of two spaces never meet in one cache."""
    other = dataclasses.replace(SPACE, **change)  # type: ignore[arg-type]

    assert other.key(item("a")) != SPACE.key(item("a"))
    assert other.named_key("a", "document") != SPACE.named_key("a", "document")


def test_the_space_holds_no_operational_settings() -> None:
    """Addresses, time limits and retries cannot change a key, because there is no place for them."""
    settings = [field.name for field in dataclasses.fields(SPACE) if field.init]

    assert settings == ["model", "dimension", "task", "prefix_version", "preprocessing_version", "service"]


def test_keys_are_the_same_in_another_process() -> None:
    """Whatever its hash seed, and for a space that came there pickled."""
    program = (
        "import pickle, sys\n"
        "from llama_index_gemini_mm.engine.items import EmbedItem, Part\n"
        "space = pickle.loads(bytes.fromhex(sys.argv[1]))\n"
        "print(space.key(EmbedItem((Part(text='Öl 😀'), Part(data=b'x', mime_type='image/png')), title='T')).hex())"
    )

    argument = pickle.dumps(SPACE).hex()
    done = subprocess.run([sys.executable, "-c", program, argument], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == SPACE.key(item("Öl 😀", picture(b"x"), title="T")).hex()
