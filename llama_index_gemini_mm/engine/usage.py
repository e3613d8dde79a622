"""What embedding has cost so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from llama_index_gemini_mm.limits import Modality


@dataclass(frozen=True)
class Usage:
    """Requests sent, contents embedded, tokens by modality, and their estimated price in US dollars.

    Text tokens are the service's own count where it reports one; media tokens follow the documented rates.
    """

    requests: int = 0
    contents: int = 0
    tokens: Mapping[Modality, int] = field(default_factory=dict)
    usd: float = 0.0

    @property
    def total_tokens(self) -> int:
        """Tokens of all modalities."""
        return sum(self.tokens.values())

    def __add__(self, other: Usage) -> Usage:
        return self._combined(other, 1)

    def __sub__(self, other: Usage) -> Usage:
        return self._combined(other, -1)

    def _combined(self, other: Usage, sign: int) -> Usage:
        tokens = dict(self.tokens)
        for modality, count in other.tokens.items():
            tokens[modality] = tokens.get(modality, 0) + sign * count
        return Usage(
            self.requests + sign * other.requests,
            self.contents + sign * other.contents,
            {modality: count for modality, count in tokens.items() if count},
            self.usd + sign * other.usd,
        )
