"""Nothing is sent unseen and no vector is trusted unseen."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from llama_index_gemini_mm.engine.items import EmbedItem, Vector
from llama_index_gemini_mm.engine.tokens import tokens_of
from llama_index_gemini_mm.errors import BadReply, InvalidRequest, LimitExceeded
from llama_index_gemini_mm.limits import MAX_INPUT_TOKENS, Limits

_TOLERANCE = 1e-3
"""The service normalises at every dimension; recorded vectors are off by less than 1e-6."""


def within_limits(item: EmbedItem, limits: Limits) -> None:
    """Raise ``LimitExceeded`` for media the model would refuse or cut off in silence, before they are paid for."""
    if not any(part.data or (part.text and not part.text.isspace()) for part in item.parts):
        raise InvalidRequest(400, "INVALID_ARGUMENT", "there is nothing to embed: no words and no media")
    if item.is_text:
        return
    for modality, count in Counter(part.modality for part in item.parts if part.data is not None).items():
        allowed = limits.media[modality].max_count
        if allowed is not None and count > allowed:
            raise LimitExceeded(modality, allowed, count, "parts in one content", "embed them one by one")
    if (total := tokens_of(item)) > MAX_INPUT_TOKENS:
        raise LimitExceeded("content", MAX_INPUT_TOKENS, total, "tokens", "embed fewer or shorter media at once")


def checked(values: Sequence[Vector | None], count: int, dimension: int) -> list[Vector]:
    """``values`` with the promise that each of ``count`` items has its vector of ``dimension`` numbers, of length 1.

    Raises ``BadReply`` otherwise: the service answers an unsupported MIME type with 200 and no numbers, and one vector
    too few would shift all later ones to the wrong node.
    """
    if len(values) != count:
        raise _bad(f"{len(values)} vectors for {count} contents")
    vectors = []
    for position, vector in enumerate(values, 1):
        if not vector:
            raise _bad(f"no numbers for content {position} of {count} (is its MIME type supported?)")
        if len(vector) != dimension:
            raise _bad(f"{len(vector)} numbers for content {position} of {count}, {dimension} were asked for")
        if not abs(_length(vector) - 1.0) < _TOLERANCE:
            raise _bad(f"numbers for content {position} of {count} that are not finite, or not of length 1")
        vectors.append(vector)
    return vectors


def _length(vector: Vector) -> float:
    """Its Euclidean length; not a number when some part of it is none. A fifth of the time that an array would take."""
    try:
        return math.hypot(*vector)
    except TypeError:
        return math.nan


def _bad(reason: str) -> BadReply:
    return BadReply(200, "BAD_REPLY", reason)
