"""Conditions of Qdrant's embedded engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import qdrant_edge as edge

from llama_index_gemini_mm.vector_store.filters import Bounds


class EdgeConditions:
    """``Conditions`` in the types of ``qdrant_edge``."""

    def group(self, must: Sequence[Any] = (), should: Sequence[Any] = (), must_not: Sequence[Any] = ()) -> edge.Filter:
        """All, at least one, and none of them."""
        return edge.Filter(
            must=list(must) if must else None,
            should=list(should) if should else None,
            must_not=list(must_not) if must_not else None,
        )

    def equal(self, key: str, value: str | int | bool) -> edge.FieldCondition:
        """The value, or one of the values, is this one."""
        return edge.FieldCondition(key=key, match=edge.MatchValue(value=value))

    def among(self, key: str, values: list[Any]) -> edge.FieldCondition:
        """It is one of these."""
        return edge.FieldCondition(key=key, match=edge.MatchAny(any=values))

    def outside(self, key: str, values: list[Any]) -> edge.FieldCondition:
        """It is another one than these."""
        return edge.FieldCondition(
            key=key, match=edge.MatchExcept(values)
        )  # its stub has another name for the argument

    def within(self, key: str, bounds: Bounds) -> edge.FieldCondition:
        """It is a number within bounds."""
        return edge.FieldCondition(key=key, range=edge.RangeFloat(**bounds))

    def dated(self, key: str, bounds: Bounds) -> edge.FieldCondition:
        """It is a date within bounds."""
        return edge.FieldCondition(key=key, range=edge.RangeDateTime(**bounds))

    def text(self, key: str, words: str) -> edge.FieldCondition:
        """These words are in it."""
        return edge.FieldCondition(key=key, match=edge.MatchText(text=words))

    def empty(self, key: str) -> edge.IsEmptyCondition:
        """There is none."""
        return edge.IsEmptyCondition(key)

    def ids(self, ids: Sequence[str]) -> edge.HasIdCondition:
        """The point is one of these."""
        return edge.HasIdCondition(set(ids))
