"""From one Content to one vector and its token count, with every limit of the endpoint enforced."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from llama_index_gemini_mm.emulator.features.space import HashedSpace, Vector, unit
from llama_index_gemini_mm.emulator.features.text import Text
from llama_index_gemini_mm.emulator.intake import Intake, Part
from llama_index_gemini_mm.emulator.log import RecordedPart
from llama_index_gemini_mm.emulator.memory import Memory
from llama_index_gemini_mm.emulator.replies import invalid
from llama_index_gemini_mm.emulator.vectors import json_numbers
from llama_index_gemini_mm.emulator.wire import EmbedRequest
from llama_index_gemini_mm.limits import DEVELOPER_API, MAX_INPUT_TOKENS, MODALITIES, VERTEX, Limits, Modality

Tokens = Counter[Modality]

_BYTES_PER_NUMBER = 8 + 13
"""A float64, and its decimals."""

_FADE = 0.98
"""Each further part counts a little less, so that the order of the parts is in the vector."""


@dataclass(frozen=True)
class Embedded:
    """One answer: ``vector`` of unit length, or None where the service answers without ``values``."""

    vector: Vector | None
    tokens: Tokens
    truncated: bool = False

    @cached_property
    def numbers(self) -> bytes | None:
        """The vector as a JSON array."""
        return None if self.vector is None else json_numbers(self.vector)


class StandInModel:
    """Embeds what is really in the input, deterministically. It is not Gemini and does not know what Gemini knows.

    Args:
        modality_gap: length of the offset that sets each modality apart, against content of length 1. At 0 there is
            no distance between modalities; at 1 an input is as much its modality as its content.
        resolve: turns a part with a file URI into one with that file's bytes.
        remembered_bytes: memory for the vectors of contents that may come again.
    """

    def __init__(
        self, modality_gap: float, resolve: Callable[[RecordedPart], RecordedPart], remembered_bytes: int = 0
    ) -> None:
        self._space = HashedSpace()
        self._resolve = resolve
        self._memory: Memory[Embedded] = Memory(remembered_bytes, _weight)
        self._intakes = {limits.endpoint: Intake(limits) for limits in (DEVELOPER_API, VERTEX)}
        self._offsets = {
            modality: modality_gap
            * unit(self._space.project({f"modality:{modality}:{number}": 1.0 for number in range(256)}))
            for modality in MODALITIES
        }

    def embed(self, request: EmbedRequest, limits: Limits) -> Embedded:
        """The vector of one Content, within the limits of the endpoint that was called.

        Raises:
            Refusal: 400 for anything outside the limits or undecodable; 403 for an unknown file.
        """
        intake = self._intakes[limits.endpoint]
        sent = self._resolved(request.content.parts)
        if not all(intake.knows(part) for part in sent):
            return Embedded(None, Counter())
        key = _key(sent, request, limits)
        embedded = self._memory.get(key)
        if embedded is None:
            parts, truncated = _within_window(intake.read(sent, audio_track=request.audio_track))
            embedded = Embedded(self._fold(parts, request.dimensions), _tokens(parts), truncated)
            self._memory.put(key, embedded)
        if embedded.truncated and not request.auto_truncate:
            raise invalid(f"The input token count exceeds the maximum number of tokens allowed ({MAX_INPUT_TOKENS}).")
        return embedded

    def count(self, parts: Sequence[RecordedPart], limits: Limits) -> Tokens:
        """Tokens by modality, without a vector and without the window's bound.

        Raises:
            Refusal: as ``embed``, and 400 for a part of an unknown kind.
        """
        intake = self._intakes[limits.endpoint]
        sent = self._resolved(parts)
        if not all(intake.knows(part) for part in sent):
            raise invalid("Unsupported MIME type.")
        return _tokens(intake.read(sent, audio_track=False))

    def _resolved(self, parts: Sequence[RecordedPart]) -> list[RecordedPart]:
        return [self._resolve(part) if part.file_uri is not None else part for part in parts]

    def _fold(self, parts: Sequence[Part], dimensions: int) -> Vector:
        total = sum(
            (
                _FADE**number * unit(self._space.project(part.features() or {"nothing": 1.0}))
                for number, part in enumerate(parts)
            ),
            start=self._space.project({}),
        )
        offset = sum((self._offsets[part.modality] for part in parts), start=self._space.project({})) / len(parts)
        return unit((unit(total) + offset)[:dimensions])


def _key(parts: Sequence[RecordedPart], request: EmbedRequest, limits: Limits) -> bytes:
    """Everything that decides the answer; ``auto_truncate`` only decides whether it is given."""
    told = (limits.endpoint, request.dimensions, request.audio_track)
    # An uploaded file may be larger than inline data, so the same bytes are another input then.
    seen = [(part.text, part.mime_type, part.sha256, part.file_uri is not None) for part in parts]
    return hashlib.sha256(repr((told, seen)).encode()).digest()


def _weight(embedded: Embedded) -> int:
    return 0 if embedded.vector is None else _BYTES_PER_NUMBER * len(embedded.vector)


def _within_window(parts: Sequence[Part]) -> tuple[list[Part], bool]:
    """What lies within the first 8,192 tokens, and whether that is less than was sent.

    Text is cut where the window ends, media that do not fit are left out; a first part is never left out.
    """
    kept: list[Part] = []
    left, truncated = MAX_INPUT_TOKENS, False
    for part in parts:
        cost = part.tokens
        if cost <= left:
            kept.append(part)
        else:
            truncated = True
            if isinstance(part, Text) and left > 0:
                kept.append(part.cut(left))
        left = max(0, left - cost)
    return kept, truncated


def _tokens(parts: Sequence[Part]) -> Tokens:
    tokens: Tokens = Counter()
    for part in parts:
        tokens[part.modality] += part.tokens
    return tokens
