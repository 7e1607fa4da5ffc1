"""Executions as lines: while they happen, and out of the history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from rich.console import Console
from rich.text import Text

from agentoolkit.entrypoints.cli.printing import (
    NARROW,
    PIPE_WIDTH,
    STATUS_COLOURS,
    coloured,
    console,
    cut,
    cut_name,
    present,
    print_table,
    result_text,
    short_time,
    took,
)
from agentoolkit.redaction import redacted
from agentoolkit.system.scheduler.events import Event
from agentoolkit.system.scheduler.jobs import Execution, ExecutionStatus
from agentoolkit.system.scheduler.schemas import ExecutionInfo
from agentoolkit.text import in_one_line

NAME_WIDTH = 20
_TOOL_WIDTH = 12
_RESULT_WIDTH = 90


class ExecutionLine(NamedTuple):
    """What a line tells of an execution."""

    due: datetime
    job_id: str
    tool: str
    status: str
    duration: float | None
    told: str
    times: int = 1

    @classmethod
    def of_event(cls, execution: Execution) -> ExecutionLine:
        """Read an execution that an event brought."""
        error = f"{execution.error.type}: {execution.error.message}" if execution.error else ""
        told = _told(execution.status, error, execution.reason, execution.result, execution.attempt)
        named = execution.job_id, execution.agentool_name, execution.status.value
        return cls(execution.scheduled_at, *named, execution.duration, told, execution.due_count)

    @classmethod
    def of_record(cls, record: ExecutionInfo) -> ExecutionLine:
        """Read a record of an answer."""
        error = f"{record.error.type}: {record.error.message}" if record.error else ""
        told = _told(record.status, error, record.reason, record.result, record.attempt)
        due = datetime.fromisoformat(record.scheduled_at)
        return cls(due, record.job_id, record.agentool_name, record.status, record.duration, told)

    def text(self, now: datetime, width: int, due_width: int = 8) -> Text:
        """Write the line in columns, for a terminal so wide."""
        return Text.assemble(
            (f"{short_time(self.due, now):<{due_width}}  ", "dim"),
            (f"{_name(in_one_line(self.job_id), NAME_WIDTH, width):<{NAME_WIDTH}} ", "bold"),
            _tool(in_one_line(self.tool), width),
            (f"{self.status:<9} ", STATUS_COLOURS.get(self.status, "")),
            f"{took(self.duration):>9}  ",
            cut(in_one_line(self.told), _RESULT_WIDTH),
        )


def heading(width: int, due_width: int = 8) -> Text:
    """Return the line above such lines."""
    return Text(f"{'due':<{due_width}}  {'job':<{NAME_WIDTH}} {_tool('tool', width)}{'status':<9} {'took':>9}  result", "dim")


def _tool(name: str, width: int) -> str:
    return f"{_name(name, _TOOL_WIDTH, width):<{_TOOL_WIDTH}} " if width >= NARROW else ""


def print_history(records: Sequence[ExecutionInfo], *, ids: bool = False) -> None:
    """Print records, which come newest first, in the order they happened; with `ids`, with their ids: behind, or below on a terminal."""
    now, shown = present(), console()
    lines = [(ExecutionLine.of_record(record), in_one_line(record.execution_id)) for record in reversed(records)]
    due_width = max(len(short_time(line.due, now)) for line, _ in lines)
    shown.print(heading(shown.width, due_width), no_wrap=True, overflow="ellipsis")
    for line, execution_id in lines:
        text = line.text(now, shown.width, due_width)
        if ids and shown.width >= PIPE_WIDTH:
            text.append(f"  {execution_id}")
        shown.print(text, no_wrap=True, overflow="ellipsis")
        if ids and shown.width < PIPE_WIDTH:
            shown.print(Text(f"{'':{due_width}}  {execution_id}", "dim"), soft_wrap=True)


def _name(name: str, columns: int, width: int) -> str:
    return name if width >= PIPE_WIDTH else cut(name, columns)


Level = Literal["INFO", "WARNING", "ERROR"]


class LiveLog:
    """Prints a line for each execution that ended, and counts them. What happens before `begin` is printed then."""

    def __init__(self, console: Console, record: Callable[[Level, str], object] | None = None) -> None:
        self._console = console
        self._record = record
        self._counts: Counter[tuple[str, str]] = Counter()
        self._early: list[ExecutionLine] | None = []
        self._underway: dict[str, str] = {}

    def hear(self, event: Event) -> None:
        """Take note of an event."""
        if event.execution is None:
            return
        execution = event.execution
        if execution.status is ExecutionStatus.RUNNING:
            self._underway[execution.execution_id] = execution.job_id
        else:
            self._underway.pop(execution.execution_id, None)
        if not event.execution.finished:
            return
        line = ExecutionLine.of_event(event.execution)
        if event.elsewhere and execution.status is ExecutionStatus.SUCCESS:
            line = line._replace(told="on a worker")  # which has told nobody here what it returned
        self._counts[line.job_id, line.status] += line.times
        if self._early is None:
            self._print(line)
        else:
            self._early.append(line)

    def begin(self) -> None:
        """Print the heading and whatever happened before."""
        self._console.print()
        self._console.print(heading(self._console.width), no_wrap=True, overflow="ellipsis")
        early, self._early = self._early or [], None
        for line in early:
            self._print(line)

    def say(self, text: str, style: str = "", level: Level = "INFO") -> None:
        """Print something else in between, with its time and level, and write it into the log."""
        told = in_one_line(text)
        if self._record is not None:
            self._record(level, told)
        head = f"{present().astimezone():%H:%M:%S}  {level:<7}  "
        self._console.print(Text.assemble((head, "dim"), (told, style)), soft_wrap=True)

    def summary(self) -> None:
        """Print how often each job ended in which way, and what was cut short."""
        if self._underway:
            self.say(f"Cut short, to be started again next time: {', '.join(sorted(set(self._underway.values())))}.", "yellow", "WARNING")
        elif not self._counts:
            self.say("Nothing ran.")
        if not self._counts:
            return
        counted = sorted(self._counts.items())
        rows = [(cut_name(job_id, 40, self._console.width), coloured(status), str(number)) for (job_id, status), number in counted]
        self._console.print()
        print_table(rows, ("job", "outcome", "times"))

    def _print(self, line: ExecutionLine) -> None:
        self._console.print(line.text(present(), self._console.width), no_wrap=True, overflow="ellipsis")


def _told(status: str, error: str, reason: str, result: Any, attempt: int) -> str:
    before = f"attempt {attempt}: " if attempt > 1 else ""
    if error:
        return before + " ".join(error.split())
    return before + (result_text(redacted(result)) if status == "success" else reason)
