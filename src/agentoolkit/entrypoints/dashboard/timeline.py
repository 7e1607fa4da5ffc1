"""Draw the last and the next 24 hours of some jobs on one axis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

from markupsafe import Markup

from agentool.errors import AgenToolError
from agentoolkit.entrypoints.dashboard.addresses import execution_address
from agentoolkit.entrypoints.dashboard.moments import PageClock, read_moment
from agentoolkit.entrypoints.dashboard.status_icons import SHAPES
from agentoolkit.system.scheduler.schedules import Schedule, firings

SPAN = timedelta(hours=24)
MAX_AHEAD = 200
"""Coming due times of one job that are computed."""
_WIDTH, _LANE, _TOP, _BOTTOM = 912, 26, 28, 20
_MARK = 13.0
"""Distance below which two marks overlap."""
_BAR = 14.0
"""Smallest width of a bar."""
_TEXT = 7.0
"""Approximate width of a letter."""
_WORST = ("failed", "lost", "missed", "retrying", "running", "queued", "skipped", "cancelled", "success")


class Lane(NamedTuple):
    """One job on the axis."""

    name: str
    address: str
    executions: Sequence[Mapping[str, Any]]
    ahead: Sequence[datetime]


class Point(NamedTuple):
    """An execution or a due time on a lane."""

    x: float
    status: str
    """The execution's status; empty for a due time."""
    at: datetime
    address: str = ""


def coming(schedule: Schedule | None, clock: PageClock, most: int = MAX_AHEAD) -> list[datetime]:
    """Return the due times of the next 24 hours, `most` at most."""
    if schedule is None or schedule.kind == "after":
        return []
    try:
        return list(islice(firings(schedule, clock.now, clock.now + SPAN), most))
    except AgenToolError:
        return []


def draw_timeline(lanes: Sequence[Lane], clock: PageClock) -> Markup:
    """Draw the lanes: past left, future right, a line for now. Overlapping marks become one bar with a count."""
    height = _TOP + len(lanes) * _LANE + _BOTTOM
    drawn = Markup("").join(_draw_lane(lane, _TOP + number * _LANE, clock) for number, lane in enumerate(lanes))
    base = height - _BOTTOM
    first = clock.local(clock.now - SPAN).replace(minute=0, second=0, microsecond=0)
    hours = [hour for number in range(1, 49) if (hour := first + timedelta(hours=number)).hour % 4 == 0]
    tick = Markup('<text x="{0:.0f}" y="{1:.0f}" class="tick">{2}</text>')
    ticks = Markup("").join(tick.format(_place(at, clock), base + 14, f"{at:%a}" if at.hour == 0 else f"{at:%H:%M}") for at in hours)
    frame = '<line x1="{0:.0f}" x2="{0:.0f}" y1="14" y2="{1}" class="now"/><text x="{2:.0f}" y="11" class="nowtext">now {3}</text>'
    x = _place(clock.now, clock)
    now = Markup(frame).format(x, base, x - 4, f"{clock.local(clock.now):%H:%M}")  # noqa: S704  a drawing of ours
    name = Markup('<li><a href="{0}" title="{1}">{1}</a></li>')
    names = Markup("").join(name.format(lane.address, lane.name) for lane in lanes)
    # The names are no part of the drawing, because on a phone they stay while it scrolls. The style gives each the height of a lane.
    svg = '<svg viewBox="0 0 {0} {1}" role="group" aria-label="The last and the next 24 hours">{2}{3}{4}</svg>'
    frame = '<div class="scroll timeline" tabindex="0" role="region" aria-label="Timeline"><ul>{0}</ul>{1}</div>'
    return Markup(frame).format(names, Markup(svg).format(_WIDTH, height, drawn, ticks, now))  # noqa: S704


def _place(at: datetime, clock: PageClock) -> float:
    return (at - clock.now + SPAN) / (2 * SPAN) * _WIDTH


def _draw_lane(lane: Lane, y: int, clock: PageClock) -> Markup:
    past = [
        Point(_place(due, clock), execution["status"], due, execution_address(execution["execution_id"]))
        for execution in reversed(lane.executions)
        if (due := read_moment(execution["scheduled_at"])) is not None and clock.now - SPAN <= due <= clock.now
    ]
    ahead = [Point(_place(due, clock), "", due) for due in lane.ahead]
    if len(ahead) == MAX_AHEAD:
        ahead.append(ahead[-1]._replace(x=float(_WIDTH)))
    groups = Markup("").join(_draw_group(group, y, clock) for points in (past, ahead) for group in _grouped(points))
    return Markup('<line x1="0" x2="{0}" y1="{1}" y2="{1}" class="lane"/>{2}').format(_WIDTH, y, groups)


def _grouped(points: Iterable[Point]) -> list[list[Point]]:
    """Group points that would overlap."""
    groups: list[list[Point]] = []
    for point in points:
        last = groups[-1][-1] if groups else None
        # A lane with too many due times ends with a second copy of its last one, at the edge.
        if last is not None and (point.x - last.x < _MARK or (not point.status and point.at == last.at)):
            groups[-1].append(point)
        else:
            groups.append([point])
    return groups


def _draw_group(group: Sequence[Point], y: int, clock: PageClock) -> Markup:
    first, last = group[0], group[-1]
    if len(group) == 1:
        return _draw_point(first, y, clock)
    counts = Counter(point.status or "due" for point in group)
    worst = next((status for status in _WORST if status in counts), "due")
    told = ", ".join(f"{number} {status}" for status, number in counts.most_common())
    if counts["due"] >= MAX_AHEAD:
        told = f"more than {MAX_AHEAD} due"
    now, left, right = _place(clock.now, clock), first.x - 6, last.x + 6
    if first.status:  # no bar crosses the line for now
        left, right = min(left, now - 2 - _BAR), min(right, now - 2)
    else:
        left, right = max(left, now + 2), min(right, _WIDTH)
    width = max(_BAR, right - left)
    text = told if len(told) * _TEXT < width else str(len(group)) if width > len(str(len(group))) * _TEXT + 4 else ""
    bar = '<g><title>{0}, {1} to {2}</title><rect x="{3:.1f}" y="{4}" width="{5:.1f}" height="12" rx="6" class="stretch {6}"/>'
    bar += '<text x="{7:.1f}" y="{8}" class="count">{9}</text></g>'
    since, until = f"{clock.local(first.at):%H:%M}", f"{clock.local(last.at):%H:%M}"
    return Markup(bar).format(told, since, until, left, y - 6, width, worst, left + width / 2, y + 4, text)  # noqa: S704


def _draw_point(point: Point, y: int, clock: PageClock) -> Markup:
    exact = clock.exactly(point.at)
    if not point.status:
        dot = Markup('<circle cx="{0:.1f}" cy="{1}" r="3.4" class="due"><title>due {2}</title></circle>')
        return dot.format(point.x, y, exact)
    shape = Markup(SHAPES[point.status])  # noqa: S704  drawings of ours
    mark = '<a href="{0}" aria-label="{1}, {2}"><g class="mark {1}" transform="translate({3:.1f} {4})"><title>{1}, {2}</title>{5}</g></a>'
    return Markup(mark).format(point.address, point.status, exact, point.x - 6, y - 6, shape)  # noqa: S704
