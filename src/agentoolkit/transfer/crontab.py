"""Translate a user's crontab, or the system's, into a task file."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePath
from typing import Any

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.job_fields import MAX_DESCRIPTION_LENGTH
from agentoolkit.system.scheduler.schedules import read_schedule, upstream_in
from agentoolkit.system.scheduler.schedules.bounds import MAX_JITTER
from agentoolkit.system.scheduler.schedules.zones import zone_named
from agentoolkit.text_files import describe_undecodable, split_lines
from agentoolkit.transfer.commands import Target, failure_notification, shell_call, shell_program_call, starting_in, without_output
from agentoolkit.transfer.crontab_users import has_user_column, is_ones_own
from agentoolkit.transfer.translation import Note, Translation, Untranslatable, unique_names

_VARIABLE = re.compile(r"(?P<name>[A-Za-z_]\w*)\s*=\s*(?P<value>.*)")
_ENTRY = re.compile(r"(?P<schedule>@\S+|(?:\S+\s+){4}\S+)\s+(?P<command>\S.*)")
_USER = re.compile(r"(?P<user>\S+)\s+(?P<command>\S.*)")
_COLUMN_NAMES = re.compile(r"m(?:in(?:ute)?)?[\s,]+h", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CrontabOptions:
    """Choices for entries that can be translated in two ways."""

    shell: bool = False
    """Run commands that need a shell with ``sh -c``."""
    log: bool = False
    """Write a command's output into the log, where the crontab wrote it into a file."""
    notify: str | None = None
    """Target of the AgenTool ``notification`` for failures of the entries below a MAILTO with an address."""
    system: bool | None = None
    """Whether there is a column for the user, as in /etc/crontab. None: guessed from the entries."""


def read_crontab(content: str | bytes, *, now: datetime, options: CrontabOptions | None = None) -> Translation:
    """Translate a crontab as `crontab -l` prints it, or as /etc/crontab is written.

    Args:
        content: Entries, comments and ``NAME=value`` lines. A line that is not UTF-8 is left out, with a note.
        now: The present (aware).
        options: See `CrontabOptions`.

    Raises:
        InvalidInput: The content is UTF-16.
    """
    lines = split_lines(content.encode(errors="surrogatepass") if isinstance(content, str) else content, "The crontab")
    options = options or CrontabOptions()
    system = options.system if options.system is not None else has_user_column(map(_command, lines))
    reader = _Reader(now, options, system)
    if system and options.system is None:
        reader.note("file", "its sixth column is read as the user, as in /etc/crontab; give --no-user-column if it is the command")
    for number, line in enumerate(lines, 1):
        reader.read(f"line {number}", line)
    return Translation(reader.tasks, reader.notes)


def _command(line: bytes) -> str:
    """Return the text after the schedule; empty if the line is not an entry."""
    text = line.decode(errors="backslashreplace").strip()
    found = None if text.startswith("#") or _VARIABLE.fullmatch(text) else _ENTRY.fullmatch(text)
    return found["command"] if found else ""


@dataclass
class _Reader:
    """Reads a crontab line by line: a variable holds for the entries below it."""

    now: datetime
    options: CrontabOptions
    system: bool
    tasks: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    notes: list[Note] = field(default_factory=list[Note])
    _name: Callable[[str], str] = field(default_factory=unique_names)
    _variables: dict[str, str] = field(default_factory=dict[str, str])
    _timezone: str | None = None
    _zone_is_known: bool = True
    _jitter: float = 0.0
    """Seconds."""
    _comment: str = ""

    def note(self, where: str, text: str, *, refused: bool = False) -> None:
        """Add a note."""
        self.notes.append(Note(where, text, refused))

    def read(self, where: str, content: bytes) -> None:
        """Read one line."""
        try:
            line = content.decode("utf-8").strip()
        except UnicodeDecodeError as error:
            # An unreadable CRON_TZ: entries below it must not be scheduled in the wrong zone.
            self._zone_is_known &= not content.lstrip().startswith(b"CRON_TZ")
            self.note(where, f"it is not UTF-8: {describe_undecodable(error, content)}", refused=True)
            self._comment = ""
            return
        if line.startswith("#"):
            text = line.lstrip("# \t").rstrip("# \t")
            if self._is_entry(text):
                self.note(where, f"a commented-out entry was left out: {text}")
                self._comment = ""
            elif re.search(r"\w", text) and not _COLUMN_NAMES.match(text):
                self._comment = text
            else:
                self._comment = ""
            return
        if line:
            self._read_setting_or_entry(where, line)
        self._comment = ""

    def _is_entry(self, text: str) -> bool:
        entry = _ENTRY.fullmatch(text)
        try:
            return entry is not None and bool(read_schedule(entry["schedule"], now=self.now, kind="cron", timezone="UTC"))
        except InvalidSchedule:
            return False

    def _read_setting_or_entry(self, where: str, line: str) -> None:
        try:
            if variable := _VARIABLE.fullmatch(line):
                self._set(where, variable["name"], variable["value"].strip().strip("'\""))
            else:
                self._add_task(where, line)
        except Untranslatable as error:
            self.note(where, f"{line}: {error}", refused=True)
        except InvalidSchedule as error:
            self.note(where, f"{line}: {error.problem} {error.remedy or ''}".rstrip(), refused=True)

    def _set(self, where: str, name: str, value: str) -> None:
        self._variables[name] = value
        if name == "CRON_TZ":
            self._zone_is_known = False
            self._timezone = zone_named(value) if value else None
            self._zone_is_known = True
        elif name == "RANDOM_DELAY":
            seconds = 60.0 * int(value) if re.fullmatch(r"[0-9]{1,6}", value) else None
            self._jitter = seconds if seconds is not None and seconds <= MAX_JITTER else 0.0
            if self._jitter != seconds:
                self.note(where, f"RANDOM_DELAY={value} is not carried over: it is not a number of minutes, up to a week")
        elif name == "MAILTO":
            if value and not self.options.notify:
                self.note(where, f"MAILTO={value} is not carried over; --notify TARGET adds a notification of each failure")
        elif name == "TZ":
            self.note(where, "TZ is the zone of the commands only, as in cron, and is not carried over; CRON_TZ sets the zone of the times")
        elif name != "SHELL" or not self.options.shell:
            self.note(where, f"{name} is not carried over; a task can have 'env' in its input_data")

    def _add_task(self, where: str, line: str) -> None:
        entry = _ENTRY.fullmatch(line)
        if entry is None:
            raise Untranslatable("it is not a crontab entry: five fields, or an @alias, and a command")
        if not self._zone_is_known:
            raise Untranslatable("the zone set above it cannot be read")
        kind = "after" if upstream_in(entry["schedule"]) else "cron"
        read_schedule(entry["schedule"], now=self.now, kind=kind, timezone=self._timezone or "UTC")
        user, command = "", entry["command"]
        if self.system:
            if (found := _USER.fullmatch(command)) is None:
                raise Untranslatable("it has a user and no command, or no user")
            user, command = found["user"], found["command"]
        # As in cron, the first bare % ends the command. The rest is its standard input, which ends with a line feed.
        bare, *lines = [part.replace("\\%", "%") for part in re.split(r"(?<!\\)%", command)]
        text = "\n".join(lines)
        stdin = (text if text.endswith("\n") or not text else f"{text}\n") if lines else None
        home = self._variables.get("HOME") or (f"~{user}" if user and not is_ones_own(user) else "~")
        target = starting_in(home, self._target(where, bare, stdin), bare.strip())
        name = self._name(PurePath(target.program).stem)
        about = {"description": self._comment[:MAX_DESCRIPTION_LENGTH]} if self._comment else {}
        zone = {"timezone": self._timezone} if self._timezone else {}
        delay = {"jitter": self._jitter} if self._jitter and kind == "cron" else {}
        self.tasks.append({"name": name, **about, "type": kind, "schedule": entry["schedule"], **zone, **delay, **target.fields(name)})
        if user and not is_ones_own(user):
            self.note(where, f"it ran as {user}; here it runs as the user of `agentool serve`")
        if self.options.notify and self._variables.get("MAILTO", ""):
            self.tasks.append(failure_notification(self._name(f"{name}-failed"), name, self.options.notify))

    def _target(self, where: str, command: str, stdin: str | None) -> Target:
        output = without_output(command, files=self.options.log)
        try:
            target = shell_call(output.command, stdin)
        except Untranslatable as error:
            if not self.options.shell:
                raise Untranslatable(f"{error}; --shell runs it by sh -c") from error
            return shell_program_call(self._variables.get("SHELL") or "sh", command.strip(), stdin)
        if output.note:
            self.note(where, output.note)
        return target._replace(logs=output.to_log)
