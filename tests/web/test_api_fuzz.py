"""What nobody thought of: requests made of the API's own OpenAPI. benchmarks/api_cases sends more of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.web.fuzzing import fuzzed

pytest.importorskip("schemathesis", reason="needs schemathesis (extra dev)")


@pytest.mark.timeout(400)
@pytest.mark.filterwarnings("default")  # of schemathesis and of what it sends requests with
def test_two_thousand_requests_find_no_fault_and_no_answer_that_is_not_documented(tmp_path: Path) -> None:
    tally = fuzzed(tmp_path, examples=40)

    assert tally.wrong == []
    assert tally.total >= 2_000
    assert tally.statuses[200] > 500, "most requests that name what there is are answered"
    assert not [status for status in tally.statuses if status >= 500]
    assert len([route for route in tally.routes if route != "None"]) >= 20
