"""Qdrant's filters in the types of its embedded engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import qdrant_edge as edge
from qdrant_client import models


def edge_filter(condition: models.Filter) -> edge.Filter:
    """The same filter for the embedded engine."""
    return edge.Filter(must=_all(condition.must), should=_all(condition.should), must_not=_all(condition.must_not))


def _all(conditions: Any) -> list[Any] | None:
    return [_CONVERT[type(each)](each) for each in conditions] if conditions is not None else None


def _field(condition: models.FieldCondition) -> edge.FieldCondition:
    bounds: Any = condition.range
    if isinstance(bounds, models.DatetimeRange):
        return edge.FieldCondition(key=condition.key, range=_dates(bounds))
    if bounds is not None:
        within = edge.RangeFloat(gte=bounds.gte, gt=bounds.gt, lte=bounds.lte, lt=bounds.lt)
        return edge.FieldCondition(key=condition.key, range=within)
    return edge.FieldCondition(key=condition.key, match=_match(condition.match))


def _dates(bounds: models.DatetimeRange) -> edge.RangeDateTime:
    texts = {name: value.isoformat() for name, value in bounds if value is not None}
    return edge.RangeDateTime(**texts)


def _list(values: Any) -> Any:
    return list(values)


def _match(wanted: Any) -> Any:
    match wanted:
        case models.MatchValue():
            return edge.MatchValue(value=wanted.value)
        case models.MatchAny():
            return edge.MatchAny(any=_list(wanted.any))
        case models.MatchExcept():
            return edge.MatchExcept(_list(wanted.except_))  # its stub has another name for the argument
        case models.MatchText():
            return edge.MatchText(text=wanted.text)
        case _:
            raise TypeError(f"no such match in the embedded engine: {type(wanted).__name__}")


_CONVERT: Mapping[type, Callable[[Any], Any]] = {
    models.Filter: edge_filter,
    models.FieldCondition: _field,
    models.HasIdCondition: lambda condition: edge.HasIdCondition(set(condition.has_id)),
    models.IsEmptyCondition: lambda condition: edge.IsEmptyCondition(condition.is_empty.key),
}
