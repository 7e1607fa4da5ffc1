"""A user's crontab → a task file."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import PurePath
from typing import Any

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules import read_schedule
from agentoolkit.system.scheduler.schedules.zones import zone_named
from agentoolkit.transfer.translation import Note, Translation, Untranslatable, shell_call, unique_names

_VARIABLE = re.compile(r"(?P<name>[A-Za-z_]\w*)\s*=\s*(?P<value>.*)")
_ENTRY = re.compile(r"(?P<schedule>@\S+|(?:\S+\s+){4}\S+)\s+(?P<command>\S.*)")
_DISCARDS_OUTPUT = re.compile(r"(?:\s*(?:&>|>&|[12]?>>?)\s*/dev/null|\s+2>&1)+$")
_ZONES = ("CRON_TZ", "TZ")


def read_crontab(text: str, *, now: datetime) -> Translation:
    """Translate a crontab as `crontab -l` prints it.

    Args:
        text: Five fields or an @alias and a command, comments, and ``NAME=value`` lines.
        now: The present (aware).
    """
    reader = _Reader(now)
    for number, line in enumerate(text.splitlines(), 1):
        reader.read(f"line {number}", line.strip())
    return Translation(reader.tasks, reader.notes)


class _Reader:
    """Reads line after line: a variable holds for the entries below it."""

    def __init__(self, now: datetime) -> None:
        self.tasks: list[dict[str, Any]] = []
        self.notes: list[Note] = []
        self._now = now
        self._name: Callable[[str], str] = unique_names()
        self._timezone: str | None = None
        self._zone_is_known = True
        self._comment = ""

    def read(self, where: str, line: str) -> None:
        """Read one line."""
        if not line or line.startswith("#"):
            self._comment = line.lstrip("# ")
            return
        try:
            if variable := _VARIABLE.fullmatch(line):
                self._set(where, variable["name"], variable["value"].strip().strip("'\""))
            else:
                self.tasks.append(self._task(where, line))
        except Untranslatable as error:
            self.notes.append(Note(where, f"{line}: {error}"))
        except InvalidSchedule as error:
            self.notes.append(Note(where, f"{line}: {error.problem} {error.remedy or ''}".rstrip()))
        self._comment = ""

    def _set(self, where: str, name: str, value: str) -> None:
        if name in _ZONES:
            self._zone_is_known = False
            self._timezone = zone_named(value) if value else None
            self._zone_is_known = True
        else:
            self.notes.append(Note(where, f"{name} is not carried over; a task can have 'env' in its input_data", refused=False))

    def _task(self, where: str, line: str) -> dict[str, Any]:
        entry = _ENTRY.fullmatch(line)
        if entry is None:
            raise Untranslatable("it is no entry of a crontab: five fields, or an @alias, and a command")
        if not self._zone_is_known:
            raise Untranslatable("the zone set above it cannot be read")
        if entry["schedule"] == "@reboot":
            raise Untranslatable("@reboot is no time; start it from your init system")
        read_schedule(entry["schedule"], now=self._now, kind="cron", timezone=self._timezone or "UTC")
        command, stdin = _split_at_percent(entry["command"])
        target = self._target(where, command)
        if stdin is not None:
            target["input_data"]["stdin"] = stdin
        about = {"description": self._comment} if self._comment else {}
        zone = {"timezone": self._timezone} if self._timezone else {}
        name = self._name(PurePath(target["input_data"]["command"][0]).stem)
        return {"name": name, **about, "type": "cron", "schedule": entry["schedule"], **zone, **target}

    def _target(self, where: str, command: str) -> dict[str, Any]:
        bare = _DISCARDS_OUTPUT.sub("", command)
        target = shell_call(bare)
        if bare != command:
            self.notes.append(Note(where, "its output was thrown away and is kept in the history now", refused=False))
        return target


def _split_at_percent(command: str) -> tuple[str, str | None]:
    """Split as cron does: the first bare % ends the command, and what follows is its standard input."""
    parts = [part.replace("\\%", "%") for part in re.split(r"(?<!\\)%", command)]
    return parts[0], "\n".join(parts[1:]) + "\n" if len(parts) > 1 else None
