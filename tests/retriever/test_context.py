"""The order of what stands around a node, whatever order the store gives it in."""

from __future__ import annotations

import json
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode

from llama_index_gemini_mm.retriever._context import _in_reading_order


def texts() -> list[TextNode]:
    """Two sections of two chunks each on page 2, the second section of page 3; a figure stands between the sections."""
    nodes = []
    for name, page, top in (("a1", 2, 0.1), ("a2", 2, 0.1), ("b1", 2, 0.6), ("b2", 2, 0.6), ("c", 3, 0.5)):
        place = {"page_start": page, "bbox": json.dumps([[0.1, top, 0.9, top + 0.2]])}
        nodes.append(TextNode(id_=name, text=name, metadata=place))
    for before, after in (("a1", "a2"), ("a2", "figure"), ("figure", "b1"), ("b1", "b2"), ("b2", "c")):
        for node in nodes:
            if node.node_id == before:
                node.relationships[NodeRelationship.NEXT] = RelatedNodeInfo(node_id=after)
            if node.node_id == after:
                node.relationships[NodeRelationship.PREVIOUS] = RelatedNodeInfo(node_id=before)
    return nodes


@given(st.permutations(texts()))
def test_reading_order(nodes: Sequence[TextNode]) -> None:
    """By the links where they hold, else from the top down; every node once."""
    assert [node.node_id for node in _in_reading_order(nodes)] == ["a1", "a2", "b1", "b2", "c"]


def test_links_in_a_circle() -> None:
    """Broken links lose no node and end."""
    nodes = [TextNode(id_=name, text=name) for name in "xy"]
    for node, other in zip(nodes, "yx", strict=True):
        node.relationships[NodeRelationship.NEXT] = RelatedNodeInfo(node_id=other)
        node.relationships[NodeRelationship.PREVIOUS] = RelatedNodeInfo(node_id=other)

    assert [node.node_id for node in _in_reading_order(nodes)] == ["x", "y"]
