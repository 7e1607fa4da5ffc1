"""Converts jobs to JSON values and back: the form of jobs in stores and files."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from agentoolkit.system.scheduler.jobs import Job
from agentoolkit.system.scheduler.schedules import Schedule

JOB_RECORD = TypeAdapter(Job)
"""The form of jobs in stores and files."""


def job_to_record(job: Job, without: set[str] | None = None) -> dict[str, Any]:
    """Return a job as JSON values, without the fields of `without`."""
    return JOB_RECORD.serializer.to_python(job, mode="json", exclude=without)  # dump_python, without its options


def job_from_record(record: Mapping[str, Any]) -> Job:
    """Read the record of `job_to_record`.

    Raises:
        ValueError: It is damaged.
    """
    try:
        return JOB_RECORD.validate_python(record)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def unreadable(job_id: str, job_name: str, created_at: datetime) -> Job:
    """Return the stand-in for a job whose definition cannot be read. It is never due."""
    schedule = Schedule(kind="once", text=created_at.isoformat(), timezone="UTC")
    return Job(job_id=job_id, job_name=job_name, agentool_name="", input_data={}, schedule=schedule, created_at=created_at)
