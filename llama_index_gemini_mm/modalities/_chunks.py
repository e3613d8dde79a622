"""Cutting text into chunks that never exceed their size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.node_parser.text.utils import split_by_sentence_tokenizer
from llama_index.core.utils import get_tokenizer

from llama_index_gemini_mm.engine.tokens import text_tokens
from llama_index_gemini_mm.limits import MAX_INPUT_TOKENS

_PIECE = r"[^,.;。？！]{0,199}[,.;。？！\s]|[^,.;。？！\s]{1,100}"
"""A phrase, or 100 characters of what has no end: without that bound a base64 blob falls apart into single characters,
each counted as a token."""

_SLACK = 4
"""Tokens kept free: a word that loses the blank before it, as the first of a chunk does, can cost a few more."""

_PREFIX = 32
"""Tokens of the model's window kept free for a task prefix without its title."""


def chunks_of(text: str, chunk_size: int, chunk_overlap: int, *, title: str = "", media_tokens: int = 0) -> list[str]:
    """Chunks of at most ``chunk_size`` tokens at sentence ends; empty for blank text.

    Tokens are counted as LlamaIndex does, for the same size to mean the same everywhere. That is another model's count,
    so each chunk also fits, by this package's own estimate, into the window beside ``title`` and ``media_tokens``.
    """
    if not text.strip():
        return []
    size = chunk_size - _SLACK
    splitter = SentenceSplitter(
        chunk_size=size,
        chunk_overlap=min(chunk_overlap, chunk_size // 2),
        tokenizer=_counter(size, MAX_INPUT_TOKENS - _PREFIX - text_tokens(title) - media_tokens),
        chunking_tokenizer_fn=_sentences(),
        secondary_chunking_regex=_PIECE,
    )
    return splitter.split_text(text)


def lines_of(text: str, chunks: Sequence[str], first_line: int) -> Iterator[tuple[int, int]]:
    """The first and last line of each chunk of ``text``, whose own first line has the number ``first_line``."""
    start = counted = lines = 0
    for number, chunk in enumerate(chunks):
        # A chunk begins behind the one before, of which it may repeat the end.
        found = text.find(chunk, start + min(number, 1))
        start = max(found, start)
        lines += text.count("\n", counted, start)
        counted = start
        yield first_line + lines, first_line + lines + chunk.count("\n")


def _sentences() -> Callable[[str], list[str]]:
    """LlamaIndex's sentences, each found once.

    A sentence that is too long is given to the same function again. Of ``![![![…`` that one bites off two characters
    each time, and looks through all the rest for it.
    """
    split = split_by_sentence_tokenizer()
    found: set[str] = set()

    def once(text: str) -> list[str]:
        sentences = [text] if text in found else split(text)
        found.update(sentences)
        return sentences

    return once


def _counter(size: int, room: int) -> Callable[[str], range]:
    """Counts so that a text passes ``size`` when it does by LlamaIndex's count, or passes ``room`` by ours."""
    tokens_of = get_tokenizer()
    return lambda text: range(max(len(tokens_of(text)), -(-text_tokens(text) * size // room)))
