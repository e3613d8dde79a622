"""What an item costs of the model's window, estimated without asking the service."""

from __future__ import annotations

import re

from llama_index_gemini_mm.engine.items import EmbedItem
from llama_index_gemini_mm.limits import Modality

_WORD = re.compile(r"[A-Za-z]+|\d|[^\sA-Za-z\d]")
_LETTERS_PER_TOKEN = 6
"""Latin words up to this long are mostly one token; longer ones are counted once for each such stretch."""


def text_tokens(text: str) -> int:
    """Tokens of a text, rather too many than too few: digits, signs and letters of other scripts count one each."""
    return sum(-(-len(word) // _LETTERS_PER_TOKEN) for word in _WORD.findall(text))


def tokens_by_modality(item: EmbedItem) -> dict[Modality, int]:
    """Tokens of one item, by medium."""
    counts: dict[Modality, int] = {}
    for part in item.parts:
        cost = text_tokens(part.text) if part.text is not None else part.tokens or 0
        counts[part.modality] = counts.get(part.modality, 0) + cost
    return counts
