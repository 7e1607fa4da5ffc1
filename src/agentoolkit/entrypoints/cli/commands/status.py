"""``agentool status``."""

from __future__ import annotations

from typing import Any

from agentoolkit.entrypoints.cli.options import Json


def status(json: Json = False) -> None:
    """Tell whether a process serves the database, and what it has to do."""
    from agentoolkit.entrypoints.cli.opening import Toolkit, call, visit
    from agentoolkit.entrypoints.cli.printing import print_json

    async def asked(kit: Toolkit) -> tuple[dict[str, Any], int]:
        running = await call(kit, "list_executions", execution_status="running")
        return await call(kit, "status"), running["count"]

    data, running = visit(asked)
    if json:
        print_json(data)
    else:
        show(data, running)


def show(data: dict[str, Any], running: int | None = None) -> None:
    """Print the answer to ``status``, ``start`` or ``stop``; what concerns this short-lived process is left out."""
    from agentoolkit.entrypoints.cli.printing import print_pairs

    state = "stopped: nothing fires until `agentool start`" if data["stopped"] else "started"
    leader = data["leader"] or "none: `agentool serve` starts one"
    facts = {"scheduler": state, "served by": leader, "jobs": f"{data['jobs']}, {data['paused']} of them paused", "running": running}
    print_pairs(facts)
