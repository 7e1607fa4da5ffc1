"""Split commands as a POSIX shell would, and refuse syntax that only a shell can run."""

from __future__ import annotations

import re
import shlex

from agentool.errors import InvalidInput, excerpt

_WRITTEN_FOR_A_SHELL = re.compile(
    r"""
    (?P<operator> [;|&<>()\n]+ | ` | \$\( )      # unquoted
    | \\. | '[^']*'                            # quoted: what is inside is text
    | "(?: [^"\\`$] | \\. | \$(?!\() )* (?P<substitution> ` | \$\( )?
    """,
    re.VERBOSE | re.DOTALL,
)
"""Syntax that only a shell can run: operators, and substitutions, which work inside double quotes too."""


def words(command: list[str] | str) -> list[str]:
    """Return a command as a list of program and arguments.

    Raises:
        InvalidInput: It is empty, has an open quote, a character that programs cannot receive, or shell syntax.
    """
    if not isinstance(command, str):
        split = list(command)
    else:
        try:
            split = shlex.split(command)
        except ValueError as error:
            raise InvalidInput(f"{excerpt(command)} cannot be split: {error}.", field="command", value=command) from error
        matches = (match["operator"] or match["substitution"] for match in _WRITTEN_FOR_A_SHELL.finditer(command.strip()))
        if found := sorted({text.strip() or "a line break" for text in matches if text}):
            remedy = "Give one program and its arguments; for several, use the AgenTool 'sequence'."
            problem = f"{excerpt(command)} is written for a shell ({' '.join(found)}), and there is none here."
            raise InvalidInput(problem, field="command", value=command, remedy=remedy)
    for word in split:
        check_passable(word, "command")
    if not split or not split[0]:
        raise InvalidInput("The command names no program.", field="command", value=command, remedy="Give a list such as ['git', 'status'].")
    return split


def check_passable(text: str, field: str) -> None:
    """Refuse text that no system can pass to a program."""
    if "\0" in text:
        raise InvalidInput(
            f"{excerpt(text)} holds a null character.", field=field, value=text, remedy="Leave it out; only stdin may hold one."
        )
    encoded(text, field)


def encoded(text: str, field: str) -> bytes:
    """Return a text as UTF-8. Raises `InvalidInput` if it has a lone surrogate."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        problem = f"{excerpt(text)} has a lone surrogate at position {error.start}."
        raise InvalidInput(problem, field=field, value=text, remedy="Give text that can be written as UTF-8.") from error
