"""Cutting text into chunks that never exceed their size."""

from __future__ import annotations

from llama_index.core.node_parser import SentenceSplitter

_PIECE = r"[^,.;。？！]{0,199}[,.;。？！\s]|[^,.;。？！\s]{1,100}"
"""A phrase, or 100 characters of what has no end: without that bound a base64 blob falls apart into single characters,
each counted as a token."""

_SLACK = 4
"""Tokens kept free: a word that loses the blank before it, as the first of a chunk does, can cost a few more."""


def chunks_of(text: str, chunk_size: int, chunk_overlap: int) -> list[str]:
    """Chunks of at most ``chunk_size`` tokens at sentence ends; empty for blank text."""
    if not text.strip():
        return []
    splitter = SentenceSplitter(
        chunk_size=chunk_size - _SLACK,
        chunk_overlap=min(chunk_overlap, chunk_size // 2),
        secondary_chunking_regex=_PIECE,
    )
    return splitter.split_text(text)
