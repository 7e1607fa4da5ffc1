"""Run programs that the application allows, from an argument list, never through a shell."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, PrivateAttr

from agentool.agentool import AgenTool, create_agentool
from agentool.base import BaseOperationInput
from agentool.context import RunContext
from agentool.core.injector import Injector
from agentool.errors import UNSHOWN, AgenToolError, InvalidInput, Refusals, are_values_shown, excerpt
from agentool.secrets_here import end_of
from agentoolkit.actions.command_text import check_passable, encoded, words
from agentoolkit.actions.processes import Command, ProgramResult, run_command
from agentoolkit.live_output import LiveOutput
from agentoolkit.settings import ShellSettings

TAIL = 2_000
"""Characters of output that a failure shows."""
BASIC_VARIABLES = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR")
"""Variables that every command inherits from this process, if they are set."""


class ShellInput(BaseOperationInput):
    """Input of the shell AgenTool."""

    operation: Literal["run"]
    command: list[str] | str | None = Field(None, description="Program and arguments; a string is split as in a shell, but none runs it")
    cwd: str | None = Field(None, description="Working folder, inside an allowed one; by default the first allowed one")
    env: dict[str, str] | None = Field(None, description="Variables for the command; their names must be allowed")
    stdin: str | None = Field(None, description="Text for its standard input; by default empty")
    timeout: float | None = Field(None, gt=0, description="Seconds; at most, and by default, the setting's")
    check: bool | None = Field(True, description="Fail if the exit code is not 0")


class ShellOutput(BaseModel):
    """The exit code and output of a command."""

    command: list[str]
    exit_code: int = Field(description="Negative: the number of the signal that ended it")
    stdout: str
    stderr: str
    dropped: int = Field(description="Bytes of output beyond the limit, which are dropped")
    duration: float = Field(description="Seconds")
    passed: bool = Field(description="True if the exit code is 0: a command with check false can be a job's gate")


class CommandNotAllowed(AgenToolError, PermissionError):
    """The program, the folder or a variable is not allowed."""


class CommandFailed(AgenToolError, RuntimeError):
    """The command ended with an exit code other than 0. ``output`` is the end of its output."""

    exit_code: int | None = None
    output: str = ""


class CommandTimedOut(CommandFailed, TimeoutError):
    """The command timed out and was ended, with its process group and its other children that could be found."""


class ShellRules(ShellSettings):
    """The settings of commands, and the checks that turn a call into a command."""

    _live: LiveOutput | None = PrivateAttr(default=None)

    def command(self, call: ShellInput) -> Command:
        """Turn a call into the command to run.

        Raises:
            CommandNotAllowed: The program, the folder or a variable is not allowed. All refusals are listed.
            InvalidInput: The command cannot be split, its program is missing, or programs cannot receive a text.
        """
        program, *arguments = words(call.command or "")
        cwd, env = self._resolve_folder(call.cwd), dict[str, str]()
        executable, refusals = Path(), Refusals()
        with refusals.collect():
            executable = self._find_program(program, cwd)
        with refusals.collect():
            if call.cwd is not None:
                self._check_folder(call.cwd, cwd)
        with refusals.collect():
            env = self._make_environment(call.env or {})
        refusals.raise_all()
        return Command(
            executable=executable,
            arguments=arguments,
            cwd=cwd,
            env=env,
            stdin=None if call.stdin is None else encoded(call.stdin, "stdin"),
            timeout=min(call.timeout or self.timeout, self.timeout),
            output_limit=self.output_limit,
            heard=self._live.write if self._live else None,
        )

    def _find_program(self, program: str, cwd: Path) -> Path:
        allowed = [found for name in self.programs if (found := _locate(name))]
        wanted = _resolve_parent(cwd / program) if os.sep in program else None
        for path in allowed:
            if path == wanted or (wanted is None and path.name == program):
                return path
        if wanted is None and program in self.programs:
            remedy = "Install it, add its folder to this process's PATH, or allow it by its full path."
            raise InvalidInput(f"Program {excerpt(program)} is allowed, but not found.", field="command", value=program, remedy=remedy)
        problem = f"Program {excerpt(str(wanted or program))} is not allowed; allowed are {', '.join(self.programs) or 'none'}."
        remedy = "Add it to the setting `programs` (AGENTOOL_PROGRAMS)."
        raise CommandNotAllowed(problem, field="command", value=str(wanted or program), remedy=remedy)

    def _resolve_folder(self, asked: str | None) -> Path:
        if asked is None:
            return self.folders[0].resolve() if self.folders else Path.cwd()
        check_passable(asked, "cwd")
        try:
            cwd = Path(asked).expanduser().resolve()
            cwd.is_dir()  # raises OSError if the name is too long
        except (OSError, RuntimeError) as error:
            raise _no_folder(asked) from error
        return cwd

    def _check_folder(self, asked: str, cwd: Path) -> None:
        if not any(cwd.is_relative_to(folder.resolve()) for folder in self.folders):
            problem = f"Folder {excerpt(asked)} is not allowed; allowed are {', '.join(map(str, self.folders)) or 'none'}."
            remedy = "Add it to the setting `shell_folders` (AGENTOOL_SHELL_FOLDERS)."
            raise CommandNotAllowed(problem, field="cwd", value=asked, remedy=remedy)
        if not cwd.is_dir():
            raise _no_folder(asked)

    def _make_environment(self, asked: Mapping[str, str]) -> dict[str, str]:
        # A variable such as LD_PRELOAD makes any program run any code.
        if refused := sorted(asked.keys() - set(self.variables)):
            problem = f"Variables {', '.join(refused)} are not allowed; allowed are {', '.join(self.variables) or 'none'}."
            remedy = "Add them to the setting `shell_variables` (AGENTOOL_SHELL_VARIABLES)."
            raise CommandNotAllowed(problem, field="env", value=refused, remedy=remedy)
        for value in asked.values():
            check_passable(value, "env")
        inherited = {name: os.environ[name] for name in (*BASIC_VARIABLES, *self.variables) if name in os.environ}
        return {**inherited, **asked}


async def shell_run(
    ctx: RunContext[ShellRules],
    command: list[str] | str,
    cwd: str | None = None,
    env: dict[str, str] | None = None,
    stdin: str | None = None,
    timeout: float | None = None,
    check: bool = True,
) -> ShellOutput:
    """Run a program and wait for its end. A timeout, or a cancelled execution, ends it with its children.

    Raises:
        CommandFailed: Its exit code is not 0, and `check` is true.
        CommandTimedOut: It timed out.
        CommandNotAllowed: The program, the folder or a variable is not allowed.
    """
    call = ShellInput(operation="run", command=command, cwd=cwd, env=env, stdin=stdin, timeout=timeout, check=check)
    wanted = ctx.deps.command(call)
    try:
        ended = await run_command(wanted)
    except OSError as error:
        raise CommandFailed(f"It cannot be started: {error.strerror}.", field="command", value=command) from error
    if ended.exit_code is None:
        raise _timed_out(wanted, ended)
    if check and ended.exit_code != 0:
        raise _failed(command, ended.exit_code, ended)
    return ShellOutput(
        command=words(command) if are_values_shown() else [words(command)[0], repr(UNSHOWN)],
        exit_code=ended.exit_code,
        stdout=ended.stdout,
        stderr=ended.stderr,
        dropped=ended.dropped,
        duration=ended.duration,
        passed=ended.exit_code == 0,
    )


def check_run(rules: ShellRules, call: ShellInput) -> None:
    """Refuse a call that `run` would refuse, without running it."""
    if call.command is not None:
        rules.command(call)


def create_shell_agent(
    settings: ShellSettings | None = None, *, live: LiveOutput | None = None, injector: Injector | None = None
) -> AgenTool[ShellRules]:
    """Create the AgenTool ``shell`` and register it.

    Args:
        settings: What commands may do; by default nothing.
        live: Gets a command's output while it runs.
        injector: The injector to register in; by default the current one.
    """
    rules = ShellRules(**dict(settings or {}))
    rules._live = live  # pyright: ignore[reportPrivateUsage]  of this file
    return create_agentool(
        "shell",
        ShellInput,
        {"run": shell_run},
        deps=rules,
        description="Runs programs that the application allows, with a time limit and without a shell.",
        precheck=check_run,
        examples=({"operation": "run", "command": ["git", "fetch", "--all"], "timeout": 30},),
        injector=injector,
    )


def _locate(program: str) -> Path | None:
    if os.sep in program:
        return _resolve_parent(Path(program).expanduser())
    found = shutil.which(program)
    return _resolve_parent(Path(found)) if found else None


def _resolve_parent(path: Path) -> Path:
    """Resolve a program's folder, but keep its file name: some programs are one file that acts by the name it was called with."""
    return Path(os.path.realpath(path.parent)) / path.name  # unlike `resolve`, realpath does not fail on a cycle of links


def _no_folder(asked: str) -> InvalidInput:
    return InvalidInput(f"There is no folder {excerpt(asked)}.", field="cwd", value=asked, remedy="Name an existing folder.")


def _failed(command: Sequence[str] | str, exit_code: int, ended: ProgramResult) -> CommandFailed:
    tail = ended.tail(TAIL)
    signal_name = f"signal {-exit_code}"
    with suppress(ValueError):  # most real-time signals have no name
        signal_name = signal.Signals(-exit_code).name
    how = f"ended with exit code {exit_code}" if exit_code > 0 else f"was ended by {signal_name}"
    failed = CommandFailed(f"It {how}: {tail or 'it wrote nothing'}", field="command", value=command)
    failed.exit_code, failed.output = exit_code, tail
    return failed


def _timed_out(wanted: Command, ended: ProgramResult) -> CommandTimedOut:
    tail = ended.tail(TAIL)
    problem = f"It did not end within {wanted.timeout:g} s and was ended, with the children that could be found."
    error = CommandTimedOut(f"{problem} It had written: {end_of(tail, 200)}" if tail else problem, field="timeout", value=wanted.timeout)
    error.output = tail
    return error
