"""Task prefixes: how ``gemini-embedding-2`` is told what a text is for (it ignores ``taskType``).

Source: https://ai.google.dev/gemini-api/docs/embeddings. Only a Content of words
alone gets one; text beside media does not.
"""

from __future__ import annotations

from llama_index_gemini_mm.engine.items import EmbedItem, Part

PREFIX_VERSION = 1
"""Raised whenever a prefix changes, because vectors made with different prefixes must not be mixed."""

TASKS: dict[str, str] = {
    "retrieval": "search result",
    "question_answering": "question answering",
    "fact_checking": "fact checking",
    "code_retrieval": "code retrieval",
    "classification": "classification",
    "clustering": "clustering",
    "similarity": "sentence similarity",
}
SYMMETRIC_TASKS = frozenset({"classification", "clustering", "similarity"})
"""Tasks in which documents are written like queries."""


def prefixed(item: EmbedItem, task: str) -> EmbedItem:
    """``item`` as it is sent; media items are unchanged."""
    if not item.is_text:
        return item
    text = "\n".join([part.text or "" for part in item.parts])
    if item.role == "query" or task in SYMMETRIC_TASKS:
        words = f"task: {TASKS[task]} | query: {text}"
    else:
        words = f"title: {item.title or 'none'} | text: {text}"
    return EmbedItem((Part(text=words),), item.role, item.title, item.name)
