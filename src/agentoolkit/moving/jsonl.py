"""Everything a store holds as lines of JSON, and back into another store.

The first line is a header. Each further one is a job with where it stands, an execution, or a message still to be delivered.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, cast

from agentool.errors import InvalidInput
from agentoolkit.moving import records
from agentoolkit.system.scheduler.errors import JobExists
from agentoolkit.system.scheduler.jobs import Execution, Job, Status
from agentoolkit.system.scheduler.ports import JobStore, Message
from agentoolkit.system.scheduler.recovery import settled

FORMAT = "agentool"
VERSION = 1

_ALL = 1_000_000_000


class Arrived(NamedTuple):
    """What an import added; what was there already is not counted."""

    jobs: int = 0
    executions: int = 0
    messages: int = 0


async def export_lines(store: JobStore, now: datetime) -> AsyncIterator[str]:
    """Yield lines with everything in a store: the header, jobs, executions from the oldest on, messages under way."""
    yield _line({"format": FORMAT, "version": VERSION, "exported_at": now.isoformat()})
    for stored in await store.jobs():
        yield _line(records.job_record(stored))
    for execution in reversed(await store.executions(None, _ALL)):
        yield _line(records.execution_record(execution))
    for message in await store.messages(_ALL):
        yield _line(records.message_record(message))


async def import_lines(store: JobStore, lines: Iterable[str], now: datetime) -> Arrived:
    """Add what lines hold and a store does not. A job whose id or name is taken there is left as it is there.

    Executions that had not ended are taken as those of a process that ended: to be run again, or lost.

    Raises:
        InvalidInput: A line is damaged, or of another format; what stands before it was added.
    """
    read = _Reader(store, now)
    for number, line in enumerate(lines, 1):
        if line.strip():
            await read.line(number, line)
    return await read.finish()


class _Reader:
    """Adds line by line. Executions wait until the end, because their messages come after them."""

    def __init__(self, store: JobStore, now: datetime) -> None:
        self._store = store
        self._now = now
        self._jobs: dict[str, Job] = {}
        self._added = 0
        self._executions: list[Execution] = []
        self._messages: dict[str, Message] = {}

    async def line(self, number: int, line: str) -> None:
        record = _record(number, line)
        if number == 1:
            _check_header(record)
        elif "job" in record:
            await self._add_job(record)
        elif "execution" in record:
            self._executions.append(records.execution_from(record))
        elif "message" in record:
            message = records.message_from(record)
            self._messages[message.execution_id] = message

    async def finish(self) -> Arrived:
        executions = messages = 0
        for execution in self._executions:
            message = self._messages.get(execution.execution_id)
            if await self._add_execution(execution, message):
                executions += 1
                messages += message is not None
        return Arrived(self._added, executions, messages)

    async def _add_job(self, record: Mapping[str, Any]) -> None:
        stored = records.job_from(record)
        self._jobs[stored.job.job_id] = stored.job
        if await self._store.find(stored.job.job_id) is None:
            try:
                await self._store.add(*stored)
                self._added += 1
            except JobExists:
                return  # its name belongs to another job there

    async def _add_execution(self, execution: Execution, message: Message | None) -> bool:
        if not execution.finished:
            execution = settled(execution, self._jobs.get(execution.job_id), "", self._now)
            if not execution.finished:
                execution = execution._replace(status=Status.QUEUED, owner="", retry_at=None)
        return bool(await self._store.record([execution], [message] if message else []))


def _line(record: Mapping[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))


def _record(number: int, line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise InvalidInput(f"Line {number} is no JSON: {error}.", field="file") from error
    if not isinstance(record, dict):
        raise InvalidInput(f"Line {number} is no JSON object.", field="file")
    return cast("dict[str, Any]", record)


def _check_header(record: Mapping[str, Any]) -> None:
    if record.get("format") != FORMAT:
        raise InvalidInput("The first line is no header of an export.", field="file", remedy="Give a file that `agentool export` wrote.")
    if record.get("version") != VERSION:
        problem = f"The file has version {record.get('version')!r}, and this program reads {VERSION}."
        raise InvalidInput(problem, field="file", remedy="Use the program's newer version.")
