"""Filters: LlamaIndex's conditions on metadata as Qdrant's, as LlamaIndex's own Qdrant store means them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llama_index.core.vector_stores.types import FilterCondition, FilterOperator, MetadataFilter, MetadataFilters
from qdrant_client import models

from llama_index_gemini_mm.errors import ConfigurationError

DOCUMENT_ID = "doc_id"
"""The key in the payload that holds the id of a node's document."""
_RANGES = {
    FilterOperator.GT: "gt",
    FilterOperator.GTE: "gte",
    FilterOperator.LT: "lt",
    FilterOperator.LTE: "lte",
}


def filter_of(
    filters: MetadataFilters | None = None, doc_ids: Sequence[str] = (), point_ids: Sequence[str] = ()
) -> models.Filter | None:
    """All conditions together as Qdrant's filter; ``None`` when there are none.

    Raises:
        ConfigurationError: an operator that Qdrant does not have.
    """
    must: list[Any] = []
    if doc_ids:
        must.append(models.FieldCondition(key=DOCUMENT_ID, match=models.MatchAny(any=list(doc_ids))))
    if point_ids:
        must.append(models.HasIdCondition(has_id=list(point_ids)))
    if filters and filters.filters:
        must.append(_group(filters))
    return models.Filter(must=must) if must else None


def _group(filters: MetadataFilters) -> models.Filter:
    conditions: list[Any] = []
    for each in filters.filters:
        if isinstance(each, MetadataFilters):
            conditions += [_group(each)] if each.filters else []
        else:
            conditions.append(_condition(each))
    if filters.condition == FilterCondition.OR:
        return models.Filter(should=conditions)
    if filters.condition == FilterCondition.NOT:
        return models.Filter(must_not=conditions)
    return models.Filter(must=conditions)


def _condition(wanted: MetadataFilter) -> Any:
    key, value, operator = wanted.key, wanted.value, wanted.operator
    match operator:
        case FilterOperator.GT | FilterOperator.GTE | FilterOperator.LT | FilterOperator.LTE:
            return _bounded(key, _RANGES[operator], value)
        case FilterOperator.IS_EMPTY:
            return _empty(key)
        case FilterOperator.EQ | FilterOperator.CONTAINS:
            return _any_of(key, [value])
        case FilterOperator.IN | FilterOperator.ANY:
            return _any_of(key, _values(value))
        case FilterOperator.NE:
            return _none_of(key, [value])
        case FilterOperator.NIN:
            return _none_of(key, _values(value))
        case FilterOperator.TEXT_MATCH | FilterOperator.TEXT_MATCH_INSENSITIVE:
            return models.FieldCondition(key=key, match=models.MatchText(text=str(value)))
        case _:
            raise ConfigurationError(f"the filter operator {operator.value!r} is not known to Qdrant")


def _bounded(key: str, bound: str, value: Any) -> models.FieldCondition:
    """A bound on a number, or on a date in ISO 8601."""
    if isinstance(value, str):
        return models.FieldCondition(key=key, range=models.DatetimeRange(**{bound: value}))
    return models.FieldCondition(key=key, range=models.Range(**{bound: value}))


def _any_of(key: str, values: list[Any]) -> Any:
    """Qdrant's lists hold words or whole numbers; truth values and fractions are compared one by one."""
    if len(values) == 1:
        return _equal(key, values[0])
    if {type(value) for value in values} in (set(), {str}, {int}):
        return models.FieldCondition(key=key, match=models.MatchAny(any=values))
    return models.Filter(should=[_equal(key, value) for value in values])


def _none_of(key: str, values: list[Any]) -> Any:
    """As Qdrant means it: a value, and another one. A point without the key does not match."""
    if {type(value) for value in values} in ({str}, {int}):
        return models.FieldCondition(key=key, match=models.MatchExcept(**{"except": values}))
    return models.Filter(must_not=[_empty(key), *(_equal(key, value) for value in values)])


def _equal(key: str, value: Any) -> models.FieldCondition:
    if isinstance(value, float):
        return models.FieldCondition(key=key, range=models.Range(gte=value, lte=value))
    return models.FieldCondition(key=key, match=models.MatchValue(value=value))


def _empty(key: str) -> models.IsEmptyCondition:
    return models.IsEmptyCondition(is_empty=models.PayloadField(key=key))


def _values(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple | set) else str(value).split(",")
