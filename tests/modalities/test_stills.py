"""Pictures and PDF pages."""

from __future__ import annotations

import io

import pymupdf
import pytest
from llama_index.core.schema import Document, Node
from llama_index.core.utils import get_tokenizer
from PIL import Image

from llama_index_gemini_mm import media
from llama_index_gemini_mm.errors import CorruptFile, LimitExceeded, MediaMissing
from llama_index_gemini_mm.limits import DEVELOPER_API, VERTEX, Modality
from llama_index_gemini_mm.media import EmbedText, Fragment, MediaRef
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.modalities import SplitOptions, handler_of, modality_of, parts_of
from media_samples import encoded, gif, pdf, picture, png
from modalities.conftest import MakeDocument

TEN = tuple(f"page {n}" for n in range(1, 11))


def split(document: Document, store: MediaStore, **options: int) -> list[Node]:
    modality: Modality = document.metadata[media.MODALITY]
    return list(handler_of(modality).split(document, SplitOptions(**options), store, DEVELOPER_API))


def ref_of(node: Document | Node) -> MediaRef:
    return MediaRef.parse(node.metadata[media.MEDIA_REF])


def test_a_picture_is_one_node(store: MediaStore, document: MakeDocument) -> None:
    """Picture, caption and title in one node."""
    (node,) = split(document("image", png(), "image/png"), store)
    assert (node.get_content(), node.metadata[media.TITLE]) == ("A caption", "A title")
    assert node.image_resource is not None
    assert node.image_resource.mimetype == "image/png"
    caption, picture = parts_of(EmbedText("A caption", "A title", ref_of(node)), store, DEVELOPER_API)
    assert caption.text == "A title\nA caption"
    assert (picture.data, picture.mime_type, picture.tokens) == (png(), "image/png", 258)


def test_a_box_stays_a_box(store: MediaStore, document: MakeDocument) -> None:
    """A document that is a part of a picture gives a node over that part."""
    (node,) = split(document("image", png(), "image/png", fragment=Fragment(box=(0.5, 0.5, 1, 1))), store)
    (part,) = parts_of(EmbedText("", ref=ref_of(node)), store, VERTEX)
    assert Image.open(io.BytesIO(part.data or b"")).size == (24, 16)


@pytest.mark.parametrize("modality", ["image", "document"])
def test_long_captions_lose_nothing(modality: Modality, store: MediaStore, document: MakeDocument) -> None:
    """The first chunk of a caption goes with the media, the rest becomes text nodes without them."""
    caption = " ".join(f"Item {n} is a bolt of grade {n}." for n in range(200))
    data, mime_type = (png(), "image/png") if modality == "image" else (pdf(("one",)), "application/pdf")
    nodes = split(document(modality, data, mime_type, text=caption), store, chunk_size=200, chunk_overlap=0)
    assert [n.metadata[media.MODALITY] for n in nodes] == [modality] + ["text"] * (len(nodes) - 1)
    assert len(nodes) > 4
    assert "".join("".join(n.get_content() for n in nodes).split()) == "".join(caption.split())
    assert max(len(get_tokenizer()(n.get_content())) for n in nodes) <= 200
    for node in nodes[1:]:
        assert media.MEDIA_REF not in node.metadata
        assert media.MIME_TYPE not in node.metadata
        assert node.image_resource is None
        assert node.metadata[media.TITLE] == "A title"
    assert len({n.node_id for n in nodes}) == len(nodes)


def test_a_whole_pdf_gives_a_node_a_page(store: MediaStore, document: MakeDocument) -> None:
    """Each page is a node, with its number."""
    nodes = split(document("document", pdf(TEN), "application/pdf"), store)
    assert [n.metadata[media.PAGE_START] for n in nodes] == list(range(1, 11))
    assert [n.metadata[media.PAGE_LABEL] for n in nodes] == [str(n) for n in range(1, 11)]
    data, mime_type = store.cut(ref_of(nodes[6]))
    assert mime_type == "application/pdf"
    with pymupdf.open(stream=data) as page:
        assert page.page_count == 1
        assert page[0].get_text().strip() == "page 7"


@pytest.mark.parametrize(
    ("first", "last", "expected"), [(3, 3, [(3, 3)]), (2, 5, [(2, 5)]), (1, 10, [(1, 6), (7, 10)])]
)
def test_pages_as_the_reader_made_them(
    first: int, last: int, expected: list[tuple[int, int]], store: MediaStore, document: MakeDocument
) -> None:
    """Pages stay together as far as one Content may hold them."""
    item = document("document", pdf(TEN), "application/pdf", fragment=Fragment(first, last))
    nodes = split(item, store)
    assert [(n.metadata[media.PAGE_START], n.metadata[media.PAGE_END]) for n in nodes] == expected
    for node, (start, end) in zip(nodes, expected, strict=True):
        part = parts_of(EmbedText("", ref=ref_of(node)), store, DEVELOPER_API)[-1]
        assert part.tokens == 258 * (end - start + 1)
        assert part.modality == "document"


def test_too_many_pages(store: MediaStore, document: MakeDocument) -> None:
    """A PDF that nobody split is refused."""
    item = document("document", pdf(TEN), "application/pdf")
    with pytest.raises(LimitExceeded, match="10 pages, the model accepts 6"):
        parts_of(EmbedText("", ref=ref_of(item)), store, DEVELOPER_API)


def test_broken_pdf_is_named(store: MediaStore, document: MakeDocument) -> None:
    """A file that is no PDF is a corrupt file."""
    with pytest.raises(CorruptFile):
        split(document("document", b"%PDF-1.7", "application/pdf"), store)


@pytest.mark.parametrize(
    ("data", "mime_type", "expected"),
    [(png(), "image/png", "image"), (pdf(), "application/pdf", "document"), (b"x", "video/mp4", "video")],
)
def test_modality_of_content(data: bytes, mime_type: str, expected: str, store: MediaStore) -> None:
    """The store's MIME type says what a reference names."""
    assert modality_of(MediaRef(store.add_bytes(data, mime_type)), store) == expected


def test_unknown_content_is_missing(store: MediaStore) -> None:
    """A reference to content that the store never saw."""
    with pytest.raises(MediaMissing):
        parts_of(EmbedText("", ref=MediaRef("0" * 64)), store, DEVELOPER_API)


def test_document_without_media_gives_its_words(store: MediaStore) -> None:
    """A document that calls itself a picture and has none keeps its caption as text."""
    bare = media.build(Document, "d", "image", "Only words", {})
    (node,) = split(bare, store)
    assert (node.metadata[media.MODALITY], node.get_content()) == ("text", "Only words")


def test_an_animation_is_several_pictures(store: MediaStore, document: MakeDocument) -> None:
    """One node and one Content of the caption and the frames, each at the price of a picture."""
    (node,) = split(document("image", gif(("red", "blue", "lime")), "image/gif"), store)
    caption, *frames = parts_of(EmbedText("A caption", "A title", ref_of(node)), store, DEVELOPER_API)
    assert caption.text == "A title\nA caption"
    assert [(f.mime_type, f.tokens) for f in frames] == [("image/png", 258)] * 3
    assert handler_of("image").tokens(ref_of(node), store) == 3 * 258
    shown = [Image.open(io.BytesIO(f.data or b"")).convert("RGB").getpixel((3, 3)) for f in frames]
    assert shown == [(255, 0, 0), (0, 0, 255), (0, 255, 0)]


def test_a_long_animation_fits_one_content(store: MediaStore, document: MakeDocument) -> None:
    """Six frames at most, as many pictures as one Content may hold."""
    colors = tuple((n * 9, 255 - n * 9, n) for n in range(28))
    item = document("image", gif(colors), "image/gif")
    for limits in (DEVELOPER_API, VERTEX):
        frames = parts_of(EmbedText("", ref=ref_of(item)), store, limits)
        assert len(frames) == limits.media["image"].max_count == 6
    assert handler_of("image").tokens(ref_of(item), store) == 6 * 258


def test_a_page_of_a_tiff_is_one_picture(store: MediaStore, document: MakeDocument) -> None:
    """A document over one page of a file gives that page."""
    data = encoded(picture("red"), "TIFF", save_all=True, append_images=[picture("blue")])
    (node,) = split(document("image", data, "image/tiff", fragment=Fragment(first_page=2)), store)
    assert str(ref_of(node)).endswith("#page=2")
    (part,) = parts_of(EmbedText("", ref=ref_of(node)), store, DEVELOPER_API)
    assert Image.open(io.BytesIO(part.data or b"")).convert("RGB").getpixel((40, 28)) == (0, 0, 255)
