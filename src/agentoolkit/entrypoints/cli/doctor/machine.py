"""Check the ground the scheduler needs: Python, packages, settings, clock, event loop."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from pydantic import SecretStr

from agentool.errors import ConfigurationError, did_you_mean
from agentoolkit.default_zone import default_zone
from agentoolkit.entrypoints.cli.doctor.finding import Finding, broken, ok, warning
from agentoolkit.entrypoints.cli.session import read_settings
from agentoolkit.redaction import redacted_text
from agentoolkit.setting_sources import ENV_FILE, given_variables
from agentoolkit.settings import Setting, all_settings, home, own_database
from agentoolkit.system.scheduler.schedules.machine_zone import machine_zone, machine_zone_doubt

_NEEDED = (3, 11)
_PACKAGES = ("agentool", "apscheduler", "cronsim", "pydantic", "pydantic-ai-slim", "tzdata")
_EXTRA = re.compile(r"^(?P<package>[\w.-]+).*;.*extra\s*==\s*['\"](?P<extra>[\w-]+)['\"]")
_DRIFT_SECONDS = 0.025
_LOOP_SECONDS = 0.1
_STEPS = 10
_SPAN_SECONDS = 0.5


def check_python() -> Iterator[Finding]:
    """Check that this Python is new enough, and list the packages."""
    said = f"{sys.version.split()[0]} on {sys.platform}"
    if sys.version_info < _NEEDED:
        yield broken("python", said, f"Use Python {'.'.join(map(str, _NEEDED))} or newer.")
    else:
        yield ok("python", said)
    yield ok("packages", ", ".join(f"{name} {found}" for name in _PACKAGES if (found := _version(name))))


def check_extras() -> Iterator[Finding]:
    """List the optional parts, installed or not."""
    packages: dict[str, list[str]] = {}
    for line in requires("agentool") or ():
        if found := _EXTRA.match(line):
            packages.setdefault(found["extra"], []).append(found["package"])
    for extra, needed in sorted(packages.items()):
        absent = [package for package in needed if not _version(package)]
        said = f"not installed: pip install 'agentool[{extra}]'" if absent else f"installed: {', '.join(needed)}"
        yield ok(f"extra {extra}", said)


def check_settings() -> Iterator[Finding]:
    """List the settings that are set and their sources; warn of unknown variables."""
    variables, from_file = given_variables(), str(ENV_FILE)
    named = sorted(name for name, place in variables.items() if place != from_file)
    sources = [*named, *([from_file] if ENV_FILE.is_file() else [])]
    try:
        settings = read_settings()
        default_zone(settings)
    except ConfigurationError as error:
        yield broken("settings", error.problem, error.remedy or "")
        return
    given = sorted(f"{setting.name}={_setting_text(setting, value)}" for setting, value in settings.given.items())
    yield ok("settings", f"{', '.join(given) or 'all by default'} (from {', '.join(sources) or 'no variable and no .env file'})")
    yield ok("home", str(home()))
    yield from check_folder(settings.database or own_database())
    known = [setting.variable for setting in all_settings()]
    for name in sorted(set(variables) - set(known) - {"AGENTOOL_HOME"}):
        if name.startswith("AGENTOOL_CONFIG__"):  # configuration, which the AgenTool `config` reads
            continue
        where = f" in {ENV_FILE}" if variables[name] == from_file else ""
        yield warning("settings", f"{name}{where} is not a setting and is ignored", did_you_mean(name, known))


def check_folder(database: str) -> Iterator[Finding]:
    """Warn if other users can read the folder of a database file. The file itself is made private whenever it is opened."""
    path = database.removeprefix("sqlite:///")
    if os.name != "posix" or "://" in path:
        return
    folder = Path(path).expanduser().absolute().parent
    if folder.is_dir() and folder.stat().st_mode & 0o077:
        chmod = f"chmod 700 {folder}" if folder == home() else "Keep it in a folder of its own: AGENTOOL_DATABASE names the file."
        yield warning("folder", f"others can look into {folder}, where the database is; into the file itself they cannot", chmod)


async def check_time() -> Iterator[Finding]:
    """Check for half a second that the clocks agree and the event loop keeps up."""
    wall, steady, worst = time.time(), time.monotonic(), 0.0
    for _ in range(_STEPS):
        began = time.monotonic()
        await asyncio.sleep(_SPAN_SECONDS / _STEPS)
        worst = max(worst, time.monotonic() - began - _SPAN_SECONDS / _STEPS)
    late = f"at most {worst * 1000:.1f} ms late"
    busy = "This machine is busy: executions start late by as much."
    loop = warning("event loop", late, busy) if worst > _LOOP_SECONDS else ok("event loop", late)
    return iter([judge_clock(time.time() - wall - (time.monotonic() - steady)), loop])


def judge_clock(drift: float) -> Finding:
    """Judge the wall clock: its drift from the steady clock in half a second, in seconds, and whether its zone is known."""
    if doubt := machine_zone_doubt():
        return warning("clock", f"{doubt}; times without a zone are read in UTC", "Set AGENTOOL_TIMEZONE, or TZ, to an IANA name.")
    shown = time.strftime("%Y-%m-%d %H:%M:%S %z")
    said = f"zone {machine_zone()}, {shown}, {abs(drift) * 1000:.1f} ms off the steady clock in half a second"
    if abs(drift) > _DRIFT_SECONDS:
        return warning("clock", said, "The clock is being set: look at the time synchronisation of this machine.")
    return ok("clock", said)


def _setting_text(setting: Setting, value: object) -> str:
    """Return a setting's value as text; of a setting with secrets only the names."""
    if isinstance(value, SecretStr):
        address = urlsplit(value.get_secret_value())
        return f"{address.scheme}://{address.hostname}/…"  # its user, or its path, may be its password
    if setting.is_secret:
        return ", ".join(sorted(cast("Mapping[str, object]", value))) or "none"
    if isinstance(value, tuple):
        return ", ".join(map(str, cast("tuple[object, ...]", value)))
    return redacted_text(str(value))


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
