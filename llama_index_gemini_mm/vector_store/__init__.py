"""Where vectors are kept: one collection, in the embedded engine, on a Qdrant server, or in any LlamaIndex store.

``points`` says how a node is stored, ``plans`` in which forms its vector is, ``space`` which vectors can be compared;
``edge`` and ``qdrant`` are the engines behind the one face in ``base``; ``foreign`` lets others be searched like them.
"""

from __future__ import annotations

from llama_index_gemini_mm.vector_store.base import Capabilities, MediaVectorStore, StoreInfo
from llama_index_gemini_mm.vector_store.foreign import ForeignStore, Searchable
from llama_index_gemini_mm.vector_store.lance import as_searchable
from llama_index_gemini_mm.vector_store.opening import open_embedded, open_local, open_server, valid_collection
from llama_index_gemini_mm.vector_store.plans import DEFAULT_PLAN, PLANS, Plan, PlanName, plan_named
from llama_index_gemini_mm.vector_store.points import Found, Point, Search
from llama_index_gemini_mm.vector_store.qdrant import QdrantMediaStore
from llama_index_gemini_mm.vector_store.server import ServerOptions
from llama_index_gemini_mm.vector_store.space import Space, Stamp, read_stamp, write_stamp

__all__ = [
    "DEFAULT_PLAN",
    "PLANS",
    "Capabilities",
    "ForeignStore",
    "Found",
    "MediaVectorStore",
    "Plan",
    "PlanName",
    "Point",
    "QdrantMediaStore",
    "Search",
    "Searchable",
    "ServerOptions",
    "Space",
    "Stamp",
    "StoreInfo",
    "as_searchable",
    "open_embedded",
    "open_local",
    "open_server",
    "plan_named",
    "read_stamp",
    "valid_collection",
    "write_stamp",
]
