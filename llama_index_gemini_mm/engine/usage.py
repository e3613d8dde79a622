"""What embedding has cost so far, and the prices behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from llama_index_gemini_mm.limits import Modality

PRICES_READ_ON = "2026-11-23"
USD_PER_MILLION_TOKENS: Mapping[Modality, float] = MappingProxyType(
    {"text": 0.20, "image": 0.45, "audio": 6.50, "video": 12.00, "document": 0.45}
)
"""Paid tier of the Developer API, https://ai.google.dev/gemini-api/docs/pricing. Pages are charged like images."""


@dataclass(frozen=True)
class Usage:
    """Requests sent, contents embedded, tokens by modality.

    Text tokens are the service's own count where it reports one; media tokens follow the documented rates.
    """

    requests: int = 0
    contents: int = 0
    tokens: Mapping[Modality, int] = field(default_factory=dict)

    @property
    def total_tokens(self) -> int:
        """Tokens of all modalities."""
        return sum(self.tokens.values())

    @property
    def usd(self) -> float:
        """Estimated price in US dollars."""
        return sum(count * USD_PER_MILLION_TOKENS[modality] for modality, count in self.tokens.items()) / 1e6

    def __add__(self, other: Usage) -> Usage:
        modalities = {*self.tokens, *other.tokens}
        tokens = {m: self.tokens.get(m, 0) + other.tokens.get(m, 0) for m in modalities}
        return Usage(self.requests + other.requests, self.contents + other.contents, tokens)

    def __sub__(self, other: Usage) -> Usage:
        tokens = {m: count - other.tokens.get(m, 0) for m, count in self.tokens.items()}
        return Usage(
            self.requests - other.requests, self.contents - other.contents, {m: c for m, c in tokens.items() if c}
        )
