"""What the LLM is shown: the part of the media that a node names, numbered, and what the answer cites."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import pymupdf
import pytest
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, LLMMetadata
from llama_index.core.bridge.pydantic import Field
from llama_index.core.llms import CustomLLM

from llama_index_gemini_mm import GeminiMultimodalEmbedding, MediaIndex
from media_samples import film, pdf, png, wav


class Listener(CustomLLM):
    """A local LLM that answers with a fixed sentence and keeps what it was shown."""

    answer: str = "It is red [1], not blue [9]."
    seen: list[ChatMessage] = Field(default_factory=list)

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="listener")

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        raise AssertionError("a chat was expected")

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        raise AssertionError("a chat was expected")

    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        self.seen = list(messages)
        return ChatResponse(message=ChatMessage(role="assistant", content=self.answer))


@pytest.fixture
def index(model: GeminiMultimodalEmbedding, tmp_path: Path) -> Iterator[MediaIndex]:
    """One file of each medium."""
    files = tmp_path / "files"
    files.mkdir()
    (files / "red.png").write_bytes(png("red"))
    (files / "tone.wav").write_bytes(wav(8.0, 440, 8000))
    (files / "clip.mp4").write_bytes(film())
    (files / "pages.pdf").write_bytes(pdf())
    (files / "words.txt").write_text("the bearing needs oil", encoding="utf-8")
    with MediaIndex.open(tmp_path / "storage", embed_model=model) as opened:
        opened.sync(files)
        yield opened


def shown(llm: Listener) -> list[Any]:
    """The blocks of the message with the sources."""
    return list(llm.seen[-1].blocks)


def test_words_and_citations(index: MediaIndex) -> None:
    """Sources are numbered from 1; the response lists those that exist among the ones cited."""
    llm = Listener()

    response = index.as_query_engine(llm, modalities=["text"], similarity_top_k=2).query("what does the bearing need?")

    blocks = shown(llm)
    assert blocks[0].text == "[1] words.txt, words\nthe bearing needs oil"
    assert blocks[1].text.startswith("[2] pages.pdf, page ")
    assert blocks[-1].text == "Question: what does the bearing need?"
    assert "numbers of the sources" in (llm.seen[0].content or "")
    assert (str(response), response.metadata) == (llm.answer, {"cited": [1]})
    assert len(response.source_nodes) == 2


async def test_a_picture(index: MediaIndex) -> None:
    """Its own bytes, in the asynchronous mode too."""
    llm = Listener()

    await index.as_query_engine(llm, modalities=["image"], similarity_top_k=1).aquery("red")

    words, picture, _ = shown(llm)
    assert words.text.startswith("[1] red.png")
    assert picture.resolve_image().read() == png("red")


def test_sound_and_film(index: MediaIndex) -> None:
    """Each is sent as the seconds that its node names, as playable media."""
    llm = Listener()
    index.as_query_engine(llm, modalities=["audio"], similarity_top_k=1).query("tone")
    words, sound, _ = shown(llm)
    assert "seconds 0 to" in words.text
    assert sound.block_type == "audio"
    assert sound.format in ("wav", "mp3")
    with av.open(sound.resolve_audio()) as opened:
        assert opened.streams.audio

    index.as_query_engine(llm, modalities=["video"], similarity_top_k=1).query("clip")
    video = shown(llm)[1]
    with av.open(video.resolve_video()) as opened:
        assert opened.streams.video
        assert not opened.streams.audio


def test_llms_that_take_sound_as_a_document(index: MediaIndex) -> None:
    """Some LLM classes refuse audio blocks; they get the same bytes under their MIME type."""

    class GoogleGenAI(Listener):
        @classmethod
        def class_name(cls) -> str:
            return "GoogleGenAI"

    llm = GoogleGenAI()
    index.as_query_engine(llm, modalities=["audio"], similarity_top_k=1).query("tone")

    sound = shown(llm)[1]
    assert sound.block_type == "document"
    assert sound.document_mimetype.startswith("audio/")


def test_a_page(index: MediaIndex, tmp_path: Path) -> None:
    """A PDF node is one page of its file, and is sent as such."""
    drawing = tmp_path / "drawing.pdf"
    document = pymupdf.open()
    document.new_page().insert_text((72, 72), "cover")
    page = document.new_page()
    for x in range(20, 500, 6):
        page.draw_line((x, 100), (600 - x, 700))
        page.draw_circle((x, 400), 30)
    drawing.write_bytes(document.tobytes())
    assert index.sync(drawing).nodes["document"] == 1
    llm = Listener()

    index.as_query_engine(llm, modalities=["document"], similarity_top_k=1).query("drawing")

    words, block, _ = shown(llm)
    assert "page 2" in words.text
    assert block.document_mimetype == "application/pdf"
    with pymupdf.open(stream=io.BytesIO(block.resolve_document().read()).read(), filetype="pdf") as sent:
        assert sent.page_count == 1


def test_media_that_have_gone_are_told_and_stop_nothing(index: MediaIndex, tmp_path: Path) -> None:
    """The LLM still gets the words, with a remark."""
    (tmp_path / "files" / "red.png").unlink()
    llm = Listener()

    index.as_query_engine(llm, modalities=["image"], similarity_top_k=1).query("red")

    words, question = shown(llm)
    assert "cannot be shown: the file is gone" in words.text
    assert question.text == "Question: red"
