"""``agentool cancel-execution``."""

from __future__ import annotations

from typing import Annotated

import typer

from agentoolkit.entrypoints.cli.options import Reason


def cancel_execution(
    execution_id: Annotated[str, typer.Argument(metavar="ID", help="As `agentool history --json` shows it.", show_default=False)],
    reason: Reason = None,
) -> None:
    """End an execution that waits or runs, also one of another process."""
    from agentoolkit.entrypoints.cli.opening import ask
    from agentoolkit.entrypoints.cli.printing import say

    found = ask("cancel_execution", execution_id=execution_id, reason=reason)
    if found["status"] in ("queued", "running", "retrying"):
        say("The process that runs it was asked to cancel it.")
    elif found["status"] == "cancelled":
        say("The execution is cancelled.")
    else:
        say(f"It has ended already: {found['status']}.")
