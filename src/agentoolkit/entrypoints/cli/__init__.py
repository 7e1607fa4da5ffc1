"""The command ``agentool``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="agentool",
    help="Schedule anything that has a name and an input model, and watch it run.",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


@app.callback(invoke_without_command=True)
def default(ctx: typer.Context) -> None:
    """Without a command: run the bundled example, as `agentool serve` does."""
    if ctx.invoked_subcommand is None:
        serve()


@app.command()
def serve(
    file: Annotated[Path | None, typer.Argument(help="Task file in YAML; the bundled example if left out.", show_default=False)] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", metavar="PACKAGE", help="Package whose functions tasks may call; may be repeated.", show_default=False),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--for", metavar="SECONDS", help="Stop by itself after so long.", min=0.0, show_default=False)
    ] = None,
) -> None:
    """Schedule the tasks of a file and print each execution, until Ctrl-C."""
    from agentoolkit.entrypoints.cli.serve import serve_file

    raise typer.Exit(serve_file(file, allow or [], seconds))


def main() -> None:
    """Run the command line."""
    app()
