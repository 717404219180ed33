"""Ten thousand requests that schemathesis makes of the API's OpenAPI: none may be a server error, or undocumented.

    python -m benchmarks.api_cases [EXAMPLES]

EXAMPLES is the number of random requests for each route (default 400); edges and chains come on top.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from tests.web.fuzzing import fuzzed


def main(examples: int = 400) -> int:
    """Print how many requests there were, what came back, and what was wrong. 1 where anything was."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        tally = fuzzed(Path(folder), examples=examples)
    seconds = time.perf_counter() - began
    print(f"{tally.total:,} requests in {seconds:.0f} s: {dict(tally.cases)}")
    print("by status: " + ", ".join(f"{status}: {count:,}" for status, count in sorted(tally.statuses.items())))
    for line in tally.wrong:
        print(f"WRONG  {line}")
    print(f"{len(tally.wrong)} kinds of faults")
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main(*(int(each) for each in sys.argv[1:2])))
