"""``agentool service``: the scheduler as a service of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentoolkit.entrypoints.cli.errors import ReportingCommand, ReportingGroup
from agentoolkit.entrypoints.cli.examples import example_of
from agentoolkit.entrypoints.cli.options import Allow, Json

if TYPE_CHECKING:
    from agentoolkit.entrypoints.service_units import ServiceState

service_app = typer.Typer(
    cls=ReportingGroup, name="service", help="Serve the kept jobs as a service of your own (systemd, launchd).", no_args_is_help=True
)


@service_app.command(cls=ReportingCommand, epilog=example_of("install"))
def install(
    allow: Allow = None,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", metavar="FOLDER", help="Its AGENTOOL_HOME, whose .env holds its settings.", show_default=False),
    ] = None,
) -> None:
    """Write a user unit that runs `agentool serve --kept`, and start it now and with each session."""
    from agentoolkit.entrypoints.service_units import install_service, service_plan
    from agentoolkit.settings import home

    _tell(install_service(service_plan(allow or [], folder.absolute() if folder else home())))


@service_app.command(cls=ReportingCommand, epilog=example_of("uninstall"))
def uninstall() -> None:
    """Stop the service and remove its unit. Jobs and their history stay."""
    from agentoolkit.entrypoints.service_units import uninstall_service

    _tell(uninstall_service())


@service_app.command(cls=ReportingCommand, epilog=example_of("service-status"))
def status(json: Json = False) -> None:
    """Tell whether the service is installed and runs."""
    from agentoolkit.entrypoints.cli.printing import print_json
    from agentoolkit.entrypoints.service_units import service_state

    found = service_state()
    if json:
        print_json({"file": str(found.file), "installed": found.installed, "running": found.running, "told": found.told})
    else:
        _tell(found)


def _tell(found: ServiceState) -> None:
    from agentoolkit.entrypoints.cli.printing import print_pairs

    state = "not installed" if not found.installed else "running" if found.running else f"installed, not running: {found.told}"
    print_pairs({"service": state, "unit": str(found.file)})
