"""Jobs and executions: frozen facts, and the changes they allow."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, NamedTuple, get_args

from pydantic import AwareDatetime, ConfigDict, PlainSerializer
from typing_extensions import TypedDict

from agentool.caller import CODE, Caller
from agentoolkit.quick_tuples import maker_of
from agentoolkit.system.scheduler.execution_ids import execution_id
from agentoolkit.system.scheduler.schedules import Schedule

Overlap = Literal["skip", "queue_one", "queue_all", "cancel_running", "allow"]
CatchUp = Literal["latest", "all", "none"]
OnInterrupt = Literal["retry", "fail"]
Priority = Literal["critical", "high", "medium", "low"]
Trigger = Literal["schedule", "run_now", "requested", "backfill", "after", "start"]
TRIGGERS = ", ".join(get_args(Trigger))
"""What starts executions, to be listed."""
ExecutorName = Literal["local", "celery", "rq"]


class Gate(TypedDict):
    """An AgenTool that is asked before each execution whether it is to run."""

    __pydantic_config__ = {"extra": "forbid"}  # pyright: ignore  # noqa: RUF012  pydantic's own notation

    agentool_name: str
    input_data: dict[str, Any]


class JobStatus(StrEnum):
    """Whether a job can still fire."""

    ACTIVE = "active"
    PAUSED = "paused"
    DONE = "done"
    """Nothing is due any more: a single run is over, or a bound is reached."""
    BROKEN = "broken"
    """Its definition cannot be read or computed; the reason says why."""
    CANCELLED = "cancelled"
    """Removed; it is remembered for a while, and its id and name are free."""


LIVE = frozenset({JobStatus.ACTIVE, JobStatus.PAUSED, JobStatus.BROKEN})
"""Jobs that can still fire or be repaired: those that a list shows unless it is asked for others."""


class ExecutionStatus(StrEnum):
    """How an execution stands. The first three go on; the others are final."""

    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    SUCCESS = "success"
    FAILED = "failed"
    CANCELLED = "cancelled"
    MISSED = "missed"
    """Not started, because it was noticed too late or another due time stood for it."""
    SKIPPED = "skipped"
    """Not started, because a policy said so."""
    LOST = "lost"
    """Started, and its process ended before an outcome was known."""


UNFINISHED = frozenset({ExecutionStatus.QUEUED, ExecutionStatus.RUNNING, ExecutionStatus.RETRYING})


class DeliveryStatus(StrEnum):
    """Whether an outcome reached its queue; a state of its own, so that a full queue never changes what happened."""

    NONE = "none"
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """How a job's due times are carried out. Names and defaults: *Scheduler AgenToolkit*, "SchedulerInput"."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    max_instances: int = 1
    """Executions of this job that may run at once; a due time beyond that is skipped."""
    misfire_grace_time: int | None = 30
    """Seconds after its due time that an execution may still start; None: any."""
    coalesce: bool = True
    """Of several due times found at once, run only the latest."""
    max_runs: int | None = None
    timeout: float | None = None
    """Seconds until a handler is cancelled; None: the setting's, five minutes. After twice that it is given up, if it ignores it."""
    max_retries: int = 0
    """Further attempts at an execution whose handler raised. Bad input is never tried again."""
    retry_backoff: float = 1.0
    """Seconds before the first retry; doubled each time, spread, and at most ten minutes."""
    retry_on: tuple[str, ...] = ()
    """Names of exception classes that are worth a retry; empty: all but those that another try cannot cure."""
    overlap: Overlap = "skip"
    """What happens to a due time while `max_instances` executions still run."""
    catch_up: CatchUp | None = None
    """Which late due times run: the ``latest``, ``all`` (99, each after the other) or ``none``; None: as grace and coalesce say."""
    catch_up_window: int | None = None
    """Seconds back to which `catch_up` reaches; None: any."""
    on_interrupt: OnInterrupt = "retry"
    """Whether an execution whose process ended is started again, or declared lost."""
    concurrency_key: str | None = None
    """Executions that share this key, of whatever job, run one at a time."""
    pause_after_failures: int | None = None
    """Failures in a row after which the job is paused; None: any number."""
    priority: Priority = "medium"
    gate: Gate | None = None
    """Asked before the handler starts; an execution that it does not let pass is skipped."""
    executor: ExecutorName | None = None
    """What carries executions out: this process, or workers of Celery or RQ; None: as the setting says."""
    queue: str | None = None
    """The queue whose workers take them, where workers do; None: the common one."""


USUAL_POLICIES = Policies()
"""Those of jobs that say nothing: all of them share these."""


class Work(NamedTuple):
    """What one execution calls, and where its outcome goes. A job says the same by the same names, so each serves for the other."""

    agentool_name: str
    input_data: dict[str, Any]
    result_queue: str | None = None
    error_queue: str | None = None
    policies: Policies = USUAL_POLICIES
    caller: Caller = CODE
    """For whom it runs."""


_AS_JSON = PlainSerializer(Caller.to_json)
"""A caller is written with its scopes in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A definition: what to run, when and how."""

    __pydantic_config__ = ConfigDict(extra="forbid", defer_build=True)

    job_id: str
    job_name: str
    agentool_name: str
    input_data: dict[str, Any]
    schedule: Schedule
    policies: Policies = USUAL_POLICIES
    result_queue: str | None = None
    error_queue: str | None = None
    description: str = ""
    tags: tuple[str, ...] = ()
    created_at: AwareDatetime
    created_by: Annotated[Caller, _AS_JSON] = CODE
    """Whose it is, and with which scopes its executions act."""
    changed_by: Annotated[Caller, _AS_JSON] | None = None
    """Who changed its definition last, or made it for its owner."""
    is_bounded: bool = False
    """Whether end and spread of its schedule were set for its owner, who gave none."""

    @property
    def owner(self) -> str:
        """The name of whoever made it."""
        return self.created_by.name

    @property
    def caller(self) -> Caller:
        """For whom its executions run."""
        return self.created_by

    @property
    def readable(self) -> bool:
        """False where the definition was damaged: then only id, name and age are known (see `unreadable`)."""
        return bool(self.agentool_name)

    @property
    def work(self) -> Work:
        """What each of its executions does."""
        return Work(self.agentool_name, self.input_data, self.result_queue, self.error_queue, self.policies, self.created_by)

    @property
    def upstream_id(self) -> str | None:
        """The id of the job that this one comes after, if it does."""
        return before.job_id if (before := self.schedule.after) else None

    def same_as(self, other: Job) -> bool:
        """Is this the very same job, scheduled once more? What differs by the moment of asking does not count."""
        mine, its = self.schedule, other.schedule
        if self.is_bounded or other.is_bounded:
            mine, its = replace(mine, end_at=None, jitter=0.0), replace(its, end_at=None, jitter=0.0)
        return mine.same_times(its) and self._told() == other._told()

    def _told(self) -> str:
        """Write what somebody said of it. As JSON, in which 1 is not true."""
        said = (self.job_name, self.agentool_name, self.input_data, self.result_queue, self.error_queue, self.description, self.tags)
        return json.dumps([*said, asdict(self.policies)], sort_keys=True)


_ACTIVE, _PAUSED = JobStatus.ACTIVE, JobStatus.PAUSED  # an enum is slow to look into


# The next three are named tuples, because every firing makes several of them: a copy costs a quarter of a dataclass's.


class JobState(NamedTuple):
    """Where a job stands: the part of it that changes with every firing."""

    status: JobStatus = JobStatus.ACTIVE
    next_run_at: datetime | None = None
    runs: int = 0
    """Executions started by its schedule so far."""
    version: int = 1
    """Counts the changes people made, so that two editors cannot overwrite each other."""
    reason: str = ""
    paused_until: datetime | None = None
    ended_at: datetime | None = None
    """When it was cancelled."""
    failures_from: datetime | None = None
    """Since when failures in a row are counted: when it was last resumed."""

    @property
    def due_at(self) -> datetime | None:
        """When the scheduler has to look at the job again: at its next due time, or when its pause ends."""
        if self.status is _ACTIVE:
            return self.next_run_at
        return self.paused_until if self.status is _PAUSED else None

    def paused(self, until: datetime | None = None, reason: str = "") -> JobState:
        """Return the state after a pause: for good, or until a time."""
        return self._replace(status=JobStatus.PAUSED, paused_until=until, reason=reason)

    def resumed(self) -> JobState:
        """Return the state of a job that fires, with nothing of a pause left."""
        return self._replace(status=JobStatus.ACTIVE, paused_until=None, reason="")


class ErrorRecord(NamedTuple):
    """What an execution raised, as data."""

    type: str
    message: str
    traceback: str = ""


class Attempt(NamedTuple):
    """One start of the handler that did not succeed and was not the last."""

    attempt: int
    started_at: datetime | None
    finished_at: datetime | None
    error: ErrorRecord | None


class Execution(NamedTuple):
    """One due time of one job, from claim to outcome."""

    execution_id: str
    job_id: str
    agentool_name: str
    scheduled_at: datetime
    trigger: Trigger = "schedule"
    status: ExecutionStatus = ExecutionStatus.QUEUED
    reason: str = ""
    due_count: int = 1
    """Due times this record stands for; more than one only where they were passed over together."""
    attempt: int = 1
    started_at: datetime | None = None
    finished_at: datetime | None = None
    duration: float | None = None
    """Seconds that the handler took."""
    result: Any = None
    error: ErrorRecord | None = None
    delivery: DeliveryStatus = DeliveryStatus.NONE
    retry_at: datetime | None = None
    attempts: tuple[Attempt, ...] = ()
    """Earlier attempts, the oldest first."""
    owner: str = ""
    """The process whose it is, by the id it gave itself when it started."""

    @property
    def finished(self) -> bool:
        return self.status not in UNFINISHED

    def begun(self, at: datetime) -> Execution:  # every firing makes these two copies: `_replace` takes three times as long
        """Return it as running since an instant."""
        fields = list(self)
        fields[5], fields[9], fields[15] = _RUNNING, at, None  # status, started_at, retry_at
        return _execution(fields)

    def succeeded(self, at: datetime, duration: float, result: Any, reason: str) -> Execution:
        """Return it as ended at an instant with a result."""
        fields = list(self)
        fields[5], fields[6], fields[10:13] = _SUCCESS, reason, (at, duration, result)  # status, reason, and from finished_at on
        return _execution(fields)


_execution = maker_of(Execution)
_QUEUED, _RUNNING, _SUCCESS = ExecutionStatus.QUEUED, ExecutionStatus.RUNNING, ExecutionStatus.SUCCESS  # an enum is slow to look into
_NONE = DeliveryStatus.NONE


def queued_execution(job: Job, due: datetime, owner: str) -> Execution:
    """Return the execution of a job's due time, as a claim writes it down."""
    job_id = job.job_id
    said = (execution_id(job_id, due), job_id, job.agentool_name, due, "schedule", _QUEUED, "", 1, 1)
    not_begun = (None, None, None, None, None, _NONE, None, ())
    return _execution((*said, *not_begun, owner))
