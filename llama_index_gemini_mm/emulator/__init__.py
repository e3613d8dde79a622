"""A local server that speaks Gemini's wire protocol, for work without a key or network. It is not Gemini.

    request ─ gateway (record, faults, key) ─▶ routes ─▶ service ─▶ wire (proto-JSON) ─▶ intake (decode, limits)
      ─▶ features (what is in it) ─▶ model (one vector) ─▶ vectors (JSON)

The vectors come from a stand-in model that hashes words, colours, sounds and shapes into one space. It shares no code
with the client, only the table of limits.
"""

from llama_index_gemini_mm.emulator.faults import Damage, Fault, Faults
from llama_index_gemini_mm.emulator.log import RecordedContent, RecordedPart, RecordedRequest
from llama_index_gemini_mm.emulator.quotas import FREE_TIER, Quota
from llama_index_gemini_mm.emulator.server import GeminiEmulator, serve

__all__ = [
    "FREE_TIER",
    "Damage",
    "Fault",
    "Faults",
    "GeminiEmulator",
    "Quota",
    "RecordedContent",
    "RecordedPart",
    "RecordedRequest",
    "serve",
]
