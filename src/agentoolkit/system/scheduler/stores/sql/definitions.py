"""Job definitions as rows hold them, and those that were read before."""

from __future__ import annotations

import json
from collections import OrderedDict

from pydantic_core import PydanticSerializationError

from agentoolkit.system.scheduler.errors import InvalidJob
from agentoolkit.system.scheduler.job_records import JOB_RECORD, job_from_record
from agentoolkit.system.scheduler.jobs import Job

MAX_REMEMBERED = 100_000
"""Definitions, so that jobs that come and go do not fill the memory."""

_IN_COLUMNS = {"job_id"}

encode = json.JSONEncoder(separators=(",", ":")).encode
"""Write JSON text. `json.dumps` would make an encoder for each value."""


def definition_of(job: Job) -> str:
    """Write a job's definition as JSON text, without what is as it is by default; its id has a column of its own.

    A claim rewrites the rows of its jobs, so their length is most of what it commits. Its input is JSON values already, as every
    door has made it: of a model in it, too, what is as by default would be left out.

    Raises:
        InvalidJob: It has a text that has no form as UTF-8. Every door has refused that; a direct caller of the store has not.
    """
    try:
        return JOB_RECORD.serializer.to_json(job, exclude=_IN_COLUMNS, exclude_defaults=True).decode()
    except PydanticSerializationError as error:
        problem = f"Job {job.job_id!r} cannot be written: {error}."
        raise InvalidJob(problem, field="job", remedy="Leave out lone surrogates, and give JSON values as input.") from error


def job_of(job_id: str, definition: str) -> Job:
    """Read a job's definition. Raises `ValueError` or `TypeError` if it was damaged."""
    return job_from_record({**json.loads(definition), "job_id": job_id})


class Definitions:
    """Job definitions that were read before, by their revision: no two definitions ever have the same."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[int, Job]] = OrderedDict()

    def known(self, job_id: str, revision: int) -> Job | None:
        """Return a job that was read before, if it has not changed since."""
        known = self._known.get(job_id)
        return known[1] if known is not None and known[0] == revision else None

    def read(self, job_id: str, revision: int, definition: str) -> Job:
        """Return the job of a row. Raises `ValueError` or `TypeError` if it was damaged."""
        job = self.known(job_id, revision)
        if job is None:
            job = job_of(job_id, definition)
            self.remember(job, revision)
        return job

    def remember(self, job: Job, revision: int) -> None:
        """Keep a definition; the one that was remembered first makes room."""
        self._known.pop(job.job_id, None)
        self._known[job.job_id] = (revision, job)
        if len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)
