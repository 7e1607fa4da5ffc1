"""The unit that `agentool service install` writes, read by systemd itself, and what uninstall leaves."""

from __future__ import annotations

import plistlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.entrypoints.conftest import Cli

from agentool.errors import ConfigurationError, InvalidInput
from agentoolkit.entrypoints.service_units import ServicePlan, service_file, systemd_unit


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where units are written: nothing of the user's own is touched, and no service manager is reached."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "nobody-there").mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "nobody-there"))
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    return tmp_path / "config"


def complaints(program: str, unit: Path) -> list[str]:
    """Return what systemd says of a unit. It reads the machine's own units as well, and what it says of those is left out."""
    judged = subprocess.run([program, "verify", "--user", "--man=no", str(unit)], capture_output=True, text=True)
    assert judged.returncode == 0, judged.stderr
    return [line for line in judged.stderr.splitlines() if unit.name in line]


def test_systemd_reads_the_unit_without_a_complaint(cli: Cli, config: Path) -> None:
    """The unit that install writes, judged by systemd-analyze."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not there; Debian's package systemd has it")
    cli("service", "install", "--allow", "chores")
    unit = config / "systemd" / "user" / "agentool.service"
    assert complaints(program, unit) == []


def test_the_unit_serves_what_is_kept_in_its_folder(cli: Cli, config: Path, tmp_path: Path) -> None:
    """With this very Python, and the packages that are allowed."""
    cli("service", "install", "--allow", "chores")
    text = (config / "systemd" / "user" / "agentool.service").read_text()
    assert f'ExecStart="{sys.executable}" "-m" "agentool" "serve" "--kept" "--allow" "chores"\n' in text
    assert f"WorkingDirectory={tmp_path / 'home'}\n" in text
    assert f'Environment="AGENTOOL_HOME={tmp_path / "home"}"\n' in text


def test_uninstall_leaves_nothing(cli: Cli, config: Path) -> None:
    """Not the unit, and not the link by which a session starts it, also where systemd cannot be reached."""
    cli("service", "install")
    wants = config / "systemd" / "user" / "default.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "agentool.service").unlink(missing_ok=True)  # where systemctl is there, it has made it itself
    (wants / "agentool.service").symlink_to("../agentool.service")
    cli("service", "uninstall")
    assert [found for found in config.rglob("*") if not found.is_dir()] == []
    cli("service", "uninstall")


def test_the_status_tells_what_is_there(cli: Cli) -> None:
    """And that no service manager answers, where none does."""
    assert cli.data("service", "status")["installed"] is False
    cli("service", "install")
    status = cli.data("service", "status")
    assert (status["installed"], status["running"]) == (True, False)
    assert Path(status["file"]) == service_file()


@pytest.mark.parametrize("folder", ["with space", 'with"quote', "with%percent", "with$dollar", "with\\backslash"])
def test_a_folder_of_any_name_is_read_as_it_is(cli: Cli, config: Path, tmp_path: Path, folder: str) -> None:
    """Systemd's own marks are escaped."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not there; Debian's package systemd has it")
    cli("service", "install", "--folder", str(tmp_path / folder))
    unit = config / "systemd" / "user" / "agentool.service"
    assert complaints(program, unit) == []


def test_a_dollar_is_doubled_in_the_command_alone() -> None:
    """Systemd expands variables there; in its environment and its paths a dollar means itself. Source: systemd.exec(5)."""
    unit = systemd_unit(ServicePlan(("agentool", "$HOME"), Path("/srv/a$b"), {"AGENTOOL_HOME": "/srv/a$b"}))
    assert 'ExecStart="agentool" "$$HOME"\n' in unit
    assert 'Environment="AGENTOOL_HOME=/srv/a$b"\n' in unit
    assert "WorkingDirectory=/srv/a$b\n" in unit


def test_a_line_break_is_refused() -> None:
    """It would begin another line of the unit."""
    with pytest.raises(InvalidInput, match="line break"):
        systemd_unit(ServicePlan(("agentool", "serve\nExecStartPre=/bin/evil"), Path("/srv"), {}))


def test_the_agent_for_launchd_is_a_property_list(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a Mac."""
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setenv("HOME", str(tmp_path))
    cli("service", "install")
    agent = plistlib.loads(service_file().read_bytes())
    assert agent["ProgramArguments"] == [sys.executable, "-m", "agentool", "serve", "--kept"]
    assert agent["KeepAlive"] == {"SuccessfulExit": False}
    cli("service", "uninstall")
    assert not service_file().exists()


def test_another_system_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service needs one of the two managers."""
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(ConfigurationError, match="needs systemd or launchd"):
        service_file()
