"""A process that syncs a folder and may be killed, or kill itself, at a given step of writing.

python kill_child.py STORAGE FOLDER BASE_URL STEP: at the STEP-th step (0: never) it ends as by ``kill -9``. There is a
step before and one after each write to the manifest and to the store. Prints the number of steps at the end.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from sync_support import embedded_bench

from llama_index_gemini_mm.manifest import Manifest
from llama_index_gemini_mm.vector_store import MediaVectorStore

IN_FLIGHT = 2
"""Requests under way at most: with many, all have been answered before the first points are written."""
WRITES = [(Manifest, name) for name in ("begin", "finish", "suspend", "remove")]
STORE_WRITES = [(MediaVectorStore, name) for name in ("add", "delete_nodes")]


class Steps:
    """Counts steps, and ends the process at one of them."""

    def __init__(self, fatal: int) -> None:
        self.count = 0
        self._fatal = fatal

    def step(self) -> None:
        """One more."""
        self.count += 1
        if self.count == self._fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, write: Callable[..., Any]) -> Callable[..., Any]:
        """``write`` with a step before and after."""

        def stepped(*args: Any, **kwargs: Any) -> Any:
            self.step()
            result = write(*args, **kwargs)
            self.step()
            return result

        return stepped


def main(storage: str, folder: str, base_url: str, fatal: str) -> None:
    """Sync."""
    steps = Steps(int(fatal))
    for cls, name in WRITES + STORE_WRITES:
        setattr(cls, name, steps.around(getattr(cls, name)))
    with embedded_bench(Path(storage), base_url, max_concurrency=IN_FLIGHT) as opened:
        opened.synchronizer().run(folder)
    sys.stdout.write(str(steps.count))


if __name__ == "__main__":
    main(*sys.argv[1:])
