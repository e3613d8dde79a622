"""Records: what an old index holds, entry by entry, and how a stored payload becomes a node again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llama_index.core.schema import BaseNode, TextNode
from llama_index.core.vector_stores.utils import metadata_dict_to_node

from llama_index_gemini_mm.vector_store.points import NODE_CONTENT

_TEXT_KEYS = ("page_content", "text", "document", "content")
"""Where others keep the text; the first is LangChain's."""
_METADATA = "metadata"
_BROKEN = (ValueError, TypeError, KeyError, AttributeError, NotImplementedError)
"""What LlamaIndex raises for content that it cannot make a node of."""


@dataclass(frozen=True)
class Record:
    """One entry of an old index: its id there, and its node, or the reason why there is none."""

    id: str
    node: BaseNode | None
    reason: str = ""


def record_of(record_id: str, payload: Mapping[str, Any], text: str | None = None) -> Record:
    """The entry behind a payload of LlamaIndex, LangChain or anyone who keeps the text beside the vector.

    Args:
        record_id: the id in the old index; a node that has none of its own gets it.
        payload: what is stored with the vector.
        text: the text, where the store keeps it apart.
    """
    reason = f"its payload holds neither {NODE_CONTENT} nor a text ({', '.join(_TEXT_KEYS)})"
    if payload.get(NODE_CONTENT):
        try:
            return Record(record_id, metadata_dict_to_node(dict(payload), text=text))
        except _BROKEN as error:
            reason = f"its {NODE_CONTENT} cannot be read: {' '.join(str(error).split())[:160]}"
    key = next((key for key in _TEXT_KEYS if isinstance(payload.get(key), str) and payload[key].strip()), None)
    if key is None and not (text and text.strip()):
        return Record(record_id, None, reason)
    inner = payload.get(_METADATA)
    metadata = dict(inner) if isinstance(inner, dict) else {k: v for k, v in payload.items() if k != key}
    metadata = {k: v for k, v in metadata.items() if not k.startswith("_node_")}
    node = TextNode(
        id_=record_id,
        text=payload[key] if key else text or "",
        metadata=metadata,
        excluded_embed_metadata_keys=list(metadata),  # those who keep text so have embedded the text alone
    )
    return Record(record_id, node)
