"""The queries of the store in memory: jobs, executions, messages and audit entries, one or a page at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from heapq import merge, nsmallest
from itertools import islice

from agentoolkit.portions import in_portions
from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.system.scheduler.jobs import LIVE, Job, JobStatus
from agentoolkit.system.scheduler.ports import AuditEntry, Change, FoundExecutions, FoundJobs, Message, Position, StoredJob
from agentoolkit.system.scheduler.retention import HISTORY_LENGTH, HISTORY_SIZE
from agentoolkit.system.scheduler.search import Search
from agentoolkit.system.scheduler.search.matching import execution_fits, job_fits
from agentoolkit.system.scheduler.stores.memory_history import MemoryHistory, place_of
from agentoolkit.system.scheduler.stores.memory_jobs import MemoryJobs, created
from agentoolkit.system.scheduler.stores.memory_search import PORTION, page_of

FEW_JOBS = 100
"""Up to this number of an owner's jobs, their histories are searched instead of the newest executions of all jobs."""
NOTES = 10_000
"""Number of audit entries kept."""


class MemoryQueries:
    """Holds the records and answers all queries. See `ports.JobStore` for each.

    Args:
        history_length: Number of finished executions kept for each job.
        history_size: Maximum bytes of JSON of a job's results together.
    """

    def __init__(self, history_length: int = HISTORY_LENGTH, history_size: int = HISTORY_SIZE) -> None:
        self._jobs = MemoryJobs()
        self._history = MemoryHistory(history_length, history_size)
        self._all_due_kept = False
        self._outbox: dict[str, Message] = {}
        self._notes: deque[AuditEntry] = deque(maxlen=NOTES)

    async def find(self, id_or_name: str) -> StoredJob | None:
        return self._jobs.find(id_or_name)

    async def find_cancelled(self, id_or_name: str) -> StoredJob | None:
        return self._jobs.find_cancelled(id_or_name)

    async def find_similar(self, id_or_name: str, limit: int) -> Sequence[str]:
        return self._jobs.find_similar(id_or_name, limit)

    async def jobs(self) -> Sequence[StoredJob]:
        runs = [sorted(portion, key=created) async for portion in in_portions(list(self._jobs.values()), PORTION)]
        return [stored async for portion in in_portions(merge(*runs, key=created), PORTION) for stored in portion]

    async def list_jobs(self, status: JobStatus | None = None, limit: int = 100, after: Position | None = None) -> Sequence[StoredJob]:
        return list(islice(self._jobs.in_order(LIVE if status is None else (status,), after), limit))

    async def search_jobs(self, search: Search, limit: int, after: Position | None = None) -> FoundJobs:
        def fits(stored: StoredJob) -> bool:
            last = self._history.last_finished(stored.job.job_id)
            return job_fits(search, *stored, last.status if last else None)

        owner, statuses = search.owner, search.job_statuses

        def records(start: Position | None) -> Iterator[StoredJob]:
            if owner is None:
                return self._jobs.in_order(statuses, start)
            return (stored for stored in self._jobs.of_owner(owner, start) if stored.state.status in statuses)

        return FoundJobs(*await page_of(records, after, fits, created, limit))

    async def count_jobs(self) -> Mapping[JobStatus, int]:
        return self._jobs.count()

    async def downstream(self, job_id: str) -> Sequence[str]:
        found = [self._jobs[id_] for id_ in self._jobs.downstream.get(job_id, ())]
        return sorted(stored.job.job_id for stored in found if stored.state.status is not JobStatus.DONE)

    async def last_outcomes(self, job_ids: Sequence[str]) -> Mapping[str, ExecutionStatus]:
        found = {job_id: self._history.last_finished(job_id) for job_id in job_ids}
        return {job_id: execution.status for job_id, execution in found.items() if execution}

    async def execution(self, execution_id: str) -> Execution | None:
        return self._history.get(execution_id)

    async def executions_by_id(self, execution_ids: Sequence[str]) -> Sequence[Execution]:
        return [found._replace(result=None) for id_ in execution_ids if (found := self._history.get(id_))]

    async def statuses(self, execution_ids: Sequence[str]) -> Mapping[str, ExecutionStatus]:
        return {id_: found.status for id_ in execution_ids if (found := self._history.get(id_))}

    async def executions(
        self,
        job_id: str | None,
        limit: int,
        status: ExecutionStatus | None = None,
        before: Position | None = None,
        with_results: bool = True,
    ) -> Sequence[Execution]:
        found = self._history.page(job_id, limit, status, before)
        return found if with_results else [execution._replace(result=None) for execution in found]

    async def search_executions(
        self, search: Search, limit: int, before: Position | None = None, with_results: bool = True
    ) -> FoundExecutions:
        def job_of(execution: Execution) -> Job | None:
            stored = self._jobs.get(execution.job_id) or self._jobs.cancelled.get(execution.job_id)
            return stored.job if stored else None

        def fits(execution: Execution) -> bool:
            return execution_fits(search, execution, job_of(execution))

        few = self._few_jobs(search.owner)
        # The histories of few jobs are sorted once, and not again for each portion.
        held = self._history.newest(before, few) if few is not None else None
        found, following = await page_of(lambda start: held or self._history.newest(start), before, fits, place_of, limit)
        if search.owner is not None and few is None and following is not None and len(found) < limit:
            own = await self._own_executions(search.owner, following)  # skips the executions of other owners
            more, following = await page_of(lambda _: own, following, fits, place_of, limit - len(found))
            found += more
        return FoundExecutions(found if with_results else [execution._replace(result=None) for execution in found], following)

    async def _own_executions(self, owner: str, before: Position) -> Iterable[Execution]:
        """Return the executions of an owner's jobs, the latest due time first."""
        ids = [stored.job.job_id for stored in self._jobs.of_owner(owner)]
        histories = [self._history.newest(before, portion) async for portion in in_portions(ids, PORTION)]
        return merge(*histories, key=place_of, reverse=True)

    def _few_jobs(self, owner: str | None) -> list[str] | None:
        """Return the ids of an owner's jobs if they are few, else None."""
        if owner is None:
            return None
        ids = [stored.job.job_id for stored in islice(self._jobs.of_owner(owner), FEW_JOBS + 1)]
        return ids if len(ids) <= FEW_JOBS else None

    async def upcoming(self) -> Iterable[Change]:
        due = (JobStatus.ACTIVE, JobStatus.PAUSED)
        held = list(self._jobs.values())  # a snapshot, because the caller may iterate slowly
        return (Change(stored.job.job_id, stored.state.due_at) for stored in held if stored.state.status in due)

    async def due_next(self, limit: int, owner: str | None = None) -> Sequence[StoredJob]:
        if owner is None:
            return await self._due_of_all(limit)
        soonest: list[tuple[datetime, str, StoredJob]] = []
        async for portion in in_portions(list(self._jobs.of_owner(owner)), PORTION):
            active = (stored for stored in portion if stored.state.status is JobStatus.ACTIVE)
            due = ((at, stored.job.job_id, stored) for stored in active if (at := stored.state.next_run_at) is not None)
            soonest = nsmallest(limit, [*soonest, *due])
        return [stored for _, _, stored in soonest]

    async def _due_of_all(self, limit: int) -> list[StoredJob]:
        """Return the jobs that are due next. The first call reads all jobs, a portion at a time."""
        if not self._all_due_kept:
            self._jobs.keep_due(())  # creates the index even if there is no job yet
            async for portion in in_portions(list(self._jobs.values()), PORTION):
                self._jobs.keep_due(portion)
            self._all_due_kept = True
        return self._jobs.due_first(limit)

    async def outbox(self, limit: int) -> Sequence[Message]:
        return list(islice(self._outbox.values(), limit))

    async def messages(self, limit: int) -> Sequence[Message]:
        return list(islice(self._outbox.values(), limit))

    async def entries(self, job_id: str | None, owner: str | None, limit: int) -> Sequence[AuditEntry]:
        fitting = (note for note in reversed(self._notes) if job_id in (None, note.job_id) and owner in (None, note.owner))
        return list(islice(fitting, limit))
