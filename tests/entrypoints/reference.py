"""The page of the command line, made from the command line itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from agentoolkit.entrypoints.cli import app
from agentoolkit.entrypoints.cli.commands.task_types import TaskTypesGroup
from agentoolkit.entrypoints.cli.field_options import JOB_PANEL

_HEAD = """\
# The command line

Made from the program by `REGENERATE_DOCS=1 pytest tests/entrypoints/test_reference.py`; what is edited here by hand is lost.

Without a command, `agentool` does what `agentool serve` does: it runs the jobs that are kept or, where there are none, the
bundled example, which has a database of its own, `example.db`. Jobs are kept in `agentool.db`
in `AGENTOOL_HOME` (`~/.agentool` by default), or where `AGENTOOL_DATABASE` says. Errors are one line on stderr.
`--json` prints the data of the answer as JSON, `--output csv` a list as CSV.

| exit code | |
|---|---|
| 0 | It is done. |
| 1 | The command failed; `doctor` found something broken; an import left something out. |
| 2 | A mistake in what was asked, and nothing was done; `tasks plan` found a difference. |
| 130 | Ctrl-C. |

Colours are shown on a terminal alone, and not where `NO_COLOR` is set. A pipe gets whole names and ids. `LOG_LEVEL=DEBUG`, or
`AGENTOOL_LOG_LEVEL`, makes a command tell on stderr what it asks of the scheduler. `agentool --install-completion` lets your
shell complete commands and options.
"""


def page() -> str:
    """Return the page."""
    root: Any = get_command(app)
    context = root.context_class(root, info_name="agentool")
    sections = [section for name in root.list_commands(context) for section in _sections(f"agentool {name}", name, root, context)]
    return "\n".join([_HEAD, *sections])


def _sections(path: str, name: str, group: Any, above: Any) -> Iterator[str]:
    command = group.get_command(above, name)
    context = command.context_class(command, info_name=name, parent=above)
    below = command.list_commands(context) if hasattr(command, "list_commands") else []
    own = [found for found in below if isinstance(command, TaskTypesGroup) or found in command.commands]
    if not below or command.invoke_without_command:
        yield "\n".join([f"## {path}\n", f"{_text(command.help)}\n", "```text", _usage(path, command), "```\n", *_tables(command)])
    if again := [f"`{found}`" for found in below if found not in own]:
        yield f"## {path}\n\n{_text(command.help)} Besides `schedule`, that is {', '.join(again)}.\n"
    for found in own:
        yield from _sections(f"{path} {found}", found, command, context)


def _usage(name: str, command: Any) -> str:
    arguments = [_metavar(parameter) for parameter in _parameters(command, "argument")]
    options = ["[OPTIONS]"] if _parameters(command, "option") else []
    return " ".join([name, *options, *arguments])


def _tables(command: Any) -> Iterator[str]:
    arguments, options = _parameters(command, "argument"), _parameters(command, "option")
    if arguments:
        yield "\n".join(["| argument | |", "|---|---|", *(_row(_metavar(found), found) for found in arguments), ""])
    of_every_job = [found for found in options if found.rich_help_panel == JOB_PANEL]
    options = [found for found in options if found not in of_every_job]
    if options:
        yield "\n".join(["| option | |", "|---|---|", *(_row(_flags(found), found) for found in options), ""])
    if of_every_job:
        yield "It takes the options of [every job](#agentool-schedule) as well.\n"


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
