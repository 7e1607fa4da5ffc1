"""Print one execution in full, for `agentool show` and `agentool logs`."""

from __future__ import annotations

from typing import Any, cast

from rich.text import Text

from agentoolkit.entrypoints.cli.printing import coloured, long_time, moment_of, print_json, print_pairs, say, say_lines, took
from agentoolkit.system.scheduler.answer_schemas import ErrorInfo, ExecutionInfo

_OUTPUTS = ("stdout", "stderr")


def print_execution(execution: ExecutionInfo) -> None:
    """Print every field of an execution."""
    times = {"due": execution.scheduled_at, "started": execution.started_at, "ended": execution.finished_at, "retried": execution.retry_at}
    print_pairs(
        {
            "execution": execution.execution_id,
            "job": execution.job_id,
            "tool": execution.agentool_name,
            "status": coloured(execution.status),
            "why": execution.reason,
            "started by": execution.trigger,
            **{name: long_time(moment.astimezone(), seconds=True) for name, text in times.items() if (moment := moment_of(text))},
            "took": took(execution.duration),
            "attempt": execution.attempt,
            "delivery": None if execution.delivery == "none" else execution.delivery,
        }
    )
    for attempt in execution.attempts:
        say("")
        say(Text(f"Attempt {attempt.attempt}", "bold"))
        if attempt.error:
            _print_error(attempt.error)
    _print_outcome(execution)


def print_output(execution: ExecutionInfo) -> None:
    """Print an execution's output below a line with its due time, id and status."""
    due = moment_of(execution.scheduled_at)
    title = f"{execution.execution_id}  {execution.status}  {took(execution.duration)}".rstrip()
    say(Text(f"── {long_time(due.astimezone(), seconds=True) if due else ''}  {title}", "dim"))
    _print_outcome(execution, heading=False)


def _print_outcome(execution: ExecutionInfo, *, heading: bool = True) -> None:
    """Print the error or the result: text and a program's output with their line breaks, any other result as JSON."""
    if execution.error:
        if heading:
            say("")
            say(Text("Error", "bold"))
        _print_error(execution.error)
    elif execution.result is not None:
        if heading:
            say("")
            say(Text("Result", "bold"))
        value: Any = execution.result
        held = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        if isinstance(value, str):
            say_lines(value)
        elif all(isinstance(held.get(name), str) for name in _OUTPUTS):
            for name in _OUTPUTS:
                if held[name]:
                    say_lines(held[name].removesuffix("\n"))
        else:
            print_json(value)


def _print_error(error: ErrorInfo) -> None:
    say_lines(f"{error.type}: {error.message}")
    if error.traceback:
        say_lines(error.traceback.rstrip("\n"))
