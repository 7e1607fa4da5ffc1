"""The next due time of a crontab in a zone with changes of clocks, beside croniter."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from agentoolkit.system.scheduler.schedules import Schedule
from bench.harness import Bar, Side, compare

NOW = datetime(2026, 11, 20, 14, 0, 7, tzinfo=UTC)
CALLS = 2_000
TEXTS = ("*/5 * * * *", "0 9 * * 1-5", "30 2 * * *", "0 8 * * 1#1", "0 0 13 * 5")


async def ours() -> float:
    schedules = [Schedule(kind="cron", text=text, timezone="Europe/Berlin") for text in TEXTS]
    began = time.perf_counter()
    for schedule in schedules:
        moment = NOW
        for _ in range(CALLS):
            moment = schedule.next_after(moment) or NOW
    return (time.perf_counter() - began) / CALLS / len(TEXTS) * 1e6


async def croniter() -> float:
    import croniter as library

    began = time.perf_counter()
    for text in TEXTS:
        moment = NOW.astimezone(ZoneInfo("Europe/Berlin"))
        for _ in range(CALLS):
            moment = library.croniter(text, moment).get_next(datetime)
    return (time.perf_counter() - began) / CALLS / len(TEXTS) * 1e6


async def run() -> bool:
    return await compare("The next due time of a crontab", "µs", Side("agentool", ours), Side("croniter", croniter), Bar("at most", 1))
