"""Filters: LlamaIndex's conditions on metadata, as its own Qdrant store means them, for every engine of Qdrant's.

What an engine has to say them with is its ``Conditions``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from llama_index.core.vector_stores.types import FilterCondition, FilterOperator, MetadataFilter, MetadataFilters

from llama_index_gemini_mm.errors import ConfigurationError

DOCUMENT_ID = "doc_id"
"""The key in the payload that holds the id of a node's document."""
_RANGES = {
    FilterOperator.GT: "gt",
    FilterOperator.GTE: "gte",
    FilterOperator.LT: "lt",
    FilterOperator.LTE: "lte",
}
Bounds = Mapping[str, Any]
"""``gt``, ``gte``, ``lt`` or ``lte``, and what the value is held against."""


class Conditions(Protocol):
    """An engine's own conditions, made one by one; it never looks into them."""

    def group(self, must: Sequence[Any] = (), should: Sequence[Any] = (), must_not: Sequence[Any] = ()) -> Any:
        """All, at least one, and none of them."""
        ...

    def equal(self, key: str, value: str | int | bool) -> Any:
        """The value, or one of the values, is this one."""
        ...

    def among(self, key: str, values: list[Any]) -> Any:
        """It is one of these words, or of these whole numbers."""
        ...

    def outside(self, key: str, values: list[Any]) -> Any:
        """It is another one than these."""
        ...

    def within(self, key: str, bounds: Bounds) -> Any:
        """It is a number within bounds."""
        ...

    def dated(self, key: str, bounds: Bounds) -> Any:
        """It is a date within bounds in ISO 8601."""
        ...

    def text(self, key: str, words: str) -> Any:
        """These words are in it."""
        ...

    def empty(self, key: str) -> Any:
        """There is none."""
        ...

    def ids(self, ids: Sequence[str]) -> Any:
        """The point is one of these."""
        ...


def filter_of(
    make: Conditions,
    filters: MetadataFilters | None = None,
    doc_ids: Sequence[str] = (),
    point_ids: Sequence[str] = (),
) -> Any:
    """All conditions together as the engine's filter; ``None`` when there are none.

    Raises:
        ConfigurationError: an operator that Qdrant does not have.
    """
    must: list[Any] = []
    if doc_ids:
        must.append(make.among(DOCUMENT_ID, list(doc_ids)))
    if point_ids:
        must.append(make.ids(point_ids))
    if filters and filters.filters:
        must.append(_group(make, filters))
        if len(must) == 1:  # a group in a group takes the engine longer
            return must[0]
    return make.group(must=must) if must else None


def _group(make: Conditions, filters: MetadataFilters) -> Any:
    conditions: list[Any] = []
    for each in filters.filters:
        if isinstance(each, MetadataFilters):
            conditions += [_group(make, each)] if each.filters else []
        else:
            conditions.append(_condition(make, each))
    if filters.condition == FilterCondition.OR:
        return make.group(should=conditions)
    if filters.condition == FilterCondition.NOT:
        return make.group(must_not=conditions)
    return make.group(must=conditions)


def _condition(make: Conditions, wanted: MetadataFilter) -> Any:
    key, value, operator = wanted.key, wanted.value, wanted.operator
    match operator:
        case FilterOperator.EQ | FilterOperator.CONTAINS:
            return _any_of(make, key, [value])
        case FilterOperator.IN | FilterOperator.ANY:
            return _any_of(make, key, _values(value))
        case FilterOperator.NE:
            return _none_of(make, key, [value])
        case FilterOperator.NIN:
            return _none_of(make, key, _values(value))
        case FilterOperator.GT | FilterOperator.GTE | FilterOperator.LT | FilterOperator.LTE:
            bounds = {_RANGES[operator]: value}
            return make.dated(key, bounds) if isinstance(value, str) else make.within(key, bounds)
        case FilterOperator.TEXT_MATCH | FilterOperator.TEXT_MATCH_INSENSITIVE:
            return make.text(key, str(value))
        case FilterOperator.IS_EMPTY:
            return make.empty(key)
        case _:
            raise ConfigurationError(f"the filter operator {operator.value!r} is not known to Qdrant")


def _any_of(make: Conditions, key: str, values: list[Any]) -> Any:
    """Qdrant's lists hold words or whole numbers; truth values and fractions are compared one by one."""
    if len(values) == 1:
        return _equal(make, key, values[0])
    if {type(value) for value in values} in (set(), {str}, {int}):
        return make.among(key, values)
    return make.group(should=[_equal(make, key, value) for value in values])


def _none_of(make: Conditions, key: str, values: list[Any]) -> Any:
    """As Qdrant means it: a value, and another one. A point without the key does not match."""
    if {type(value) for value in values} in ({str}, {int}):
        return make.outside(key, values)
    return make.group(must_not=[make.empty(key), *(_equal(make, key, value) for value in values)])


def _equal(make: Conditions, key: str, value: Any) -> Any:
    if isinstance(value, float):
        return make.within(key, {"gte": value, "lte": value})
    return make.equal(key, value)


def _values(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple | set) else str(value).split(",")
