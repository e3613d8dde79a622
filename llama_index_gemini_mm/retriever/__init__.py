"""From a query to what it finds, fairly among all media.

``_where`` says where nodes must stand, ``_ranking`` makes one ranking of what the searches found, ``_places`` joins
nodes of one place, ``_context`` adds what stands around them, and ``_retriever`` has the searches run.
"""

from __future__ import annotations

from llama_index_gemini_mm.retriever._places import Place
from llama_index_gemini_mm.retriever._ranking import Explanation, Match, Ranking
from llama_index_gemini_mm.retriever._retriever import MediaRetriever
from llama_index_gemini_mm.retriever._where import Where

__all__ = ["Explanation", "Match", "MediaRetriever", "Place", "Ranking", "Where"]
