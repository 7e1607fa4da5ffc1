"""Jobs as immutable values, and their changes: what to run, when and how, and the state that changes with every firing."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AwareDatetime, ConfigDict, PlainSerializer
from typing_extensions import TypedDict

from agentool.caller import CODE, Caller
from agentoolkit.system.scheduler.schedules import Schedule

Overlap = Literal["skip", "queue_one", "queue_all", "cancel_running", "allow"]
CatchUp = Literal["latest", "all", "none"]
OnInterrupt = Literal["retry", "fail"]
Priority = Literal["critical", "high", "medium", "low"]
ExecutorName = Literal["local", "celery", "rq"]


class Gate(TypedDict):
    """An AgenTool that decides before each execution whether it runs."""

    __pydantic_config__ = {"extra": "forbid"}  # pyright: ignore  # noqa: RUF012  pydantic's own notation

    agentool_name: str
    input_data: dict[str, Any]


class JobStatus(StrEnum):
    """The status of a job: whether it can still fire."""

    ACTIVE = "active"
    PAUSED = "paused"
    DONE = "done"
    """It is never due again: a single run is over, or a bound is reached."""
    BROKEN = "broken"
    """Its definition cannot be read or computed; the reason says why."""
    CANCELLED = "cancelled"
    """It was removed. Its record is kept for a while, and its id and name are free."""


LIVE = frozenset({JobStatus.ACTIVE, JobStatus.PAUSED, JobStatus.BROKEN})
"""Statuses of jobs that can still fire or be repaired. Lists show these by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """How a job's due times are carried out. Names and defaults: *Scheduler AgenToolkit*, "SchedulerInput"."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    max_instances: int = 1
    """Executions of this job that may run at once; a due time beyond that is skipped."""
    misfire_grace_time: int | None = 30
    """Seconds after its due time in which an execution may still start; None means no limit."""
    coalesce: bool = True
    """If true, only the latest of several due times found at once runs."""
    max_runs: int | None = None
    timeout: float | None = None
    """Seconds until a handler is cancelled; None means the setting, five minutes. After twice that it is given up if it still runs."""
    max_retries: int = 0
    """Further attempts after a handler raised. Invalid input is never retried."""
    retry_backoff: float = 1.0
    """Seconds before the first retry; doubled each time, spread, and at most ten minutes."""
    retry_on: tuple[str, ...] = ()
    """Names of exception classes to retry; empty means all but those that a retry cannot cure."""
    overlap: Overlap = "skip"
    """What happens to a due time while `max_instances` executions still run."""
    catch_up: CatchUp | None = None
    """Which late due times run: the ``latest``, ``all`` (99, one after the other) or ``none``; None means by grace and coalesce."""
    catch_up_window: int | None = None
    """Seconds back to which `catch_up` reaches; None means no limit."""
    on_interrupt: OnInterrupt = "retry"
    """Whether an execution whose process ended is retried, or fails as lost."""
    concurrency_key: str | None = None
    """Executions that share this key, of any job, run one at a time."""
    pause_after_failures: int | None = None
    """Consecutive failures after which the job is paused; None means never."""
    priority: Priority = "medium"
    gate: Gate | None = None
    """Asked before the handler starts. If it does not pass, the execution is skipped."""
    executor: ExecutorName | None = None
    """Runs the executions: this process, or workers of Celery or RQ; None means the default of the settings."""
    queue: str | None = None
    """The queue from which workers take the executions; None means the common one."""


USUAL_POLICIES = Policies()
"""The policies of jobs that set none: all of them share this object."""


class Work(NamedTuple):
    """The call of an execution, and the destinations of its outcome. `Job` has the same attributes, so either can be used."""

    agentool_name: str
    input_data: dict[str, Any]
    result_queue: str | None = None
    error_queue: str | None = None
    policies: Policies = USUAL_POLICIES
    caller: Caller = CODE
    """The caller with whose scopes it runs."""


_AS_JSON = PlainSerializer(Caller.to_json)
"""A caller is written with its scopes in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The definition of a job: what to run, when and how."""

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
    """Its owner, with the scopes of its executions."""
    changed_by: Annotated[Caller, _AS_JSON] | None = None
    """The caller that changed its definition last, or created it for its owner."""
    is_bounded: bool = False
    """True if end and spread of its schedule were set by the admission rules."""

    @property
    def owner(self) -> str:
        """The name of its owner, the caller that created it."""
        return self.created_by.name

    @property
    def caller(self) -> Caller:
        """The caller with whose scopes its executions run."""
        return self.created_by

    @property
    def readable(self) -> bool:
        """False if the definition is damaged: then only id, name and age are known (see `unreadable`)."""
        return bool(self.agentool_name)

    @property
    def work(self) -> Work:
        """The work of each of its executions."""
        return Work(self.agentool_name, self.input_data, self.result_queue, self.error_queue, self.policies, self.created_by)

    @property
    def upstream_id(self) -> str | None:
        """The id of its upstream job; None if it has none."""
        return before.job_id if (before := self.schedule.after) else None

    def same_as(self, other: Job) -> bool:
        """Tell whether both are the same job scheduled twice. Differences caused by the time of the call are ignored."""
        mine, its = self.schedule, other.schedule
        if self.is_bounded or other.is_bounded:
            mine, its = replace(mine, end_at=None, jitter=0.0), replace(its, end_at=None, jitter=0.0)
        return mine.same_times(its) and self._given_fields() == other._given_fields()

    def _given_fields(self) -> str:
        """Return the given fields for a comparison, as JSON, in which 1 and true differ."""
        said = (self.job_name, self.agentool_name, self.input_data, self.result_queue, self.error_queue, self.description, self.tags)
        return json.dumps([*said, asdict(self.policies)], sort_keys=True)


_ACTIVE, _PAUSED = JobStatus.ACTIVE, JobStatus.PAUSED  # an enum is slow to look into


class JobState(NamedTuple):  # every firing creates one: a copy costs a quarter of a dataclass's
    """The state of a job: the part that changes with every firing."""

    status: JobStatus = JobStatus.ACTIVE
    next_run_at: datetime | None = None
    runs: int = 0
    """Number of executions started by its schedule."""
    version: int = 1
    """Number of changes by callers, so that two editors cannot overwrite each other."""
    reason: str = ""
    paused_until: datetime | None = None
    ended_at: datetime | None = None
    """Time at which it was cancelled."""
    failures_from: datetime | None = None
    """Time from which consecutive failures are counted: when it was last resumed."""

    @property
    def due_at(self) -> datetime | None:
        """Time of the job's next alarm: its next due time, or the end of its pause."""
        if self.status is _ACTIVE:
            return self.next_run_at
        return self.paused_until if self.status is _PAUSED else None

    def paused(self, until: datetime | None = None, reason: str = "") -> JobState:
        """Return the paused state, for good or until a time."""
        return self._replace(status=JobStatus.PAUSED, paused_until=until, reason=reason)

    def resumed(self) -> JobState:
        """Return the active state, without pause and reason."""
        return self._replace(status=JobStatus.ACTIVE, paused_until=None, reason="")
