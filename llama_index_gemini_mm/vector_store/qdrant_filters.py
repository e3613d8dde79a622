"""Conditions of ``qdrant-client``, for servers and its local mode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qdrant_client import models

from llama_index_gemini_mm.vector_store.filters import Bounds


class QdrantConditions:
    """``Conditions`` in the types of ``qdrant_client.models``."""

    def group(
        self, must: Sequence[Any] = (), should: Sequence[Any] = (), must_not: Sequence[Any] = ()
    ) -> models.Filter:
        """All, at least one, and none of them."""
        return models.Filter(
            must=list(must) if must else None,
            should=list(should) if should else None,
            must_not=list(must_not) if must_not else None,
        )

    def equal(self, key: str, value: str | int | bool) -> models.FieldCondition:
        """The value, or one of the values, is this one."""
        return models.FieldCondition(key=key, match=models.MatchValue(value=value))

    def among(self, key: str, values: list[Any]) -> models.FieldCondition:
        """It is one of these."""
        return models.FieldCondition(key=key, match=models.MatchAny(any=values))

    def outside(self, key: str, values: list[Any]) -> models.FieldCondition:
        """It is another one than these."""
        return models.FieldCondition(key=key, match=models.MatchExcept(**{"except": values}))

    def within(self, key: str, bounds: Bounds) -> models.FieldCondition:
        """It is a number within bounds."""
        return models.FieldCondition(key=key, range=models.Range(**bounds))

    def dated(self, key: str, bounds: Bounds) -> models.FieldCondition:
        """It is a date within bounds."""
        return models.FieldCondition(key=key, range=models.DatetimeRange(**bounds))

    def text(self, key: str, words: str) -> models.FieldCondition:
        """These words are in it."""
        return models.FieldCondition(key=key, match=models.MatchText(text=words))

    def empty(self, key: str) -> models.IsEmptyCondition:
        """There is none."""
        return models.IsEmptyCondition(is_empty=models.PayloadField(key=key))

    def ids(self, ids: Sequence[str]) -> models.HasIdCondition:
        """The point is one of these."""
        return models.HasIdCondition(has_id=list(ids))
