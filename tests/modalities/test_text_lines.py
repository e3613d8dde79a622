"""Lines of chunks."""

from __future__ import annotations

from llama_index.core.schema import Document, MetadataMode

from llama_index_gemini_mm import media
from llama_index_gemini_mm.limits import DEVELOPER_API
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.modalities import SplitOptions, handler_of


def _places(text: str, first: int, last: int, store: MediaStore) -> list[tuple[int, int, str]]:
    metadata = {media.LINE_START: first, media.LINE_END: last}
    document = media.build(Document, "doc", "text", text, metadata, title="log")
    nodes = handler_of("text").split(document, SplitOptions(chunk_size=64, chunk_overlap=16), store, DEVELOPER_API)
    return [(n.metadata["line_start"], n.metadata["line_end"], n.get_content(MetadataMode.NONE)) for n in nodes]


def test_each_chunk_knows_its_lines(store: MediaStore) -> None:
    """The lines of a chunk are those it stands on, though they overlap."""
    lines = [f"The spindle of lathe {n} turned without noise." for n in range(60)]
    places = _places("\n".join(lines) + "\n", 101, 160, store)

    assert len(places) > 5
    assert places[0][0] == 101
    assert places[-1][1] == 160
    for first, last, text in places:
        shown = "\n".join(lines[first - 101 : last - 100])
        assert text in shown
        assert shown.count("\n") == text.count("\n")


def test_a_table_made_of_lines_keeps_the_lines_of_all(store: MediaStore) -> None:
    """What is not written as it stands in the file is cited as a whole."""
    text = "| n |\n| --- |\n" + "\n".join(f"| the number {n} in words |" for n in range(40))
    assert {(first, last) for first, last, _ in _places(text, 2, 41, store)} == {(2, 41)}
