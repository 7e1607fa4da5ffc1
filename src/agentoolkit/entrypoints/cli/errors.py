"""Report a command's error: one line on stderr, and exit code 2 for the user's mistake or 1 for a failure."""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence
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
"""Attribute of an error: the options and arguments of its command, by the fields that they set."""
_EXPORT = "export "
"""Begins a line that is printed as it stands, because it is meant to be copied into a shell."""
_WORDS = {
    "Input should be a valid integer, unable to parse string as an integer": "it should be a whole number",
    "Input should be a valid number, unable to parse string as a number": "it should be a number",
    "Input should be": "it should be",
}
"""Messages of the option parser, and their replacements."""


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
            if line.startswith(_EXPORT):
                sys.stderr.write(f"{line}\n")
            else:
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
    from agentoolkit.entrypoints.cli.command_words import QUOTES, usual_word

    command = path.partition(" ")[2]
    problem = " ".join(str(error.format_message()).split())
    if not command and (ours := usual_word(problem)):
        tell(f"{problem.partition('.')[0]}. It is `agentool {ours}` here.")
        return MISTAKE
    for parsers, ours in _WORDS.items():
        problem = problem.replace(parsers, ours)
    if problem.startswith("Got unexpected extra argument"):
        problem = f"{problem.rstrip('.')}. {QUOTES}"
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
            from agentoolkit.entrypoints.cli.command_words import typed_names

            setattr(error, _OPTIONS, typed_names(self.get_params(ctx)))
            raise

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, [*args])  # a copy: the parser empties the list
        except Exception as error:
            option = str(getattr(error, "option_name", ""))
            if not option[1:2].isdecimal():
                raise
            from agentoolkit.entrypoints.cli.command_words import typed_names
            from agentoolkit.system.scheduler import InvalidSchedule

            word = next(word for word in args if word.startswith(option))
            field, problem = typed_names(self.get_params(ctx)).get("schedule"), f"{word!r} carries a sign, and a length of time has none."
            raise InvalidSchedule(problem, field=field, value=word, remedy="Write e.g. '5 minutes' or 'in 5 minutes'.") from error


def _lines(error: AgenToolError) -> list[str]:
    """Return the lines of an error. Refused tasks have a line each, and lines with the way out."""
    from agentoolkit.entrypoints.cli.command_words import in_command_words
    from agentoolkit.entrypoints.taskfile import TasksRefused

    if not isinstance(error, TasksRefused):
        return [in_command_words(error, getattr(error, _OPTIONS, {}))]
    sentences = [line for line in error.advice if not line.startswith(_EXPORT)]
    exports = [line for line in error.advice if line.startswith(_EXPORT)]
    if exports:
        sentences.append("These lines allow what is missing:")
    return [*error.refusals, *([" ".join(sentences)] if sentences else []), *exports]


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
