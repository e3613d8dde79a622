"""Old nodes in this package's contract: same id, text, metadata and relationships, and what their medium is.

What the old model saw of a text node's metadata the new one sees too, because whoever built the index chose it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llama_index.core.schema import BaseNode, Document, MetadataMode, Node, TextNode

from llama_index_gemini_mm import media
from llama_index_gemini_mm.engine.tokens import tokens_of
from llama_index_gemini_mm.errors import MediaMissing
from llama_index_gemini_mm.limits import MAX_INPUT_TOKENS, MODALITIES
from llama_index_gemini_mm.media import MediaRef, harmless
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.modalities import media_in
from llama_index_gemini_mm.modalities._chunks import chunks_of
from llama_index_gemini_mm.pricing import weighed

_REFS = (media.MEDIA_REF, media.THUMBNAIL_REF)


class NodeAdapter:
    """Brings nodes of any maker into the contract.

    Args:
        store: where their media are to lie.
        task: what the vectors are for; its prefix takes a few tokens of the window.
        former: where the media of nodes of this package lie, if that is another place.
    """

    def __init__(self, store: MediaStore, task: str, former: MediaStore | None = None) -> None:
        self._store = store
        self._task = task
        self._former = None if former == store else former

    def adapted(self, node: BaseNode) -> list[BaseNode]:
        """The node; in several pieces, of which the first keeps the id, when its text passes the model's window.

        Raises:
            SourceError: the file of its picture, sound or film is not there.
            MediaMissing: likewise, for a node of this package.
        """
        if node.metadata.get(media.MODALITY) in MODALITIES:
            self._carry(node.metadata)
            ours = _copy(node, dict(node.metadata), _text(node))
            return [ours] if media.MEDIA_REF in node.metadata else self._fitting(ours)
        modality, item = media_in(node, self._store)
        if item is None:
            return self._fitting(_text_node(node))
        title = str(node.metadata.get(media.TITLE) or "")
        metadata = {key: value for key, value in node.metadata.items() if key not in (*media.MEDIA_KEYS, media.TITLE)}
        built = media.build(Node, node.node_id, modality, _text(node), metadata, title=title, media=item)
        built.relationships = dict(node.relationships)
        return [built]

    def _fitting(self, node: BaseNode) -> list[BaseNode]:
        if not self._is_too_long(node.get_content(metadata_mode=MetadataMode.EMBED)):
            return [node]
        chunks = chunks_of(_text(node), MAX_INPUT_TOKENS, 0, title=node.get_metadata_str(mode=MetadataMode.EMBED))
        pieces = [_copy(node, dict(node.metadata), chunk) for chunk in chunks]
        for number, piece in enumerate(pieces[1:], 1):
            piece.id_ = media.stable_id(node.node_id, "text", str(number))
        return pieces or [node]

    def _is_too_long(self, text: str) -> bool:
        if len(text.encode()) < MAX_INPUT_TOKENS // 2:  # a token is at least a byte
            return False
        return tokens_of(weighed(text, self._store, self._task)) > MAX_INPUT_TOKENS

    def _carry(self, metadata: Mapping[str, Any]) -> None:
        """Let the new store know the media that these metadata name, as the former one knows them."""
        if self._former is None:
            return
        for key in _REFS:
            if isinstance(metadata.get(key), str):
                ref = MediaRef.parse(metadata[key])
                try:
                    self._store.entry(ref)
                except MediaMissing:
                    self._take(ref, self._former)

    def _take(self, ref: MediaRef, former: MediaStore) -> None:
        entry = former.entry(ref)
        path = former.local_path(ref.sha256)
        if entry.location and path is not None:
            self._store.add_file(path, entry.mime_type)
        else:
            self._store.add_bytes(former.read(MediaRef(ref.sha256)), entry.mime_type)


def _text(node: BaseNode) -> str:
    return node.get_content(metadata_mode=MetadataMode.NONE)


def _text_node(node: BaseNode) -> BaseNode:
    """A text node that says so; nothing in it can pass for a reference to media."""
    metadata = {
        key: harmless(value) if isinstance(value, str) else value
        for key, value in node.metadata.items()
        if key not in media.MEDIA_KEYS
    }
    copy = _copy(node, {**metadata, media.MODALITY: "text"}, harmless(_text(node)))
    copy.excluded_embed_metadata_keys = [*node.excluded_embed_metadata_keys, media.MODALITY]
    copy.excluded_llm_metadata_keys = [*node.excluded_llm_metadata_keys, media.MODALITY]
    return copy


def _copy(node: BaseNode, metadata: dict[str, Any], text: str) -> BaseNode:
    """A node like it, without a vector. A document becomes a node, because stores would lose its class."""
    if isinstance(node, Document):
        return TextNode(
            id_=node.node_id,
            text=text,
            metadata=metadata,
            relationships=dict(node.relationships),
            excluded_embed_metadata_keys=list(node.excluded_embed_metadata_keys),
            excluded_llm_metadata_keys=list(node.excluded_llm_metadata_keys),
        )
    copy = node.model_copy(update={"metadata": metadata, "embedding": None})
    copy.set_content(text)
    return copy
