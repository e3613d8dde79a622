"""Moving an index of another model, or of another space, to a new collection, and the old one out of the way.

``sources``, ``qdrant_source`` and ``folders`` read old indexes, ``nodes`` brings what they hold into the contract of
``media``, ``migration`` embeds and stores it, ``compare`` asks both the same things, ``target`` lets the new one take
the old one's place, and ``opening`` finds out what lies where.
"""

from __future__ import annotations

from llama_index_gemini_mm.migrate.compare import Comparison, Measure, SelfRecall
from llama_index_gemini_mm.migrate.migration import Migration
from llama_index_gemini_mm.migrate.opening import open_migration, source_in, source_of, storage_of
from llama_index_gemini_mm.migrate.reports import MigrationPlan, MigrationProgress, MigrationReport
from llama_index_gemini_mm.migrate.sources import OldIndex

__all__ = [
    "Comparison",
    "Measure",
    "Migration",
    "MigrationPlan",
    "MigrationProgress",
    "MigrationReport",
    "OldIndex",
    "SelfRecall",
    "open_migration",
    "source_in",
    "source_of",
    "storage_of",
]
