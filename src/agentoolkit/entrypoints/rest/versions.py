"""``/tasks/…/versions`` and ``/tasks/…/lineage``: a task's changes, their undoing, and the tasks before and after it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from agentoolkit.entrypoints.job_versions import Version, read_versions, restore_version
from agentoolkit.entrypoints.rest.models import ScheduledTask
from agentoolkit.entrypoints.rest.request_tools import RequestTools
from agentoolkit.entrypoints.rest.routing import Named, guarded_router
from agentoolkit.entrypoints.rest.tasks import get_task

router = guarded_router("versions")


class FieldChange(BaseModel):
    """A changed field of a task; a field within an object has a name with a dot."""

    field: str
    before: Any = Field(default=None, description="null: the field was not set")
    after: Any = Field(default=None, description="null: the field is not set any more")


class TaskVersion(BaseModel):
    """A task after one change; secrets are hidden."""

    at: str = Field(description="When; it names the version")
    action: str = Field(examples=["changed"])
    caller: dict[str, Any] = Field(description="Who: name, door and scopes")
    changes: list[FieldChange] = Field(description="The changed fields")
    fields: dict[str, Any] = Field(description="The task's fields after the change; empty if it was cancelled")
    is_current: bool = Field(description="The task has these fields now")


class VersionPage(BaseModel):
    """Versions of a task, the newest first."""

    task_id: str
    versions: list[TaskVersion]


class Lineage(BaseModel):
    """The tasks before and after a task."""

    task_id: str
    upstream: str | None = Field(description="The id of the task that it comes after")
    downstream: list[str] = Field(description="The ids of the tasks that come after it")


@router.get("/tasks/{task_id}/versions")
async def list_versions(task_id: Named, tools: RequestTools) -> VersionPage:
    """Return each change of a task, field by field."""
    versions = await read_versions(tools, task_id)
    return VersionPage(task_id=versions.job["job_id"], versions=[_task_version(version) for version in versions.found])


@router.post("/tasks/{task_id}/versions/{at}/restore")
async def restore_task(task_id: Named, at: Named, tools: RequestTools) -> ScheduledTask:
    """Restore the fields that a task had in a version. Its running executions go on."""
    return await get_task(await restore_version(tools, task_id, at), tools)


@router.get("/tasks/{task_id}/lineage")
async def get_lineage(task_id: Named, tools: RequestTools) -> Lineage:
    """Return the task that a task comes after, and the tasks that come after it."""
    job = await tools.scheduler("get_job", job_id=task_id)
    return Lineage(task_id=job["job_id"], upstream=job["upstream"], downstream=job["downstream"])


def _task_version(version: Version) -> TaskVersion:
    changes = [FieldChange(field=each.name, before=each.before, after=each.after) for each in version.differences]
    same = {name: version.entry[name] for name in ("at", "action", "caller")}
    return TaskVersion(**same, changes=changes, fields=dict(version.fields), is_current=bool(version.fields) and not version.to_restore)
