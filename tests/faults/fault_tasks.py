"""What the tests do to the worker that has read a file, as a bug in a library would."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Iterable

from llama_index.core.schema import BaseNode

from llama_index_gemini_mm import media

VICTIM = "victim.txt"


def _is_victim(nodes: list[BaseNode]) -> bool:
    return nodes[0].metadata[media.FILE_NAME] == VICTIM


def crash(nodes: list[BaseNode]) -> Iterable[BaseNode]:
    """Read memory that is not there."""
    if _is_victim(nodes):
        ctypes.string_at(0)
    return nodes


def hang(nodes: list[BaseNode]) -> Iterable[BaseNode]:
    """Never come back."""
    if _is_victim(nodes):
        time.sleep(600)
    return nodes


def grow(nodes: list[BaseNode]) -> Iterable[BaseNode]:
    """Ask for more memory than there may be."""
    if _is_victim(nodes):
        bytearray(8 * 2**30)
    return nodes


def recurse(nodes: list[BaseNode]) -> Iterable[BaseNode]:
    """Call itself without end."""
    return recurse(nodes) if _is_victim(nodes) else nodes


def fail(nodes: list[BaseNode]) -> Iterable[BaseNode]:
    """Raise what nobody expects."""
    if _is_victim(nodes):
        raise ZeroDivisionError("as planned")
    return nodes
