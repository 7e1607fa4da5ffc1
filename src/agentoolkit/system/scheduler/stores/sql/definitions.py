"""Job definitions as JSON text in rows, and the cache of parsed ones."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping

from pydantic_core import PydanticSerializationError

from agentoolkit.system.scheduler.errors import InvalidJob
from agentoolkit.system.scheduler.job_records import JOB_RECORD, job_from_record
from agentoolkit.system.scheduler.jobs import Job

MAX_REMEMBERED = 100_000
"""Maximum number of cached definitions."""

_IN_COLUMNS = {"job_id"}

encode = json.JSONEncoder(separators=(",", ":")).encode
"""Write JSON text. `json.dumps` would create an encoder for each value."""


def definition_of(job: Job) -> str:
    """Write a job's definition as JSON text, without default values and without its id, which has its own column.

    A claim rewrites the rows of its jobs, so their length is most of what it commits. The input consists of JSON values
    already, made by every door: a model in it would also lose its default values.

    Raises:
        InvalidJob: A text cannot be encoded as UTF-8. Every door refuses that, but a direct caller of the store may not.
    """
    try:
        return JOB_RECORD.serializer.to_json(job, exclude=_IN_COLUMNS, exclude_defaults=True).decode()
    except PydanticSerializationError as error:
        problem = f"Job {job.job_id!r} cannot be written: {error}."
        raise InvalidJob(problem, field="job", remedy="Leave out lone surrogates, and give JSON values as input.") from error


def job_of(job_id: str, definition: str) -> Job:
    """Read a job's definition. Raises `ValueError` or `TypeError` if it is damaged."""
    return job_from_record({**json.loads(definition), "job_id": job_id})


class Definitions:
    """A cache of parsed definitions, by revision: every committed definition has its own."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[int, Job]] = OrderedDict()

    def known(self, job_id: str, revision: int) -> Job | None:
        """Return the cached job if it has this revision, else None."""
        known = self._known.get(job_id)
        return known[1] if known is not None and known[0] == revision else None

    def read(self, job_id: str, revision: int, definition: str) -> Job:
        """Return the job of a row. Raises `ValueError` or `TypeError` if it is damaged."""
        job = self.known(job_id, revision)
        if job is None:
            job = job_of(job_id, definition)
            self.remember(job, revision)
        return job

    def remember(self, job: Job, revision: int) -> None:
        """Cache a definition, and drop the oldest one if the cache is full."""
        self._known.pop(job.job_id, None)
        self._known[job.job_id] = (revision, job)
        if len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)


class WrittenDefinitions(Definitions):
    """The cache as a transaction sees it that has written definitions. These are not cached: the transaction may still fail.

    Then another process may get the same revision for another definition.

    Args:
        committed: The cache of committed definitions.
        written: The jobs that the transaction has written, by id.
    """

    def __init__(self, committed: Definitions, written: Mapping[str, Job]) -> None:
        super().__init__()
        self._committed = committed
        self._written = written

    def known(self, job_id: str, revision: int) -> Job | None:
        """Return the job that was written or cached, else None."""
        return self._written.get(job_id) or self._committed.known(job_id, revision)

    def remember(self, job: Job, revision: int) -> None:
        """Cache a definition that was read and that the transaction has not written."""
        self._committed.remember(job, revision)
