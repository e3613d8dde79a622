"""The model before: ``gemini-embedding-001``, so that moving away from it can be tried.

Like the real one it takes text alone, believes ``taskType`` and no prefix, and is of unit length at 3,072 numbers only.
Its vectors lie in a space of their own.

Source: https://ai.google.dev/gemini-api/docs/embeddings
"""

from __future__ import annotations

from collections import Counter

from llama_index_gemini_mm.emulator.features.space import HashedSpace, blend, unit
from llama_index_gemini_mm.emulator.features.text import Text
from llama_index_gemini_mm.emulator.model import Embedded, Tokens
from llama_index_gemini_mm.emulator.replies import invalid
from llama_index_gemini_mm.emulator.wire import EmbedRequest

OLDER_MODEL = "gemini-embedding-001"
OLDER_INPUT_TOKENS = 2048
OLDER_ROUTES = ("embedContent", "batchEmbedContents")
"""The routes on which the emulator has it."""
_TASK_WEIGHT = 0.2


class OlderModel:
    """Embeds text by its words, deterministically. It is not Gemini either."""

    def __init__(self) -> None:
        self._space = HashedSpace()

    def embed(self, request: EmbedRequest) -> Embedded:
        """The vector of one Content of words; cut off behind 2,048 tokens without a word, as the service does.

        Raises:
            Refusal: 400 for media.
        """
        content = request.content
        if any(part.text is None for part in content.parts):
            raise invalid(f"{OLDER_MODEL} supports text only.")
        text = Text(content.text)
        truncated = text.tokens > OLDER_INPUT_TOKENS
        if truncated:
            text = text.cut(OLDER_INPUT_TOKENS)
        words = {f"{OLDER_MODEL}:{name}": weight for name, weight in text.features().items()}
        task = {f"task:{content.task_type}": 1.0} if content.task_type else {}
        vector = unit(self._space.project(blend((words, 1.0), (task, _TASK_WEIGHT)) or {"nothing": 1.0}))
        tokens: Tokens = Counter({"text": text.tokens})
        return Embedded(vector[: request.dimensions], tokens, truncated)
