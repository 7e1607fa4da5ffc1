"""What the operations of the scheduler answer: the models of `SchedulerOutput.data`."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from agentoolkit.system.scheduler.schemas import SchedulerFacts


class Timing(SchedulerFacts):
    """The due times of a schedule, in words and in the job's zone."""

    schedule_type: str
    schedule: str = Field(description="The schedule in its canonical form")
    timezone: str
    words: str = Field(description="The schedule in words, as it was understood")
    next_runs: list[str] = Field(
        description="The next due times, in the job's zone; of a job that is paused for good, as if it were resumed now"
    )
    remarks: list[str] = Field(description="How the text was read, and warnings")


class Scheduled(Timing):
    """Answer to ``schedule`` and ``update``."""

    job_id: str
    job_name: str
    next_run: str | None
    state: str
    reason: str = Field(default="", description="If it is paused, why: it may wait for a person's approval")
    created: bool = Field(description="False if the job existed already")
    changed: bool = Field(description="True if it existed and is different now")
    version: int


class PlannedJob(Scheduled):
    """Answer to ``schedule`` with `dry_run`."""

    definition: dict[str, Any] = Field(description="The planned job")


class JobRef(SchedulerFacts):
    """Answer to ``cancel``, ``pause`` and ``resume``."""

    job_id: str
    state: str
    next_run: str | None = None
    paused_until: str | None = None
    remarks: list[str] = Field(default_factory=list[str], description="What to know of it besides")


class CancelledJob(JobRef):
    """Answer to ``cancel``."""

    reason: str = Field(description="Who cancelled it, and why")
    cancelled: list[str] = Field(description="Ids of its executions that waited and do not run")
    running: list[str] = Field(description="Ids of its executions that still run; 'cancel_execution' ends them")


class ErrorInfo(SchedulerFacts):
    """The exception of an execution."""

    type: str
    message: str
    traceback: str = ""


class AttemptInfo(SchedulerFacts):
    """An earlier attempt at an execution."""

    attempt: int
    started_at: str | None
    finished_at: str | None
    error: ErrorInfo | None


class ExecutionInfo(SchedulerFacts):
    """One record of a job's history."""

    execution_id: str
    job_id: str
    agentool_name: str
    trigger: str
    status: str
    reason: str
    success: bool
    scheduled_at: str
    started_at: str | None
    finished_at: str | None
    duration: float | None = Field(description="Seconds")
    attempt: int
    due_count: int = Field(description="Number of due times in this record")
    result: Any
    error: ErrorInfo | None
    delivery: str = Field(description="Whether the outcome reached its queue: none, pending, delivered or failed")
    attempts: list[AttemptInfo] = Field(default=[], description="Earlier attempts, the oldest first")
    retry_at: str | None = Field(default=None, description="Time of the next attempt")
    output: str = Field(default="", description="While it runs in the process that answers: the end of its output so far")


class BackfillInfo(SchedulerFacts):
    """Answer to ``backfill``."""

    job_id: str
    created: int = Field(description="Executions that this call added")
    total: int = Field(description="Due times in the range")
    statuses: dict[str, int] = Field(description="Number of the range's executions by status")


class RunNow(SchedulerFacts):
    """Answer to ``run_now``."""

    job_id: str
    result: Any
    execution_id: str
    duration: float | None


class JobSummary(SchedulerFacts):
    """A job in a list."""

    job_id: str
    job_name: str
    state: str
    agentool_name: str
    schedule_type: str
    schedule: str
    timezone: str
    next_run: str | None
    reason: str = Field("", description="Why it is paused or broken, who cancelled it, or what it waits for")
    last_outcome: str | None = Field(None, description="Status of the execution that finished last")
    ended_at: str | None = Field(None, description="When it was cancelled")
    owner: str = Field("", description="Its owner")
    tags: list[str] = Field(default=[], description="Its labels")
    description: str = ""
    created_at: str = ""


class JobList(SchedulerFacts):
    """Answer to ``list``."""

    jobs: list[JobSummary]
    count: int
    cursor: str | None = Field(default=None, description="The cursor of the next page; None on the last one")


class JobDetails(SchedulerFacts):
    """Answer to ``get_job``."""

    job_id: str
    job_name: str
    next_run: str | None
    pending: bool = Field(description="The job waits for the scheduler to be started")
    info: dict[str, Any] = Field(description="The whole definition, and the job's state")
    recent_history: list[ExecutionInfo]
    upstream: str | None = Field(None, description="Id of the job that it comes after; None if that is any job")
    downstream: list[str] = Field(default=[], description="Ids of the jobs that come after it")


class History(SchedulerFacts):
    """Answer to ``get_history``."""

    job_id: str | None
    history: list[ExecutionInfo]
    count: int
    cursor: str | None = Field(default=None, description="The cursor of the next page; None on the last one")


class SchedulerStatus(SchedulerFacts):
    """Answer to ``start``, ``stop`` and ``status``."""

    running: bool
    leading: bool = Field(description="This process claims due jobs; false while another does, or while stopped")
    stopped: bool = Field(description="Stopped by operation 'stop', for every process that shares the store")
    leader: str | None = Field(description="The process that claims: its pid and host; None if there is only one process")
    jobs_count: int = Field(description="Jobs that can fire again")
    apscheduler_available: bool
    scheduler_state: int = Field(description="APScheduler's state: 0 stopped, 1 running, 2 paused")
    jobs: int = Field(description="The same as jobs_count, by its other documented name")
    paused: int
    executing: int = Field(description="Executions under way in this process")
    waiting: int = Field(description="Executions that wait for room in this process")
    lag: float | None = Field(description="Seconds between due time and start, the worst of the last hundred; None without any")
    lag_p50: float | None = Field(None, description="The same, the median of the last thousand")
    lag_p99: float | None = Field(None, description="The same, exceeded by one in a hundred of the last thousand")
    loop_delay: float = Field(description="Seconds by which the event loop was late at the clock's last ring")
    leads_lost: int = Field(description="How often this process lost the lead to another")
    stop_reason: str = Field("", description="While it is stopped: who stopped it, and why")


class WorkerInfo(SchedulerFacts):
    """A process that has the store open."""

    worker: str = Field(description="Its pid and host")
    leads: bool = Field(description="It claims due jobs")
    executions: list[str] = Field(description="Ids of the executions that run in it")
    started_at: str | None
    seen_at: str | None = Field(description="Time of its last heartbeat")


MAX_OUTBOX = 1_000
"""Maximum number of undelivered outcomes that are counted."""


class WorkerList(SchedulerFacts):
    """Answer to ``list_workers``."""

    workers: list[WorkerInfo]
    count: int
    outbox: int = Field(0, description=f"Outcomes that wait for their queue, of all processes; {MAX_OUTBOX:,} at most")


class AuditInfo(SchedulerFacts):
    """One entry of the audit log."""

    at: str
    action: str
    job_id: str
    owner: str
    execution_id: str
    caller: dict[str, Any] = Field(description="The caller: name, door, scopes, and the scheduled runs that it was part of")
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class AuditList(SchedulerFacts):
    """Answer to ``audit``."""

    entries: list[AuditInfo]
    count: int
