"""The command lines that pages show, compared with the command there is."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Any

from typer.main import get_command

from agentoolkit.entrypoints.cli import app

_COMMAND = re.compile(r"^(?:\$ )?(?:uv run )?agentool(?: (?P<words>.*))?$", re.MULTILINE)


def command_lines(text: str) -> Sequence[list[str]]:
    """Return the arguments of each call of ``agentool`` in a shell block."""
    joined = text.replace("\\\n", " ")
    return [_words(found["words"] or "") for found in _COMMAND.finditer(joined)]


def check_command(words: Sequence[str]) -> None:
    """Refuse a command line with a subcommand, an option or an argument that the command does not have.

    Raises:
        Exception: The command line parser's own error.
        LookupError: There is no such subcommand, or there are more arguments than it takes.
    """
    command: Any = get_command(app)
    context, rest = None, list(words)
    while True:
        context = command.context_class(command, info_name=command.name, parent=context)
        _, rest, _ = command.make_parser(context).parse_args(rest)
        if not rest:
            return
        found = command.get_command(context, rest[0]) if hasattr(command, "get_command") else None
        if found is None:
            raise LookupError(f"`{command.name}` takes no {rest[0]!r}.")
        command, rest = found, rest[1:]


def _words(line: str) -> list[str]:
    """Split a line as a shell does, up to the first pipe, redirection or comment."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = list(lexer)
    operators = [at for at, word in enumerate(words) if word and set(word) <= set("();<>|&")]
    return words[: operators[0]] if operators else words
