"""What an execution that was sent to workers waits for, as its record says until one of them claims it."""

from __future__ import annotations

from agentoolkit.system.scheduler.jobs import Execution, ExecutionStatus

WAITS = "waits for a worker"
"""What each of these reasons begins with."""
_LACKED = f"{WAITS} that "
"""What those begin with that a worker has told, which could not carry it out."""


def waits_for_tool(agentool_name: str) -> str:
    """Return the reason where a worker had no AgenTool of this name."""
    return f"{_LACKED}has AgenTool {agentool_name!r}: name its plugin there by AGENTOOL_PLUGINS"


def waits_for_reader() -> str:
    """Return the reason where a worker could not read the job: a newer version has written it, or it was damaged."""
    return f"{_LACKED}can read its job: an older one cannot"


def waits_for_any(executor: str, queue: str) -> str:
    """Return the reason where no worker has said anything."""
    return f"{WAITS}: none has taken it from queue {queue!r} of {executor} yet"


def tells_of_workers(reason: str) -> bool:
    """Is this the reason of an execution that waits for a worker for longer than it should?"""
    return reason.startswith(WAITS)


def was_refused(execution: Execution) -> bool:
    """Has a worker looked at it, and could not carry it out?"""
    return execution.status is ExecutionStatus.QUEUED and execution.reason.startswith(_LACKED)


def given_up(execution: Execution) -> str:
    """Return why an execution that workers refused for long ends."""
    return f"no worker was found that {execution.reason.removeprefix(_LACKED)}"
