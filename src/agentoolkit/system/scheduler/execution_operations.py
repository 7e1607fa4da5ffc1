"""The operations on executions: each calls the `ExecutionService` and turns its answer into output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from agentool.caller import get_caller
from agentool.context import RunContext
from agentool.core.injector import get_injector
from agentool.operations import Handler
from agentoolkit.system.scheduler import answers
from agentoolkit.system.scheduler.answer_schemas import BackfillInfo, ExecutionInfo, History, RunNow
from agentoolkit.system.scheduler.checks import checked_moment
from agentoolkit.system.scheduler.errors import InvalidJob
from agentoolkit.system.scheduler.event_loops import done_on
from agentoolkit.system.scheduler.execution_records import UNFINISHED, Execution, ExecutionStatus
from agentoolkit.system.scheduler.jobs import Work
from agentoolkit.system.scheduler.lookup import GONE
from agentoolkit.system.scheduler.paging import cursor_of, position_of
from agentoolkit.system.scheduler.retention import HISTORY_LENGTH
from agentoolkit.system.scheduler.schemas import SchedulerOutput
from agentoolkit.system.scheduler.service import SchedulerService
from agentoolkit.text import counted

Context = RunContext[SchedulerService]
T = TypeVar("T")


async def scheduler_run_now(
    ctx: Context,
    job_id: str | None = None,
    agentool_name: str | None = None,
    input_data: dict[str, Any] | None = None,
    result_queue: str | None = None,
    error_queue: str | None = None,
    timeout: float | None = None,
    execution_id: str = "",
) -> SchedulerOutput:
    """Run a job, or any AgenTool, at once and wait for its result. Both leave history.

    With the id of a job, that job runs, with `input_data` in place of its own if given; the record names the `execution_id`
    that it repeats. Otherwise `agentool_name` and `input_data` define the call.

    Raises:
        ExecutionFailed: It did not succeed; ``__cause__`` is its exception.
        InvalidJob, UnknownTarget, JobNotFound: Nothing was run.
    """
    work = await ctx.deps.executions.work_of(job_id) if job_id and not agentool_name else None
    if work is None:
        work = Work(_needed("agentool_name", agentool_name), _needed("input_data", input_data), caller=get_caller())
    given = {"input_data": input_data, "result_queue": result_queue, "error_queue": error_queue}
    work = work._replace(**{name: value for name, value in given.items() if value is not None})
    if timeout is not None:
        work = work._replace(policies=replace(work.policies, timeout=timeout))
    execution = await ctx.deps.executions.run_now(work, job_id, execution_id)
    result = RunNow(job_id=execution.job_id, result=execution.result, execution_id=execution.execution_id, duration=execution.duration)
    return answers.output("run_now", f"AgenTool {work.agentool_name!r} succeeded.", result)


async def scheduler_get_history(ctx: Context, job_id: str | None = None, limit: int | None = None) -> SchedulerOutput:
    """Return the latest executions of a job, or of all jobs, the newest first.

    Raises:
        JobNotFound: There is neither such a job nor a record of it.
    """
    found = await ctx.deps.executions.history(job_id, limit or HISTORY_LENGTH)
    history = await _infos(ctx.deps, found.executions)
    result = History(job_id=job_id, history=history, count=len(history))
    return answers.output("get_history", f"{counted(result.count, 'execution')}.", result)


async def scheduler_list_executions(
    ctx: Context,
    job_id: str | None = None,
    execution_status: ExecutionStatus | None = None,
    limit: int | None = None,
    cursor: str | None = None,
    with_results: bool = True,
    query: str = "",
) -> SchedulerOutput:
    """List executions, the newest first: of one job or of all, in one status or in any; with a query, those that match.

    A page of a query may be short although it is not the last.

    Raises:
        JobNotFound: There is neither such a job nor a record of it.
        InvalidJob: The cursor is not from a list.
        InvalidInput: The query cannot be read.
    """
    place = position_of(cursor)
    found = await ctx.deps.executions.history(
        job_id, limit or HISTORY_LENGTH, execution_status, place, with_results=with_results, query=query
    )
    history = await _infos(ctx.deps, found.executions)
    result = History(job_id=job_id, history=history, count=len(history), cursor=cursor_of(found.following))
    return answers.output("list_executions", f"{counted(len(history), 'execution')}.", result)


async def scheduler_get_execution(ctx: Context, execution_id: str) -> SchedulerOutput:
    """Return one execution with its result or error and its earlier attempts.

    Raises:
        ExecutionNotFound: There is no record of it, or it is no longer kept.
    """
    execution = await ctx.deps.executions.get(execution_id)
    (info,) = await _infos(ctx.deps, [execution])
    if execution.status in UNFINISHED:
        info = info.model_copy(update={"output": ctx.deps.parts.live.of(execution_id)})
    return answers.output("get_execution", f"The execution is {execution.status}.", info)


async def scheduler_cancel_execution(ctx: Context, execution_id: str, reason: str = "") -> SchedulerOutput:
    """Cancel an execution that waits or runs, with its handler. One that has ended stays as it is.

    Raises:
        ExecutionNotFound: There is no record of it, or it is no longer kept.
    """
    execution = await ctx.deps.executions.cancel(execution_id, reason or "cancelled on request")
    (info,) = await _infos(ctx.deps, [execution])
    return answers.output("cancel_execution", _cancelled(execution), info)


async def scheduler_start_run(ctx: Context, job_id: str, run_key: str | None = None, execution_id: str | None = None) -> SchedulerOutput:
    """Run a job once more as soon as there is room, without waiting for it. The same key never starts a second run.

    With the id of an execution instead of a key, the job repeats that execution, once; the new id names it.

    Raises:
        JobNotFound: There is no such job.
        ExecutionNotFound: There is no record of the repeated execution, or it is no longer kept.
        InvalidJob: Neither a key nor an execution of the job is given, or both are.
    """
    execution = await ctx.deps.executions.start(job_id, run_key, execution_id)
    (info,) = await _infos(ctx.deps, [execution])
    return answers.output("start_run", f"The execution is {execution.status}.", info)


async def scheduler_backfill(ctx: Context, job_id: str, start_at: str, end_at: str) -> SchedulerOutput:
    """Run a job for the past due times of a range that have no record yet, at most ``max_instances`` at once.

    A range has at most a hundred due times. Repeating the call adds nothing and returns the progress, as long as the
    records are among the hundred that the job keeps.

    Raises:
        JobNotFound: There is no such job.
        InvalidJob: The range has no past due time, or more than a hundred.
    """
    job = (await ctx.deps.lookup.job(job_id)).job
    zone = ZoneInfo(job.schedule.timezone)
    start, end = checked_moment(start_at, "start_at", zone), checked_moment(end_at, "end_at", zone)
    done = await ctx.deps.executions.backfill(job_id, start, end)
    result = BackfillInfo(job_id=job.job_id, created=done.created, total=done.total, statuses=dict(done.statuses))
    return answers.output("backfill", f"{done.created} of {done.total} due times are new.", result)


async def execute_agentool(
    job_id: str,
    agentool_name: str,
    input_data: dict[str, Any],
    result_queue: str | None = None,
    error_queue: str | None = None,
) -> Any:
    """Run an AgenTool at once, with the history and the queues of a job, and return its result.

    Raises:
        ExecutionFailed: It did not succeed; ``__cause__`` is its exception.
        InvalidJob, UnknownTarget: Nothing was run.
    """
    service: SchedulerService = get_injector().get("scheduler").deps
    work = Work(agentool_name, input_data, result_queue, error_queue)
    execution = await done_on(service.lifecycle.elsewhere, lambda: service.executions.run_now(work, job_id))
    return execution.result


HANDLERS: dict[str, Handler] = {
    "run_now": scheduler_run_now,
    "get_history": scheduler_get_history,
    "list_executions": scheduler_list_executions,
    "get_execution": scheduler_get_execution,
    "cancel_execution": scheduler_cancel_execution,
    "start_run": scheduler_start_run,
    "backfill": scheduler_backfill,
}


async def _infos(service: SchedulerService, executions: Sequence[Execution]) -> list[ExecutionInfo]:
    """Return the records of executions. Those that wait for an AgenTool to be registered here get that as their reason."""
    without_reason = [one for one in executions if one.status is ExecutionStatus.QUEUED and not one.reason]
    waiting = set(await service.lookup.without_tool((one.job_id, one.agentool_name) for one in without_reason))
    return [answers.execution_info(one, waits=(one.job_id, one.agentool_name) in waiting) for one in executions]


def _needed(field: str, value: T | None) -> T:
    if value is None:
        remedy = "Give agentool_name and input_data, or the job_id of a scheduled job."
        raise InvalidJob("It is required for operation 'run_now'.", field=field, remedy=remedy)
    return value


def _cancelled(execution: Execution) -> str:
    """Return the message of a cancellation."""
    if execution.finished:
        return f"The execution is {execution.status}."
    if execution.reason == GONE:
        return "Its process has ended, so it does not run any more; the next process that serves settles it."
    return f"The process that has it was asked to cancel it; it is {execution.status}."
