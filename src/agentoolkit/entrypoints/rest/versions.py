"""``/tasks/…/versions`` and ``/tasks/…/lineage``: who changed what of a task, the way back, and the tasks before and after it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from agentoolkit.entrypoints.job_versions import Version, read_versions, restore_version
from agentoolkit.entrypoints.rest.asking import Asking
from agentoolkit.entrypoints.rest.models import ScheduledTask
from agentoolkit.entrypoints.rest.routing import Named, guarded_router
from agentoolkit.entrypoints.rest.tasks import get_task

router = guarded_router("versions")


class FieldChange(BaseModel):
    """A field of a task that is not as it was; one within an object is named with a dot."""

    field: str
    before: Any = Field(default=None, description="null: it was not there")
    after: Any = Field(default=None, description="null: it is not there any more")


class TaskVersion(BaseModel):
    """A task as somebody left it; secrets are hidden."""

    at: str = Field(description="When; it names the version")
    action: str = Field(examples=["changed"])
    caller: dict[str, Any] = Field(description="Who: name, door and scopes")
    changes: list[FieldChange] = Field(description="What was done to it")
    fields: dict[str, Any] = Field(description="The task since then; none after it was cancelled")
    is_current: bool = Field(description="The task is so now")


class VersionPage(BaseModel):
    """Versions of a task, the newest first."""

    task_id: str
    versions: list[TaskVersion]


class Lineage(BaseModel):
    """The tasks before and after a task."""

    task_id: str
    upstream: str | None = Field(description="The id of the task that it comes after")
    downstream: list[str] = Field(description="The ids of those that come after it")


@router.get("/tasks/{task_id}/versions")
async def list_versions(task_id: Named, tools: Asking) -> VersionPage:
    """Return each change of a task, field by field."""
    versions = await read_versions(tools, task_id)
    return VersionPage(task_id=versions.job["job_id"], versions=[_shown(version) for version in versions.found])


@router.post("/tasks/{task_id}/versions/{at}/restore")
async def restore_task(task_id: Named, at: Named, tools: Asking) -> ScheduledTask:
    """Make a task what it was at the time of a version; what is under way of it goes on."""
    return await get_task(await restore_version(tools, task_id, at), tools)


@router.get("/tasks/{task_id}/lineage")
async def get_lineage(task_id: Named, tools: Asking) -> Lineage:
    """Return which task a task comes after, and which come after it."""
    job = await tools.scheduler("get_job", job_id=task_id)
    return Lineage(task_id=job["job_id"], upstream=job["upstream"], downstream=job["downstream"])


def _shown(version: Version) -> TaskVersion:
    changes = [FieldChange(field=one.name, before=one.before, after=one.after) for one in version.differences]
    same = {name: version.entry[name] for name in ("at", "action", "caller")}
    return TaskVersion(**same, changes=changes, fields=dict(version.fields), is_current=bool(version.fields) and not version.from_now)
