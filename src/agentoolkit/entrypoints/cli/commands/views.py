"""``agentool views``: list, save and delete searches that have a name."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from agentoolkit.entrypoints.cli.errors import ReportingCommand, ReportingGroup
from agentoolkit.entrypoints.cli.examples import example_of
from agentoolkit.entrypoints.cli.options import Json, Output

views_app = typer.Typer(cls=ReportingGroup, name="views", help="Searches that are kept under names.", no_args_is_help=True)

Page = Annotated[Literal["jobs", "executions"], typer.Option("--page", metavar="jobs|executions", help="The list of the search.")]
ViewName = Annotated[str, typer.Argument(metavar="NAME", help="Name of the search.", show_default=False)]


@views_app.command("list", cls=ReportingCommand, epilog=example_of("views-list"))
def list_(output: Output = "table", json: Json = False) -> None:
    """List the saved searches."""
    from agentoolkit.entrypoints.cli.printing import print_data, print_table, say
    from agentoolkit.entrypoints.cli.session import ask_tool

    found = ask_tool("saved_views", "list")
    if json or output != "table":
        print_data(found, "views", output, json=json)
    elif not found.views:
        say("No views. Keep one: agentool views save NAME QUERY")
    else:
        rows = [(view.name, view.page, view.query, "default" if view.is_default else "") for view in found.views]
        print_table(rows, ("name", "page", "query", ""))


@views_app.command(cls=ReportingCommand, epilog=example_of("save"))
def save(
    name: ViewName,
    query: Annotated[list[str], typer.Argument(metavar="QUERY", help="As `agentool list` takes it.", show_default=False)],
    page: Page = "jobs",
    default: Annotated[bool, typer.Option("--default", help="The dashboard's page opens with it.")] = False,
) -> None:
    """Save a search under a name, and replace an older one of that name. `list` and `history` take it by --view."""
    from agentoolkit.entrypoints.cli.printing import say
    from agentoolkit.entrypoints.cli.session import ask_tool

    ask_tool("saved_views", "save", page=page, name=name, query=" ".join(query), is_default=default)
    say(f"Kept {name}.")


@views_app.command(cls=ReportingCommand, epilog=example_of("delete"))
def delete(name: ViewName, page: Page = "jobs") -> None:
    """Delete a saved search."""
    from agentoolkit.entrypoints.cli.printing import say
    from agentoolkit.entrypoints.cli.session import ask_tool

    ask_tool("saved_views", "delete", page=page, name=name)
    say(f"Forgot {name}.")
