"""List a job's changes field by field, and restore an earlier version, for the API and the pages."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

from agentoolkit.entrypoints.rest.problems import ApiError
from agentoolkit.entrypoints.rest.request_tools import Tools
from agentoolkit.redaction import REDACTED, redacted, restored
from agentoolkit.system.scheduler.job_fields import JobFields
from agentoolkit.system.scheduler.search import status_word

LOOKED_AT = 1_000
"""Newest audit entries that are read for the changes of a job. Its runs are entries too."""
_TIMES = ("start_at", "end_at")

_Fields = Mapping[str, Any]


class Difference(NamedTuple):
    """A changed field."""

    name: str
    before: Any
    after: Any


class Version(NamedTuple):
    """A job after one change."""

    entry: Mapping[str, Any]
    """The entry of the audit: action, time and caller."""
    fields: Mapping[str, Any]
    """The job's fields after the change; empty if it was cancelled."""
    differences: list[Difference]
    """The fields that the change changed."""
    to_restore: list[Difference]
    """The fields that a restore of this version would change; empty for the current version."""


class Versions(NamedTuple):
    """A job and its versions, the newest first."""

    job: dict[str, Any]
    found: list[Version]

    def at(self, moment: str) -> Version:
        """Return the version with the time of an entry. Raises `ApiError` if there is none."""
        for version in self.found:
            if version.entry["at"] == moment and version.fields:
                return version
        remedy = "The list of versions has their times."
        raise ApiError(404, "no-such-version", "No version of that time is remembered.", field="at", value=moment, remedy=remedy)


async def read_versions(tools: Tools, job_id: str) -> Versions:
    """Return a job and its versions."""
    details = await tools.scheduler("get_job", job_id=job_id)
    audit = await tools.scheduler("audit", job_id=job_id, limit=LOOKED_AT)
    now = redacted(_fields_of(details["info"] | {"job_name": details["job_name"]}))
    versions: list[Version] = []
    for entry in audit["entries"]:
        after = _definition(entry["after"])
        changed = list(differences(_definition(entry["before"]) | _standing(entry["before"]), after | _standing(entry["after"])))
        if changed:  # a run leaves the job as it is
            versions.append(Version(entry, after, changed, list(differences(now, after)) if after else []))
    return Versions(details, versions)


async def restore_version(tools: Tools, job_id: str, at: str) -> str:
    """Restore a version of a job, and return the job's id. Its running executions go on.

    Raises:
        ApiError: There is no such version, or one of its secrets is not kept.
    """
    versions = await read_versions(tools, job_id)
    job = versions.job
    wanted = restored(dict(versions.at(at).fields), _fields_of(job["info"] | {"job_name": job["job_name"]}))
    if REDACTED in json.dumps(wanted):
        problem = "That version has a secret that the job does not have any more, and the list of changes keeps no secrets."
        raise ApiError(422, "secret-not-kept", problem, field="at", value=at, remedy="Change the job by hand.")
    await tools.scheduler("schedule", job_id=job["job_id"], replace=True, **wanted)
    return str(job["job_id"])


def _definition(snapshot: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the fields of a job in an audit entry, without nesting; empty if the job did not exist."""
    if snapshot is None:
        return {}
    schedule = {**snapshot["schedule"], "schedule": snapshot["schedule"]["text"], "schedule_type": snapshot["schedule"]["kind"]}
    return _fields_of({**snapshot, **snapshot["policies"], **schedule})


def _standing(snapshot: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the status of a job in an audit entry, by its word at the doors. It is no part of the definition."""
    if snapshot is None:
        return {}
    return {"status": status_word(snapshot["state"]), **({"reason": snapshot["reason"]} if snapshot.get("reason") else {})}


def _fields_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a job that are not empty. The audit and the job write the same instant differently."""
    said = {name: record[name] for name in JobFields.model_fields if record.get(name) not in (None, "", [])}
    return said | {name: datetime.fromisoformat(said[name]).astimezone(UTC).isoformat() for name in _TIMES if name in said}


def differences(before: Mapping[str, Any], after: Mapping[str, Any], within: str = "") -> Iterable[Difference]:
    """Yield the fields that differ, also within objects: first in the order of `before`, then new fields.

    Args:
        before: The fields as they were.
        after: The fields as they are.
        within: Prefix of the names of an object's fields, such as ``input_data.``.
    """
    for name in [*before, *(each for each in after if each not in before)]:
        was, now = before.get(name), after.get(name)
        if isinstance(was, dict) and isinstance(now, dict):
            yield from differences(*cast("tuple[_Fields, _Fields]", (was, now)), within=f"{within}{name}.")
        elif was != now:
            yield Difference(f"{within}{name}", was, now)
