"""``/approvals``: list and decide the calls of agents that wait for a person."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from agentoolkit.entrypoints.rest.models import Body
from agentoolkit.entrypoints.rest.request_tools import RequestTools
from agentoolkit.entrypoints.rest.routing import Named, guarded_router, needing

router = guarded_router("approvals")

_APPROVE = needing("approve")


class PendingApproval(BaseModel):
    """A run of an agent that waits for a decision, or that was decided."""

    approval_id: str
    owner: str = Field(description="Owner of the task")
    agent: str
    task_id: str
    execution_id: str
    calls: list[dict[str, Any]] = Field(description="The calls to approve: tool and arguments")
    created_at: str
    deadline: str = Field(description="Time at which it is denied automatically")
    status: str = Field(description="pending, approved or denied")
    decided_by: str = ""
    reason: str = ""


class ApprovalPage(BaseModel):
    """Pending approvals, the oldest first."""

    approvals: list[PendingApproval]


class Approving(Body):
    """Arguments that replace the requested ones, by the call's id, or by the name of a tool with one waiting call."""

    edits: dict[str, dict[str, Any]] | None = None


class Denying(Body):
    """The reason of a denial."""

    reason: str = Field(default="", max_length=1_000, description="The model gets it")


@router.get("/approvals")
async def list_approvals(tools: RequestTools) -> ApprovalPage:
    """List the calls that wait for a person."""
    waiting = await tools.run("agent", "list_approvals")
    return ApprovalPage(approvals=[_pending(approval) for approval in waiting.approvals])


@router.post("/approvals/{approval_id}/approve", openapi_extra=_APPROVE)
async def approve_calls(approval_id: Named, tools: RequestTools, approving: Approving | None = None) -> PendingApproval:
    """Approve the calls of a run, with the arguments in `edits` if given, and let it go on."""
    return _pending(await tools.run("agent", "approve", approval_id=approval_id, edits=approving.edits if approving else None))


@router.post("/approvals/{approval_id}/deny", openapi_extra=_APPROVE)
async def deny_calls(approval_id: Named, tools: RequestTools, denying: Denying | None = None) -> PendingApproval:
    """Deny the calls of a run, give the model the reason, and let it go on."""
    return _pending(await tools.run("agent", "deny", approval_id=approval_id, reason=(denying.reason if denying else "") or None))


def _pending(approval: BaseModel) -> PendingApproval:
    record = approval.model_dump(mode="json")
    return PendingApproval(task_id=record.pop("job_id"), **record)
