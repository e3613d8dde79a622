"""Text: chunks within their size, nothing lost."""

from __future__ import annotations

import base64
import random

import pytest
from llama_index.core.schema import Document, MetadataMode
from llama_index.core.utils import get_tokenizer

from llama_index_gemini_mm import media
from llama_index_gemini_mm.limits import DEVELOPER_API
from llama_index_gemini_mm.media import EmbedText, MediaRef
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.modalities import SplitOptions, handler_of, parts_of

BLOB = base64.b64encode(random.Random(1).randbytes(12_000)).decode()
TEXTS = {
    "sentences": " ".join(f"Sentence number {n} speaks of bearing {n * 7}." for n in range(400)),
    "base64": BLOB,
    "blob among words": f"Before the blob. {BLOB} After the blob.",
    "chinese": "轴承发出的噪声说明润滑不足需要更换" * 300,
    "emoji": "👩‍🔧🛠️" * 800,
    "one letter": "a" * 20_000,
    "no full stop": "spindle bearing grease " * 1500,
    "lines": "\n".join(f"{n};{n * 3};value" for n in range(2000)),
}


def split(text: str, store: MediaStore, **options: int) -> list[str]:
    document = media.build(Document, "doc", "text", text, {media.FILE_PATH: "/a.txt"}, title="Manual")
    nodes = list(handler_of("text").split(document, SplitOptions(**options), store, DEVELOPER_API))
    assert [n.node_id for n in nodes] == [media.stable_id("doc", "text", str(i)) for i in range(len(nodes))]
    assert all(n.metadata[media.TITLE] == "Manual" and n.metadata[media.FILE_PATH] == "/a.txt" for n in nodes)
    return [n.get_content(MetadataMode.NONE) for n in nodes]


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize(("size", "overlap"), [(1024, 128), (64, 16), (16, 0)])
def test_no_chunk_exceeds_its_size(name: str, size: int, overlap: int, store: MediaStore) -> None:
    """Whatever the text, each chunk holds at most the tokens it may."""
    count = get_tokenizer()
    chunks = split(TEXTS[name][: 60 * size], store, chunk_size=size, chunk_overlap=overlap)
    assert chunks
    assert max(len(count(chunk)) for chunk in chunks) <= size


@pytest.mark.parametrize("name", TEXTS)
def test_nothing_is_lost(name: str, store: MediaStore) -> None:
    """Without overlap the chunks together are the text, but for blanks."""
    chunks = split(TEXTS[name], store, chunk_size=256, chunk_overlap=0)
    assert "".join("".join(chunks).split()) == "".join(TEXTS[name].split())


def test_blobs_fill_their_chunks(store: MediaStore) -> None:
    """A blob without blanks makes no more than twice the chunks that it needs."""
    needed = len(get_tokenizer()(BLOB)) / 1024
    assert len(split(BLOB, store, chunk_overlap=0)) <= 2 * needed + 1


@pytest.mark.timeout(60)
def test_a_sentence_without_end_is_looked_through_once(store: MediaStore) -> None:
    """LlamaIndex's splitter alone takes two characters off it at a time, and never comes to its end."""
    text = "![" * 50_000
    assert "".join(split(text, store, chunk_overlap=0)) == text


def test_chunks_overlap(store: MediaStore) -> None:
    """The end of a chunk is the beginning of the next."""
    first, second, *_ = split(TEXTS["sentences"], store, chunk_size=128, chunk_overlap=32)
    assert second.split(".")[0] in first


@pytest.mark.parametrize("text", ["", " \n\t "])
def test_blank_text_gives_no_node(text: str, store: MediaStore) -> None:
    """A document without words gives no node."""
    assert split(text, store) == []


def test_overlap_larger_than_the_chunk(store: MediaStore) -> None:
    """Of an overlap that no chunk could hold half a chunk is used."""
    assert len(split(TEXTS["sentences"], store, chunk_size=64, chunk_overlap=500)) > 10


def test_parts_of_words(store: MediaStore) -> None:
    """Text without a reference is one part."""
    (part,) = parts_of(EmbedText("Words", "Title"), store, DEVELOPER_API)
    assert (part.text, part.data, part.modality) == ("Words", None, "text")


def test_words_cost_no_media_tokens(store: MediaStore) -> None:
    """The handler of text has a caption for its only part, and no media to pay for."""
    handler, ref = handler_of("text"), MediaRef("0" * 64)
    assert handler.tokens(ref, store) == 0
    assert [p.text for p in handler.parts(ref, "Words", store, DEVELOPER_API)] == ["Words"]
