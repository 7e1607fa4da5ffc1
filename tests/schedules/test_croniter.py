"""Random crontabs against croniter, another author's reading of the same manual page."""

from __future__ import annotations

import itertools
import os
from datetime import UTC, datetime

import pytest
from croniter import croniter

from .crontab_reference import wall_times
from .differences import differences
from .random_crontabs import crontabs
from .test_crontab_reference import START, actual

COUNT = 1_000 if os.environ.get("AGENTOOL_FULL") else 500


def by_croniter(text: str, count: int) -> list[datetime]:
    times = croniter(text, START, max_years_between_matches=45)
    return [times.get_next(datetime).replace(tzinfo=UTC) for _ in range(count)]


@pytest.mark.parametrize("part", range(5))
def test_croniter_agrees_where_both_follow_crontab(part: int) -> None:
    """Outside the named classes of difference, croniter gives the same five firings."""
    comparable = [text for text in crontabs(seed=1_000 + part, count=COUNT) if not differences(text) and actual(text)]
    assert len(comparable) > COUNT / 3
    assert [text for text in comparable if by_croniter(text, len(actual(text))) != actual(text)] == []


def test_the_reference_is_a_judge_of_its_own() -> None:
    """Outside those classes croniter agrees with the brute-force reference as well, so the two judges do not share an error."""
    comparable = [text for text in crontabs(seed=2_000, count=COUNT) if not differences(text)]
    judged = {text: [wall.replace(tzinfo=UTC) for wall in itertools.islice(wall_times(text, START), 3)] for text in comparable}
    assert [text for text, times in judged.items() if times and by_croniter(text, len(times)) != times] == []
