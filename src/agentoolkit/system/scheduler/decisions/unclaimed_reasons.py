"""Reasons in the records of executions that were sent to workers and wait to be claimed."""

from __future__ import annotations

from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus

WAITS = "waits for a worker"
"""Beginning of each of these reasons."""
_LACKED = f"{WAITS} that "
"""Beginning of the reasons of workers that could not run the execution."""


def waits_for_tool(agentool_name: str) -> str:
    """Return the reason of a worker that has no AgenTool of this name."""
    return f"{_LACKED}has AgenTool {agentool_name!r}: name its plugin there by AGENTOOL_PLUGINS"


def waits_for_reader() -> str:
    """Return the reason of a worker that could not read the job: a newer version wrote it, or it is damaged."""
    return f"{_LACKED}can read its job: an older one cannot"


def waits_for_any(executor: str, queue: str) -> str:
    """Return the reason if no worker has answered."""
    return f"{WAITS}: none has taken it from queue {queue!r} of {executor} yet"


def tells_of_workers(reason: str) -> bool:
    """Tell whether a reason says that an execution waits too long for a worker."""
    return reason.startswith(WAITS)


def was_refused(execution: Execution) -> bool:
    """Tell whether a worker has refused the execution because it cannot run it."""
    return execution.status is ExecutionStatus.QUEUED and execution.reason.startswith(_LACKED)


def given_up(execution: Execution) -> str:
    """Return the error text of an execution that workers have refused for too long."""
    return f"no worker was found that {execution.reason.removeprefix(_LACKED)}"
