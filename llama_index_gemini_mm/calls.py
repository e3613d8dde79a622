"""One call through LlamaIndex: what it has achieved so far, although LlamaIndex hands over strings in portions.

Between ``get_text_embedding_batch`` (or a pipeline step) and the engine lies code of LlamaIndex that forgets the
finished portions when a later one fails, and that does not say which node a string comes from. Both are kept here, in
the context of the call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from llama_index_gemini_mm.engine.items import Vector
from llama_index_gemini_mm.engine.sender import Outcome
from llama_index_gemini_mm.errors import GeminiMMError


@dataclass(frozen=True)
class SkippedItem:
    """A node that got no vector: its id, the name of the error, and the reason in one line."""

    node_id: str
    error: str
    reason: str


@dataclass
class Call:
    """What has become of each text of a call, by the text.

    ``node_ids`` says which node a text comes from; ``skip`` whether bad items are left out rather than raised.
    """

    texts: Sequence[str]
    node_ids: Mapping[str, str] = field(default_factory=dict)
    skip: bool = False
    vectors: dict[str, Vector] = field(default_factory=dict)
    errors: dict[str, GeminiMMError] = field(default_factory=dict)

    def take(self, texts: Sequence[str], outcomes: Sequence[Outcome]) -> list[Vector]:
        """Record a portion. A bad item counts as an empty vector, to be left out by whoever skips it."""
        for text, outcome in zip(texts, outcomes, strict=True):
            if isinstance(outcome, GeminiMMError):
                self.errors[text] = outcome
            else:
                self.vectors[text] = outcome
        return [self.vectors.get(text, []) for text in texts]

    def fail(self, texts: Sequence[str], error: GeminiMMError) -> None:
        """Record what a portion had achieved when an error ended it, and which node the error is about."""
        self.vectors.update((texts[at], vector) for at, vector in error.completed.items())
        if error.position is not None and (node_id := self.node_ids.get(texts[error.position])):
            error.node_id = node_id
            error.args = (f"{error} (node {node_id})", *error.args[1:])
            error.position = self.texts.index(texts[error.position])

    def completed(self) -> dict[int, Vector]:
        """The vectors there are, by position in the call."""
        return {at: self.vectors[text] for at, text in enumerate(self.texts) if text in self.vectors}

    def skipped(self) -> list[SkippedItem]:
        """What was left out, and why."""
        return [SkippedItem(self.node_ids.get(t, ""), type(e).__name__, str(e)) for t, e in self.errors.items()]


_CURRENT: ContextVar[Call | None] = ContextVar("gemini_mm_call", default=None)


def current(texts: Sequence[str]) -> Call:
    """The call under way, or a new one for ``texts`` alone."""
    return _CURRENT.get() or Call(texts)


@contextmanager
def calling(texts: Sequence[str], node_ids: Mapping[str, str] | None = None, *, skip: bool = False) -> Iterator[Call]:
    """Make one call of everything inside; an error that leaves it carries all that was embedded before.

    A call inside another is part of that one.
    """
    outer = _CURRENT.get()
    if outer is not None:
        yield outer
        return
    call = Call(texts, node_ids or {}, skip)
    token = _CURRENT.set(call)
    try:
        yield call
    except GeminiMMError as error:
        error.completed = call.completed()
        raise
    finally:
        _CURRENT.reset(token)
