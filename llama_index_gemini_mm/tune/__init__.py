"""What each plan of storage would find, take and cost, measured on the user's own index.

``sample`` draws nodes, ``measure`` stores and searches them by each plan, ``report`` says which one to take, ``plot``
draws it. ``stats`` says what is stored now.
"""

from __future__ import annotations

from llama_index_gemini_mm.tune.measure import SAMPLE, TARGET, tune
from llama_index_gemini_mm.tune.report import PlanRow, TuneReport, recommend
from llama_index_gemini_mm.tune.stats import IndexStats, index_stats

__all__ = [
    "SAMPLE",
    "TARGET",
    "IndexStats",
    "PlanRow",
    "TuneReport",
    "index_stats",
    "recommend",
    "tune",
]
