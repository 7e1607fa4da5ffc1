"""The jobs of the store in memory, with indexes by id, name, owner, status, due time and upstream job."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from heapq import merge
from itertools import islice

from agentoolkit.heap import LazyHeap
from agentoolkit.quick_tuples import maker_of
from agentoolkit.system.scheduler.decisions.downstream import check_circle
from agentoolkit.system.scheduler.errors import JobExists
from agentoolkit.system.scheduler.jobs import LIVE, Job, JobState, JobStatus
from agentoolkit.system.scheduler.ports import Position, StoredJob
from agentoolkit.system.scheduler.stores.ordered import OrderedKeys

_stored = maker_of(StoredJob)
_ACTIVE, _DONE = JobStatus.ACTIVE, JobStatus.DONE  # an enum is slow to look into


class MemoryJobs(dict[str, StoredJob]):
    """Jobs by id, with their other indexes."""

    def __init__(self) -> None:
        super().__init__()
        self.cancelled: dict[str, StoredJob] = {}
        self.downstream: defaultdict[str, dict[str, None]] = defaultdict(dict)
        """Ids of downstream jobs, by the id of their upstream job."""
        self._names: dict[str, str] = {}
        """The job id of each name: of the job that can still fire, else of the newest."""
        self._namesakes: defaultdict[str, set[str]] = defaultdict(set)
        """Ids of the other jobs of each name, which are over."""
        self._order: dict[JobStatus, OrderedKeys[tuple[datetime, str]]] = {status: OrderedKeys() for status in LIVE}
        self._over: dict[JobStatus, dict[str, None]] = {status: {} for status in JobStatus if status not in LIVE}
        """Jobs of other statuses, unordered: they are few, and change with every job that runs once."""
        self._called: OrderedKeys[str] = OrderedKeys()
        """Ids and names of jobs that can still fire."""
        self._counts: defaultdict[JobStatus, int] = defaultdict(int)
        self._owned: defaultdict[str, OrderedKeys[tuple[datetime, str]]] = defaultdict(OrderedKeys)
        """Each owner's jobs, cancelled ones too."""
        self._due: LazyHeap[str, tuple[datetime, str]] | None = None
        """Active jobs by next due time; None until they are first needed, so that firings do not pay for it."""

    def find(self, id_or_name: str) -> StoredJob | None:
        """See `JobStore.find`."""
        return self.get(id_or_name) or self.get(self._names.get(id_or_name, ""))

    def find_cancelled(self, id_or_name: str) -> StoredJob | None:
        """See `JobStore.find_cancelled`."""
        named = [stored for stored in self.cancelled.values() if stored.job.job_name == id_or_name]
        return self.cancelled.get(id_or_name) or max(named, key=created, default=None)

    def find_similar(self, id_or_name: str, limit: int) -> Sequence[str]:
        """See `JobStore.find_similar`."""
        after = islice(self._called.from_(id_or_name, included=True), limit)
        return sorted([*after, *islice(self._called.before(id_or_name), limit)])

    def of_owner(self, owner: str, after: Position | None = None) -> Iterator[StoredJob]:
        """Yield the jobs of an owner, cancelled ones too, the oldest first, from a position on."""
        ids = (job_id for _, job_id in self._owned[owner].from_(after)) if owner in self._owned else ()
        return (stored for job_id in ids if (stored := self.get(job_id) or self.cancelled.get(job_id)))

    def keep_due(self, portion: Iterable[StoredJob]) -> None:
        """Add existing jobs to the index of due times. From now on it follows all changes."""
        self._due = LazyHeap() if self._due is None else self._due
        for job_id in (stored.job.job_id for stored in portion):
            if (stored := self.get(job_id)) is not None:
                self._place(stored)

    def due_first(self, limit: int) -> list[StoredJob]:
        """Return the jobs of the index of due times that are due next."""
        return [self[job_id] for job_id in self._due.smallest(limit)] if self._due is not None else []

    def in_order(self, statuses: Iterable[JobStatus], after: Position | None = None) -> Iterator[StoredJob]:
        """Yield the jobs with one of these statuses, the oldest first, from a position on."""
        orders: list[Iterable[StoredJob]] = []
        for status in statuses:
            if status in LIVE:
                orders.append(self[job_id] for _, job_id in self._order[status].from_(after))
            else:
                held = self.cancelled if status is JobStatus.CANCELLED else self
                over = (held[job_id] for job_id in self._over[status])
                orders.append(sorted((stored for stored in over if after is None or created(stored) > after), key=created))
        return merge(*orders, key=created)

    def count(self) -> Mapping[JobStatus, int]:
        """See `JobStore.count_jobs`."""
        return {status: number for status, number in self._counts.items() if number}

    def check(self, job: Job, *, free: bool = True, but: str = "") -> None:
        """Refuse a job that may not be added.

        Args:
            job: The job.
            free: If true, no other job that can still fire may have its id or name.
            but: The id of the job that it replaces.

        Raises:
            JobExists: Its id or name is in use.
            InvalidSchedule: It would come after itself.
        """
        for key in (job.job_id, job.job_name) if free else ():
            for job_id in (key, self._names.get(key, "")):
                taken = self.get(job_id)
                if taken and job_id != but and taken.state.status is not _DONE:
                    raise JobExists(f"Job {job_id!r} exists.", field="job_id", value=job.job_id)
        check_circle(job, lambda job_id: stored.job.upstream_id if (stored := self.get(job_id)) else None)

    def put(self, stored: StoredJob) -> None:
        """Add a job, or replace the one with its id."""
        job = stored.job
        self.forget(job.job_id)
        self[job.job_id] = stored
        self._give_name(stored)
        self._enter(stored)
        if job.upstream_id is not None:
            self.downstream[job.upstream_id][job.job_id] = None
        self._owned[job.owner].add(created(stored))
        self._place(stored)

    def move(self, stored: StoredJob, state: JobState) -> StoredJob:
        """Set the state of a job."""
        job = stored.job
        after = self[job.job_id] = _stored((job, state))
        if state.status is not stored.state.status:
            self._leave(stored)
            self._enter(after)
            if job.job_name in self._namesakes:  # a newer job of its name takes the name if this one is over now
                self._take_name(job)
                self._give_name(after)
        self._place(after)
        return after

    def cancel(self, stored: StoredJob, at: datetime, reason: str) -> None:
        """Move a job to the cancelled ones."""
        self.forget(stored.job.job_id)
        state = stored.state._replace(status=JobStatus.CANCELLED, next_run_at=None, reason=reason, ended_at=at)
        cancelled = self.cancelled[stored.job.job_id] = StoredJob(stored.job, state)
        self._enter(cancelled)
        self._owned[stored.job.owner].add(created(stored))

    def forget(self, job_id: str) -> None:
        """Remove a job, or a cancelled one, from all indexes."""
        if (stored := self.pop(job_id, None)) is not None:
            self._unlink(stored)
        elif (stored := self.cancelled.pop(job_id, None)) is None:
            return
        self._leave(stored)
        owned = self._owned[owner := stored.job.owner]
        owned.remove(created(stored))
        if not owned:
            del self._owned[owner]

    def _unlink(self, stored: StoredJob) -> None:
        """Remove a job from the indexes that contain no cancelled jobs."""
        job = stored.job
        if self._due is not None:
            self._due.discard(job.job_id)
        self._take_name(job)
        if self.downstream and job.upstream_id is not None:
            self.downstream[job.upstream_id].pop(job.job_id, None)
            if not self.downstream[job.upstream_id]:
                del self.downstream[job.upstream_id]

    def _give_name(self, stored: StoredJob) -> None:
        """Enter a job under its name, unless the name belongs to a job with precedence."""
        name, first = stored.job.job_name, stored
        holder = self.get(self._names.get(name, ""))
        if holder is not None and holder.job.job_id != stored.job.job_id:
            other, first = sorted((holder, stored), key=_before_others)
            self._namesakes[name].add(other.job.job_id)
        self._names[name] = first.job.job_id

    def _take_name(self, job: Job) -> None:
        """Give a job's name to the first of its namesakes, if there are any."""
        name = job.job_name
        if self._names.get(name) == job.job_id:
            del self._names[name]
        if name not in self._namesakes:
            return
        others = self._namesakes.pop(name) - {job.job_id}
        if others and name not in self._names:
            self._names[name] = max(others, key=lambda job_id: _before_others(self[job_id]))
            others.discard(self._names[name])
        if others:
            self._namesakes[name] = others

    def _place(self, stored: StoredJob) -> None:
        (job, state), due = stored, self._due
        if due is None:
            return
        if state.next_run_at is not None and state.status is _ACTIVE:
            due.put(job.job_id, (state.next_run_at, job.job_id))
        else:
            due.discard(job.job_id)

    def _enter(self, stored: StoredJob) -> None:
        status, job = stored.state.status, stored.job
        self._counts[status] += 1
        if status not in LIVE:
            self._over[status][job.job_id] = None
            return
        self._order[status].add((job.created_at, job.job_id))
        self._called.add(job.job_id)
        if job.job_name != job.job_id:
            self._called.add(job.job_name)

    def _leave(self, stored: StoredJob) -> None:
        status, job = stored.state.status, stored.job
        self._counts[status] -= 1
        if status not in LIVE:
            del self._over[status][job.job_id]
            return
        self._order[status].remove((job.created_at, job.job_id))
        self._called.remove(job.job_id)
        if job.job_name != job.job_id:
            self._called.remove(job.job_name)


def _before_others(stored: StoredJob) -> tuple[bool, tuple[datetime, str]]:
    """Return the precedence of a job under its name: jobs that can still fire first, then newer ones."""
    return stored.state.status is not _DONE, created(stored)


def created(stored: StoredJob) -> tuple[datetime, str]:
    """Return a job's sort key in lists: creation time, then id."""
    return stored.job.created_at, stored.job.job_id
