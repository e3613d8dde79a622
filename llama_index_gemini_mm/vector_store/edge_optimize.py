"""Optimize a copy of a collection in a process of its own: ``python -P edge_optimize.py SHARD PARENT POINTS``.

The engine holds Python's global lock while it works, for seconds or minutes; in the process that searches, every
search would wait. This file is run by its path, so that it loads the engine and nothing else.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

import qdrant_edge as edge

_DIE_WITH_PARENT = 1


def main(folder: str, parent: int, points: int) -> None:
    """Optimize the shard in ``folder``, which holds so many points; give up when ``parent`` is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        if os.getppid() != parent:
            return
    shard = edge.EdgeShard.load(folder)
    shard.optimize()
    shard.flush()
    found = shard.count(edge.CountRequest(exact=True))
    shard.close()
    if found != points:
        raise SystemExit(f"{found} points, and not {points}, are there after optimizing")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
