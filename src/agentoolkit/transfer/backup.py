"""Export everything the stores hold as lines of JSON, and import it into other stores.

The first line is a header. Each further line is a job with its state, an execution, an undelivered outcome, a queue,
a queued message, an id that a queue remembers, or a value. An import reads the whole file before it writes anything.
Cancelled jobs, the audit, tokens and events are not exported, nor what the stores of agents hold.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from agentool.errors import InvalidInput
from agentoolkit.json_values import is_json
from agentoolkit.portions import done_in_portions, in_portions
from agentoolkit.storage.kv.ports import KeyValueStore
from agentoolkit.system.queue import messages as queued
from agentoolkit.system.queue.decisions import waiting
from agentoolkit.system.queue.errors import QueueNotFound
from agentoolkit.system.queue.ports import QueueBackend, QueueContents
from agentoolkit.system.scheduler.decisions.downstream import check_circle
from agentoolkit.system.scheduler.decisions.outcomes import outcome_message
from agentoolkit.system.scheduler.decisions.recovery import recover
from agentoolkit.system.scheduler.errors import InvalidSchedule, JobExists
from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.system.scheduler.ports import Ending, JobStore, Position, StoredJob
from agentoolkit.transfer import checks, records
from agentoolkit.transfer.file_contents import FORMAT, VERSION, FileContents, record_in

_ALL = 1_000_000_000
_PAGE = 500
"""Executions in one page."""
AT_ONCE = 50
"""Records handled before other tasks on the event loop get a turn: two milliseconds' worth. They may wait three turns."""
_PORTION = 512

T = TypeVar("T")


class Everything(NamedTuple):
    """The three stores of a toolkit."""

    jobs: JobStore
    queues: QueueBackend
    values: KeyValueStore


class Arrived(NamedTuple):
    """How many records of each kind an import added. Records that were there already are not counted."""

    jobs: int = 0
    executions: int = 0
    outcomes: int = 0
    """Outcomes still to be delivered."""
    queues: int = 0
    messages: int = 0
    values: int = 0
    left_out: tuple[str, ...] = ()
    """Ids of jobs that could not be added. Their executions and outcomes were not added either."""


async def export_lines(held: Everything, now: datetime) -> AsyncIterator[str]:
    """Yield the lines of an export: the header, jobs, executions from the oldest on, undelivered outcomes, queues, values.

    Damaged rows are left out: jobs, messages and values whose JSON cannot be read.
    """
    yield _line({"format": FORMAT, "version": VERSION, "exported_at": now.isoformat()})
    # One read for all jobs: between two reads a job could change, then be missing or make a circle.
    async for line in _lines(records.job_record(stored) for stored in await held.jobs.jobs() if stored.job.readable):
        yield line
    cancels = dict(await held.jobs.pending_cancels())
    # Kept as texts: the garbage collector would take long to walk millions of records.
    pages: list[list[str]] = []
    start: Position | None = None
    while page := await held.jobs.executions(None, _PAGE, before=start):  # the latest due first
        pages.append([line async for line in _lines(records.execution_record(one, cancels.get(one.execution_id)) for one in page)])
        start = Position(page[-1].scheduled_at, page[-1].execution_id)
    for lines in reversed(pages):
        for line in reversed(lines):
            yield line
    async for kind in _other_kinds(held, now):
        async for line in _lines(kind):
            yield line


async def _lines(kind: Iterable[dict[str, Any]]) -> AsyncIterator[str]:
    async for portion in in_portions(kind, AT_ONCE):
        for record in portion:
            yield _line(record)


async def _other_kinds(held: Everything, now: datetime) -> AsyncIterator[Iterable[dict[str, Any]]]:
    yield map(records.message_record, await held.jobs.messages(_ALL))
    for queue_name in await held.queues.names():
        try:
            contents = await held.queues.contents(queue_name, now)
        except QueueNotFound:  # deleted since its name was read
            continue
        yield _queue_records(contents, now)
    yield (records.value_record(value) for value in await held.values.everything(now) if is_json(value.entry.text))


def _queue_records(contents: QueueContents, now: datetime) -> Iterator[dict[str, Any]]:
    """Yield a queue, its messages and the ids it remembers. A leased message is written as ready: a lease is not exported.

    The ids of its messages count as remembered, so that an import can be repeated.
    """
    yield records.queue_record(contents)
    for message in contents.messages:
        if is_json(message.body):
            in_flight = message.state is queued.State.IN_FLIGHT
            yield records.queued_record(waiting(message._replace(token=""), now) if in_flight else message)
    remembered = {message_id: until for message_id, until in contents.remembered if until > now}
    for message in contents.messages:
        remembered.setdefault(message.message_id, now + timedelta(seconds=queued.DEDUP_WINDOW))
    for message_id, until in remembered.items():
        yield records.remembered_record(contents.queue.queue_name, message_id, until)


async def import_lines(held: Everything, lines: Iterable[str], now: datetime) -> Arrived:
    """Add the records of an export. Where a store already has the same id, name or key, its own record stays.

    Executions that had not finished are recovered like those of a process that ended: they run again, wait for their retry, or end,
    which their error queues and downstream jobs learn: lost, or cancelled if that was requested. Leased messages are ready again.

    A job is left out, with its executions and outcomes, in two cases: another job in the store has its name, or it would come after
    itself by way of a job that another process changed meanwhile. `Arrived.left_out` has the ids of these jobs.

    Raises:
        InvalidInput: A line is damaged, or of another format; two jobs have one id or name, or one would come after itself.
            Nothing was added.
    """
    contents = FileContents()
    async for portion in in_portions(enumerate(lines, 1), AT_ONCE):
        for number, line in portion:
            if line.strip():
                contents.take(number, record_in(number, line))
    if not contents.version:
        raise InvalidInput("The file is empty.", field="file", remedy="Give a file that `agentool export` wrote.")
    return await _Importer(held, contents, now).add()


class _Importer:
    """Adds the records of a file to the stores, and counts the new ones."""

    def __init__(self, held: Everything, contents: FileContents, now: datetime) -> None:
        self._held = held
        self._contents = contents
        self._now = now
        self._jobs = {stored.job.job_id: stored.job for stored in contents.jobs}

    async def add(self) -> Arrived:
        contents = self._contents
        new = await self._new_jobs()
        jobs = await done_in_portions(self._add_job, new, _PORTION)
        left_out = dict.fromkeys(stored.job.job_id for stored, is_added in zip(new, jobs, strict=True) if not is_added)
        of_jobs = [execution for execution in contents.executions if execution.job_id not in left_out]
        executions = await done_in_portions(self._add_execution, of_jobs, _PORTION)
        added = [execution.execution_id for execution, is_added in zip(of_jobs, executions, strict=True) if is_added]
        outcomes = [execution_id in contents.outcomes for execution_id in added]
        restored = await self._held.queues.restore(contents.queue_contents(self._now), self._now)
        queues = len({each.queue.queue_name for each in contents.queues} & set(restored.made))
        values = await self._held.values.restore(contents.values, self._now)
        return Arrived(sum(jobs), sum(executions), sum(outcomes), queues, restored.messages, values, tuple(left_out))

    async def _new_jobs(self) -> list[StoredJob]:
        """Return the jobs that the store does not have. Raises `InvalidInput` if one would come after itself."""
        there = {stored.job.job_id: stored.job for stored in await self._held.jobs.jobs()}
        new = [stored for stored in self._contents.jobs if stored.job.job_id not in there]
        known = self._jobs | there
        async for portion in in_portions(new, AT_ONCE):
            for stored in portion:
                try:
                    check_circle(stored.job, lambda job_id: known[job_id].upstream_id if job_id in known else None)
                except InvalidSchedule as error:
                    problem = f"Job {stored.job.job_id!r}: {error.problem}"
                    remedy = "Let one of them come after no other; nothing was added."
                    raise InvalidInput(problem, field="file", value=error.value, remedy=remedy) from error
        return new

    async def _add_job(self, stored: StoredJob) -> bool:
        try:
            await self._held.jobs.add(*stored)
        except (JobExists, InvalidSchedule):
            return False  # left out, see `import_lines`
        return True

    async def _add_execution(self, execution: Execution) -> bool:
        if not execution.finished:
            cancelled = self._contents.cancels.get(execution.execution_id)
            execution = recover(execution, self._jobs.get(execution.job_id), "", self._now, cancelled)
            if execution.finished:
                return await self._add_ended(execution)
        outcome = self._contents.outcomes.get(execution.execution_id)
        return bool(await self._held.jobs.insert([execution], [outcome] if outcome else []))

    async def _add_ended(self, ended: Execution) -> bool:
        """Add an execution that is lost or cancelled by the move, and end it here: its error queue and its downstream jobs learn of it."""
        store, job = self._held.jobs, self._jobs.get(ended.job_id)
        ended = ended._replace(owner=store.owner)
        if not await store.insert([ended._replace(status=ExecutionStatus.RUNNING, finished_at=None)]):
            return False
        await store.finish([Ending(ended, outcome_message(job, ended) if job else None)])
        return True


def _line(record: Mapping[str, Any]) -> str:
    line = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    # A lone surrogate has no encoding: such a line is written with escapes.
    return line if checks.is_encodable(line) else json.dumps(record, separators=(",", ":"))
