"""Writes jobs: checks them against existing ones, and sets their alarms, events, queues and audit entries."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from typing import NamedTuple

from agentool.caller import get_caller
from agentool.errors import excerpt
from agentoolkit.failure_log import log_failure
from agentoolkit.system.scheduler.audit import Auditor
from agentoolkit.system.scheduler.decisions.downstream import check_circle
from agentoolkit.system.scheduler.decisions.due_or_late import passed_over
from agentoolkit.system.scheduler.delivery_calls import is_address
from agentoolkit.system.scheduler.engine.lifecycle import Lifecycle
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.errors import JobExists
from agentoolkit.system.scheduler.execution_ids import execution_id
from agentoolkit.system.scheduler.execution_records import Execution
from agentoolkit.system.scheduler.jobs import Job, JobState, JobStatus
from agentoolkit.system.scheduler.ports import Action, Removed, StoredJob
from agentoolkit.system.scheduler.schedules import Reading

logger = logging.getLogger(__name__)

_ANOTHER = "Choose another job_id and job_name."


class Added(NamedTuple):
    """The result of scheduling or changing a job."""

    job: Job
    state: JobState
    reading: Reading
    created: bool
    """False if the job existed already."""
    changed: bool = False
    """True if it existed and is different now."""


class Cancelled(NamedTuple):
    """The result of cancelling a job."""

    job: Job
    reason: str
    cancelled: Sequence[Execution]
    """Its executions that waited, and do not run."""
    running: Sequence[Execution]
    """Its executions that still run."""


class JobWriter:
    """Adds, changes and removes jobs.

    Args:
        parts: Store, time source and listeners.
        lifecycle: Has the engine, whose clock gets the alarms.
        audit: Creates audit entries.
    """

    def __init__(self, parts: Parts, lifecycle: Lifecycle, audit: Auditor) -> None:
        self._store = parts.store
        self._time = parts.time
        self._events = parts.announcer
        self._injector = parts.injector
        self._queues: set[str] = set()
        """Names of queues that exist."""
        self._lifecycle = lifecycle
        self._audit = audit

    async def add(self, stored: StoredJob) -> None:
        """Add a job. Raises as `JobStore.add` does."""
        await self._store.add(*stored, self._audit.entry("created", None, stored))
        self._define(*stored)
        self._events.scheduled(stored.job)
        await self._make_queues(stored.job)

    async def change(self, before: StoredJob, job: Job, state: JobState, action: Action) -> StoredJob | None:
        """Write a changed job. Return None if it fired, or was changed, since it was read. A new `created_at` makes it a new job."""
        state = await self._past_given_out(job, state)
        changed = StoredJob(job, state._replace(version=before.state.version + 1))
        note = self._audit.entry(action, before, changed)
        if job.created_at != before.job.created_at:
            exchanged = await self._store.exchange(before, *changed, self._time.now(), note)
            if not exchanged:
                return None
            self._announce(exchanged.cancelled)
        elif not await self._store.replace(job, state, before.state, note):
            return None
        self._define(job, state)
        await self._note_passed_over(before, state)
        await self._make_queues(job)
        return changed

    async def _note_passed_over(self, before: StoredJob, after: JobState) -> None:
        """Write down due times that the change leaves to nobody. The change itself is made, so it does not fail for this."""
        try:
            missed = passed_over(before, after, self._time.now(), self._store.owner)
            new = await self._store.insert(missed) if missed else ()
        except Exception:
            log_failure(logger, "Noting the due times that a change of %s passed over failed", before.job.job_id)
        else:
            for execution in missed if new else ():
                self._events.execution_changed(execution, before.job.owner)

    async def remove(self, stored: StoredJob, reason: str) -> Removed:
        """Cancel a job and its waiting executions."""
        removed = await self._store.remove(stored.job.job_id, self._time.now(), reason, self._audit.entry("cancelled", stored, None))
        if engine := self._lifecycle.engine:
            engine.set_alarm(stored.job.job_id, None)
        self._events.cancelled(stored.job)
        self._announce(removed.cancelled)
        return removed

    async def find_same(self, job: Job) -> StoredJob | None:
        """Return an identical live job. Raises `JobExists` if a different one has the id or name."""
        for taken in (await self._store.find(job.job_id), await self._store.find(job.job_name)):
            if taken and taken.state.status is not JobStatus.DONE:
                _check_visible(taken, job, _ANOTHER)
                if taken.job.job_id == job.job_id and taken.job.same_as(job):
                    return taken
                raise JobExists.taken(taken.job.job_id, taken.job.job_name, "job_id", job.job_id)
        return None

    async def check_former(self, job: Job) -> None:
        """Refuse an id whose history belongs to another owner's job that is over, or to no job. Raises `JobExists`."""
        if get_caller().is_admin:
            return
        for former in (await self._store.find(job.job_id), await self._store.find_cancelled(job.job_id)):
            if former is not None and former.job.job_id == job.job_id:
                _check_visible(former, job, _ANOTHER)
                return
        if await self._store.executions(job.job_id, 1, with_results=False):  # only administrators run something under an id without a job
            raise _taken(job, _ANOTHER)

    async def check_name(self, job: Job) -> None:
        """Refuse a name that another live job has. Raises `JobExists`."""
        taken = await self._store.find(job.job_name)
        if taken and taken.job.job_id != job.job_id and taken.state.status is not JobStatus.DONE:
            _check_visible(taken, job, "Choose another job_name.")
            raise JobExists.taken(taken.job.job_id, taken.job.job_name, "job_name", job.job_name)

    async def check_circle(self, job: Job, assumed: Collection[str]) -> None:
        """Refuse a circle of jobs in a dry run, as the store does. Upstream jobs of assumed jobs are not known yet."""
        way: dict[str, str | None] = {}
        before = job.upstream_id
        while before is not None and before not in way and before not in assumed:
            stored = await self._store.find(before)
            way[before] = stored.job.upstream_id if stored else None
            before = way[before]
        check_circle(job, way.get)

    async def _make_queues(self, job: Job) -> None:
        """Create the queues of a job, so that a consumer can wait there before the first outcome."""
        named = {name for name in (job.result_queue, job.error_queue) if name and not is_address(name)}
        for name in named - self._queues:
            try:
                await self._injector.run("queue", {"operation": "create_queue", "queue_name": name})
            except Exception as error:  # it may exist with other settings; any real problem shows at the first delivery
                logger.debug("Creating queue %r failed: %s", name, error)
            self._queues.add(name)

    async def _past_given_out(self, job: Job, state: JobState) -> JobState:
        """Skip a next due time that has an execution already: it was claimed at this very instant."""
        due = state.next_run_at
        if due is not None and await self._store.execution(execution_id(job.job_id, due)):
            state = state._replace(next_run_at=job.schedule.next_after(due))
        return state if state.next_run_at or job.upstream_id else state._replace(status=JobStatus.DONE)

    def _define(self, job: Job, state: JobState) -> None:
        """Set a job's alarm, and apply its definition to waiting executions, as other processes do."""
        if engine := self._lifecycle.engine:
            engine.set_alarm(job.job_id, state.due_at)
            engine.dispatch.redefine(job)

    def _announce(self, executions: Sequence[Execution]) -> None:
        for execution in executions:
            if engine := self._lifecycle.engine:
                engine.dispatch.leave(execution)
            self._events.execution_changed(execution)


def check_owner_meant(job: Job) -> None:
    """Refuse a job of one owner to a caller that schedules for another by name. Raises `JobExists`.

    Source: *Agent Scheduler & Background Task Queue*, "Features": each agent has a task file of its own.
    """
    meant = get_caller().acts_for
    if meant and meant != job.owner:
        problem = f"A job of {job.owner!r} has the name {excerpt(job.job_name)}."
        raise JobExists(problem, field="job_name", value=job.job_name, remedy=f"Names are unique: write e.g. '{meant} {job.job_name}'.")


def _check_visible(taken: StoredJob, job: Job, remedy: str) -> None:
    """Refuse another owner's job without revealing more than that the name is in use. Raises `JobExists`."""
    if not get_caller().owns(taken.job.owner):
        raise _taken(job, remedy)
    check_owner_meant(taken.job)


def _taken(job: Job, remedy: str) -> JobExists:
    return JobExists(f"The name {excerpt(job.job_name)} is taken.", field="job_name", value=job.job_name, remedy=remedy)
