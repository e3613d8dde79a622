"""Queries of words and media. One that is longer than the model reads at once becomes several contents.

A plain ``QueryBundle`` holds one vector and forgets what it was made of; fairness between media needs to know that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from tempfile import TemporaryDirectory

import numpy as np
from llama_index.core.schema import Document, QueryBundle

from llama_index_gemini_mm import media
from llama_index_gemini_mm.engine.checks import within_limits
from llama_index_gemini_mm.engine.items import EmbedItem, Part
from llama_index_gemini_mm.engine.tokens import text_tokens
from llama_index_gemini_mm.errors import LimitExceeded, NothingToRead
from llama_index_gemini_mm.inputs import PartLike, ref_of
from llama_index_gemini_mm.limits import MAX_INPUT_TOKENS, MODALITIES, Limits, Modality
from llama_index_gemini_mm.media import EmbedText, Fragment, MediaItem, MediaRef
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.modalities import SplitOptions, handler_of, modality_of, parts_of

Content = tuple[Part, ...]
"""What is embedded together, and so makes one vector."""

_AT_THE_LIMITS = SplitOptions(
    chunk_size=MAX_INPUT_TOKENS, chunk_overlap=0, audio_segment_seconds=180, video_segment_seconds=120
)
_PREFIX = 32
"""Tokens kept free for the prefix of a query."""
_CAPTION = 1024
"""Words of up to this many tokens go with each content of a long query; longer ones make contents of their own."""


@dataclass(frozen=True)
class QueryContent:
    """One content of a query: the modalities it is made of, in the order of ``MODALITIES``, and its vector."""

    modalities: tuple[Modality, ...]
    vector: list[float] = field(repr=False)


@dataclass
class MediaQuery(QueryBundle):
    """A query of words and media, as ``embed_model.query_bundle`` makes it.

    ``query_str`` holds its words. ``contents`` is one, or several for what is longer than the model reads at once:
    ``MediaRetriever`` searches by each of them. ``embedding``, for other retrievers, is their mean at unit length.
    """

    contents: list[QueryContent] = field(default_factory=list)

    @classmethod
    def of(cls, parts: Sequence[PartLike], contents: Sequence[Content], vectors: Sequence[list[float]]) -> MediaQuery:
        """From what was asked, the contents it became, and the vector of each."""
        words = "\n".join(part for part in parts if isinstance(part, str))
        made = [QueryContent(_modalities(c), vector) for c, vector in zip(contents, vectors, strict=True)]
        return cls(words, embedding=_mean(vectors), contents=made)


def contents_of(values: Sequence[PartLike], limits: Limits) -> list[Content]:
    """What ``values`` mean, as one content if the model can read it at once, else as several.

    Recordings and films are cut as ``MediaNodeParser`` does, at the limits, PDFs at as many pages as fit. Short words
    stand in every content, as a caption of each.

    Raises:
        SourceError: a file that cannot be read, or is no picture, sound, film or PDF; or a long one that is silent.
    """
    with TemporaryDirectory(prefix="gemini-mm-") as folder:
        store = MediaStore(folder)
        pieces = [_pieces(value, store, limits) for value in values]
        flat = [piece for each in pieces for piece in each]
        whole = tuple(chain.from_iterable(flat))
        if all(len(each) <= 1 for each in pieces) and _fits(whole, limits):
            return [whole]
        words = "\n".join(part.text or "" for piece in flat if _is_words(piece) for part in piece)
        return _packed(words, [piece for piece in flat if not _is_words(piece)], store, limits)


def _pieces(value: PartLike, store: MediaStore, limits: Limits) -> list[Content]:
    """One value as pieces of which each fits into a content; words are one, however long."""
    if isinstance(value, Part):
        return [(value,)]
    if isinstance(value, str):
        return [(Part(text=value),)] if value.strip() else []
    ref = ref_of(value, store)
    try:
        return [tuple(parts_of(EmbedText("", ref=ref), store, limits))]
    except LimitExceeded:
        pieces = [tuple(parts_of(EmbedText("", ref=each), store, limits)) for each in _cut(ref, store, limits)]
    if not pieces:
        raise NothingToRead(store.entry(ref).location or "the query", "it is silent throughout")
    return pieces


def _cut(ref: MediaRef, store: MediaStore, limits: Limits) -> list[MediaRef]:
    """The segments or page ranges of media that are longer than one content may be."""
    modality = modality_of(ref, store)
    item = MediaItem(ref, store.entry(ref).mime_type)
    document = media.build(Document, "query", modality, "", {}, media=item)
    nodes = handler_of(modality).split(document, _AT_THE_LIMITS, store, limits)
    refs = [found.ref for node in nodes if (found := media.media_of(node))]
    pages = limits.media[modality].max_pages
    return [*_page_ranges(ref, len(refs), pages)] if pages else refs


def _page_ranges(ref: MediaRef, count: int, most: int) -> Iterator[MediaRef]:
    for first in range(1, count + 1, most):
        last = min(first + most - 1, count)
        yield replace(ref, fragment=Fragment(first_page=first, last_page=last))


def _packed(words: str, pieces: Sequence[Content], store: MediaStore, limits: Limits) -> list[Content]:
    """Contents of as many pieces as go together, each with the words if those are short; long words come first."""
    short = bool(pieces) and text_tokens(words) <= _CAPTION
    caption: Content = (Part(text=words),) if short and words else ()
    contents: list[Content] = []
    if not short:
        contents += [(Part(text=chunk),) for chunk in _chunks(words, store, limits)]
    held: Content = ()
    for piece in pieces:
        if held and not _fits((*caption, *held, *piece), limits):
            contents.append((*caption, *held))
            held = ()
        held += piece
    return [*contents, (*caption, *held)] if held else contents


def _chunks(words: str, store: MediaStore, limits: Limits) -> list[str]:
    if text_tokens(words) <= MAX_INPUT_TOKENS - _PREFIX:
        return [words] if words else []
    document = media.build(Document, "query", "text", words, {})
    return [node.get_content() for node in handler_of("text").split(document, _AT_THE_LIMITS, store, limits)]


def _fits(parts: Content, limits: Limits) -> bool:
    """Whether one content may hold all of them."""
    if _is_words(parts):
        return sum(text_tokens(part.text or "") for part in parts) <= MAX_INPUT_TOKENS - _PREFIX
    try:
        within_limits(EmbedItem(parts), limits)
    except LimitExceeded:
        return False
    return True


def _is_words(parts: Content) -> bool:
    return all(part.text is not None for part in parts)


def _modalities(content: Content) -> tuple[Modality, ...]:
    there = {part.modality for part in content}
    return tuple(modality for modality in MODALITIES if modality in there)


def _mean(vectors: Sequence[list[float]]) -> list[float]:
    if len(vectors) == 1:
        return vectors[0]
    mean = np.mean(np.asarray(vectors, np.float64), axis=0)
    return (mean / (np.linalg.norm(mean) or 1.0)).tolist()  # type: ignore[no-any-return]
