"""Print executions as lines: while they end, and from the history."""

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
from agentoolkit.system.scheduler.answer_schemas import ExecutionInfo
from agentoolkit.system.scheduler.events import Event
from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.text import in_one_line

NAME_WIDTH = 20
_TOOL_WIDTH = 12
_RESULT_WIDTH = 90


class ExecutionLine(NamedTuple):
    """The cells of an execution's line."""

    due: datetime
    job_id: str
    tool: str
    status: str
    duration: float | None
    text: str
    """Its result, error or reason."""
    times: int = 1

    @classmethod
    def of_event(cls, execution: Execution) -> ExecutionLine:
        """Make the line of an execution in an event."""
        error = f"{execution.error.type}: {execution.error.message}" if execution.error else ""
        text = _outcome_text(execution.status, error, execution.reason, execution.result, execution.attempt)
        named = execution.job_id, execution.agentool_name, execution.status.value
        return cls(execution.scheduled_at, *named, execution.duration, text, execution.due_count)

    @classmethod
    def of_record(cls, record: ExecutionInfo) -> ExecutionLine:
        """Make the line of an execution in the history."""
        error = f"{record.error.type}: {record.error.message}" if record.error else ""
        text = _outcome_text(record.status, error, record.reason, record.result, record.attempt)
        due = datetime.fromisoformat(record.scheduled_at)
        return cls(due, record.job_id, record.agentool_name, record.status, record.duration, text)

    def render(self, now: datetime, width: int, due_width: int = 8) -> Text:
        """Write the line in columns, for a terminal of that width."""
        return Text.assemble(
            (f"{short_time(self.due, now):<{due_width}}  ", "dim"),
            (f"{cut_name(in_one_line(self.job_id), NAME_WIDTH, width):<{NAME_WIDTH}} ", "bold"),
            _tool(in_one_line(self.tool), width),
            (f"{self.status:<9} ", STATUS_COLOURS.get(self.status, "")),
            f"{took(self.duration):>9}  ",
            cut(in_one_line(self.text), _RESULT_WIDTH),
        )


def heading(width: int, due_width: int = 8) -> Text:
    """Return the heading of the columns."""
    return Text(f"{'due':<{due_width}}  {'job':<{NAME_WIDTH}} {_tool('tool', width)}{'status':<9} {'took':>9}  result", "dim")


def _tool(name: str, width: int) -> str:
    return f"{cut_name(name, _TOOL_WIDTH, width):<{_TOOL_WIDTH}} " if width >= NARROW else ""


def print_history(records: Sequence[ExecutionInfo], *, ids: bool = False) -> None:
    """Print records, given newest first, the newest last; with `ids` also their ids, on a terminal on a line of their own."""
    now, shown = present(), console()
    lines = [(ExecutionLine.of_record(record), in_one_line(record.execution_id)) for record in reversed(records)]
    due_width = max(len(short_time(line.due, now)) for line, _ in lines)
    shown.print(heading(shown.width, due_width), no_wrap=True, overflow="ellipsis")
    for line, execution_id in lines:
        text = line.render(now, shown.width, due_width)
        if ids and shown.width >= PIPE_WIDTH:
            text.append(f"  {execution_id}")
        shown.print(text, no_wrap=True, overflow="ellipsis")
        if ids and shown.width < PIPE_WIDTH:
            shown.print(Text(f"{'':{due_width}}  {execution_id}", "dim"), soft_wrap=True)


Level = Literal["INFO", "WARNING", "ERROR"]


class LiveLog:
    """Prints a line for each execution that ends, and counts them. Executions that end before `begin` are printed by it."""

    def __init__(self, console: Console, record: Callable[[Level, str], object] | None = None) -> None:
        self._console = console
        self._record = record
        self._counts: Counter[tuple[str, str]] = Counter()
        self._early: list[ExecutionLine] | None = []
        self._underway: dict[str, str] = {}

    def hear(self, event: Event) -> None:
        """Print and count the execution of an event, if it has ended."""
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
            line = line._replace(text="on a worker")  # the event does not have the result
        self._counts[line.job_id, line.status] += line.times
        if self._early is None:
            self._print(line)
        else:
            self._early.append(line)

    def begin(self) -> None:
        """Print the heading and the executions that have ended so far."""
        self._console.print()
        self._console.print(heading(self._console.width), no_wrap=True, overflow="ellipsis")
        early, self._early = self._early or [], None
        for line in early:
            self._print(line)

    def say(self, text: str, style: str = "", level: Level = "INFO") -> None:
        """Print a message with its time and level, and write it into the log."""
        message = in_one_line(text)
        if self._record is not None:
            self._record(level, message)
        head = f"{present().astimezone():%H:%M:%S}  {level:<7}  "
        self._console.print(Text.assemble((head, "dim"), (message, style)), soft_wrap=True)

    def summary(self) -> None:
        """Print the outcomes of each job with their numbers, and the executions that were cut short."""
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
        self._console.print(line.render(present(), self._console.width), no_wrap=True, overflow="ellipsis")


def _outcome_text(status: str, error: str, reason: str, result: Any, attempt: int) -> str:
    prefix = f"attempt {attempt}: " if attempt > 1 else ""
    if error:
        return prefix + " ".join(error.split())
    return prefix + (result_text(redacted(result)) if status == "success" else reason)
