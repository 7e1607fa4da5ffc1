"""The documented core execution function: one run of an AgenTool, as every execution is."""

from __future__ import annotations

from typing import Any

from agentool.core.injector import get_injector
from agentoolkit.system.scheduler.event_loops import done_on
from agentoolkit.system.scheduler.executions import Runs
from agentoolkit.system.scheduler.jobs import Work
from agentoolkit.system.scheduler.service import SchedulerService


async def execute_agentool(
    job_id: str,
    agentool_name: str,
    input_data: dict[str, Any],
    result_queue: str | None = None,
    error_queue: str | None = None,
) -> Any:
    """Run an AgenTool at once, with the history and the queues of a job, and return its result.

    Raises:
        ExecutionFailed: It did not succeed; ``__cause__`` is what it raised.
        InvalidJob, UnknownTarget: Nothing was run.
    """
    service: SchedulerService = get_injector().get("scheduler").deps
    work = Work(agentool_name, input_data, result_queue, error_queue)
    execution = await done_on(service.elsewhere, lambda: Runs(service).run_now(work, job_id))
    return execution.result
