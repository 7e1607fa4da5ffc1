"""The executions of the store in memory: the unfinished ones, and the history of each job."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from heapq import merge
from itertools import islice

from pydantic_core import PydanticSerializationError, to_json

from agentoolkit.system.scheduler.decisions.pausing import COUNTED
from agentoolkit.system.scheduler.execution_ids import job_id_of
from agentoolkit.system.scheduler.execution_records import UNFINISHED, Execution, ExecutionStatus
from agentoolkit.system.scheduler.ports import Position
from agentoolkit.system.scheduler.retention import HISTORY_SIZE, smallest_counted, without_result
from agentoolkit.system.scheduler.stores.ordered import OrderedKeys

_RARE = frozenset(ExecutionStatus) - UNFINISHED - {ExecutionStatus.SUCCESS}
"""Statuses with an ordered index of their own. The frequent ones are found quickly among all executions."""


class MemoryHistory:
    """Executions by their ids, by job, and in the order of their due times.

    Args:
        length: Number of finished executions kept for each job.
        size: Maximum bytes of JSON of a job's results together.
    """

    def __init__(self, length: int, size: int = HISTORY_SIZE) -> None:
        self._length = length
        self._size = size
        self._smallest = smallest_counted(length, size)
        self._large: defaultdict[str, dict[str, int]] = defaultdict(dict)
        """Sizes of the results that count towards `size`, by job id and execution id, in the order of their finish."""
        self.current: dict[str, Execution] = {}
        """Executions that run or wait, by id."""
        self._unfinished_of: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._finished: dict[str, dict[str, Execution]] = {}
        """Executions by job id, in the order of their finish."""
        self._newest: OrderedKeys[tuple[datetime, str]] = OrderedKeys()
        self._outcomes: dict[ExecutionStatus, OrderedKeys[tuple[datetime, str]]] = {status: OrderedKeys() for status in _RARE}

    def get(self, execution_id: str) -> Execution | None:
        """Return one execution."""
        if execution := self.current.get(execution_id):
            return execution
        return self._finished.get(job_id_of(execution_id), {}).get(execution_id)

    def __contains__(self, execution: Execution) -> bool:
        """Tell whether there is a record with this execution's id."""
        return execution.execution_id in self.current or execution.execution_id in self._finished.get(execution.job_id, ())

    def unfinished(self, job_id: str | None = None) -> list[Execution]:
        """Return the executions that run or wait, of one job or of all."""
        if job_id is None:
            return list(self.current.values())
        return [self.current[id_] for id_ in self._unfinished_of.get(job_id, ())]

    def count_unfinished(self, job_id: str) -> int:
        """Count the executions of a job that run or wait."""
        return len(self._unfinished_of.get(job_id, ()))

    def add(self, execution: Execution) -> None:
        """Add a new execution."""
        if execution.status not in UNFINISHED:
            self._keep(execution)
        else:
            self.current[execution.execution_id] = execution
            self._unfinished_of[execution.job_id][execution.execution_id] = None
        self._newest.add((execution.scheduled_at, execution.execution_id))

    def finish(self, execution: Execution) -> None:
        """Move an execution to the finished ones."""
        del self.current[execution.execution_id]
        unfinished = self._unfinished_of[execution.job_id]
        del unfinished[execution.execution_id]
        if not unfinished:
            del self._unfinished_of[execution.job_id]
        self._keep(execution)

    def change_finished(self, execution: Execution) -> None:
        """Replace the record of a finished execution."""
        self._finished[execution.job_id][execution.execution_id] = execution

    def forget(self, job_id: str) -> None:
        """Delete the history of a job."""
        self._large.pop(job_id, None)
        for execution in self._finished.pop(job_id, {}).values():
            self._leave_orders(execution)

    def last_finished(self, job_id: str) -> Execution | None:
        """Return the execution of a job that finished last."""
        return next(reversed(self._finished.get(job_id, {}).values()), None)

    def newest_outcomes(self, job_id: str, since: datetime) -> Iterator[ExecutionStatus]:
        """Yield the statuses of a job's executions that extend or end a series of failures, the latest first."""
        for execution in reversed(self._finished.get(job_id, {}).values()):
            if execution.finished_at is None or execution.finished_at < since:
                return
            if execution.status in COUNTED:
                yield execution.status

    def page(self, job_id: str | None, limit: int, status: ExecutionStatus | None, before: Position | None) -> list[Execution]:
        """Return the newest executions by due time; see `JobStore.executions`."""
        found = self._candidates(job_id, status, before)
        return list(islice((one for one in found if status in (None, one.status)), limit))

    def newest(self, before: Position | None, job_ids: Sequence[str] | None = None) -> Iterator[Execution]:
        """Yield all executions, or those of some jobs, the latest due time first."""
        if job_ids is None:
            return self._candidates(None, None, before)
        return merge(*(self._candidates(job_id, None, before) for job_id in job_ids), key=place_of, reverse=True)

    def _candidates(self, job_id: str | None, status: ExecutionStatus | None, before: Position | None) -> Iterator[Execution]:
        if job_id is None and status not in UNFINISHED:
            order = self._newest if status is None or status not in _RARE else self._outcomes[status]
            return (execution for _, id_ in order.before(before) if (execution := self.get(id_)) is not None)
        some = self.unfinished(job_id)
        if job_id is not None:
            some = [*some, *self._finished.get(job_id, {}).values()]
        return iter(sorted((one for one in some if before is None or place_of(one) < before), key=place_of, reverse=True))

    def _keep(self, execution: Execution) -> None:
        history = self._finished.get(execution.job_id)
        if history is None:
            history = self._finished[execution.job_id] = {}
        history[execution.execution_id] = execution
        if execution.status in _RARE:
            self._outcomes[execution.status].add(place_of(execution))
        if execution.result is not None:
            self._make_room(history, execution)
        if len(history) > self._length:
            self._leave_orders(oldest := history.pop(next(iter(history))))
            if large := self._large.get(oldest.job_id):
                large.pop(oldest.execution_id, None)

    def _make_room(self, history: dict[str, Execution], newest: Execution) -> None:
        """Drop the oldest results of a job when all together exceed the limit."""
        try:
            size = len(to_json(newest.result))
        except PydanticSerializationError:  # it contains a lone surrogate
            size = len(json.dumps(newest.result, separators=(",", ":")))
        if size < self._smallest:
            return
        large = self._large[newest.job_id]
        large[newest.execution_id] = size
        held = sum(large.values())
        for execution_id in [*large][:-1]:
            if held <= self._size:
                return
            held -= large.pop(execution_id)
            history[execution_id] = without_result(history[execution_id])

    def _leave_orders(self, execution: Execution) -> None:
        self._newest.remove(place_of(execution))
        if execution.status in _RARE:
            self._outcomes[execution.status].remove(place_of(execution))


def place_of(execution: Execution) -> tuple[datetime, str]:
    """Return an execution's sort key in lists: due time, then id."""
    return execution.scheduled_at, execution.execution_id


def may_start(execution: Execution, now: datetime) -> bool:
    """Tell whether an execution waits for room or for a due retry."""
    is_due = execution.retry_at is not None and execution.retry_at <= now
    return execution.status is ExecutionStatus.QUEUED or (execution.status is ExecutionStatus.RETRYING and is_due)
