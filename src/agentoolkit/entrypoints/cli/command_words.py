"""Say errors in the words of the command line: options, arguments and commands, where an error has fields and operations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentool.errors import AgenToolError

_FIELDS: Mapping[str, tuple[str, ...]] = {
    "status": ("execution_status",),
    "job": ("job_id",),
    "name": ("job_id", "job_name", "queue_name", "agentool_name"),
    "when": ("schedule",),
    "tool": ("agentool_name",),
    "start": ("start_at",),
    "end": ("end_at",),
    "words": ("job_id",),
    "failed": ("job_id", "execution_id"),
    "execution_id": ("job_id",),
}
"""Fields that a parameter of a command sets, where they have another name than the parameter."""
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
_USUAL_WORDS = {
    **dict.fromkeys(("delete", "remove", "rm", "unschedule"), "cancel"),
    **dict.fromkeys(("jobs", "ls", "ps"), "list"),
    **dict.fromkeys(("add", "create", "new"), "schedule"),
    **dict.fromkeys(("edit", "modify", "set"), "update"),
    "executions": "history",
    "runs": "history",
    "unpause": "resume",
    "trigger": "run",
    "next": "upcoming",
    "help": "--help",
    "version": "--version",
}
"""Commands by the words that other programs have for them."""
_NAMED = re.compile(r"(?:(?<=^)|(?<=; ))(?!input_data\.)(\w+)(?=[.:])")
_EXAMPLES = re.compile(r"(?<=Give for example ).+")
_EXAMPLE = re.compile(r"(?<![\w'])(\w+): ")
QUOTES = "Put quotes around a schedule: '0 9 * * 1-5'."


def typed_names(parameters: Iterable[Any]) -> dict[str, str]:
    """Return the option or argument that sets a field, by the name of the field."""
    named: dict[str, str] = {}
    for parameter in parameters:
        is_option = parameter.param_type_name == "option"
        typed = parameter.opts[0] if is_option else str(parameter.metavar or "").partition(" ")[0].strip("[]")
        if parameter.name and typed:
            named |= dict.fromkeys((*_FIELDS.get(parameter.name, ()), parameter.name), typed)
    return named


def in_command_words(error: AgenToolError, named: Mapping[str, str]) -> str:
    """Return the text of an error with fields named by the options and arguments that set them, and operations by commands."""
    from agentoolkit.text import name_call, name_operations

    text = str(error).removeprefix("AgenTool 'scheduler' refused its input: ")
    text = name_call(text, "`agentool tools {0}` shows what it takes.")
    text = _NAMED.sub(lambda found: named.get(found[1], found[1]), name_operations(text, _COMMANDS))
    text = _EXAMPLES.sub(lambda found: _EXAMPLE.sub(lambda field: f"{named.get(field[1], field[1])} ", found[0]), text)
    text = text.replace(" or with replace,", " or with --replace," if "replace" in named else ",")
    text = text.replace("another job_id and job_name", f"another {named.get('job_name', 'name')}")
    return re.sub(r"\binput_data\.(?=\w)", "", text)


def usual_word(problem: str) -> str | None:
    """Return the command of ours that does what another program's word asks for; None if the word is not known."""
    found = re.match(r"No such command '([\w-]+)'", problem)
    return _USUAL_WORDS.get(found[1]) if found else None
