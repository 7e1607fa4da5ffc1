"""Draw statuses as icons, each with a colour and a shape of its own, the same on every page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from markupsafe import Markup, escape

from agentoolkit.entrypoints.dashboard.addresses import execution_address
from agentoolkit.entrypoints.dashboard.moments import PageClock, read_moment

SHAPES = {
    "success": '<circle cx="6" cy="6" r="4.2"/>',
    "failed": '<path d="M2.2 2.2 9.8 9.8M9.8 2.2 2.2 9.8" class="line"/>',
    "missed": '<circle cx="6" cy="6" r="3.8" class="line"/>',
    "skipped": '<path d="M2 6h8" class="line"/>',
    "cancelled": '<path d="M6 1.6 10.4 6 6 10.4 1.6 6z" class="line"/>',
    "lost": '<path d="M6 1.4 11 10.4H1z"/>',
    "running": '<path d="M3 1.8 10 6 3 10.2z"/>',
    "retrying": '<path d="M9.6 4A4 4 0 1 0 10 6M9.8 1.6V4H7.4" class="line"/>',
    "queued": '<path d="M3.8 2.4v7.2M8.2 2.4v7.2" class="line"/>',
}
STRIP = 30
"""Executions that a strip shows."""


def icon(status: str, title: str | None = None) -> Markup:
    """Draw the icon of a status. Without a title it is hidden from screen readers, because the word stands beside it."""
    shape = Markup(SHAPES.get(status, SHAPES["skipped"]))  # noqa: S704  drawings of ours
    told = Markup('role="img" aria-label="{0}"').format(title) if title else Markup('aria-hidden="true"')
    named = Markup("<title>{0}</title>").format(title) if title else Markup("")
    drawing = '<svg class="mark {0}" width="12" height="12" viewBox="0 0 12 12" {1}>{2}{3}</svg>'
    return Markup(drawing).format(status, told, named, shape)  # noqa: S704  a drawing of ours


def strip(executions: Iterable[Mapping[str, Any]], clock: PageClock) -> Markup:
    """Draw the latest executions of a job as linked icons, the newest last."""
    newest = list(executions)[:STRIP]
    if not newest:
        return Markup('<span class="note">no run yet</span>')
    links: list[str] = []
    for execution in reversed(newest):  # a list has thousands of marks, so they refer to the page's `symbols`
        status, due = execution["status"], read_moment(execution["scheduled_at"])
        title = f"{status}, {clock.exactly(due) if due else ''}"
        drawing = f'<svg class="mark {status}" width="12" height="12" aria-hidden="true"><use href="#{status}"/></svg>'
        links.append(f'<a href="{escape(execution_address(execution["execution_id"]))}" title="{escape(title)}">{drawing}</a>')
    return Markup(f'<span class="strip">{"".join(links)}</span>')  # noqa: S704  each part is escaped above


def symbols() -> Markup:
    """Define every shape once, for icons that refer to it."""
    defined = "".join(f'<symbol id="{status}" viewBox="0 0 12 12">{shape}</symbol>' for status, shape in SHAPES.items())
    return Markup(f'<svg width="0" height="0" class="hidden" aria-hidden="true">{defined}</svg>')  # noqa: S704  drawings of ours
