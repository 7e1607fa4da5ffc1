"""``agentool serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agentoolkit.entrypoints.cli.options import Allow


def serve(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="Task file in YAML; left out: the jobs that are kept, or the bundled example if there are none and "
            "no setting names their place.",
            show_default=False,
        ),
    ] = None,
    allow: Allow = None,
    memory: Annotated[bool, typer.Option("--memory", help="Keep nothing; without it jobs and their history outlive the process.")] = False,
    kept: Annotated[bool, typer.Option("--kept", help="Serve the jobs that are kept, also if there are none yet.")] = False,
    seconds: Annotated[
        float | None, typer.Option("--for", metavar="SECONDS", help="Stop by itself after so long.", min=0.0, show_default=False)
    ] = None,
    http: Annotated[
        str | None,
        typer.Option("--http", metavar="HOST:PORT", help="Serve the REST API there as well, e.g. 127.0.0.1:8000.", show_default=False),
    ] = None,
) -> None:
    """Schedule the tasks of a file, run whatever is due and print each execution, until Ctrl-C."""
    from agentoolkit.entrypoints.cli.serving import serve_file

    serve_file(file, allow or [], seconds, memory=memory, http=http, kept=kept)
