"""``agentool export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write there instead of to stdout.", show_default=False)
    ] = None,
) -> None:
    """Write everything in the database as JSON lines: jobs, executions, outcomes still to be delivered, queues and values."""
    import sys
    from contextlib import nullcontext

    from agentoolkit.entrypoints.cli.opening import Toolkit, visit
    from agentoolkit.entrypoints.cli.printing import say
    from agentoolkit.text import counted
    from agentoolkit.transfer import Everything, export_lines

    async def write(kit: Toolkit) -> int:
        written = 0
        with output.open("w", encoding="utf-8") if output else nullcontext(sys.stdout) as file:
            held = Everything(kit.scheduler.store, kit.queue.backend, kit.values)
            async for line in export_lines(held, kit.scheduler.now()):
                file.write(line + "\n")
                written += 1
        return written

    written = visit(write)
    if output:
        say(f"Wrote {counted(written, 'line')} to {output}.")
