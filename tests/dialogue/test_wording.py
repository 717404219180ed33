"""The lists behind the questions."""

from __future__ import annotations

import pytest

from whichpic.dialogue.wording import wording
from whichpic.words import vocabulary


@pytest.mark.parametrize("name", ["vague", "for_experts", "well_known", "the_only_one", "called", "measures"])
def test_every_name_of_a_list_is_in_the_vocabulary(name: str) -> None:
    assert [each for each in getattr(wording(), name) if vocabulary().get(each) is None] == []
