"""Translate command lines into calls that a task can make."""

from __future__ import annotations

import re
import shlex
from typing import Any, NamedTuple

from agentoolkit.transfer.translation import Untranslatable, without_references

_STDOUT = r"\s+1>>?|\s*(?<!\s\d)(?<!\s\d\d)(?<![\\<>])>>?"
"""A redirection of stdout. To a shell a number before the sign is a stream only if it stands by itself: ``disk1>file`` writes ``disk1``."""
_DISCARDS_OUTPUT = re.compile(rf"(?:(?:\s*&>|\s*>&|\s+2>>?|{_STDOUT})\s*/dev/null|\s+2>&1)+$")
_WRITES_FILE = re.compile(rf"(?:\s*&>>?|{_STDOUT})\s*(?P<file>[^\s'\"$`;&|<>*?]+)(?:\s+2>&1)?\s*$")
_CHANGES_FOLDER = re.compile(r"cd\s+(?P<folder>[^\s'\"$`;&|]+)\s*&&\s*(?P<rest>.+)")
_BEGINS_RELATIVE = re.compile(r"cd\s+[\w.]|[\w.-]+/")
"""The beginning of a command whose program, or the folder of whose ``cd``, is a relative path."""
_ABSOLUTE = ("/", "~")
_BRACES = re.compile(r"\{[^\s}]*(?:,|\.\.)")
"""Braces with a list or a range, which some shells write out as several words."""
_OF_THE_SHELL = frozenset(
    [
        "!",
        ".",
        ":",
        "alias",
        "cd",
        "command",
        "eval",
        "exec",
        "exit",
        "export",
        "read",
        "set",
        "source",
        "trap",
        "ulimit",
        "umask",
        "unset",
        "wait",
    ]
)
"""Commands that shells carry out themselves. Where there are programs of these names, they change nothing for a shell."""


class Target(NamedTuple):
    """The AgenTool that a task calls, and its input."""

    program: str
    agentool_name: str
    input_data: dict[str, Any]
    logs: bool = False
    """Whether its output is written into the log."""

    def fields(self, name: str) -> dict[str, Any]:
        """Return the fields that make a task of this name call it."""
        if not self.logs:
            return {"agentool_name": self.agentool_name, "input_data": self.input_data}
        output = {"stdout": "!step:run.stdout", "stderr": "!step:run.stderr"}
        record = {"operation": "log", "level": "INFO", "logger_name": f"crontab.{name}", "message": f"Output of {name}", "data": output}
        steps = [
            {"name": "run", "agentool_name": self.agentool_name, "input_data": self.input_data},
            {"name": "log", "agentool_name": "logging", "input_data": record},
        ]
        return {"agentool_name": "sequence", "input_data": {"operation": "run", "steps": steps}}


def shell_call(command: str, stdin: str | None = None) -> Target:
    """Translate a command line into a call of the AgenTool ``shell``, which takes an argument list and no shell.

    Raises:
        Untranslatable: The line needs a shell, is empty, sets variables, or has an open quote.
    """
    line = command.strip()
    folder: dict[str, str] = {}
    if found := _CHANGES_FOLDER.fullmatch(line):
        folder, line = {"cwd": found["folder"]}, found["rest"]
    if syntax := shell_syntax(folder.get("cwd", "").removeprefix("~")) or shell_syntax(line):
        raise Untranslatable(f"it uses {syntax!r}, which needs a shell; put it into a script and call that")
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise Untranslatable(f"it cannot be split into words: {error}") from None
    if words and words[0] in _OF_THE_SHELL:
        raise Untranslatable(f"it uses {words[0]!r}, which needs a shell; put it into a script and call that")
    if not words or "=" in words[0]:
        raise Untranslatable("it sets variables for its command; give them as 'env' in input_data" if words else "there is no command")
    return _run(words, stdin, **folder)


def shell_program_call(shell: str, command: str, stdin: str | None = None) -> Target:
    """Return a call that lets a shell run a command line unchanged.

    Raises:
        Untranslatable: There is no command.
    """
    if not command:
        raise Untranslatable("there is no command")
    first = re.search(r"[\w./-]+", command)
    return _run([shell, "-c", command], stdin)._replace(program=first[0] if first else shell)


def starting_in(home: str, target: Target, line: str) -> Target:
    """Return a call whose relative program or folder begins in a home folder, where cron starts the line of the call."""
    data = target.input_data
    folder: str | None = data.get("cwd")
    if folder is not None:
        return target if folder.startswith(_ABSOLUTE) else target._replace(input_data={**data, "cwd": f"{home}/{folder}"})
    return target._replace(input_data={**data, "cwd": home}) if _BEGINS_RELATIVE.match(line) else target


def failure_notification(name: str, job: str, target: str) -> dict[str, Any]:
    """Return a task that notifies a target when a job has failed."""
    sent = {"operation": "send", "title": f"{job} failed", "message": "!ref:after:error.message"}
    call = {**sent, "notification_type": "error", "targets": [target]}
    return {"name": name, "type": "after", "schedule": f"after {job} failed", "agentool_name": "notification", "input_data": call}


class WithoutOutput(NamedTuple):
    """A command line without the redirection of its output."""

    command: str
    note: str = ""
    """What a person should know about the removed redirection."""
    to_log: bool = False
    """Whether its output went to a file and goes to the log now."""


def without_output(command: str, *, files: bool) -> WithoutOutput:
    """Remove a redirection to /dev/null or, with `files`, to a file."""
    bare = _DISCARDS_OUTPUT.sub("", command)
    if found := _WRITES_FILE.search(bare):
        if not files:
            return WithoutOutput(command)
        return WithoutOutput(bare[: found.start()], f"its output went to {found['file']} and is written into the log now", to_log=True)
    is_discarded = "/dev/null" in command[len(bare) :]
    return WithoutOutput(bare, "its output was thrown away and is kept in the history now" if is_discarded else "")


def shell_syntax(line: str) -> str | None:
    """Return the first character that has a meaning only in a shell; None if there is none."""
    quote, before, characters = "", " ", iter(enumerate(line))
    for place, character in characters:
        if character == "\\" and quote != "'":
            next(characters, None)
        elif quote:
            if character == quote:
                quote = ""
            elif quote == '"' and character in "$`":
                return character
        elif character in "'\"":
            quote = character
        elif character in "|&;<>()$`*?[" or (character in "~#" and before.isspace()) or _BRACES.match(line, place):
            return character
        before = character
    return None


def _run(words: list[str], stdin: str | None, **more: str) -> Target:
    without_references([*words, stdin or "", *more.values()])
    given = more if stdin is None else {**more, "stdin": stdin}
    return Target(words[0], "shell", {"operation": "run", "command": words, **given})
