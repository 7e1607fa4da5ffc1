"""``agentool approvals``: list, approve and deny the calls of agents that wait for a person."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from agentoolkit.entrypoints.cli.errors import ReportingCommand, ReportingGroup
from agentoolkit.entrypoints.cli.examples import example_of
from agentoolkit.entrypoints.cli.options import Json, Output, optional

approvals_app = typer.Typer(cls=ReportingGroup, name="approvals", help="Calls of agents that wait for a person.", no_args_is_help=True)

ApprovalId = Annotated[str, typer.Argument(metavar="ID", help="As `agentool approvals list` shows it.", show_default=False)]


@approvals_app.command("list", cls=ReportingCommand, epilog=example_of("approvals-list"))
def list_(output: Output = "table", json: Json = False) -> None:
    """List the calls that wait for a person, the oldest first."""
    from json import dumps

    from agentoolkit.entrypoints.cli.printing import print_data, print_table, say
    from agentoolkit.entrypoints.cli.session import ask_tool

    found = ask_tool("agent", "list_approvals")
    if json or output != "table":
        print_data(found, "approvals", output, json=json)
    elif not found.approvals:
        say("Nothing waits for a person.")
    else:
        rows = [
            (each.approval_id, each.owner, each.agent, each.deadline, dumps(each.calls, ensure_ascii=False)) for each in found.approvals
        ]
        print_table(rows, ("id", "owner", "agent", "denied at", "asks for"))


@approvals_app.command(cls=ReportingCommand, epilog=example_of("approve"))
def approve(
    approval_id: ApprovalId,
    edits: Annotated[str | None, optional("--edits", "JSON", "Other arguments, by the call's id or the tool's name.")] = None,
) -> None:
    """Approve the calls of a run, and let it go on."""
    from agentoolkit.entrypoints.cli.options import read_object

    _decide("approve", approval_id=approval_id, edits=read_object(edits, "edits") if edits else None)


@approvals_app.command(cls=ReportingCommand, epilog=example_of("deny"))
def deny(approval_id: ApprovalId, reason: Annotated[str | None, optional("--reason", "TEXT", "The reason, for the model.")] = None) -> None:
    """Deny the calls of a run, and let it go on without them."""
    _decide("deny", approval_id=approval_id, reason=reason)


def _decide(operation: str, **fields: Any) -> None:
    from agentoolkit.entrypoints.cli.printing import say
    from agentoolkit.entrypoints.cli.session import ask_tool

    decided = ask_tool("agent", operation, **fields)
    say(f"{decided.approval_id} is {decided.status}. Its run goes on in the process that serves.")
