"""Install ``agentool serve`` as a user service: a unit of systemd, or an agent of launchd."""

from __future__ import annotations

import os
import plistlib
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agentool.errors import ConfigurationError, InvalidInput

NAME = "agentool"
_LABEL = "agentool.serve"
_SECONDS = 30.0
"""Time for the service manager to answer."""
_STOP_SECONDS = 15
"""Time for the service to end: its executions have ten seconds."""


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """The command of the service, its folder and its variables."""

    command: Sequence[str]
    folder: Path
    """Working folder, whose ``.env`` file has the settings."""
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ServiceState:
    """The state of the service."""

    file: Path
    installed: bool
    running: bool
    told: str
    """Answer of the service manager, or that it cannot be reached."""


def service_plan(allow: Sequence[str], folder: Path) -> ServicePlan:
    """Return the plan of a service for the jobs in a folder."""
    allowed = [word for package in allow for word in ("--allow", package)]
    return ServicePlan((sys.executable, "-m", "agentool", "serve", "--kept", *allowed), folder, {"AGENTOOL_HOME": str(folder)})


def install_service(plan: ServicePlan) -> ServiceState:
    """Write the unit, and start the service now and at each login of the user.

    Raises:
        ConfigurationError: This system has neither systemd nor launchd.
        InvalidInput: A path cannot be written into a unit.
    """
    file = service_file()
    text = launchd_agent(plan) if _is_mac() else systemd_unit(plan)
    plan.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    if _is_mac():
        _ask("launchctl", "load", "-w", str(file))
    else:
        _ask("systemctl", "--user", "daemon-reload")
        _ask("systemctl", "--user", "enable", "--now", file.name)
    return service_state()


def uninstall_service() -> ServiceState:
    """Stop the service and remove the files of `install_service`. Without a service nothing is done.

    Raises:
        ConfigurationError: This system has neither systemd nor launchd.
    """
    file = service_file()
    if _is_mac():
        _ask("launchctl", "unload", "-w", str(file))
    else:
        _ask("systemctl", "--user", "disable", "--now", file.name)
        # A manager that cannot be reached does not remove its link, which would name a missing file.
        (file.parent / "default.target.wants" / file.name).unlink(missing_ok=True)
    file.unlink(missing_ok=True)
    if not _is_mac():
        _ask("systemctl", "--user", "daemon-reload")
    return service_state()


def service_state() -> ServiceState:
    """Return the state of the service. Raises `ConfigurationError` as `install_service`."""
    file = service_file()
    told = _ask("launchctl", "list", _LABEL) if _is_mac() else _ask("systemctl", "--user", "is-active", file.name)
    running = told is not None and (told == "active" or (_is_mac() and '"PID"' in told))
    return ServiceState(file, file.exists(), running, told or "the service manager cannot be reached")


def service_file() -> Path:
    """Return the path of the unit. Raises `ConfigurationError` as `install_service`."""
    if _is_mac():
        return Path.home() / "Library" / "LaunchAgents" / f"{_LABEL}.plist"
    if not sys.platform.startswith("linux"):
        problem = f"A service needs systemd or launchd, and {sys.platform} has neither."
        raise ConfigurationError(problem, remedy="Let the system's own scheduler run `agentool serve --kept` at each start.")
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return config / "systemd" / "user" / f"{NAME}.service"


def systemd_unit(plan: ServicePlan) -> str:
    """Return the text of a systemd unit for a user service."""
    environment = "\n".join(f"Environment={_quoted(f'{name}={value}')}" for name, value in plan.environment.items())
    command = [_quoted(word).replace("$", "$$") for word in plan.command]  # only in ExecStart a dollar begins a variable
    return f"""\
[Unit]
Description=agentool: runs the jobs that are kept

[Service]
Type=exec
ExecStart={" ".join(command)}
WorkingDirectory={_plain(str(plan.folder))}
{environment}
Restart=on-failure
RestartSec=5
TimeoutStopSec={_STOP_SECONDS}
KillMode=mixed
NoNewPrivileges=yes

[Install]
WantedBy=default.target
"""


def launchd_agent(plan: ServicePlan) -> str:
    """Return the text of a launchd agent."""
    agent = {
        "Label": _LABEL,
        "ProgramArguments": list(plan.command),
        "WorkingDirectory": str(plan.folder),
        "EnvironmentVariables": dict(plan.environment),
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ExitTimeOut": _STOP_SECONDS,
        "StandardOutPath": str(plan.folder / "serve.log"),
        "StandardErrorPath": str(plan.folder / "serve.log"),
    }
    return plistlib.dumps(agent).decode()


def _quoted(word: str) -> str:
    """Quote a word for systemd, with ``%`` doubled."""
    escaped = _plain(word).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _plain(word: str) -> str:
    if "\n" in word or "\r" in word:
        raise InvalidInput("A unit cannot hold a line break.", field="service", value=word, remedy="Use a path without one.")
    return word.replace("%", "%%")


def _is_mac() -> bool:
    return sys.platform == "darwin"


def _ask(*command: str) -> str | None:
    """Call the service manager and return its output; None if it cannot be reached."""
    program = shutil.which(command[0])
    if program is None:
        return None
    try:
        ran = subprocess.run([program, *command[1:]], capture_output=True, text=True, timeout=_SECONDS)  # noqa: S603  fixed words
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if "Failed to connect to bus" in ran.stderr else ran.stdout.strip()
