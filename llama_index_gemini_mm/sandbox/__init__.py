"""Work on files of strangers, in processes that can be lost: bounded memory, bounded time, no network, no secrets.

    parent:  Sandbox.start(function, *args) ── task ──▶ worker: for item in function(*args): send it
             Stream  ◀── items, log records, errors, requests to the parent ──

A worker that crashes, hangs or grows is ended, and its stream raises ``WorkerLost``; nobody else notices. Workers are
kept for the next task, because starting one takes a second.
"""

from __future__ import annotations

from llama_index_gemini_mm.sandbox._bounds import Bounds, WorkerLost, bounds_for, guarded
from llama_index_gemini_mm.sandbox._channel import ask_parent, inside_worker
from llama_index_gemini_mm.sandbox._pool import Sandbox, Stream, shared

__all__ = [
    "Bounds",
    "Sandbox",
    "Stream",
    "WorkerLost",
    "ask_parent",
    "bounds_for",
    "guarded",
    "inside_worker",
    "shared",
]
