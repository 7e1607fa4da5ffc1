"""What is forwarded when an execution ends: to which queue, and what the message says."""

from __future__ import annotations

from agentoolkit.endings import NOTHING_TO_REPORT
from agentoolkit.system.scheduler.jobs import Execution, ExecutionStatus, Work
from agentoolkit.system.scheduler.ports import Message


def outcome_message(work: Work, execution: Execution) -> Message | None:
    """Return what is to be forwarded: a success to the result queue, what went wrong to the error queue."""
    succeeded = execution.status is ExecutionStatus.SUCCESS
    queue_name = work.result_queue if succeeded else work.error_queue
    if queue_name is None or execution.status is ExecutionStatus.SKIPPED or (succeeded and execution.reason == NOTHING_TO_REPORT):
        return None
    payload: dict[str, object] = {
        "execution_id": execution.execution_id,
        "job_id": execution.job_id,
        "agentool_name": execution.agentool_name,
        "scheduled_at": execution.scheduled_at.isoformat(),
        "status": execution.status.value,
    }
    if succeeded:
        payload["result"] = execution.result
    else:
        payload["reason"] = execution.reason
        payload["error"] = {"type": execution.error.type, "message": execution.error.message} if execution.error else None
    return Message(execution.execution_id, queue_name, payload)
