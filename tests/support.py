"""What tests read out of the emulator's log."""

from __future__ import annotations

from llama_index_gemini_mm.emulator import GeminiEmulator, RecordedContent


def contents_of(emulator: GeminiEmulator) -> list[RecordedContent]:
    """Everything the emulator was asked to embed, in order."""
    return [content for request in emulator.requests for content in request.contents]


def media_sent(emulator: GeminiEmulator) -> list[tuple[str, bytes]]:
    """MIME type and bytes of every media part that arrived, in order."""
    return [(p.mime_type, p.data) for c in contents_of(emulator) for p in c.parts if p.data is not None]
