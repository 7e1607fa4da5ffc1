"""Random crontabs against a brute-force reference and against croniter.

``AGENTOOL_FULL=1`` compares 100,000 expressions instead of a seeded sample.
"""

from __future__ import annotations

import itertools
import os
from datetime import UTC, datetime

import pytest

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules import Schedule

from .crontab_reference import wall_times
from .random_crontabs import crontabs

COUNT = 100_000 if os.environ.get("AGENTOOL_FULL") else 4_000
START = datetime.fromisoformat("2026-11-20T14:37:12")


def expected(text: str) -> list[datetime]:
    return [wall.replace(tzinfo=UTC) for wall in itertools.islice(wall_times(text, START), 5)]


def actual(text: str) -> list[datetime]:
    try:
        schedule = Schedule(kind="cron", text=text, timezone="UTC")
    except InvalidSchedule as refused:
        return [] if "never" in refused.problem else [datetime.max.replace(tzinfo=UTC)]
    found, moment = [], START.replace(tzinfo=UTC)
    while len(found) < 5 and (due := schedule.next_after(moment)) is not None:
        found.append(due)
        moment = due
    return found


@pytest.mark.parametrize("part", range(10))
def test_next_five_firings_equal_brute_force(part: int) -> None:
    """Every random crontab fires exactly when a walk over the calendar says so."""
    differing = [text for text in crontabs(seed=part, count=COUNT // 10) if actual(text) != expected(text)]
    assert differing == []
