"""``/jobs/…/versions``: who changed what of a job, field by field, and the way back to how it was."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, cast

from starlette.responses import Response

from agentoolkit.entrypoints.dashboard.marks import job_address
from agentoolkit.entrypoints.dashboard.page import View, Viewing, all_of, go_to, page_router
from agentoolkit.entrypoints.dashboard.rendering import restored
from agentoolkit.entrypoints.rest.problems import ApiError
from agentoolkit.redaction import REDACTED, redacted
from agentoolkit.system.scheduler.job_fields import JobFields

LISTED = 200
"""Changes that are looked at, the newest."""

_Fields = Mapping[str, Any]

router = page_router("versions")


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


@router.get("/jobs/{job_id}/versions")
async def get_versions(view: Viewing, job_id: str) -> Response:
    """Show each change of a job, the newest first."""
    details, versions = await _read(view, job_id)
    title = f"Versions of {details['job_name']}"
    return await view.page("versions.html", title=title, job=details, versions=versions, zone=details["info"]["timezone"])


@router.get("/jobs/{job_id}/versions/{at}")
async def ask_restore(view: Viewing, job_id: str, at: str) -> Response:
    """Ask before a job is made what it was."""
    details, versions = await _read(view, job_id)
    return await view.page("restore.html", title=f"Restore {details['job_name']}?", job=details, version=_of(versions, at))


@router.post("/jobs/{job_id}/versions/{at}")
async def restore(view: Viewing, job_id: str, at: str) -> Response:
    """Make a job what it was; what is under way of it goes on."""
    details, versions = await _read(view, job_id)
    wanted = restored(dict(_of(versions, at).fields), _fields_of(details["info"] | {"job_name": details["job_name"]}))
    if REDACTED in json.dumps(wanted):
        problem = "That version has a secret that the job has no more, and no secret is kept in the list of changes."
        raise ApiError(422, "secret-not-kept", problem, remedy=f"Change the job by hand: {job_address(job_id)}/edit")
    await view.scheduler("schedule", job_id=details["job_id"], replace=True, **wanted)
    return go_to(job_address(details["job_id"]))


async def _read(view: View, job_id: str) -> tuple[dict[str, Any], list[Version]]:
    """Return a job, and its versions, the newest first."""
    details, audit = await all_of(view.scheduler("get_job", job_id=job_id), view.scheduler("audit", job_id=job_id, limit=LISTED))
    now = redacted(_fields_of(details["info"] | {"job_name": details["job_name"]}))
    versions: list[Version] = []
    for entry in audit["entries"]:
        before, after = _flat(entry["before"]), _flat(entry["after"])
        fields = _fields_of(after)
        versions.append(Version(entry, fields, list(differences(before, after)), list(differences(now, fields)) if fields else []))
    return details, versions


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


def _of(versions: Iterable[Version], at: str) -> Version:
    for version in versions:
        if version.entry["at"] == at and version.fields:
            return version
    raise ApiError(404, "no-such-version", "No version of that time is remembered.", remedy="The list of versions has all that are.")
