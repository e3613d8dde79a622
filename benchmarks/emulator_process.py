"""An emulator in a process of its own, as the benchmarks measure against it.

Prints its address as JSON, then answers each line on its standard input with the use of its quotas, and ends with it.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from llama_index_gemini_mm.emulator import GeminiEmulator, Quota

_REMEMBERED_BYTES = 2**30  # every content of a scenario, so that the stand-in model's own speed is not measured


def main() -> None:
    """Serve until the standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--contents-per-minute", type=int, help="quota of the paid tier; none by default")
    args = parser.parse_args()
    quota = Quota(requests_per_minute=args.contents_per_minute, paid=True)
    with GeminiEmulator(latency=args.latency, quota=quota, keep=0, remembered_bytes=_REMEMBERED_BYTES) as emulator:
        print(json.dumps({"base_url": emulator.base_url}), flush=True)
        for _ in sys.stdin:
            print(json.dumps(asdict(emulator.quota_use)), flush=True)


if __name__ == "__main__":
    main()
