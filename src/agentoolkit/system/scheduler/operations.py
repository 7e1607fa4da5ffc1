"""The operations of the scheduler AgenTool: each calls the `SchedulerService` and turns its answer into output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from typing_extensions import Unpack

from agentool.context import RunContext
from agentool.errors import did_you_mean
from agentool.operations import Handler, Needs
from agentoolkit.system.scheduler import answers, execution_operations, start_stop_operations
from agentoolkit.system.scheduler.answer_schemas import AuditList, JobList, JobSummary, PlannedJob
from agentoolkit.system.scheduler.checks import checked_end
from agentoolkit.system.scheduler.errors import InvalidJob
from agentoolkit.system.scheduler.job_fields import JobChanges, JobFields, Text
from agentoolkit.system.scheduler.job_writer import Added
from agentoolkit.system.scheduler.jobs import JobStatus
from agentoolkit.system.scheduler.lookup import describe_idle_upstream
from agentoolkit.system.scheduler.paging import PAGE, UPCOMING, cursor_of, position_of
from agentoolkit.system.scheduler.ports import StoredJob
from agentoolkit.system.scheduler.retention import HISTORY_LENGTH
from agentoolkit.system.scheduler.schedules import Bounds, Kind
from agentoolkit.system.scheduler.schemas import SchedulerOutput
from agentoolkit.system.scheduler.service import SchedulerService
from agentoolkit.text import counted

Context = RunContext[SchedulerService]


async def manage_scheduler(ctx: Context, operation: str, **kwargs: Any) -> SchedulerOutput:
    """Call the handler of an operation by its name.

    Raises:
        InvalidJob: There is no such operation, or it does not take these fields.
    """
    if operation not in HANDLERS:
        remedy = did_you_mean(operation, HANDLERS)
        raise InvalidJob(f"The scheduler has no operation {operation!r}.", field="operation", value=operation, remedy=remedy)
    return await ctx.injector.run(ctx.agentool_name, {"operation": operation, **kwargs})


async def scheduler_schedule(
    ctx: Context,
    job_id: str | None = None,
    job_name: str | None = None,
    schedule_type: Kind | None = None,
    schedule: str | None = None,
    agentool_name: str | None = None,
    input_data: dict[str, Any] | None = None,
    max_instances: int = 1,
    misfire_grace_time: int = 30,
    coalesce: bool = True,
    result_queue: str | None = None,
    error_queue: str | None = None,
    **options: Any,
) -> SchedulerOutput:
    """Schedule an AgenTool: operation ``schedule`` as a function, with the documented parameters in their order."""
    # The documented order has required parameters in the middle, so this function calls the handler and is not the handler.
    return await manage_scheduler(
        ctx,
        "schedule",
        job_id=job_id,
        job_name=job_name,
        schedule_type=schedule_type,
        schedule=schedule,
        agentool_name=agentool_name,
        input_data=input_data,
        max_instances=max_instances,
        misfire_grace_time=misfire_grace_time,
        coalesce=coalesce,
        result_queue=result_queue,
        error_queue=error_queue,
        **options,
    )


async def schedule_job(
    ctx: Context,
    job: Annotated[JobFields, Needs("schedule", "agentool_name", "input_data")],
    job_id: str | None = None,
    replace: bool = False,
    dry_run: bool = False,
    assume_jobs: list[Text] | None = None,
) -> SchedulerOutput:
    """Schedule an AgenTool. Everything is checked now, and the answer says how the schedule was understood.

    With `dry_run` nothing is scheduled. Its upstream job may then be one of `assume_jobs`.

    Raises:
        InvalidSchedule: The schedule cannot be read, or nothing would ever be due.
        InvalidJob: The input does not fit the AgenTool, or a field is out of range.
        UnknownTarget: There is no such AgenTool.
        JobExists: Another job has this id or name.
    """
    added = await ctx.deps.add(job, job_id, replace_existing=replace, dry_run=dry_run, assumed=assume_jobs or ())
    done = "Scheduled" if added.created else "Changed" if added.changed else "Already scheduled:"
    return await _answer_scheduled(ctx.deps, "schedule", done, added, dry_run=dry_run)


async def scheduler_update(
    ctx: Context, job_id: str, changes: JobChanges, version: int | None = None, dry_run: bool = False
) -> SchedulerOutput:
    """Change some fields of a job, reset those in `clear`, and leave the others. With `dry_run` all is checked and nothing changed.

    Raises:
        JobNotFound: There is no such job.
        SchedulerError: The job was changed since `version`.
        InvalidSchedule, InvalidJob, UnknownTarget: As for ``schedule``; nothing is changed.
    """
    added = await ctx.deps.update(job_id, changes, version, dry_run=dry_run)
    hint = "" if changes.given() or changes.clear else " (null leaves a field as it is; 'clear' takes it back)"
    return await _answer_scheduled(ctx.deps, "update", "Updated" if added.changed else f"Nothing to change{hint}:", added, dry_run=dry_run)


async def scheduler_cancel(ctx: Context, job_id: str, reason: str = "") -> SchedulerOutput:
    """Cancel a job permanently, with its waiting executions. Running ones may end; its history stays readable.

    Raises:
        JobNotFound: There is no such job.
    """
    cancelled = await ctx.deps.cancel(job_id, reason)
    result, left = answers.cancelled_job(cancelled), await ctx.deps.lookup.left_by(cancelled.job)
    said = [f"Cancelled {result.job_id!r}."]
    if result.running:
        said.append(f"Still running: {', '.join(map(repr, result.running))}; operation 'cancel_execution' ends them.")
        result.remarks.append("what runs of it goes on to its end")
    if left:
        idle = f"othing starts {', '.join(map(repr, left))} any more, unless there is such a job again"
        said.append(f"N{idle}.")
        result.remarks.append(f"n{idle}")
    return answers.output("cancel", " ".join(said), result)


async def scheduler_pause(ctx: Context, job_id: str, until: str | None = None, reason: str = "") -> SchedulerOutput:
    """Pause a job, for good or until a time. Its definition is kept, and it does not fire.

    Raises:
        JobNotFound: There is no such job.
        InvalidJob: `until` is not a time, or not in the future.
    """
    job = (await ctx.deps.lookup.job(job_id)).job
    end = checked_end(until, "until", ZoneInfo(job.schedule.timezone), ctx.deps.now()) if until is not None else None
    result = answers.job_ref(await ctx.deps.pause(job_id, end, reason))
    return answers.output("pause", answers.describe_state(result), result)


async def scheduler_resume(ctx: Context, job_id: str, version: int | None = None) -> SchedulerOutput:
    """Resume a paused job: it fires again from now on.

    Raises:
        JobNotFound: There is no such job.
        SchedulerError: The job was changed since `version`.
    """
    result = answers.job_ref(await ctx.deps.resume(job_id, version))
    return answers.output("resume", answers.describe_state(result), result)


async def scheduler_list(
    ctx: Context,
    job_status: JobStatus | None = None,
    limit: int | None = None,
    cursor: str | None = None,
    owner: str | None = None,
    query: str = "",
) -> SchedulerOutput:
    """List jobs, the oldest first: active, paused and broken ones, or those with one status.

    With a query, those that match (see ``docs/reference/search.md``); a page may then be short although it is not the last. A
    caller without the scope ``admin`` sees its own jobs.

    Raises:
        InvalidJob: The cursor is not from a list.
        InvalidInput: The query cannot be read.
    """
    found = await ctx.deps.lookup.page(job_status, limit or PAGE, position_of(cursor), owner, query)
    jobs = await _summaries(ctx.deps, found.jobs)
    following = cursor_of(found.following)
    more = " There may be more: ask again with the cursor." if following else ""
    return answers.output("list", f"{counted(len(jobs), 'job')}.{more}", JobList(jobs=jobs, count=len(jobs), cursor=following))


async def scheduler_list_upcoming(ctx: Context, limit: int = UPCOMING, owner: str | None = None) -> SchedulerOutput:
    """List the active jobs that are due next, the earliest first. A caller without the scope ``admin`` sees its own.

    The cost does not depend on the number of other jobs.
    """
    jobs = await _summaries(ctx.deps, await ctx.deps.lookup.due_next(limit, owner))
    return answers.output("list_upcoming", f"{counted(len(jobs), 'job')}.", JobList(jobs=jobs, count=len(jobs)))


async def scheduler_get_job(ctx: Context, job_id: str) -> SchedulerOutput:
    """Return a job's definition, its next due time and its latest executions; also of a cancelled job, until it is purged.

    Raises:
        JobNotFound: There is no such job.
    """
    stored = await ctx.deps.lookup.job_or_cancelled(job_id)
    recent = await ctx.deps.store.executions(stored.job.job_id, answers.RECENT)
    downstream, pending = await ctx.deps.lookup.downstream(stored.job), ctx.deps.lifecycle.engine is None
    result = answers.job_details(stored, recent, downstream, ctx.deps.parts, pending=pending)
    if stored.state.status is JobStatus.CANCELLED:
        message = f"Job {result.job_id!r} was {stored.state.reason}, at {result.info['ended_at']}."
        return answers.output("get_job", message, result)
    return answers.output("get_job", f"Job {answers.with_next_run(repr(result.job_id), result.next_run)}.", result)


async def scheduler_audit(ctx: Context, job_id: str | None = None, owner: str | None = None, limit: int | None = None) -> SchedulerOutput:
    """Return the audit log, the newest entry first: who did what to which job, from which door. Secrets are hidden.

    Raises:
        NotPermitted: The caller may not see entries of another owner.
        JobNotFound: There is neither such a job nor an entry of it.
    """
    entries = [answers.audit_info(entry) for entry in await ctx.deps.lookup.audit(job_id, owner, limit or HISTORY_LENGTH)]
    message = f"{len(entries):,} {'entry' if len(entries) == 1 else 'entries'}."
    return answers.output("audit", message, AuditList(entries=entries, count=len(entries)))


async def scheduler_preview(
    ctx: Context,
    schedule: str,
    schedule_type: Kind | None = None,
    timezone: str | None = None,
    count: int | None = None,
    **bounds: Unpack[Bounds],
) -> SchedulerOutput:
    """Explain a schedule and list its next due times, without scheduling anything.

    Raises:
        InvalidSchedule: As for ``schedule``.
    """
    asked = ctx.deps.now()  # before reading the text, so that 'now' has not passed by then
    when = {"schedule": schedule, "schedule_type": schedule_type, "timezone": timezone, **bounds}
    reading = await ctx.deps.preview(JobFields.model_validate(when))
    result = answers.timing(reading, asked, count or answers.NEXT_RUNS)
    return answers.output("preview", f"{answers.with_next_run(result.words, *result.next_runs[:1])}.", result)


HANDLERS: dict[str, Handler] = {
    "schedule": schedule_job,
    "cancel": scheduler_cancel,
    "pause": scheduler_pause,
    "resume": scheduler_resume,
    "list": scheduler_list,
    "list_upcoming": scheduler_list_upcoming,
    "get_job": scheduler_get_job,
    "preview": scheduler_preview,
    "update": scheduler_update,
    "audit": scheduler_audit,
    **execution_operations.HANDLERS,
    **start_stop_operations.HANDLERS,
}


async def _summaries(service: SchedulerService, found: Sequence[StoredJob]) -> list[JobSummary]:
    """Return the summaries of jobs, with the status of each one's last execution."""
    outcomes = await service.store.last_outcomes([stored.job.job_id for stored in found])
    return [answers.job_summary(stored, service.parts, outcomes.get(stored.job.job_id)) for stored in found]


async def _answer_scheduled(service: SchedulerService, operation: str, done: str, added: Added, *, dry_run: bool) -> SchedulerOutput:
    """Return the answer to ``schedule`` or ``update``, or to a dry run of it."""
    result = answers.scheduled(added, service.now())
    result.remarks += await describe_idle_upstream(service.store, added.job.schedule.after)
    if dry_run:
        done = f"Nothing is done yet. {'New would be' if added.created else 'Changed would be' if added.changed else done}"
        result = PlannedJob(**result.model_dump(), definition=answers.definition(added.job))
    return answers.output(operation, answers.describe_change(done, result), result)
