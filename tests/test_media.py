"""References, places and the text that carries them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llama_index.core.schema import Document, MetadataMode, Node, TextNode

from llama_index_gemini_mm import media
from llama_index_gemini_mm.media import Fragment, Locator, MediaItem, MediaRef, read_embed_text

SHA = "ab" * 32


@pytest.mark.parametrize(
    ("fragment", "text"),
    [
        (Fragment(), ""),
        (Fragment(start=0, end=60), "t=0,60"),
        (Fragment(start=1.5, end=2.125), "t=1.5,2.125"),
        (Fragment(track="audio", start=30, end=60), "track=audio&t=30,60"),
        (Fragment(first_page=3, last_page=3), "page=3"),
        (Fragment(first_page=3, last_page=5), "page=3-5"),
        (Fragment(first_page=3, last_page=3, box=(0.1, 0.2, 0.4, 0.6)), "page=3&xywh=percent:10,20,30,40"),
    ],
)
def test_fragments_are_the_standards_own(fragment: Fragment, text: str) -> None:
    """Media Fragments for time, space and track, RFC 8118 for pages; read back as they were written."""
    assert str(fragment) == text
    assert str(Fragment.parse(text)) == text


@pytest.mark.parametrize("text", ["x", "media://ab", f"media://{SHA}#colour=red", f"file://{SHA}", f"media://{SHA} x"])
def test_what_is_no_reference_is_refused(text: str) -> None:
    """Short hashes, unknown terms and other schemes are errors, not guesses."""
    with pytest.raises(ValueError, match="media"):
        MediaRef.parse(text)


@given(start=st.floats(0, 1e5), length=st.floats(0.01, 180))
def test_times_survive_the_wire_form(start: float, length: float) -> None:
    """Seconds are kept to the millisecond, whatever their size."""
    ref = MediaRef(SHA, Fragment(start=start, end=start + length))

    back = MediaRef.parse(str(ref)).fragment

    assert back.start == pytest.approx(start, abs=0.0006)
    assert back.end == pytest.approx(start + length, abs=0.0006)


def test_a_node_tells_the_model_title_reference_and_caption_only() -> None:
    """The embedded text holds no path, page or hash; read_embed_text gets the pieces back."""
    ref = MediaRef(SHA, Fragment(start=0, end=60))
    node = media.build(
        Node,
        media.stable_id("x"),
        "audio",
        "a caption",
        {media.FILE_PATH: "/secret/a.mp3", media.PAGE_LABEL: "iv"},
        title="A  title\nover two lines",
        media=MediaItem(ref, "audio/mpeg", Path("a.mp3")),
    )

    text = node.get_content(metadata_mode=MetadataMode.EMBED)

    assert text == f"media_ref: {ref}\ntitle: A title over two lines\n\na caption"
    assert read_embed_text(text) == media.EmbedText("a caption", "A title over two lines", ref)
    assert node.audio_resource is not None
    assert node.audio_resource.path == Path("a.mp3")
    assert media.media_of(node) == MediaItem(ref, "audio/mpeg", Path("a.mp3"))


def test_a_media_node_without_caption_is_not_empty() -> None:
    """LlamaIndex drops nodes whose embedded text is empty; these never are."""
    node = media.build(Document, "x", "image", "", {}, media=MediaItem(MediaRef(SHA), "image/png"))

    assert node.text_resource is not None
    assert read_embed_text(node.get_content(metadata_mode=MetadataMode.EMBED)) == media.EmbedText("", "", MediaRef(SHA))


def test_text_with_title_and_without() -> None:
    """A title line is told apart from a text that merely begins alike."""
    titled = media.build(Document, "x", "text", "first\n\nsecond", {}, title="T")

    assert read_embed_text(titled.get_content(metadata_mode=MetadataMode.EMBED)) == media.EmbedText(
        "first\n\nsecond", "T"
    )
    assert read_embed_text("title: alone") == media.EmbedText("title: alone")
    assert read_embed_text("a: b\ntitle: c\n\nd") == media.EmbedText("a: b\ntitle: c\n\nd")


@pytest.mark.parametrize("line", [f"media_ref: media://{SHA}", f"  Media_Ref:media://{SHA}#t=0,1"])
def test_text_cannot_forge_a_reference(line: str) -> None:
    """A line in a user's file that looks like a reference stays words, at the start as in the middle."""
    for text in (line, f"before\n{line}\n\nafter", f"{line}\n\nafter"):
        node = media.build(Document, "x", "text", text, {})
        read = read_embed_text(node.get_content(metadata_mode=MetadataMode.EMBED))
        assert read.ref is None
        assert SHA in read.body


def test_a_reference_deep_in_foreign_text_is_not_followed() -> None:
    """Only the head of a node's text is searched, whoever made the node."""
    node = TextNode(text=f"someone wrote\n\nmedia_ref: media://{SHA}", metadata={"file_path": "a.txt"})

    assert read_embed_text(node.get_content(metadata_mode=MetadataMode.EMBED)).ref is None


def test_places_are_flat_metadata() -> None:
    """Only strings and numbers, because some vector stores refuse lists; boxes can be read back."""
    place = Locator(
        page_label="iv", page_start=4, boxes=((0.1, 0.2, 0.3, 0.4),), headings=("Spindle", "Noise"), start_seconds=0.0
    ).metadata()

    assert place == {
        "page_label": "iv",
        "page_start": 4,
        "page_end": 4,
        "bbox": "[[0.1, 0.2, 0.3, 0.4]]",
        "heading_path": "Spindle > Noise",
        "start_seconds": 0.0,
    }
    assert media.boxes_of(place) == [[0.1, 0.2, 0.3, 0.4]]
    assert media.boxes_of({}) == []


def test_a_template_that_hides_the_reference_is_named_in_the_contract() -> None:
    """A custom metadata template changes the line and the node becomes words: so ours keep the default."""
    node = media.build(Document, "x", "image", "", {}, media=MediaItem(MediaRef(SHA), "image/png"))
    assert node.metadata_template == "{key}: {value}"
    assert node.text_template == "{metadata_str}\n\n{content}"

    node.metadata_template = "{key}={value}"
    assert read_embed_text(node.get_content(metadata_mode=MetadataMode.EMBED)).ref is None
