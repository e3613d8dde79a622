"""Sync: bring a collection up to date with files. Unchanged ones cost nothing, one bad one stops no other.

    scan ─▶ plan ─▶ read + split ─▶ groups of nodes ─▶ embed ─▶ store ─▶ manifest
    (this thread)   (two workers)   (bounded)    (several under way) (one thread)

Reading, embedding and storing overlap. A sync that was killed at any moment goes on where it was: see ``manifest`` for
what is written when, and ``_keeper`` for the order of writing.
"""

from __future__ import annotations

from llama_index_gemini_mm.sync._report import Change, Progress, SyncReport
from llama_index_gemini_mm.sync._synchronizer import Synchronizer

__all__ = ["Change", "Progress", "SyncReport", "Synchronizer"]
