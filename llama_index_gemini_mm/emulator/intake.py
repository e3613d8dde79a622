"""The parts of one Content, decoded and held against the endpoint's limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from llama_index_gemini_mm.emulator.features.audio import read_sound
from llama_index_gemini_mm.emulator.features.document import read_pages
from llama_index_gemini_mm.emulator.features.image import read_picture
from llama_index_gemini_mm.emulator.features.space import Features
from llama_index_gemini_mm.emulator.features.text import Text
from llama_index_gemini_mm.emulator.features.video import read_film
from llama_index_gemini_mm.emulator.log import RecordedPart
from llama_index_gemini_mm.emulator.replies import invalid
from llama_index_gemini_mm.limits import VERTEX_MAX_SECONDS_WITH_SOUND, Limits, Modality

_PILLOW_NAMES = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/webp": "WEBP",
    "image/bmp": "BMP",
    "image/heic": "HEIF",
    "image/heif": "HEIF",
    "image/avif": "AVIF",
}
_CONTAINERS = {
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/wav": "wav",
    "video/mp4": "mov",
    "video/quicktime": "mov",
    "video/mpeg": "mpeg",
}


class Part(Protocol):
    """A decoded part, as the model takes it."""

    @property
    def modality(self) -> Modality:
        """Which sense it speaks to."""

    @property
    def tokens(self) -> int:
        """What it costs of the window."""

    def features(self) -> Features:
        """What the stand-in model finds in it."""


class Intake:
    """Reads the parts of Contents sent to one endpoint."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._modalities: dict[str, Modality] = {
            mime_type: modality for modality, media in limits.media.items() for mime_type in media.mime_types
        }

    def knows(self, part: RecordedPart) -> bool:
        """Whether the endpoint reads this kind of part at all; it answers without a vector to those it does not."""
        return part.data is None or part.mime_type in self._modalities

    def read(self, parts: Sequence[RecordedPart], *, audio_track: bool) -> list[Part]:
        """Decode all parts.

        Args:
            parts: parts with text or bytes of known kinds.
            audio_track: whether the sound of films is used as well, where the endpoint can.

        Raises:
            Refusal: 400 for too many, too large, too long or undecodable parts.
        """
        self._check_counts(parts)
        self._check_bytes(parts)
        return [self._read(part, audio_track=audio_track) for part in parts]

    def _check_counts(self, parts: Sequence[RecordedPart]) -> None:
        counts = Counter(self._modalities[part.mime_type or ""] for part in parts if part.data is not None)
        for modality, count in counts.items():
            bound = self._limits.media[modality].max_count
            if bound is not None and count > bound:
                raise invalid(f"The request has {count} {modality} parts, at most {bound} are supported.")

    def _check_bytes(self, parts: Sequence[RecordedPart]) -> None:
        for part in parts:
            is_pdf = part.mime_type == "application/pdf"
            bound = self._limits.inline_pdf_bytes if is_pdf else self._limits.inline_bytes
            if part.file_uri is None and part.size is not None and part.size > bound:
                raise invalid(f"Request payload size exceeds the limit: {bound} bytes.")

    def _read(self, part: RecordedPart, *, audio_track: bool) -> Part:
        if part.data is None:
            return Text(part.text or "")
        modality = self._modalities[part.mime_type or ""]
        bounds = self._limits.media[modality]
        if modality == "image":
            return read_picture(part.data, tuple({_PILLOW_NAMES[mime_type] for mime_type in bounds.mime_types}))
        if modality == "document":
            return read_pages(part.data, bounds.max_pages)
        containers = tuple({_CONTAINERS[mime_type] for mime_type in bounds.mime_types})
        if modality == "audio":
            return read_sound(part.data, containers, bounds.max_seconds)
        with_sound = VERTEX_MAX_SECONDS_WITH_SOUND if audio_track and self._limits.endpoint == "vertex" else None
        return read_film(part.data, containers, bounds.max_seconds, max_seconds_with_sound=with_sound)
