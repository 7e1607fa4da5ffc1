"""The next due time of a crontab in a zone with changes of clocks, beside croniter."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from zoneinfo import ZoneInfo

from agentoolkit.system.scheduler.schedules import Schedule
from bench.harness import Bar, Side, compare

NOW = datetime(2026, 11, 20, 14, 0, 7, tzinfo=UTC)
CALLS = 2_000
TEXTS = ("*/5 * * * *", "0 9 * * 1-5", "30 2 * * *", "0 8 * * 1#1", "0 0 13 * 5")
RARE = ("0 0 31 12 *", "0 0 29 2 *", "0 0 * 2 1#5")
"""Due once a year, every fourth, and about every twenty-eighth."""
RARE_CALLS = 40
"""After which the rarest is in the year 3092."""


async def ours(texts: Sequence[str], calls: int) -> float:
    schedules = [Schedule(kind="cron", text=text, timezone="Europe/Berlin") for text in texts]
    began = time.perf_counter()
    for schedule in schedules:
        moment = NOW
        for _ in range(calls):
            moment = schedule.next_after(moment) or NOW
    return (time.perf_counter() - began) / calls / len(texts) * 1e6


async def croniter(texts: Sequence[str], calls: int) -> float:
    import croniter as library

    began = time.perf_counter()
    for text in texts:
        moment = NOW.astimezone(ZoneInfo("Europe/Berlin"))
        for _ in range(calls):
            moment = library.croniter(text, moment).get_next(datetime)
    return (time.perf_counter() - began) / calls / len(texts) * 1e6


async def beside_croniter(title: str, texts: Sequence[str], calls: int) -> bool:
    sides = Side("agentool", partial(ours, texts, calls)), Side("croniter", partial(croniter, texts, calls))
    return await compare(title, "µs", *sides, Bar("at most", 1))


async def run() -> bool:
    usual = await beside_croniter("The next due time of a crontab", TEXTS, CALLS)
    return await beside_croniter("The next due time of a crontab that is years away", RARE, RARE_CALLS) and usual
