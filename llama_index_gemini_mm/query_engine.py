"""From retrieved nodes to an answer: the media themselves go to a multimodal LLM, and the answer says what it rests on.

LlamaIndex's own multimodal synthesis sends whole files, drops PDF pages, and fails when a file has gone. Here each node
becomes what its reference names: the seconds, the page, the picture; with a number that the answer can cite.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.llms.types import (
    AudioBlock,
    ChatMessage,
    ChatResponse,
    ContentBlock,
    DocumentBlock,
    ImageBlock,
    MessageRole,
    TextBlock,
    VideoBlock,
)
from llama_index.core.base.response.schema import Response
from llama_index.core.callbacks import CallbackManager
from llama_index.core.llms import LLM
from llama_index.core.prompts.mixin import PromptMixinType
from llama_index.core.schema import NodeWithScore, QueryBundle

from llama_index_gemini_mm import media
from llama_index_gemini_mm.errors import CorruptFile, MediaMissing
from llama_index_gemini_mm.media_store import MediaStore

INSTRUCTIONS = (
    "Answer the question from the numbered sources alone. They may be texts, pictures, recordings, films or pages. "
    "After each statement give the numbers of the sources it rests on in brackets, as in [2] or [1][3]. "
    "If the sources do not hold the answer, say so."
)
_CITED = re.compile(r"\[(\d+)\]")
_AUDIO_FORMATS = {"audio/mpeg": "mp3", "audio/wav": "wav"}
_NO_AUDIO_BLOCKS = frozenset({"GoogleGenAI"})
"""LLM classes of LlamaIndex that refuse ``AudioBlock`` and take sound as a document."""


class MediaQueryEngine(BaseQueryEngine):
    """Retrieves, shows the media to a multimodal LLM, and returns its answer with the sources it cites.

    The response's ``source_nodes`` are all retrieved nodes in the order of their numbers; ``metadata["cited"]`` lists
    the numbers that the answer cites.

    Args:
        retriever: any retriever over nodes of this package.
        llm: a LlamaIndex LLM that takes the media in question.
        media_store: where the nodes' media are looked up.
        instructions: the system message.
    """

    def __init__(
        self,
        retriever: BaseRetriever,
        llm: LLM,
        media_store: MediaStore,
        *,
        instructions: str = INSTRUCTIONS,
        callback_manager: CallbackManager | None = None,
    ) -> None:
        self._retriever = retriever
        self._llm = llm
        self._media_store = media_store
        self._instructions = instructions
        super().__init__(callback_manager)

    def _get_prompt_modules(self) -> PromptMixinType:
        return {}

    def _query(self, query_bundle: QueryBundle) -> Response:
        found = self._retriever.retrieve(query_bundle)
        return _response(self._llm.chat(self.messages(query_bundle.query_str, found)), found)

    async def _aquery(self, query_bundle: QueryBundle) -> Response:
        found = await self._retriever.aretrieve(query_bundle)
        return _response(await self._llm.achat(self.messages(query_bundle.query_str, found)), found)

    def messages(self, question: str, found: Sequence[NodeWithScore]) -> list[ChatMessage]:
        """What the LLM is sent: the instructions, then all sources and the question."""
        blocks = [block for number, each in enumerate(found, 1) for block in self._blocks(number, each)]
        blocks.append(TextBlock(text=f"Question: {question}"))
        return [
            ChatMessage(role=MessageRole.SYSTEM, content=self._instructions),
            ChatMessage(role=MessageRole.USER, blocks=blocks),
        ]

    def _blocks(self, number: int, found: NodeWithScore) -> list[ContentBlock]:
        """A heading with number and place, the words, and the media if they can still be had."""
        item = media.media_of(found.node)
        head = f"[{number}] {_place(found.node.metadata)}"
        words = f"{head}\n{found.node.get_content()}".strip()
        if item is None:
            return [TextBlock(text=words)]
        try:
            data, mime_type = self._media_store.cut(item.ref)
        except (MediaMissing, CorruptFile) as error:
            return [TextBlock(text=f"{words}\n(the media cannot be shown: {error.reason})")]
        return [TextBlock(text=words), self._media_block(data, mime_type)]

    def _media_block(self, data: bytes, mime_type: str) -> ContentBlock:
        kind = mime_type.partition("/")[0]
        if kind == "image":
            return ImageBlock(image=data, image_mimetype=mime_type)
        if kind == "video":
            return VideoBlock(video=data, video_mimetype=mime_type)
        if kind == "audio" and self._llm.class_name() not in _NO_AUDIO_BLOCKS:
            return AudioBlock(audio=data, format=_AUDIO_FORMATS.get(mime_type))
        return DocumentBlock(data=data, document_mimetype=mime_type, title=kind)


def _place(metadata: dict[str, Any]) -> str:
    """File, page or time, and title, for the LLM and for people who read its sources."""
    terms = [str(metadata.get(media.FILE_NAME, ""))]
    if media.START_SECONDS in metadata and media.END_SECONDS in metadata:
        terms.append(f"seconds {metadata[media.START_SECONDS]:g} to {metadata[media.END_SECONDS]:g}")
    elif media.PAGE_LABEL in metadata:
        terms.append(f"page {metadata[media.PAGE_LABEL]}")
    elif media.SLIDE in metadata:
        terms.append(f"slide {metadata[media.SLIDE]}")
    terms.append(str(metadata.get(media.TITLE, "")))
    return ", ".join(filter(None, terms))


def _response(answer: ChatResponse, found: Sequence[NodeWithScore]) -> Response:
    text = answer.message.content or ""
    cited = [int(number) for number in dict.fromkeys(_CITED.findall(text)) if 1 <= int(number) <= len(found)]
    return Response(text, source_nodes=list(found), metadata={"cited": cited})
