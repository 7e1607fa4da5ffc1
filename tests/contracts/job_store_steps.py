"""Steps that the contract of a store of jobs is tested with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.system.scheduler.jobs import Job, JobState, JobStatus, Policies
from agentoolkit.system.scheduler.ports import Ending, Finished, JobStore, Message
from agentoolkit.system.scheduler.schedules import read_schedule

START = datetime(2030, 1, 1, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def make(job_id: str = "job", schedule: str = "1 minute", **fields: Any) -> Job:
    policies = Policies(**{name: fields.pop(name) for name in list(fields) if name in Policies.__dataclass_fields__})
    bounds = {name: fields.pop(name) for name in ("start_at", "end_at", "exclude") if name in fields}
    made = {"job_name": job_id, "agentool_name": "probe", "input_data": {"operation": "run"}, "created_at": START, **fields}
    when = read_schedule(schedule, now=START, timezone="UTC", **bounds).schedule
    return Job(job_id=job_id, schedule=when, policies=policies, **made)


async def add(store: JobStore, job_id: str = "job", status: JobStatus = JobStatus.ACTIVE, **fields: Any) -> Job:
    job = make(job_id, **fields)
    await store.add(job, JobState(status, job.schedule.first_from(START)))
    return job


async def change(store: JobStore, job: Job, state: JobState) -> bool:
    """Replace a job by somebody who has read how it stands now."""
    stored = await store.find(job.job_id)
    assert stored is not None
    return await store.replace(job, state, stored.state)


async def claim(store: JobStore, minutes: float, *job_ids: str) -> list[Execution]:
    return [claimed.execution for claimed in (await store.claim(job_ids or ("job",), at(minutes))).records]


async def claim_one(store: JobStore, minutes: float = 1) -> Execution:
    (execution,) = await claim(store, minutes)
    return execution


async def begin(store: JobStore, execution: Execution) -> Execution:
    started = execution._replace(status=ExecutionStatus.RUNNING, started_at=execution.scheduled_at)
    assert await start(store, started)
    return started


async def start(store: JobStore, started: Execution) -> bool:
    """Mark one execution as started."""
    (begun,) = await store.begin([started])
    return begun


async def finish(store: JobStore, ended: Execution, message: Message | None = None) -> Finished:
    """Write down one outcome."""
    (finished,) = await store.finish([Ending(ended, message)])
    return finished


def succeed(execution: Execution, result: Any = None) -> Execution:
    return execution._replace(status=ExecutionStatus.SUCCESS, result=result, finished_at=execution.scheduled_at, duration=0.5)


async def run(store: JobStore, minutes: float = 1, queue_name: str | None = None) -> Execution:
    """Claim, begin and finish the job's next execution."""
    ended = succeed(await begin(store, await claim_one(store, minutes)))
    message = Message(ended.execution_id, queue_name, {"result": None}) if queue_name else None
    assert await finish(store, ended, message)
    return ended


def none_held(execution_id: str) -> bool:
    return False
