"""Commands as text: as a POSIX shell would split them, without what only a shell could carry out."""

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
"""What only a shell could carry out, as a POSIX shell would read it: operators, and substitutions in double quotes too."""


def words(command: list[str] | str) -> list[str]:
    """Return a command as program and arguments.

    Raises:
        InvalidInput: It is empty, has an open quote or a character that no program can be given, or was written for a shell.
    """
    if not isinstance(command, str):
        split = list(command)
    else:
        try:
            split = shlex.split(command)
        except ValueError as error:
            raise InvalidInput(f"{excerpt(command)} cannot be split: {error}.", field="command", value=command) from error
        if found := _shell_syntax(command):
            remedy = "Give one program and its arguments; for several, use the AgenTool 'sequence'."
            problem = f"{excerpt(command)} is written for a shell ({' '.join(found)}), and there is none here."
            raise InvalidInput(problem, field="command", value=command, remedy=remedy)
    for word in split:
        check_passable(word, "command")
    if not split or not split[0]:
        raise InvalidInput("The command names no program.", field="command", value=command, remedy="Give a list such as ['git', 'status'].")
    return split


def _shell_syntax(command: str) -> list[str]:
    """Find what of a command only a shell could carry out. Quoted, the same characters are text."""
    found = (match["operator"] or match["substitution"] for match in _WRITTEN_FOR_A_SHELL.finditer(command.strip()))
    return sorted({text.strip() or "a line break" for text in found if text})


def check_passable(text: str, field: str) -> None:
    """Refuse what no system can hand to a program."""
    if "\0" in text:
        raise InvalidInput(
            f"{excerpt(text)} holds a null character.", field=field, value=text, remedy="Leave it out; only stdin may hold one."
        )
    encoded(text, field)


def encoded(text: str, field: str) -> bytes:
    """Return a text as UTF-8. Raises `InvalidInput` if it cannot be written so."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        problem = f"{excerpt(text)} has a lone surrogate at position {error.start}."
        raise InvalidInput(problem, field=field, value=text, remedy="Give text that can be written as UTF-8.") from error
