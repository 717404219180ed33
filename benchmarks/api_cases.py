"""Ten thousand requests that schemathesis makes of the API's OpenAPI: none may be a server error, or undocumented.

    python -m benchmarks.api_cases [REQUESTS]

Rounds with another seed each, until there were as many REQUESTS (default 10,000).
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

from tests.web.fuzzing import fuzzed

EXAMPLES = 50
"""Random requests for each route in a round; edges and chains come on top. Many more in one round take long to draw."""


def main(requests: int = 10_000) -> int:
    """Print how many requests there were, what came back, and what was wrong. 1 where anything was."""
    warnings.simplefilter("ignore")  # of schemathesis and of what it sends requests with
    began, total, seed = time.perf_counter(), 0, 0
    statuses: Counter[int] = Counter()
    wrong: set[str] = set()
    while total < requests:
        seed += 1
        with tempfile.TemporaryDirectory() as folder:
            tally = fuzzed(Path(folder), examples=EXAMPLES, seed=seed)
        total, statuses, wrong = total + tally.total, statuses + tally.statuses, wrong | set(tally.wrong)
        print(f"seed {seed}: {total:,} requests, {time.perf_counter() - began:.0f} s, {len(wrong)} faults", flush=True)
    print("by status: " + ", ".join(f"{status}: {count:,}" for status, count in sorted(statuses.items())))
    for line in sorted(wrong):
        print(f"WRONG  {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*(int(each) for each in sys.argv[1:2])))
