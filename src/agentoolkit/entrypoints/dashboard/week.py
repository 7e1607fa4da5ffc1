"""``/week``: the number of due times in each hour of the coming week, and the busiest minute."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from math import ceil
from typing import Any

from markupsafe import Markup
from starlette.responses import Response

from agentoolkit.entrypoints.dashboard.addresses import job_address
from agentoolkit.entrypoints.dashboard.jobs import listed_schedule
from agentoolkit.entrypoints.dashboard.moments import PageClock, read_moment
from agentoolkit.entrypoints.dashboard.page import Viewing, page_router
from agentoolkit.portions import in_portions
from agentoolkit.system.scheduler.schedules import firings
from agentoolkit.text import counted

MAX_JOBS = 500
MAX_FIRINGS = 3_000
"""Due times that one page computes."""
MAX_OF_ONE = 400
"""Due times of one job that are computed. A job with more is counted apart, because it adds the same to every hour."""
_WEEK = timedelta(days=7)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_STEPS = 4
"""Shades of the cells with due times."""

router = page_router("week")


@dataclass(slots=True)
class Density:
    """Numbers of due times in each hour and minute of the coming week."""

    hours: dict[tuple[int, int], int] = field(default_factory=lambda: defaultdict[tuple[int, int], int](int))
    minutes: Counter[datetime] = field(default_factory=Counter[datetime])
    jobs_at: dict[datetime, list[str]] = field(default_factory=lambda: defaultdict[datetime, list[str]](list))
    looked_at: int = 0
    left: int = MAX_FIRINGS
    steady: list[float] = field(default_factory=list[float])
    """Due times an hour of each job that is counted apart."""

    def add(self, job: Mapping[str, Any], clock: PageClock) -> None:
        """Add the due times of a job."""
        next_run = read_moment(job["next_run"])
        if next_run is None or (schedule := listed_schedule(job, next_run)) is None:
            return
        found = list(islice(firings(schedule, clock.now, clock.now + _WEEK), MAX_OF_ONE))
        self.left -= len(found)
        if len(found) == MAX_OF_ONE:
            self.steady.append(MAX_OF_ONE / ((found[-1] - clock.now) / timedelta(hours=1)))
            return
        for due in found:
            local = clock.local(due)
            self.hours[local.weekday(), local.hour] += 1
            minute = local.replace(second=0, microsecond=0)
            self.minutes[minute] += 1
            self.jobs_at[minute].append(job["job_id"])


@router.get("/week")
async def get_week(viewer: Viewing) -> Response:
    """Show the coming week by weekday and hour, and its busiest minute."""
    data = await viewer.scheduler("list", job_status="active", limit=MAX_JOBS)
    density = await density_of(data["jobs"], viewer.clock)
    busiest = max(density.minutes, key=lambda minute: (density.minutes[minute], -minute.timestamp()), default=None)
    return await viewer.page(
        "week.html",
        title="Coming week",
        drawing=draw_week(density),
        busiest=busiest,
        jobs=list(dict.fromkeys(density.jobs_at[busiest])) if busiest else [],
        address=job_address,
        most=max(density.hours.values(), default=0),
        steady=density.steady,
        looked_at=density.looked_at,
        total=len(data["jobs"]),
    )


async def density_of(jobs: Sequence[Mapping[str, Any]], clock: PageClock) -> Density:
    """Count the due times of the coming week. With very many due times only the first jobs are counted.

    Other tasks on the event loop get a turn after each job, so that executions start on time.
    """
    density = Density()
    async for (job,) in in_portions(jobs, 1):
        if density.left <= 0:
            break
        density.looked_at += 1
        density.add(job, clock)
    return density


def draw_week(density: Density) -> Markup:
    """Draw seven rows of 24 hours in four shades; each cell has its number as a title."""
    most = max(density.hours.values(), default=0)
    cell = Markup('<rect x="{0}" y="{1}" width="26" height="26" rx="4" class="h{2}"><title>{3} {4:02}:00, {5}</title></rect>')
    cells: list[Markup] = []
    for day in range(7):
        for hour in range(24):
            runs = density.hours[day, hour]
            step = ceil(runs / most * _STEPS) if runs else 0
            cells.append(cell.format(44 + hour * 29, day * 29, step, _DAYS[day], hour, counted(runs, "run")))
    days = [Markup('<text x="0" y="{0}">{1}</text>').format(day * 29 + 17, name) for day, name in enumerate(_DAYS)]
    hours = [Markup('<text x="{0}" y="220" class="tick">{1:02}</text>').format(57 + hour * 29, hour) for hour in range(0, 24, 3)]
    svg = Markup('<svg viewBox="0 0 740 226" class="heat" role="img" aria-label="{0}">{1}</svg>')
    return svg.format("Coming runs by weekday and hour", Markup("").join([*days, *cells, *hours]))
