"""What nodes will cost to embed, found out without cutting any media and without asking the service."""

from __future__ import annotations

from collections.abc import Container, Iterable

from llama_index_gemini_mm.engine.items import EmbedItem, Part, Role
from llama_index_gemini_mm.engine.money import Estimate, estimate
from llama_index_gemini_mm.engine.prefixes import prefixed
from llama_index_gemini_mm.engine.prices import DEFAULT_PRICES, Prices
from llama_index_gemini_mm.media import MediaRef, read_embed_text
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.modalities import handler_of, modality_of


def estimate_texts(
    texts: Iterable[str],
    store: MediaStore,
    task: str,
    *,
    prices: Prices = DEFAULT_PRICES,
    contents_per_minute: int | None = None,
    tokens_per_minute: int | None = None,
    cached: Container[str] = (),
) -> Estimate:
    """What it will take to embed nodes, given by their texts as LlamaIndex hands them over.

    Args:
        texts: ``node.get_content(MetadataMode.EMBED)`` of each; equal ones are embedded once.
        store: where their media are.
        task: what the vectors are for; it decides the prefix.
        prices: what a token costs.
        contents_per_minute: the quota of contents, if known.
        tokens_per_minute: the quota of input tokens, if known.
        cached: texts whose vectors are known already.

    Raises:
        MediaMissing: media that are gone.
        CorruptFile: media that cannot be measured.
    """
    unique = dict.fromkeys(texts)
    new = [text for text in unique if text not in cached]
    return estimate(
        (weighed(text, store, task) for text in new),
        prices,
        contents_per_minute=contents_per_minute,
        tokens_per_minute=tokens_per_minute,
        cached=len(unique) - len(new),
    )


def weighed(text: str, store: MediaStore, task: str, role: Role = "document") -> EmbedItem:
    """The item that is sent for a node's ``text``, but for its media: of these only what they cost.

    It is for counting alone, because its media are empty. Raises ``MediaMissing`` and ``CorruptFile``.
    """
    read = read_embed_text(text)
    if read.ref is None:
        return prefixed(EmbedItem((Part(text=read.body),), role, read.title), task)
    caption = (Part(text=read.caption),) if read.caption else ()
    return EmbedItem((*caption, _weight(read.ref, store)), role)


def _weight(ref: MediaRef, store: MediaStore) -> Part:
    modality = modality_of(ref, store)
    mime_type = "application/pdf" if modality == "document" else f"{modality}/*"
    return Part(data=b"", mime_type=mime_type, tokens=handler_of(modality).tokens(ref, store))
