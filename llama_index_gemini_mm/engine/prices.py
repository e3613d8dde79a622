"""What the service charges, as data with a date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llama_index_gemini_mm.errors import ConfigurationError
from llama_index_gemini_mm.limits import MODALITIES, Modality


@dataclass(frozen=True)
class Prices:
    """US dollars for a million input tokens of each modality.

    Args:
        usd_per_million_tokens: a price for every modality.
        batch_factor: what share of it the Batch API charges.
        read_on: when these prices were read, an ISO 8601 date; for people, nothing depends on it.

    Raises:
        ConfigurationError: a modality without a price, or a price below nothing.
    """

    usd_per_million_tokens: Mapping[Modality, float]
    batch_factor: float = 0.5
    read_on: str = ""

    def __post_init__(self) -> None:
        given = dict(self.usd_per_million_tokens)
        if missing := [modality for modality in MODALITIES if modality not in given]:
            raise ConfigurationError(f"no price for {', '.join(missing)}; give US dollars per million tokens, or 0")
        if not all(price >= 0 for price in (*given.values(), self.batch_factor)):
            raise ConfigurationError("a price is 0 or more US dollars, and so is batch_factor")
        object.__setattr__(self, "usd_per_million_tokens", given)

    def usd(self, tokens: Mapping[Modality, int], *, batch: bool = False) -> float:
        """US dollars for so many tokens."""
        full = sum(count * self.usd_per_million_tokens[modality] for modality, count in tokens.items()) / 1e6
        return full * self.batch_factor if batch else full


DEFAULT_PRICES = Prices(
    {"text": 0.20, "image": 0.45, "audio": 6.50, "video": 12.00, "document": 0.45},
    batch_factor=0.5,
    read_on="2026-11-23",
)
"""Paid tier of the Developer API, https://ai.google.dev/gemini-api/docs/pricing. Pages are charged like images."""
