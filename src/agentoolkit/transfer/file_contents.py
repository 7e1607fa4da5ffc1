"""Read the lines of an export into records, before anything of them is written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast

from agentool.errors import InvalidInput, excerpt
from agentoolkit.storage.kv.ports import KeptValue
from agentoolkit.system.queue import messages as queued
from agentoolkit.system.queue.decisions import waiting
from agentoolkit.system.queue.ports import QueueContents
from agentoolkit.system.scheduler.execution_records import Execution
from agentoolkit.system.scheduler.jobs import JobStatus
from agentoolkit.system.scheduler.ports import Message, StoredJob
from agentoolkit.transfer import checks, records

FORMAT = "agentool"
VERSION = 3
"""Version 1 has no queues and no values. Version 2 has no remembered ids, and its dead letters have no order."""

OfQueue = TypeVar("OfQueue", queued.QueueMessage, records.Remembered)


def record_in(number: int, line: str) -> dict[str, Any]:
    """Read a line. Raises `InvalidInput` with its number."""
    try:
        record = checks.json_in(f"Line {number}", line)
    except InvalidInput as error:
        remedy = "Correct the line, or leave it out; nothing was added."
        raise InvalidInput(f"Line {number} is not JSON: {error.__cause__}.", field="file", value=line, remedy=remedy) from error
    if not isinstance(record, dict):
        remedy = "Give a file that `agentool export` wrote."
        raise InvalidInput(f"Line {number} is not a JSON object.", field="file", value=line, remedy=remedy)
    return cast("dict[str, Any]", record)


@dataclass(slots=True)
class FileContents:
    """The records of a file."""

    version: int = 0
    jobs: list[StoredJob] = field(default_factory=list[StoredJob])
    executions: list[Execution] = field(default_factory=list[Execution])
    cancels: dict[str, str] = field(default_factory=dict[str, str])
    """Reasons of requests to cancel unfinished executions, by id."""
    outcomes: dict[str, Message] = field(default_factory=dict[str, Message])
    queues: list[QueueContents] = field(default_factory=list[QueueContents])
    messages: list[queued.QueueMessage] = field(default_factory=list[queued.QueueMessage])
    remembered: list[records.Remembered] = field(default_factory=list[records.Remembered])
    values: list[KeptValue] = field(default_factory=list[KeptValue])
    _line_of: dict[str, int] = field(default_factory=dict[str, int])
    """Line of each job, by its id and, unless the job is done, by its name."""

    def take(self, number: int, record: Mapping[str, Any]) -> None:
        """Add the record of a line. Raises `InvalidInput` with its number."""
        if not self.version:
            if record.get("format") != FORMAT:
                raise InvalidInput(
                    "The first line is not the header of an export.", field="file", remedy="Give a file that `agentool export` wrote."
                )
            version = record.get("version")
            if version not in range(1, VERSION + 1):
                problem = f"The file has version {version!r}, and this program reads up to {VERSION}."
                raise InvalidInput(problem, field="file", remedy="Use the program's newer version.")
            self.version = cast("int", version)
            return
        try:
            self._take(number, record)
        except InvalidInput as error:
            remedy = "Correct the line, or leave it out; nothing was added."
            raise InvalidInput(f"Line {number}: {error}", field="file", value=error.value, remedy=remedy) from error

    def _take(self, number: int, record: Mapping[str, Any]) -> None:
        if "job" in record:
            self._take_job(number, records.job_from(record))
        elif "execution" in record:
            execution, cancel_reason = records.execution_from(record)
            self.executions.append(execution)
            if cancel_reason is not None:
                self.cancels[execution.execution_id] = cancel_reason
        elif "message" in record:
            message = records.message_from(record)
            self.outcomes[message.execution_id] = message
        elif "queue" in record:
            self.queues.append(records.queue_from(record))
        elif "queued" in record:
            self.messages.append(records.queued_from(record))
        elif "remembered" in record:
            self.remembered.append(records.remembered_from(record))
        elif "value" in record:
            self.values.append(records.value_from(record))
        else:
            raise InvalidInput(f"There is no record such as {excerpt(dict(record))}.")

    def _take_job(self, number: int, stored: StoredJob) -> None:
        job = stored.job
        keys = {job.job_id} if stored.state.status is JobStatus.DONE else {job.job_id, job.job_name}
        for key in keys & self._line_of.keys():
            raise InvalidInput(f"the job on line {self._line_of[key]} has the id or name {key!r} too.", value=key)
        self._line_of |= dict.fromkeys(keys, number)
        self.jobs.append(stored)

    def queue_contents(self, now: datetime) -> list[QueueContents]:
        """Return every queue that a record names, with its messages and remembered ids."""
        found = {each.queue.queue_name: each for each in self.queues}
        for name in [*(message.queue_name for message in self.messages), *(each.queue_name for each in self.remembered)]:
            found.setdefault(name, QueueContents(queued.Queue(name, queued.QueueSettings(), now), (), ()))
        messages, remembered = _by_queue(self.messages), _by_queue(self.remembered)
        for name, contents in found.items():
            dead = [message for message in messages[name] if message.state is queued.State.DEAD]
            alive = [waiting(message, now) for message in messages[name] if message.state is not queued.State.DEAD]
            ids = [(each.message_id, each.until) for each in remembered[name] if each.until > now]
            if self.version < 3:
                dead.sort(key=lambda message: message.died_at or now)
                ids = [(message.message_id, now + timedelta(seconds=queued.DEDUP_WINDOW)) for message in messages[name]]
            found[name] = contents._replace(messages=(*alive, *dead), remembered=ids)
        return list(found.values())


def _by_queue(each: Iterable[OfQueue]) -> Mapping[str, list[OfQueue]]:
    """Return records by the name of their queue; an empty list for a queue that has none."""
    found: defaultdict[str, list[OfQueue]] = defaultdict(list)
    for one in each:
        found[one.queue_name].append(one)
    return found
