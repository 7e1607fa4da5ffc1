"""The operations on the scheduler itself: start, stop, restart, status, and the list of processes that share its store."""

from __future__ import annotations

import os
import socket

from agentool.caller import get_caller
from agentool.context import RunContext
from agentool.operations import Handler
from agentoolkit.system.scheduler import answers
from agentoolkit.system.scheduler.answer_schemas import MAX_OUTBOX, SchedulerStatus, WorkerInfo, WorkerList
from agentoolkit.system.scheduler.decisions.admission import check_admin
from agentoolkit.system.scheduler.execution_records import ExecutionStatus
from agentoolkit.system.scheduler.jobs import JobStatus
from agentoolkit.system.scheduler.schemas import SchedulerOutput
from agentoolkit.system.scheduler.service import SchedulerService
from agentoolkit.text import counted

Context = RunContext[SchedulerService]

MAX_RUNNING = 1_000
"""Maximum number of running executions that ``list_workers`` reads."""


async def scheduler_start(ctx: Context) -> SchedulerOutput:
    """Start the scheduler after ``stop``. It starts by itself at first use."""
    check_admin(get_caller())
    await ctx.deps.lifecycle.start()
    return await _resumed(ctx.deps, "start", "The scheduler is running.")


async def scheduler_stop(ctx: Context, reason: str = "") -> SchedulerOutput:
    """Stop within ten seconds: running executions may end, jobs are kept, nothing fires until ``start``.

    The caller and the reason are in the audit log, and in the answer to ``status``.
    """
    check_admin(get_caller())
    await ctx.deps.lifecycle.stop()
    await ctx.deps.audit.note_of_all("stopped", reason)
    return answers.output("stop", "The scheduler is stopped.", await _status(ctx.deps))


async def scheduler_restart(ctx: Context) -> SchedulerOutput:
    """Stop and start in one step.

    Source: *Scheduler Daemon Implementation*, "Daemon Control Tools".
    """
    check_admin(get_caller())
    await ctx.deps.lifecycle.restart()
    return await _resumed(ctx.deps, "restart", "The scheduler was restarted.")


async def scheduler_status(ctx: Context) -> SchedulerOutput:
    """Tell whether the scheduler runs, and how busy it is."""
    status = await _status(ctx.deps)
    state = "running" if status.running else "stopped"
    return answers.output("status", f"The scheduler is {state}, with {counted(status.jobs_count, 'job')}.", status)


async def scheduler_list_workers(ctx: Context) -> SchedulerOutput:
    """List the processes that share the store, the oldest first: which one leads, and what runs in each.

    Raises:
        NotPermitted: The caller lacks the scope ``admin``.
    """
    check_admin(get_caller())
    store = ctx.deps.store
    await ctx.deps.lifecycle.ready()
    owners, leader = await store.owners(), await store.leader()
    running = await store.executions(None, MAX_RUNNING, ExecutionStatus.RUNNING, with_results=False)
    if owners:
        ids_of: dict[str, list[str]] = {}
        for execution in running:
            ids_of.setdefault(execution.owner, []).append(execution.execution_id)
        workers = [
            WorkerInfo(
                worker=f"pid {one.pid} on {one.host}",
                leads=leader is not None and one.owner == leader.owner,
                executions=ids_of.get(one.owner, []),
                started_at=one.started_at.isoformat(),
                seen_at=one.heartbeat_at.isoformat(),
            )
            for one in owners
        ]
    else:  # a store that is not shared has only this process
        engine = ctx.deps.lifecycle.engine
        ids = [execution.execution_id for execution in running]
        here = f"pid {os.getpid()} on {socket.gethostname()}"
        workers = [WorkerInfo(worker=here, leads=engine is not None and engine.leading, executions=ids, started_at=None, seen_at=None)]
    found = WorkerList(workers=workers, count=len(workers), outbox=len(await store.messages(MAX_OUTBOX)))
    return answers.output("list_workers", f"{counted(len(workers), 'worker')}.", found)


HANDLERS: dict[str, Handler] = {
    "start": scheduler_start,
    "stop": scheduler_stop,
    "status": scheduler_status,
    "restart": scheduler_restart,
    "list_workers": scheduler_list_workers,
}


async def _resumed(service: SchedulerService, operation: str, message: str) -> SchedulerOutput:
    await service.audit.note_of_all("resumed", "")
    return answers.output(operation, message, await _status(service))


async def _status(service: SchedulerService) -> SchedulerStatus:
    await service.lifecycle.ready()
    engine = service.lifecycle.engine
    counts = await service.store.count_jobs()
    can_fire = counts.get(JobStatus.ACTIVE, 0) + counts.get(JobStatus.PAUSED, 0)
    leader = await service.store.leader()
    is_stopped = await service.store.is_stopped()
    own_clock = engine.clock.state if engine else 0
    clock_state = own_clock if service.parts.claims else int(leader is not None)  # a visitor's clock does not run: the leader's counts
    return SchedulerStatus(
        running=engine is not None if service.parts.claims else leader is not None,
        leading=engine is not None and engine.leading,
        stopped=is_stopped,
        leader=f"pid {leader.pid} on {leader.host}" if leader else None,
        jobs_count=can_fire,
        apscheduler_available=True,
        scheduler_state=clock_state,
        jobs=can_fire,
        paused=counts.get(JobStatus.PAUSED, 0),
        executing=engine.dispatch.executor.running if engine else 0,
        waiting=engine.dispatch.executor.waiting if engine else 0,
        lag=engine.dispatch.active.lateness.worst if engine else None,
        lag_p50=engine.dispatch.active.lateness.of(0.5) if engine else None,
        lag_p99=engine.dispatch.active.lateness.of(0.99) if engine else None,
        loop_delay=engine.clock.delay if engine else 0.0,
        leads_lost=engine.leadership.lost if engine else 0,
        stop_reason=await service.audit.last_stop() if is_stopped else "",
    )
