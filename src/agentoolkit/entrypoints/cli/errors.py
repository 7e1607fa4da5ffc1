"""Report a command's error: one line on stderr, and exit code 2 for the user's mistake or 1 for a failure."""

from __future__ import annotations

import errno
import re
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand, TyperGroup

from agentoolkit.entrypoints.cli.quick_start import import_help

if TYPE_CHECKING:
    from agentool.errors import AgenToolError

MISTAKE = 2
FAILURE = 1
DIFFERENCE = 2
"""Exit code of `agentool tasks plan` if there are changes."""
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""
_OPTIONS = "agentool_options"
"""Attribute of an error: the options of its command, by the fields of the scheduler that they set."""
_FIELDS = {"status": "execution_status"}
"""Parameters of commands with another name than the field that they set."""
_WORDS = {
    "Input should be a valid integer, unable to parse string as an integer": "it should be a whole number",
    "Input should be a valid number, unable to parse string as a number": "it should be a number",
    "Input should be": "it should be",
}
"""Messages of the option parser, and their replacements."""
_BOUNDS = {"start": "start_at", "end": "end_at"}
"""Positional arguments, and the fields that they set."""
_COMMANDS = {
    "list_executions": "`agentool history`",
    "get_job": "`agentool info`",
    "update": "`agentool update`",
    "cancel_execution": "`agentool cancel-execution`",
    "cancel": "`agentool cancel`",
    "list_approvals": "`agentool approvals list`",
    "start": "`agentool start`",
}
"""Commands by the operation of the scheduler that an error's remedy names."""
_CALL = re.compile(r"Correct input_data so that injector\.run\('([^']+)', input_data\) accepts it\.")
"""Remedy of a wrong input for Python code. The command line replaces it."""


class ReportingGroup(TyperGroup):
    """A group of commands whose errors are one line. Only a defect of this program prints a traceback."""

    def main(self, args: Sequence[str] | None = None, *more: Any, standalone_mode: bool = True, **named: Any) -> Any:
        from agentoolkit.entrypoints.cli.terminal import make_writable

        if not standalone_mode:
            return super().main(args, *more, standalone_mode=False, **named)
        make_writable()
        if not more:
            named["prog_name"] = "agentool"  # also for `python -m agentool`
        try:
            code = super().main(args, *more, standalone_mode=False, **named)
            sys.stdout.flush()
        except Exception as error:
            code = _report(error)
        sys.exit(code if isinstance(code, int) else 0)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        import_help()
        super().format_help(ctx, formatter)


def _report(error: Exception) -> int:
    """Print an error and return the exit code. Raise it again if it is a defect of this program."""
    # Imported here, because --help must not wait for it.
    from agentool.errors import AgenToolError

    if isinstance(error, AgenToolError):
        for line in _lines(error):
            tell(line)
        return exit_code(error)
    if isinstance(error, BrokenPipeError):
        _silence_stdout()  # its reader has left
        return FAILURE
    if isinstance(error, OSError):
        if error.errno in (errno.ENOSPC, errno.EIO):
            _silence_stdout()
        where = f"{error.filename}: " if error.filename else ""
        tell(f"{where}{error.strerror or error}.")
        return FAILURE
    if type(error).__name__ == "Abort":  # Ctrl-C
        return INTERRUPTED
    if hasattr(error, "format_message"):
        return _report_usage(error)
    raise error


def _report_usage(error: Any) -> int:
    """Print a mistake in a command's arguments in one line; without arguments, show the help instead."""
    context = getattr(error, "ctx", None)
    path = str(getattr(context, "command_path", "agentool"))
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return MISTAKE
    command = path.partition(" ")[2]
    problem = " ".join(str(error.format_message()).split())
    for parsers, ours in _WORDS.items():
        problem = problem.replace(parsers, ours)
    stop = "" if problem.endswith((".", "!", "?", ")")) else "."
    tell(f"{f'{command}: ' if command else ''}{problem}{stop} See `{'agentool ' + command if command else 'agentool'} --help`.")
    return MISTAKE


def _silence_stdout() -> None:
    from agentoolkit.entrypoints.cli.terminal import silence_stdout

    silence_stdout()


class ReportingCommand(TyperCommand):
    """A command whose errors name its options. ``-5 minutes`` is refused as a duration with a sign, not as an unknown option."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        import_help()
        super().format_help(ctx, formatter)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            options = [found for found in self.get_params(ctx) if found.param_type_name == "option" and found.name]
            named = {_FIELDS.get(str(found.name), str(found.name)): found.opts[0] for found in options}
            named |= {_BOUNDS[str(found.name)]: str(found.metavar) for found in self.get_params(ctx) if found.name in _BOUNDS}
            setattr(error, _OPTIONS, named)
            raise

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, [*args])  # a copy: the parser empties the list
        except Exception as error:
            option = str(getattr(error, "option_name", ""))
            if not option[1:2].isdecimal():
                raise
            from agentoolkit.system.scheduler import InvalidSchedule

            word = next(word for word in args if word.startswith(option))
            problem = f"{word!r} carries a sign, and a length of time has none."
            raise InvalidSchedule(problem, field="schedule", value=word, remedy="Write e.g. '5 minutes' or 'in 5 minutes'.") from error


def _lines(error: AgenToolError) -> list[str]:
    """Return the lines of an error. Refused tasks have a line each, and lines with the way out.

    Fields are named by the options that set them, and operations by their commands.
    """
    from agentoolkit.entrypoints.taskfile import TasksRefused
    from agentoolkit.text import name_operations

    if not isinstance(error, TasksRefused):
        options: Mapping[str, str] = getattr(error, _OPTIONS, {})
        text = str(error).removeprefix("AgenTool 'scheduler' refused its input: ")
        text = _CALL.sub(r"`agentool tools \1` shows what it takes.", text)
        text = name_operations(text, _COMMANDS)
        return [re.sub(r"(?:(?<=^)|(?<=; ))(\w+)(?=[.:])", lambda found: options.get(found[1], found[1]), text)]
    *refusals, last = error.refusals
    sentences = [line for line in error.advice if not line.startswith("export ")]
    exports = [line for line in error.advice if line.startswith("export ")]
    return [*refusals, " ".join([last, *sentences]), *exports]


def tell(problem: str) -> None:
    """Print a problem on stderr."""
    from rich.text import Text

    from agentoolkit.entrypoints.cli.terminal import PlainConsole
    from agentoolkit.text import in_one_line

    PlainConsole(stderr=True).print(Text.assemble(("agentool: ", "bold red"), in_one_line(problem)), soft_wrap=True)


def exit_code(error: AgenToolError) -> int:
    """Return 2 for a mistake in the call, which the user can correct, and 1 for a failure."""
    from agentool.errors import ConfigurationError
    from agentoolkit.system.scheduler import JobExists

    mistakes = (ValueError, LookupError, PermissionError, ConfigurationError, JobExists)
    return MISTAKE if isinstance(error, mistakes) else FAILURE
