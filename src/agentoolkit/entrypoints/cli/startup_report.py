"""Count the due times that passed while no scheduler ran, and the executions that were cut short."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from agentoolkit.entrypoints.cli.printing import moment_of
from agentoolkit.system.scheduler.answer_schemas import ExecutionInfo
from agentoolkit.text import counted


class StartupReport(NamedTuple):
    """Numbers of due times and executions, counted from the history."""

    missed: int = 0
    """Due times that were recorded as missed."""
    caught_up: int = 0
    """Due times from before the start that run now."""
    skipped: int = 0
    started_again: int = 0
    lost: int = 0

    def sentences(self) -> list[str]:
        """Return a sentence on due times and one on executions, each only if there are any."""
        said: list[str] = []
        if self.missed or self.caught_up or self.skipped:
            skipped = f", {self.skipped:,} skipped" if self.skipped else ""
            said.append(f"While it was down: {counted(self.missed, 'due time')} missed, {self.caught_up:,} caught up{skipped}.")
        if cut_short := self.started_again + self.lost:
            said.append(f"{counted(cut_short, 'execution')} interrupted: {self.started_again} started again, {self.lost} lost.")
        return said


def startup_report(records: Iterable[ExecutionInfo], opened: datetime) -> StartupReport:
    """Count the executions from before `opened` that ended, or run, after it."""
    counts = dict.fromkeys(StartupReport._fields, 0)
    for record in records:
        finished = moment_of(record.finished_at)
        if (finished is None or finished >= opened) and (kind := _count_as(record, opened)):
            counts[kind] += record.due_count
    return StartupReport(**counts)


def _count_as(record: ExecutionInfo, opened: datetime) -> str | None:
    if record.status == "lost":
        return "lost"
    if any(attempt.error and attempt.error.type == "ProcessEnded" for attempt in record.attempts[-1:]):
        return "started_again"
    scheduled_at = moment_of(record.scheduled_at)
    if record.trigger != "schedule" or scheduled_at is None or scheduled_at >= opened or record.retry_at:
        return None
    return record.status if record.status in ("missed", "skipped") else "caught_up"
