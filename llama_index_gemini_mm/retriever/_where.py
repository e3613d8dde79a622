"""Conditions on where a node stands, and all conditions together as LlamaIndex's filters. The engine applies them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llama_index.core.vector_stores.types import FilterCondition, FilterOperator, MetadataFilter, MetadataFilters

from llama_index_gemini_mm import media
from llama_index_gemini_mm.errors import ConfigurationError
from llama_index_gemini_mm.limits import MODALITIES, Modality
from llama_index_gemini_mm.source import Source

_Condition = MetadataFilter | MetadataFilters


@dataclass(frozen=True)
class Where:
    """Only nodes that stand there; all that is given must hold.

    Args:
        files: a path or URL, or several; any of them.
        folder: a folder or URL, at any depth below it.
        seconds: from and to; nodes of recordings and films that share a moment with it. A node without a time has none.
        pages: a number from 1, or the first and the last; nodes on one of these pages or slides.
        page_label: the label that is printed on the page.

    Raises:
        ConfigurationError: a range that ends before it begins.
    """

    files: str | Path | Sequence[str | Path] = ()
    folder: str | Path | None = None
    seconds: tuple[float, float] | None = None
    pages: int | tuple[int, int] | None = None
    page_label: str | None = None

    def __post_init__(self) -> None:
        for name, span in (("seconds", self.seconds), ("pages", self.pages)):
            if isinstance(span, tuple) and span[0] > span[1]:
                raise ConfigurationError(f"{name}={span} ends before it begins")

    def conditions(self) -> list[_Condition]:
        """The same as filters. That of ``folder`` lets others with the same words in their path through; see ``holds``.

        (No engine knows prefixes of keywords. All know whether a text is in another, or its words are.)
        """
        found: list[_Condition] = []
        if self.files:
            given = [self.files] if isinstance(self.files, str | Path) else self.files
            found.append(_is_in(media.FILE_PATH, [Source.of(each).location for each in given]))
        if self.folder is not None:
            found.append(_compared(media.FILE_PATH, FilterOperator.TEXT_MATCH, _inside(self.folder)))
        if self.seconds is not None:
            found += _overlapping(media.START_SECONDS, media.END_SECONDS, *self.seconds)
        if self.pages is not None:
            first, last = self.pages if isinstance(self.pages, tuple) else (self.pages, self.pages)
            on_page = _all(_overlapping(media.PAGE_START, media.PAGE_END, first, last))
            on_slide = _all(_overlapping(media.SLIDE, media.SLIDE, first, last))
            found.append(MetadataFilters(filters=[on_page, on_slide], condition=FilterCondition.OR))
        if self.page_label is not None:
            found.append(MetadataFilter(key=media.PAGE_LABEL, value=self.page_label))
        return found

    def holds(self, metadata: Mapping[str, Any]) -> bool:
        """Whether what the filters let through is there, too."""
        return self.folder is None or str(metadata.get(media.FILE_PATH, "")).startswith(_inside(self.folder))


def filters_of(
    modalities: Sequence[Modality], filters: MetadataFilters | None, where: Where | None
) -> MetadataFilters | None:
    """All conditions together; ``None`` when there are none.

    Raises:
        ConfigurationError: a modality that is none.
    """
    unknown = [each for each in modalities if each not in MODALITIES]
    if unknown:
        raise ConfigurationError(f"modality {unknown[0]!r} is unknown; use one of {', '.join(MODALITIES)}")
    conditions = where.conditions() if where else []
    if modalities:
        conditions.insert(0, _is_in(media.MODALITY, modalities))
    if filters and not conditions:
        return filters
    if filters:
        conditions.append(filters)
    return _all(conditions) if conditions else None


def of_modality(modality: Modality, filters: MetadataFilters | None, *, or_none: bool = False) -> MetadataFilters:
    """``filters``, and only nodes of one modality; with ``or_none`` those without any, too."""
    wanted: _Condition = MetadataFilter(key=media.MODALITY, value=modality)
    if or_none:
        none = _compared(media.MODALITY, FilterOperator.IS_EMPTY, None)
        wanted = MetadataFilters(filters=[wanted, none], condition=FilterCondition.OR)
    return _all([wanted, filters] if filters else [wanted])


def _inside(folder: str | Path) -> str:
    """How the paths of all files in a folder begin."""
    location = Source.of(folder).location
    sign = "/" if "://" in location else os.sep
    return location.rstrip(sign) + sign


def _is_in(key: str, values: Sequence[str]) -> MetadataFilter:
    return MetadataFilter(key=key, value=list(values), operator=FilterOperator.IN)


def _overlapping(start: str, end: str, first: float, last: float) -> list[_Condition]:
    return [_compared(start, FilterOperator.LTE, last), _compared(end, FilterOperator.GTE, first)]


def _compared(key: str, operator: FilterOperator, value: float | str | None) -> MetadataFilter:
    return MetadataFilter(key=key, value=value, operator=operator)


def _all(conditions: Sequence[_Condition]) -> MetadataFilters:
    return MetadataFilters(filters=list(conditions))
