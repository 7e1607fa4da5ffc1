"""``/approvals``: agents' calls that need a person's decision, and jobs that wait for it before their first run."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from agentoolkit.entrypoints.dashboard.attention import list_approvals
from agentoolkit.entrypoints.dashboard.page import Viewer, Viewing, all_of, go_to, page_router
from agentoolkit.entrypoints.dashboard.rendering import read_object
from agentoolkit.entrypoints.rest.access import needs
from agentoolkit.entrypoints.rest.problems import ApiError
from agentoolkit.redaction import restored
from agentoolkit.system.scheduler.decisions.admission import NEEDS_APPROVAL

router = page_router("approvals")


@router.get("/approvals")
async def get_approvals(viewer: Viewing) -> Response:
    """List the calls and jobs that wait for a person."""
    approvals, paused = await all_of(list_approvals(viewer), viewer.scheduler("list", job_status="paused", limit=1_000))
    waiting = [job for job in paused["jobs"] if job["reason"].startswith(NEEDS_APPROVAL)]
    return await viewer.page("approvals.html", title="Approvals", approvals=approvals, jobs=waiting)


@router.get("/approvals/{approval_id}")
async def get_approval(viewer: Viewing, approval_id: str) -> Response:
    """Show the exact calls of an approval, and ask for a decision."""
    return await viewer.page("approval.html", title="Approve?", approval=await _find(viewer, approval_id), problem="")


@router.post("/approvals/{approval_id}")
async def decide(viewer: Viewing, approval_id: str) -> Response:
    """Approve calls, with other arguments if they were edited, or deny them with a reason."""
    needs(viewer.request, "approve")
    given = await viewer.form()
    if given.get("decision") == "deny":
        await viewer.tools.run("agent", "deny", approval_id=approval_id, reason=given.get("reason") or None)
        return go_to("/approvals")
    approval = await _find(viewer, approval_id)
    edits: dict[str, dict[str, Any]] = {}
    try:
        for call in approval["calls"]:
            text, asked = given.get(f"arguments-{call['call_id']}"), call["arguments"]
            if text is not None and (whole := restored(read_object(text), asked)) != asked:
                edits[call["call_id"]] = whole
    except ValueError as error:
        problem = f"The arguments are not a JSON object: {error}"
        return await viewer.page("approval.html", title="Approve?", status=422, approval=approval, problem=problem)
    await viewer.tools.run("agent", "approve", approval_id=approval_id, edits=edits or None)
    return go_to("/approvals")


async def _find(viewer: Viewer, approval_id: str) -> dict[str, Any]:
    for approval in await list_approvals(viewer):
        if approval["approval_id"] == approval_id:
            return approval
    raise ApiError(404, "no-such-approval", f"Nothing waits under {approval_id[:50]!r}.", remedy="It was decided, or its time is over.")
