"""``agentool mcp``: the scheduler for MCP clients."""

from __future__ import annotations

from typing import Annotated

import typer

from agentoolkit.entrypoints.cli.errors import ReportingCommand, ReportingGroup
from agentoolkit.entrypoints.cli.examples import example_of
from agentoolkit.entrypoints.cli.options import Allow, Timezone
from agentoolkit.entrypoints.cli.quick_start import collect_as_usual

mcp_app = typer.Typer(
    cls=ReportingGroup,
    name="mcp",
    help="Serve the scheduler to MCP clients, over standard input and output or HTTP.",
    invoke_without_command=True,
    epilog=example_of("mcp"),
)


@mcp_app.callback()
def serve(
    ctx: typer.Context,
    http: Annotated[bool, typer.Option("--http", help="Over HTTP, at /mcp; without it over standard input and output.")] = False,
    host: Annotated[str, typer.Option("--host", metavar="HOST", help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", metavar="PORT", help="Port to listen at.", min=0, max=65_535)] = 8765,
    token: Annotated[bool, typer.Option("--token", help="Ask for a token on a loopback address too.")] = False,
    owner: Annotated[
        str | None,
        typer.Option("--owner", metavar="NAME", help="Owner of the tasks; the command line's by default.", show_default=False),
    ] = None,
    agent: Annotated[
        str | None, typer.Option("--agent", metavar="NAME", help="Agent that runs prompts; the only one by default.", show_default=False)
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave a process behind that serves the tasks after the client has ended.")] = False,
    timezone: Timezone = None,
    allow: Allow = None,
    memory: Annotated[bool, typer.Option("--memory", help="Keep nothing; without it tasks and their history outlive the process.")] = False,
) -> None:
    """Serve the scheduler to MCP clients, over standard input and output or HTTP."""
    if ctx.invoked_subcommand is not None:
        return
    from agentool.caller import CODE
    from agentool.errors import MissingExtra
    from agentoolkit.entrypoints.cli.session import settings_for

    try:
        from agentoolkit.entrypoints.mcp_server.serving import ServeOptions, serve_mcp
    except ImportError as error:
        raise MissingExtra("The MCP server needs the extra 'mcp'.", remedy="Install 'agentool[mcp]'.") from error
    settings = settings_for(allow or [], memory=memory)
    options = ServeOptions(
        owner or CODE.name, http=http, host=host, port=port, timezone=timezone, agent=agent, token=token, proxies=settings.rest.proxies
    )
    if keep:
        from agentoolkit.entrypoints.mcp_server.detached_process import keep_serving

        if pid := keep_serving(settings, allow or []):
            typer.echo(f"agentool: process {pid} stays behind and serves the tasks; `kill {pid}` ends it.", err=True)
    collect_as_usual()
    serve_mcp(settings.model_copy(update={"freeze": True}), options)


@mcp_app.command(cls=ReportingCommand, epilog=example_of("config"))
def config(
    client: Annotated[
        str | None,
        typer.Argument(
            metavar="[CLIENT]", help="claude-code, claude-desktop, cursor, vscode or codex; all by default.", show_default=False
        ),
    ] = None,
    url: Annotated[str | None, typer.Option("--url", metavar="URL", help="URL of a server over HTTP.", show_default=False)] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Start the server with --keep.")] = False,
) -> None:
    """Print the configuration with which MCP clients find the server."""
    from agentoolkit.entrypoints.mcp_server.client_config import client_config, client_configs

    arguments = ["--keep"] if keep else []
    if client is not None:
        typer.echo(client_config(client, arguments, url).block)
        return
    for each in client_configs(arguments, url).values():
        typer.echo(f"{each.title}, in {each.place}:\n\n{each.block}\n")
