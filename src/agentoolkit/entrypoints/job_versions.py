"""Who changed what of a job, field by field, and the way back to how it was: for the API and the pages."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, cast

from agentoolkit.entrypoints.rest.asking import Tools
from agentoolkit.entrypoints.rest.problems import ApiError
from agentoolkit.redaction import REDACTED, redacted, restored
from agentoolkit.system.scheduler.job_fields import JobFields

LISTED = 200
"""Changes that are looked at, the newest."""

_Fields = Mapping[str, Any]


class Difference(NamedTuple):
    """A field that is not as it was."""

    name: str
    before: Any
    after: Any


class Version(NamedTuple):
    """A job as somebody left it."""

    entry: Mapping[str, Any]
    """What was done, when, and by whom."""
    fields: Mapping[str, Any]
    """The job's fields since then; none after it was cancelled."""
    differences: list[Difference]
    """What was done to them."""
    from_now: list[Difference]
    """What going back to it would change."""


class Versions(NamedTuple):
    """A job, and its versions, the newest first."""

    job: dict[str, Any]
    found: list[Version]

    def at(self, moment: str) -> Version:
        """Return the version of a time, as its entry has it. Raises `ApiError` if there is none."""
        for version in self.found:
            if version.entry["at"] == moment and version.fields:
                return version
        remedy = "The list of versions has all that are."
        raise ApiError(404, "no-such-version", "No version of that time is remembered.", field="at", value=moment, remedy=remedy)


async def read_versions(tools: Tools, job_id: str) -> Versions:
    """Return a job and how it was."""
    details = await tools.scheduler("get_job", job_id=job_id)
    audit = await tools.scheduler("audit", job_id=job_id, limit=LISTED)
    now = redacted(_fields_of(details["info"] | {"job_name": details["job_name"]}))
    versions: list[Version] = []
    for entry in audit["entries"]:
        before, after = _flat(entry["before"]), _flat(entry["after"])
        fields = _fields_of(after)
        versions.append(Version(entry, fields, list(differences(before, after)), list(differences(now, fields)) if fields else []))
    return Versions(details, versions)


async def restore_version(tools: Tools, job_id: str, at: str) -> str:
    """Make a job what it was, and return its id; what is under way of it goes on.

    Raises:
        ApiError: There is no such version, or a secret of it is not kept.
    """
    versions = await read_versions(tools, job_id)
    job = versions.job
    wanted = restored(dict(versions.at(at).fields), _fields_of(job["info"] | {"job_name": job["job_name"]}))
    if REDACTED in json.dumps(wanted):
        problem = "That version has a secret that the job has no more, and no secret is kept in the list of changes."
        raise ApiError(422, "secret-not-kept", problem, field="at", value=at, remedy="Change the job by hand.")
    await tools.scheduler("schedule", job_id=job["job_id"], replace=True, **wanted)
    return str(job["job_id"])


def _flat(snapshot: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a job as the list of changes keeps it by the names of its fields, with where it stands."""
    if snapshot is None:
        return {}
    schedule = {**snapshot["schedule"], "schedule": snapshot["schedule"]["text"], "schedule_type": snapshot["schedule"]["kind"]}
    stands = {name: snapshot[name] for name in ("state", "reason") if snapshot.get(name)}
    return _fields_of({**snapshot, **snapshot["policies"], **schedule}) | stands


def _fields_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a job that say something."""
    return {name: record[name] for name in JobFields.model_fields if record.get(name) not in (None, "", [])}


def differences(before: Mapping[str, Any], after: Mapping[str, Any], within: str = "") -> Iterable[Difference]:
    """Say field by field what is not the same, also within objects; the fields in the order of both."""
    for name in [*before, *(each for each in after if each not in before)]:
        was, now = before.get(name), after.get(name)
        if isinstance(was, dict) and isinstance(now, dict):
            yield from differences(*cast("tuple[_Fields, _Fields]", (was, now)), within=f"{within}{name}.")
        elif was != now:
            yield Difference(f"{within}{name}", was, now)
