"""Price: what nodes will cost, added up file by file, each content once."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from llama_index.core.schema import BaseNode

from llama_index_gemini_mm.embedding import GeminiMultimodalEmbedding
from llama_index_gemini_mm.media import MODALITY

_AT_ONCE = 256


class Price:
    """Adds up what a model estimates.

    Attributes:
        contents: to be sent.
        tokens: they are counted as.
        usd: US dollars.
    """

    def __init__(self, model: GeminiMultimodalEmbedding) -> None:
        self._model = model
        self._seen: set[bytes] = set()
        self.contents = 0
        self.tokens = 0
        self.usd = 0.0

    @property
    def seconds(self) -> float:
        """How long it takes at the quota that the model was given; 0 without one."""
        quotas = (self.contents, self._model.contents_per_minute), (self.tokens, self._model.tokens_per_minute)
        return max((60 * amount / quota for amount, quota in quotas if quota), default=0.0)

    def add(self, nodes: Iterable[BaseNode], *, free: bool = False) -> Counter[str]:
        """Add the nodes of a file, or only count them, where they are free; how many there are by modality.

        Raises ``MediaMissing``, ``CorruptFile``, and what reading the file raises.
        """
        counts: Counter[str] = Counter()
        for some in _chunks(nodes):
            counts.update(str(node.metadata.get(MODALITY)) for node in some)
            if not free:
                self._add([node for node in some if self._is_new(node)])
        return counts

    def _add(self, nodes: Sequence[BaseNode]) -> None:
        estimate = self._model.estimate(nodes)
        self.contents += estimate.contents
        self.tokens += estimate.total_tokens
        self.usd += estimate.usd

    def _is_new(self, node: BaseNode) -> bool:
        digest = hashlib.sha256(self._model.embed_text(node).encode()).digest()
        known = digest in self._seen
        self._seen.add(digest)
        return not known


def _chunks(nodes: Iterable[BaseNode]) -> Iterator[list[BaseNode]]:
    rest = iter(nodes)
    while some := list(islice(rest, _AT_ONCE)):
        yield some
