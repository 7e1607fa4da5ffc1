"""Everything that stores hold as lines of JSON, and back into other stores.

The first line is a header. Each further one is a job with where it stands, an execution, an outcome still to be delivered, a queue,
a message in a queue, or a value. A file is read whole before anything of it is written.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

from agentool.errors import InvalidInput, excerpt
from agentoolkit.storage.kv.ports import KeptValue, KeyValueStore, StoredValue
from agentoolkit.system.queue import messages as queued
from agentoolkit.system.queue.ports import QueueBackend
from agentoolkit.system.scheduler.decisions.recovery import recover
from agentoolkit.system.scheduler.errors import JobExists
from agentoolkit.system.scheduler.jobs import Execution, ExecutionStatus
from agentoolkit.system.scheduler.ports import JobStore, Message, StoredJob
from agentoolkit.transfer import checks, records

FORMAT = "agentool"
VERSION = 2
"""Files of version 1 have no queues and no values."""

_ALL = 1_000_000_000


class Everything(NamedTuple):
    """Where the contents of a toolkit are held."""

    jobs: JobStore
    queues: QueueBackend
    values: KeyValueStore


class Arrived(NamedTuple):
    """What an import added; what was there already is not counted."""

    jobs: int = 0
    executions: int = 0
    outcomes: int = 0
    """Still to be delivered."""
    queues: int = 0
    messages: int = 0
    values: int = 0


async def export_lines(held: Everything, now: datetime) -> AsyncIterator[str]:
    """Yield lines with everything: the header, jobs, executions from the oldest on, outcomes under way, queues, values.

    A job whose definition was damaged is left out.
    """
    yield _line({"format": FORMAT, "version": VERSION, "exported_at": now.isoformat()})
    for stored in await held.jobs.jobs():
        if stored.job.readable:
            yield _line(records.job_record(stored))
    for execution in reversed(await held.jobs.executions(None, _ALL)):
        yield _line(records.execution_record(execution))
    for message in await held.jobs.messages(_ALL):
        yield _line(records.message_record(message))
    for status in await held.queues.queues(now):
        yield _line(records.queue_record(status.queue))
        for message in await held.queues.messages(status.queue.queue_name, now):
            yield _line(records.queued_record(message))
    for value in await held.values.everything(now):
        yield _line(records.value_record(value))


async def import_lines(held: Everything, lines: Iterable[str], now: datetime) -> Arrived:
    """Add what lines hold and these stores do not. What has the same id, name or key there is left as it is there.

    Executions that had not ended are taken as those of a process that ended: to be run again, or lost. Messages that somebody
    had taken are ready again.

    Raises:
        InvalidInput: A line is damaged, or of another format; nothing was added.
    """
    contents = _Contents()
    for number, line in enumerate(lines, 1):
        if line.strip():
            contents.take(number, _record(number, line))
    return await _Importer(held, contents, now).add()


@dataclass(slots=True)
class _Contents:
    """What a file holds."""

    jobs: list[StoredJob] = field(default_factory=list[StoredJob])
    executions: list[Execution] = field(default_factory=list[Execution])
    outcomes: dict[str, Message] = field(default_factory=dict[str, Message])
    queues: list[queued.Queue] = field(default_factory=list[queued.Queue])
    messages: list[queued.QueueMessage] = field(default_factory=list[queued.QueueMessage])
    values: list[KeptValue] = field(default_factory=list[KeptValue])

    def take(self, number: int, record: Mapping[str, Any]) -> None:
        if number == 1:
            _check_header(record)
            return
        try:
            self._take(record)
        except InvalidInput as error:
            remedy = "Correct the line, or leave it out; nothing was added."
            raise InvalidInput(f"Line {number}: {error}", field="file", value=error.value, remedy=remedy) from error

    def _take(self, record: Mapping[str, Any]) -> None:
        if "job" in record:
            self.jobs.append(records.job_from(record))
        elif "execution" in record:
            self.executions.append(records.execution_from(record))
        elif "message" in record:
            message = records.message_from(record)
            self.outcomes[message.execution_id] = message
        elif "queue" in record:
            self.queues.append(records.queue_from(record))
        elif "queued" in record:
            self.messages.append(records.queued_from(record))
        elif "value" in record:
            self.values.append(records.value_from(record))
        else:
            raise InvalidInput(f"There is no record such as {excerpt(dict(record))}.")


class _Importer:
    """Adds the contents of a file, and counts what was not there."""

    def __init__(self, held: Everything, contents: _Contents, now: datetime) -> None:
        self._held = held
        self._contents = contents
        self._now = now
        self._jobs = {stored.job.job_id: stored.job for stored in contents.jobs}

    async def add(self) -> Arrived:
        contents = self._contents
        jobs = [await self._add_job(stored) for stored in contents.jobs]
        executions = [await self._add_execution(execution) for execution in contents.executions]
        added = [execution.execution_id for execution, new in zip(contents.executions, executions, strict=True) if new]
        outcomes = [execution_id in contents.outcomes for execution_id in added]
        queues = [(await self._held.queues.create(queue)).created for queue in contents.queues]
        messages = [await self._add_message(message) for message in contents.messages]
        values = [await self._add_value(value) for value in contents.values]
        return Arrived(*map(sum, (jobs, executions, outcomes, queues, messages, values)))

    async def _add_job(self, stored: StoredJob) -> bool:
        if await self._held.jobs.find(stored.job.job_id) is not None:
            return False
        try:
            await self._held.jobs.add(*stored)
        except JobExists:
            return False  # its name belongs to another job there
        return True

    async def _add_execution(self, execution: Execution) -> bool:
        if not execution.finished:
            execution = recover(execution, self._jobs.get(execution.job_id), "", self._now)
            if not execution.finished:
                execution = execution._replace(status=ExecutionStatus.QUEUED, owner="", retry_at=None)
        outcome = self._contents.outcomes.get(execution.execution_id)
        return bool(await self._held.jobs.insert([execution], [outcome] if outcome else []))

    async def _add_message(self, message: queued.QueueMessage) -> bool:
        """Keep a message; a dead one dies again, because that is how messages come among the dead letters."""
        alive = queued.waiting(message._replace(token="", died_at=None), self._now)
        remember_until = self._now + timedelta(seconds=queued.DEDUP_WINDOW)
        added = await self._held.queues.add(alive, remember_until)
        if not added.duplicate and message.state is queued.State.DEAD:
            receipt = queued.Receipt(message.message_id)
            await self._held.queues.dead_letter(message.queue_name, receipt, message.reason, message.died_at or self._now)
        return not added.duplicate

    async def _add_value(self, value: KeptValue) -> bool:
        def put(before: StoredValue | None) -> StoredValue:
            return before or value.entry

        if value.entry.expires_at is not None and value.entry.expires_at <= self._now:
            return False
        return (await self._held.values.change(value.namespace, value.key, put, self._now)).before is None


def _line(record: Mapping[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))


def _record(number: int, line: str) -> dict[str, Any]:
    try:
        record = checks.json_in(f"Line {number}", line)
    except InvalidInput as error:
        remedy = "Correct the line, or leave it out; nothing was added."
        raise InvalidInput(f"Line {number} is no JSON: {error.__cause__}.", field="file", value=line, remedy=remedy) from error
    if not isinstance(record, dict):
        raise InvalidInput(
            f"Line {number} is no JSON object.", field="file", value=line, remedy="Give a file that `agentool export` wrote."
        )
    return cast("dict[str, Any]", record)


def _check_header(record: Mapping[str, Any]) -> None:
    if record.get("format") != FORMAT:
        raise InvalidInput("The first line is no header of an export.", field="file", remedy="Give a file that `agentool export` wrote.")
    if record.get("version") not in range(1, VERSION + 1):
        problem = f"The file has version {record.get('version')!r}, and this program reads up to {VERSION}."
        raise InvalidInput(problem, field="file", remedy="Use the program's newer version.")
