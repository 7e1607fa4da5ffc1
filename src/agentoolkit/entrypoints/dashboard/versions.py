"""``/jobs/…/versions``: who changed what of a job, field by field, and the way back to how it was."""

from __future__ import annotations

from starlette.responses import Response

from agentoolkit.entrypoints.dashboard.marks import job_address
from agentoolkit.entrypoints.dashboard.page import Viewing, go_to, page_router
from agentoolkit.entrypoints.job_versions import read_versions, restore_version

router = page_router("versions")


@router.get("/jobs/{job_id}/versions")
async def get_versions(view: Viewing, job_id: str) -> Response:
    """Show each change of a job, the newest first."""
    job, versions = await read_versions(view.tools, job_id)
    return await view.page(
        "versions.html", title=f"Versions of {job['job_name']}", job=job, versions=versions, zone=job["info"]["timezone"]
    )


@router.get("/jobs/{job_id}/versions/{at}")
async def ask_restore(view: Viewing, job_id: str, at: str) -> Response:
    """Ask before a job is made what it was."""
    versions = await read_versions(view.tools, job_id)
    job = versions.job
    return await view.page("restore.html", title=f"Restore {job['job_name']}?", job=job, version=versions.at(at))


@router.post("/jobs/{job_id}/versions/{at}")
async def restore(view: Viewing, job_id: str, at: str) -> Response:
    """Make a job what it was; what is under way of it goes on."""
    return go_to(job_address(await restore_version(view.tools, job_id, at)))
