"""How executions look on a terminal."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from agentoolkit.system.scheduler.events import Event
from agentoolkit.system.scheduler.jobs import Execution, Status
from agentoolkit.system.scheduler.schemas import SchedulerOutput

_COLOURS = {
    Status.SUCCESS: "green",
    Status.FAILED: "red",
    Status.LOST: "red",
    Status.MISSED: "yellow",
    Status.SKIPPED: "yellow",
    Status.CANCELLED: "yellow",
}
_NAME_WIDTH = 18
_RESULT_WIDTH = 100


class LiveLog:
    """Prints a line for each job scheduled and each execution ended, and counts them."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._counts: Counter[tuple[str, Status]] = Counter()
        self._headed = False

    def scheduled(self, output: SchedulerOutput) -> None:
        """Say how a task was understood."""
        data = output.data or {}
        next_run = datetime.fromisoformat(data["next_run"]).strftime("%H:%M:%S") if data["next_run"] else "now"
        self._console.print(f"[bold]{data['job_id']:<{_NAME_WIDTH}}[/] {data['words']}, next at {next_run}")

    def show(self, event: Event) -> None:
        """Print an execution that has ended; ignore other events."""
        execution = event.execution
        if execution is None or not execution.finished:
            return
        if not self._headed:
            self._headed = True
            self._console.print(f"[dim]\n{'due':<8}  {'job':<{_NAME_WIDTH}} {'tool':<10} {'status':<9} {'took':>8}  result[/]")
        self._counts[execution.job_id, execution.status] += execution.due_count
        self._console.print(_line(execution), overflow="ellipsis", no_wrap=True)

    def summary(self) -> None:
        """Print how often each job ended in which way."""
        table = Table("job", "outcome", Column("times", justify="right"), title="Summary", title_justify="left")
        for (job_id, status), number in sorted(self._counts.items()):
            table.add_row(job_id, Text(status, _COLOURS.get(status, "")), str(number))
        self._console.print(table)


def _line(execution: Execution) -> Text:
    due = execution.scheduled_at.astimezone().strftime("%H:%M:%S")
    took = "" if execution.duration is None else f"{execution.duration * 1000:.1f} ms"
    return Text.assemble(
        (f"{due:<8}  ", "dim"),
        (f"{execution.job_id:<{_NAME_WIDTH}} ", "bold"),
        f"{execution.agentool_name:<10} ",
        (f"{execution.status:<9} ", _COLOURS.get(execution.status, "")),
        f"{took:>8}  ",
        _told(execution),
    )


def _told(execution: Execution) -> str:
    if execution.error is not None:
        return f"{execution.error.type}: {execution.error.message}"
    if execution.status is not Status.SUCCESS:
        return execution.reason
    return _short(execution.result)


def _short(result: Any) -> str:
    shown = result.get("result", result) if isinstance(result, dict) else result
    text = shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)
    return text if len(text) <= _RESULT_WIDTH else f"{text[:_RESULT_WIDTH]}…"
