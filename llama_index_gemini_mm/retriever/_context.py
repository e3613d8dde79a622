"""What stands around the nodes found: the nodes before and after, and the text that they stand in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from llama_index.core.schema import BaseNode, NodeRelationship, RelatedNodeInfo
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
)

from llama_index_gemini_mm import media
from llama_index_gemini_mm.retriever._places import Place
from llama_index_gemini_mm.vector_store.filters import DOCUMENT_ID


def with_context(
    store: BasePydanticVectorStore, places: Sequence[Place], neighbours: int, parents: bool
) -> list[Place]:
    """``places`` with what stands around their best nodes.

    That is so many ``neighbours`` before and after each, in the order in which its file was read, and between them, for
    ``parents``, the text that it stands in: for a piece of text the rest of its section, for a picture or page the text
    of its page, slide or section, for a recording the text over the same seconds.
    """
    before = _linked(store, places, NodeRelationship.PREVIOUS, neighbours)
    after = _linked(store, places, NodeRelationship.NEXT, neighbours)
    made = []
    for place, earlier, later in zip(places, before, after, strict=True):
        around = _text_around(store, place.best.metadata) if parents else []
        there = {match.node.node_id for match in place.matches}
        unique = {node.node_id: node for node in (*reversed(earlier), *around, *later)}
        context = [node for node in unique.values() if node.node_id not in there]
        made.append(replace(place, context=tuple(context)))
    return made


def _linked(
    store: BasePydanticVectorStore, places: Sequence[Place], direction: NodeRelationship, steps: int
) -> list[list[BaseNode]]:
    """Of each place the next nodes in one direction, nearest first; one fetch for each step."""
    found: list[list[BaseNode]] = [[] for _ in places]
    ends: list[BaseNode | None] = [place.best.node for place in places]
    for _ in range(steps):
        ids = [_link(node, direction) for node in ends]
        wanted = [each for each in dict.fromkeys(ids) if each]
        nodes = {node.node_id: node for node in (store.get_nodes(wanted) if wanted else ())}
        ends = [nodes.get(each) if each else None for each in ids]
        for nearest, node in zip(found, ends, strict=True):
            if node is not None:
                nearest.append(node)
    return found


def _link(node: BaseNode | None, direction: NodeRelationship) -> str | None:
    related = node.relationships.get(direction) if node is not None else None
    return related.node_id if isinstance(related, RelatedNodeInfo) else None


def _text_around(store: BasePydanticVectorStore, metadata: Mapping[str, Any]) -> list[BaseNode]:
    conditions = _around(metadata)
    if not conditions:
        return []
    return _in_reading_order(store.get_nodes(filters=MetadataFilters(filters=list(conditions))))


def _around(metadata: Mapping[str, Any]) -> list[MetadataFilter]:
    """The conditions for the text that a node stands in; none when it stands in no text that could be told."""
    if metadata.get(media.MODALITY, "text") == "text":
        document = metadata.get(DOCUMENT_ID)
        return [MetadataFilter(key=DOCUMENT_ID, value=document)] if document else []
    file = metadata.get(media.FILE_PATH)
    where = _same_stretch(metadata)
    if not file or not where:
        return []
    text = MetadataFilter(key=media.MODALITY, value="text")
    return [MetadataFilter(key=media.FILE_PATH, value=file), text, *where]


def _same_stretch(metadata: Mapping[str, Any]) -> list[MetadataFilter]:
    """Of page, slide, seconds and section the first that is known."""
    if media.PAGE_START in metadata:
        return _between(media.PAGE_START, media.PAGE_END, metadata[media.PAGE_START], metadata[media.PAGE_END])
    if media.SLIDE in metadata:
        return [MetadataFilter(key=media.SLIDE, value=metadata[media.SLIDE])]
    if media.START_SECONDS in metadata and media.END_SECONDS in metadata:
        span = metadata[media.START_SECONDS], metadata[media.END_SECONDS]
        return _between(media.START_SECONDS, media.END_SECONDS, *span)
    if media.HEADING_PATH in metadata:
        return [MetadataFilter(key=media.HEADING_PATH, value=metadata[media.HEADING_PATH])]
    return []


def _between(start: str, end: str, first: float, last: float) -> list[MetadataFilter]:
    return [
        MetadataFilter(key=start, value=last, operator=FilterOperator.LTE),
        MetadataFilter(key=end, value=first, operator=FilterOperator.GTE),
    ]


def _in_reading_order(nodes: Sequence[BaseNode]) -> list[BaseNode]:
    """Nodes of one file as its links have them; runs that are not linked to each other from the top down."""
    by_id = {node.node_id: node for node in nodes}
    behind = {each.node_id: _link(each, NodeRelationship.NEXT) for each in nodes}
    first = [each for each in nodes if _link(each, NodeRelationship.PREVIOUS) not in by_id]
    first.sort(key=_height)
    order: dict[str, BaseNode] = {}
    for node in first:
        at: str | None = node.node_id
        while at in by_id and at not in order:
            order[at] = by_id[at]
            at = behind[at]
    return [*order.values(), *(node for node in nodes if node.node_id not in order)]


def _height(node: BaseNode) -> tuple[float, float]:
    """How far down in its file a node stands: page or slide or second, and how far down on the page."""
    data, boxes = node.metadata, media.boxes_of(node.metadata)
    at = next((data[key] for key in (media.PAGE_START, media.SLIDE, media.START_SECONDS) if key in data), 0)
    return float(at), boxes[0][1] if boxes else 0.0
