"""Retry executions for `agentool retry`: by id, a job's latest failure, or all that match a query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from agentool.errors import AgenToolError
from agentoolkit.entrypoints.cli.find_jobs import find_execution, find_executions
from agentoolkit.entrypoints.cli.progress import progress
from agentoolkit.entrypoints.cli.session import Toolkit, call
from agentoolkit.portions import AT_ONCE, done_in_portions
from agentoolkit.system.scheduler.answer_schemas import ExecutionInfo, History
from agentoolkit.system.scheduler.errors import ExecutionNotFound
from agentoolkit.system.scheduler.search import check_narrows

MAX_RETRIED = 10_000
"""Executions that one query retries at most."""


class RetriedExecutions(NamedTuple):
    """The started executions, and the refused retries."""

    started: list[str]
    """Ids of the new executions."""
    refusals: list[str]


async def retry_named(kit: Toolkit, names: Sequence[str]) -> RetriedExecutions:
    """Retry executions by their ids, or the latest failures of jobs.

    Raises:
        ExecutionNotFound: There is no such execution, or no failure of such a job.
    """
    return await _retry(kit, [await _find_failed(kit, name) for name in names])


async def retry_found(kit: Toolkit, query: str) -> RetriedExecutions:
    """Retry the first `MAX_RETRIED` executions that match a query, the latest due first.

    Raises:
        InvalidJob: The query has no term, or cannot be read.
    """
    check_narrows(query)
    return await _retry(kit, (await find_executions(kit, query, MAX_RETRIED)).history)


async def _retry(kit: Toolkit, chosen: Sequence[ExecutionInfo]) -> RetriedExecutions:
    """Start the retries, many at once, so that they share commits of the database. A refused one does not stop the others."""
    retried = RetriedExecutions([], [])
    with progress("retried", len(chosen)) as advance:

        async def start(execution: ExecutionInfo) -> None:
            try:
                fields = {"job_id": execution.job_id, "execution_id": execution.execution_id}
                retried.started.append((await call(kit, ExecutionInfo, "start_run", **fields)).execution_id)
            except AgenToolError as error:
                retried.refusals.append(f"{execution.execution_id}: {error}")
            advance()

        await done_in_portions(start, chosen, AT_ONCE)
    return retried


async def _find_failed(kit: Toolkit, name: str) -> ExecutionInfo:
    """Return an execution by its id, or the latest failure of a job."""
    try:
        return await find_execution(kit, name)
    except ExecutionNotFound:
        if "@" in name:
            raise
    failures = await call(kit, History, "list_executions", job_id=name, execution_status="failed", limit=1)
    if not failures.history:
        problem = f"Job {name!r} has no failed execution to retry."
        raise ExecutionNotFound(problem, field="execution_id", value=name, remedy="`agentool run` runs a job by itself.")
    return failures.history[0]
