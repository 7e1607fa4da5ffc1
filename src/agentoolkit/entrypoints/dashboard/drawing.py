"""Draw charts as SVG: they can be printed, need no script, and describe themselves in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from agentoolkit.entrypoints.dashboard.addresses import execution_address
from agentoolkit.entrypoints.dashboard.moments import PageClock, read_moment, span

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 720, 132, 64, 20


def draw_durations(executions: Sequence[Mapping[str, Any]], timeout: float | None, clock: PageClock) -> Markup | None:
    """Draw the durations of a job's executions, the newest at the right, with a line for the timeout."""
    timed = [execution for execution in reversed(executions) if execution["duration"] is not None]
    if len(timed) < 2:
        return None
    longest = max(execution["duration"] for execution in timed)
    top = timeout if timeout is not None and timeout <= longest * 3 else longest
    scale = (_HEIGHT - _BOTTOM - 8) / (max(top, longest) or 1.0)
    step = (_WIDTH - _LEFT) / len(timed)
    bars = Markup("").join(_bar(execution, _LEFT + number * step, step, scale, clock) for number, execution in enumerate(timed))
    levels = [(longest, span(longest), "lane")]
    if timeout is not None and timeout <= max(top, longest):
        overlaps = longest > timeout * 0.8  # the two labels
        levels = [*([] if overlaps else levels), (timeout, f"limit {span(timeout)}", "limit")]
    line = Markup('<line x1="{0}" x2="{1}" y1="{2:.1f}" y2="{2:.1f}" class="{3}"/><text x="0" y="{4:.1f}">{5}</text>')
    heights = [(_HEIGHT - _BOTTOM - seconds * scale, told, name) for seconds, told, name in levels]
    lines = Markup("").join(line.format(_LEFT, _WIDTH, y, name, y + 4, told) for y, told, name in heights)
    told = f"The last {len(timed)} runs took {span(min(execution['duration'] for execution in timed))} to {span(longest)}"
    svg = '<svg viewBox="0 0 {0} {1}" class="durations" role="group" aria-label="{2}">{3}{4}</svg>'
    return Markup(svg).format(_WIDTH, _HEIGHT, told, lines, bars)  # noqa: S704  a drawing of ours


def _bar(execution: Mapping[str, Any], left: float, step: float, scale: float, clock: PageClock) -> Markup:
    height = max(2.0, execution["duration"] * scale)
    started = read_moment(execution["started_at"])
    told = f"{span(execution['duration'])}, {execution['status']}, {clock.exactly(started) if started else ''}"
    bar = '<a href="{0}" tabindex="-1"><rect x="{1:.1f}" y="{2:.1f}" width="{3:.1f}" height="{4:.1f}" rx="1.5" class="{5}">'
    bar += "<title>{6}</title></rect></a>"
    address, base = execution_address(execution["execution_id"]), _HEIGHT - _BOTTOM
    width, top = min(24.0, max(1.5, step - 2)), base - height
    return Markup(bar).format(address, left + 1, top, width, height, execution["status"], told)  # noqa: S704
