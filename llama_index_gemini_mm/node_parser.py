"""MediaNodeParser: documents of every modality to nodes that fit the model's limits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

from llama_index.core.bridge.pydantic import Field, field_validator
from llama_index.core.node_parser import NodeParser
from llama_index.core.node_parser.interface import IdFuncCallable
from llama_index.core.node_parser.node_utils import default_id_func
from llama_index.core.schema import BaseNode, Document, Node, NodeRelationship, RelatedNodeInfo
from llama_index.core.utils import get_tqdm_iterable

from llama_index_gemini_mm import media
from llama_index_gemini_mm.limits import limits_of
from llama_index_gemini_mm.media_store import MediaStore, as_media_store
from llama_index_gemini_mm.modalities import SplitOptions, adopted, handler_of
from llama_index_gemini_mm.sandbox import bounds_for, guarded, inside_worker, shared

Endpoint = Literal["developer", "vertex"]


def _here(document: Document, options: SplitOptions, store: MediaStore, endpoint: Endpoint) -> Iterator[Node]:
    handler = handler_of(document.metadata[media.MODALITY])
    return handler.split(document, options, store, limits_of(endpoint))


def _apart(document: Document, options: SplitOptions, store: MediaStore, endpoint: Endpoint) -> Iterator[Node]:
    """The same in a worker; one that is lost means ``FileTooLarge`` or ``CorruptFile``."""
    item = media.media_of(document)
    size = store.entry(item.ref).size if item else 0
    location = str(document.metadata.get(media.FILE_PATH) or document.node_id)
    nodes = shared().start(_here, bounds_for(size), {}, document, options, store, endpoint)
    with guarded(location), closing(nodes):
        yield from nodes


def _is_wanted(document: Document, options: SplitOptions) -> bool:
    """Whether the options leave it in: a figure is a picture from a file of another kind, a page has a number."""
    modality, file_type = document.metadata[media.MODALITY], str(document.metadata.get(media.FILE_TYPE, "image/"))
    if modality == "image":
        return options.figures or file_type.startswith("image/")
    return modality != "document" or options.visual_pages or media.PAGE_START not in document.metadata


def _is_decoded(document: Document, store: MediaStore) -> bool:
    """Whether its media must be looked into, and can be by a process without network."""
    item = media.media_of(document)
    looked_into = document.metadata[media.MODALITY] in ("audio", "video", "document")
    return bool(item and looked_into and not inside_worker() and store.local_path(item.ref.sha256))


class MediaNodeParser(NodeParser):
    """Splits text at sentences, sound at pauses, film at scene changes, PDFs at pages.

    Nodes that are no ``Document`` are taken as split already and pass through.

    Args:
        options: how finely to split.
        endpoint: whose limits hold, ``"developer"`` or ``"vertex"``.
        media_store: a ``MediaStore`` or a place for one; the shared default when left out. It is no part of
            ``to_dict``, so moving it changes no cache key.
        isolated: whether sounds, films and PDFs are decoded in a process of their own, which a broken or hostile file
            may crash, hang or fill without harm. What lies behind a URL is decoded here.
    """

    options: SplitOptions = SplitOptions()
    endpoint: Endpoint = "developer"
    isolated: bool = Field(default=True, exclude=True)
    id_func: IdFuncCallable = Field(default=default_id_func, exclude=True)
    """Without effect: ids are derived from the document's. Not in ``to_dict``, which could not be read back."""
    media_store: MediaStore = Field(default=None, exclude=True, validate_default=True)

    @field_validator("media_store", mode="before")
    @classmethod
    def _opened_store(cls, value: MediaStore | str | Path | None) -> MediaStore:
        return as_media_store(value)

    @classmethod
    def class_name(cls) -> str:
        """The name under which it is serialised."""
        return "MediaNodeParser"

    def _parse_nodes(self, nodes: Sequence[BaseNode], show_progress: bool = False, **kwargs: Any) -> list[BaseNode]:
        parsed: list[BaseNode] = []
        for node in get_tqdm_iterable(nodes, show_progress, "Parsing nodes"):
            parsed.extend(self._split(node) if isinstance(node, Document) else [node])
        return parsed

    def _split(self, document: Document) -> Iterable[BaseNode]:
        ours = adopted(document, self.media_store)
        if not _is_wanted(ours, self.options):
            return
        source = RelatedNodeInfo(node_id=document.node_id, node_type=document.get_type(), hash=document.hash)
        split = _apart if self.isolated and _is_decoded(ours, self.media_store) else _here
        for node in split(ours, self.options, self.media_store, self.endpoint):
            node.relationships[NodeRelationship.SOURCE] = source
            yield node

    def _postprocess_parsed_nodes(self, nodes: list[BaseNode], parent_doc_map: dict[str, Document]) -> list[BaseNode]:
        """Link the nodes of each file in reading order.

        The inherited method is left out on purpose: it would give a text node the ``media_ref`` of the document it was
        cut from, and store each document's metadata again with every link.
        """
        if self.include_prev_next_rel:
            last: dict[str, BaseNode] = {}
            for node in nodes:
                file = str(node.metadata.get(media.FILE_PATH) or node.ref_doc_id or node.node_id)
                if before := last.get(file):
                    before.relationships[NodeRelationship.NEXT] = RelatedNodeInfo(node_id=node.node_id)
                    node.relationships[NodeRelationship.PREVIOUS] = RelatedNodeInfo(node_id=before.node_id)
                last[file] = node
        return nodes
