"""The page of the command line, made from the command line itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from agentoolkit.entrypoints.cli import app

_HEAD = """\
# The command line

Made from the program by `REGENERATE_DOCS=1 pytest tests/entrypoints/test_reference.py`; what is edited here by hand is lost.

Without a command, `agentool` does what `agentool serve` does: it runs the jobs that are kept or, where there are none, the
bundled example, which has a database of its own, `example.db`. Jobs are kept in `agentool.db`
in `AGENTOOL_HOME` (`~/.agentool` by default), or where `AGENTOOL_DATABASE` says. Errors are one line on stderr; the exit code is 2
for a mistake of the user, 1 for what was asked rightly and failed, and 0 otherwise. `--json` prints the data of the answer as JSON.
"""


def page() -> str:
    """Return the page."""
    root: Any = get_command(app)
    sections = [section for name, command in root.commands.items() for section in _sections(f"agentool {name}", command)]
    return "\n".join([_HEAD, *sections])


def _sections(name: str, command: Any) -> Iterator[str]:
    subcommands = getattr(command, "commands", {})
    if subcommands and not command.invoke_without_command:
        for below, subcommand in subcommands.items():
            yield from _sections(f"{name} {below}", subcommand)
        return
    yield "\n".join([f"## {name}\n", f"{_text(command.help)}\n", "```text", _usage(name, command), "```\n", *_tables(command)])
    for below, subcommand in subcommands.items():
        yield from _sections(f"{name} {below}", subcommand)


def _usage(name: str, command: Any) -> str:
    arguments = [_metavar(parameter) for parameter in _parameters(command, "argument")]
    options = ["[OPTIONS]"] if _parameters(command, "option") else []
    return " ".join([name, *options, *arguments])


def _tables(command: Any) -> Iterator[str]:
    arguments, options = _parameters(command, "argument"), _parameters(command, "option")
    if arguments:
        yield "\n".join(["| argument | |", "|---|---|", *(_row(_metavar(found), found) for found in arguments), ""])
    if options:
        yield "\n".join(["| option | |", "|---|---|", *(_row(_flags(found), found) for found in options), ""])


def _parameters(command: Any, kind: str) -> list[Any]:
    taken = command.get_params(command.context_class(command))
    return [found for found in taken if found.param_type_name == kind and found.name != "help"]


def _flags(option: Any) -> str:
    flags = ", ".join([*option.opts, *option.secondary_opts])
    return flags if option.is_flag else f"{flags} {_metavar(option)}"


def _metavar(parameter: Any) -> str:
    return parameter.metavar or parameter.name.upper()


def _row(name: str, parameter: Any) -> str:
    is_shown = getattr(parameter, "show_default", False) and parameter.default not in (None, False, ())
    default = f" Default: `{parameter.default}`." if is_shown else ""
    escaped = name.replace("|", "\\|")
    return f"| `{escaped}` | {_text(parameter.help)}{default} |"


def _text(text: str | None) -> str:
    return re.sub(r"\s*\n\s*(?=\S)", " ", text or "").strip()
