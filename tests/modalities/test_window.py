"""No node passes the model's window, whatever the script and however large the chunks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from llama_index.core.schema import Document, MetadataMode
from llama_index.core.utils import get_tokenizer

from llama_index_gemini_mm import MediaNodeParser, media
from llama_index_gemini_mm.engine.tokens import tokens_of
from llama_index_gemini_mm.limits import MAX_INPUT_TOKENS
from llama_index_gemini_mm.media import MediaItem, MediaRef
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.modalities import SplitOptions
from llama_index_gemini_mm.pricing import weighed
from media_samples import wav

LANGUAGES = json.loads((Path(__file__).parents[1] / "corpus/languages/article_1.json").read_text(encoding="utf-8"))
ARTICLES = {sample["language"]: sample["text"] for sample in LANGUAGES}
TITLE = "手册 " * 66
LONG = {
    **{name: f"{ARTICLES[name]}\n" for name in ("eng", "rus", "arb", "hin", "tha", "cmn", "jpn", "mya", "vai")},
    "capitals": ARTICLES["eng"].upper() + "\n",
    "signs": "∑∫√ ≠ 😀… – “x” ",
    "one word": "spindle",
}


def nodes_of(document: Document, store: MediaStore, chunk_size: int) -> list[str]:
    """The texts of the nodes, as they are embedded."""
    parser = MediaNodeParser(options=SplitOptions(chunk_size=chunk_size), media_store=store)
    return [node.get_content(MetadataMode.EMBED) for node in parser.get_nodes_from_documents([document])]


@pytest.mark.parametrize("name", LONG)
@pytest.mark.parametrize("task", ["retrieval", "similarity"])
def test_largest_chunks_fit(name: str, task: str, store: MediaStore) -> None:
    """Chunks of 8,192 tokens by LlamaIndex's count fit by ours, prefix and title included, and fill the window."""
    text = LONG[name] * (60_000 // len(LONG[name]))
    document = media.build(Document, "doc", "text", text, {media.FILE_PATH: "/a.txt"}, title=TITLE)

    sizes = [tokens_of(weighed(each, store, task)) for each in nodes_of(document, store, 8192)]

    assert max(sizes) <= MAX_INPUT_TOKENS
    counts = [len(get_tokenizer()(each)) for each in nodes_of(document, store, 8192)]
    assert all(ours > 6000 or theirs > 6000 for ours, theirs in zip(sizes[:-1], counts[:-1], strict=True))


def test_captions_leave_room_for_media(store: MediaStore) -> None:
    """Three minutes of sound and the words that go with them fit together."""
    sha256 = store.add_bytes(wav(2.0, 440), "audio/wav")
    item = MediaItem(MediaRef.parse(f"media://{sha256}#t=0,179"), "audio/wav")
    text = LONG["eng"] * 400
    document = media.build(Document, "doc", "audio", text, {media.FILE_PATH: "/a.wav"}, title="Bell", media=item)

    parser = MediaNodeParser(options=SplitOptions(chunk_size=8192, audio_segment_seconds=180), media_store=store)
    nodes = parser.get_nodes_from_documents([document])
    items = [weighed(node.get_content(MetadataMode.EMBED), store, "retrieval") for node in nodes]

    assert [part.tokens for part in items[0].parts] == [None, 4475]
    assert tokens_of(items[0]) > 7000
    assert max(map(tokens_of, items)) <= MAX_INPUT_TOKENS


def test_small_chunks_are_as_llama_index_counts(store: MediaStore) -> None:
    """The size of ordinary chunks is not ours to change."""
    document = media.build(Document, "doc", "text", LONG["eng"] * 200, {media.FILE_PATH: "/a.txt"})
    count = get_tokenizer()

    sizes = [len(count(text)) for text in nodes_of(document, store, 1024)]
    assert max(sizes) <= 1024
    assert min(sizes[:-1]) > 900
