"""Parked runs: they wait for a person's decision, at most until a deadline, and go on as further executions of their jobs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from agentool.caller import get_caller
from agentool.errors import excerpt
from agentoolkit.agent_settings import AgentRules
from agentoolkit.agents.agent_jobs import AgentJobs
from agentoolkit.agents.approval_edits import Edits, edits_by_call
from agentoolkit.agents.approval_store import Approval, ApprovalStore, WaitingCall, decided
from agentoolkit.agents.errors import AgentError, NoSuchApproval, NotAllowed
from agentoolkit.agents.registry import AgentTask, RunSummary
from agentoolkit.endings import EndedEarly
from agentoolkit.system.scheduler import current_execution
from agentoolkit.system.scheduler.execution_ids import APPROVED, requested_execution_id
from agentoolkit.system.scheduler.execution_records import Execution
from agentoolkit.time_source import TimeSource

MAX_LISTED = 100
"""Approvals of one list."""
_PAGE = 100
"""Approvals that are read at a time."""
_ASK_A_PERSON = "Ask a person to decide it: by `agentool approvals` in a terminal, or on the dashboard."
_GOES_ON = requested_execution_id("", APPROVED)
"""Follows the job's id, and begins what follows it, in the id of an execution in which a parked run goes on."""


class Parked(EndedEarly):
    """Ends an attempt whose run waits for a person. `ran` is the usage so far."""

    def __init__(self, status: Literal["skipped", "cancelled"], reason: str, result: Any, ran: RunSummary) -> None:
        super().__init__(status, reason, result)
        self.ran = ran


@dataclass(frozen=True, slots=True)
class ParkedRuns:
    """Parks runs, and applies decisions on them.

    Args:
        approvals: Stores the approvals.
        jobs: Schedules deadlines, and executions in which runs go on.
        time: The time source.
    """

    approvals: ApprovalStore
    jobs: AgentJobs
    time: TimeSource

    async def pending(self, limit: int = MAX_LISTED) -> Sequence[Approval]:
        """Return the first `limit` undecided approvals that the caller may see and whose job is not gone, oldest first."""
        caller = get_caller()
        owner = None if caller.is_admin else caller.name
        found: list[Approval] = []
        page = await self.approvals.pending(owner, _PAGE)
        while page:
            found += [approval for approval in page if await self._has_job(approval)]
            is_over = len(page) < _PAGE or len(found) >= limit
            page = () if is_over else await self.approvals.pending(owner, _PAGE, page[-1])
        return found[:limit]

    async def decide(self, approval_id: str, *, approve: bool, edits: Edits | None = None, reason: str = "") -> Approval:
        """Decide on a parked run, and let it go on as a further execution of its job.

        Raises:
            NoSuchApproval: It does not exist, was decided already, or its job is gone.
            NotAllowed: The caller may not approve.
            InvalidInput: The edits fit no waiting call.
        """
        caller = get_caller()
        approval = await self.approvals.get(approval_id)
        if approval is None or not caller.owns(approval.owner):
            raise _nothing_waits(approval_id, f"Nothing waits under {excerpt(approval_id)}.")
        if not caller.may("approve") or caller.door == "agent" or (approve and caller.depth):  # a scheduled run is no person
            problem = f"{caller.name!r} may not decide on approvals from here."
            raise NotAllowed(problem, field="approval_id", value=approval_id, remedy=_ASK_A_PERSON)
        checked = edits_by_call(approval.calls, edits) if edits else None
        gone = approve and not await self._has_job(approval)
        if gone:
            approve, checked, reason = False, None, "the job of the run is gone"
        outcome = decided(approval, "approved" if approve else "denied", caller.name, self.time.now(), checked, reason)
        if not await self.approvals.decide(outcome):
            await self._go_on(approval)  # the process that decided earlier may have died before it did this
            raise _nothing_waits(approval_id, f"{approval_id!r} was decided already.")
        await self._go_on(outcome)
        if gone:
            problem = f"The job {approval.job_id!r} of this run is gone, so nothing was done, and nothing waits any more."
            raise _nothing_waits(approval_id, problem)
        return outcome

    async def park(
        self, name: str, rules: AgentRules, task: AgentTask, conversation_id: str, calls: tuple[WaitingCall, ...], ran: RunSummary
    ) -> Exception:
        """Store the waiting calls, schedule their denial at the deadline, and return the exception that ends the execution."""
        execution, now = task.execution, self.time.now()
        if execution is None or not task.is_whole or not await self.jobs.has(execution.job_id):
            whose = "belongs to no job that could go on" if execution is None or task.is_whole else "is a part of something else"
            return AgentError(f"A call needs approval, and this run {whose}.", remedy="Schedule the prompt by itself, or grant the tool.")
        approval = Approval(
            approval_id=_approval_id(conversation_id, (call.call_id for call in calls)),
            owner=task.owner,
            agent=name,
            job_id=execution.job_id,
            execution_id=execution.execution_id,
            conversation_id=conversation_id,
            calls=calls,
            created_at=now,
            deadline=now + timedelta(seconds=rules.approval_seconds),
        )
        await self.approvals.add(approval)
        await self._set_deadline(approval)
        waiting = ", ".join(f"{call.tool}({excerpt(dict(call.arguments))})" for call in calls)
        reason = f"needs approval {approval.approval_id} until {approval.deadline.isoformat(timespec='minutes')}: {waiting}"
        return Parked("cancelled", reason, {"approval_id": approval.approval_id, **ran.details()}, ran)

    async def decided_for(self, execution: Execution | None) -> Approval | None:
        """Return the decided approval with which this execution resumes a parked run; None for any other execution."""
        # Further on in an id it is what another execution did, after which or again this one runs.
        if execution is None or not execution.execution_id.removeprefix(execution.job_id).startswith(_GOES_ON):
            return None
        approval = await self.approvals.get(execution.execution_id.partition(_GOES_ON)[2])
        if approval is None or approval.status == "pending" or execution.execution_id != approval.goes_on_as:
            raise NoSuchApproval("What this run waits for is not decided.", field="approval_id", value=execution.execution_id)
        return approval

    async def why_unanswered(self, conversation_id: str, call_ids: Iterable[str]) -> str:
        """Return why the calls at the end of a conversation will never be answered, for a model that goes on without them.

        Raises:
            EndedEarly: They may be: a person has yet to decide, or the run that waited goes on.
        """
        approval = await self.approvals.get(_approval_id(conversation_id, call_ids))
        if approval is None or not await self._has_job(approval):
            return "Nobody decided on this call, and the job that waited for it is gone. It was not made."
        if approval.status == "pending" or not await self._went_on(approval):
            what = "is decided" if approval.status == "pending" else "has gone on"
            reason = f"its conversation waits until approval {approval.approval_id} {what}"
            raise EndedEarly("skipped", reason, {"approval_id": approval.approval_id})
        return "The run that went on with this call ended without an answer, so nobody knows whether it was made. Do not repeat it."

    async def _went_on(self, approval: Approval) -> bool:
        """Tell whether the execution in which a decided run goes on has ended. Start it if a process died before it did."""
        await self._go_on(approval)
        return (await self.jobs.ask("get_execution", execution_id=approval.goes_on_as))["finished_at"] is not None

    async def _set_deadline(self, approval: Approval) -> None:
        """Schedule the denial as a job, so that it survives this process."""
        reason = f"nobody decided before {approval.deadline.isoformat(timespec='minutes')}"
        await self.jobs.ask(
            "schedule",
            job_name=_deadline_name(approval),
            replace=True,
            schedule=approval.deadline.isoformat(),
            catch_up="latest",
            agentool_name="agent",
            input_data={"operation": "deny", "approval_id": approval.approval_id, "reason": reason},
            description=f"Denies what job {approval.job_id!r} waits for",
        )

    async def _has_job(self, approval: Approval) -> bool:
        return await self.jobs.has_agents_job(approval.job_id, approval.created_at)

    async def _go_on(self, approval: Approval) -> None:
        """Start the execution that resumes a parked run, if its job still exists, and cancel the deadline."""
        if await self._has_job(approval):
            await self.jobs.ask("start_run", job_id=approval.job_id, run_key=approval.run_key)
        execution = current_execution()
        if execution is None or execution.job_id != _deadline_name(approval):
            try:
                await self.jobs.ask("cancel", job_id=_deadline_name(approval))
            except LookupError:
                """It was due already, or was cancelled by somebody."""


def _nothing_waits(approval_id: str, problem: str) -> NoSuchApproval:
    return NoSuchApproval(problem, field="approval_id", value=approval_id, remedy="Operation 'list_approvals' shows what waits.")


def _approval_id(conversation_id: str, call_ids: Iterable[str]) -> str:
    """Derive an id from the calls only, so that several attempts that park them share one approval."""
    return f"apr-{hashlib.sha256('#'.join([conversation_id, *sorted(call_ids)]).encode()).hexdigest()[:12]}"


def _deadline_name(approval: Approval) -> str:
    return f"deadline-{approval.approval_id}"
