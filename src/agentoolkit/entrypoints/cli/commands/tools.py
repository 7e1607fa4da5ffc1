"""``agentool tools``."""

from __future__ import annotations

from typing import Annotated

import typer

from agentoolkit.entrypoints.cli.options import Json


def tools(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Only this one, in detail.", show_default=False)] = None,
    json: Json = False,
) -> None:
    """Show what can be scheduled: every AgenTool with its operations, their fields and an example."""
    from agentoolkit.entrypoints.cli.catalogue import described, print_overview, print_tool
    from agentoolkit.entrypoints.cli.opening import settings_for
    from agentoolkit.entrypoints.cli.printing import print_json
    from agentoolkit.wiring import Toolkit

    injector = Toolkit(settings_for(memory=True)).injector
    chosen = [injector.get(name)] if name else injector.catalog()
    if json:
        print_json([described(agentool) for agentool in chosen])
    elif name:
        print_tool(described(chosen[0]))
    else:
        print_overview([described(agentool) for agentool in chosen])
