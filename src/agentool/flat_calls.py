"""Tools with flat arguments, one per operation, for language models: checks arguments and writes error messages.

Agent toolsets and the MCP server share it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from agentool.errors import (
    MAX_PROBLEMS,
    AgenToolError,
    FieldProblem,
    InvalidInput,
    did_you_mean,
    encodable,
    name_problems,
    sentence,
    text_of,
)
from agentool.secrets_here import beginning_of

if TYPE_CHECKING:
    from agentool.core.injector import Injector
    from agentool.describe import OperationDescription

MAX_ANSWER = 32_000
"""Characters of an answer that a model is shown, about 8,000 tokens."""
MAX_REFUSAL = 4_000
"""Characters of a refusal that a model is shown, about 1,000 tokens."""


def check_arguments(fields: Collection[str], arguments: object) -> dict[str, Any]:
    """Return the arguments of a flat tool.

    Args:
        fields: Names of the arguments that it takes.
        arguments: The arguments of the call.

    Raises:
        InvalidInput: They are not an object, or one has an unknown name. The message names the nearest one.
    """
    if not isinstance(arguments, dict):
        raise InvalidInput("The arguments must be one JSON object.", value=arguments)
    given: dict[str, Any] = arguments  # type: ignore[assignment]
    unknown = [name for name in given if name not in fields]
    if not unknown:
        return given
    advice = {did_you_mean(name, fields): name for name in unknown[:MAX_PROBLEMS]}  # what several have in common is told with the last one
    advised = {name: said for said, name in advice.items()}
    problems = name_problems(
        unknown, lambda name: FieldProblem(name, given[name], f"is not an argument of this tool. {advised.get(name, '')}".rstrip())
    )
    raise InvalidInput(sentence(problems), problems=problems)


async def checked_arguments(injector: Injector, operation: OperationDescription, arguments: object) -> dict[str, Any]:
    """Return an operation's arguments as `check_arguments` does. A refusal of unknown names lists refusals of the others too."""
    fields = [field.name for field in operation.fields]
    try:
        return check_arguments(fields, arguments)
    except InvalidInput as refused:
        if refused.problems:
            known = {name: value for name, value in cast("dict[str, Any]", arguments).items() if name in fields}
            refused.also = await injector.refusals(operation.agentool_name, operation.call(known))
        raise


@contextmanager
def fields_called(names: Mapping[str, str]) -> Generator[None]:
    """Let what is refused inside a ``with`` block name fields as the tool has them that was called.

    Args:
        names: The tool's names by those that were used inside. What is within a field follows it; an empty name stands for the tool itself.
    """
    try:
        yield
    except AgenToolError as error:
        _rename_fields(error, names)
        raise


def _rename_fields(error: AgenToolError, names: Mapping[str, str]) -> None:
    error.field = error.field and _renamed(error.field, names)
    if isinstance(error, InvalidInput) and error.problems:
        error.problems = tuple(replace(problem, field=_renamed(problem.field, names)) for problem in error.problems)
        error.problem = sentence(error.problems)
    if error.remedy:  # one that shows how a field is given: "Give for example job_name: 'daily'."
        error.remedy = re.sub(r"\b\w+(?=: )", lambda found: names.get(found[0]) or found[0], error.remedy)
    for other in error.also:
        _rename_fields(other, names)


def _renamed(field: str, names: Mapping[str, str]) -> str:
    within = [name for name in names if field == name or field.startswith(f"{name}.")]
    if not within:
        return field
    known = max(within, key=len)
    return f"{names[known]}{field[len(known) :]}".removeprefix(".")


def words(error: Exception) -> str:
    """Return an error's text for a language model, without the framework's name."""
    if isinstance(error, InvalidInput) and error.problems:
        said = " ".join(part for part in (sentence(error.problems), error.remedy, *map(words, error.also)) if part)
    else:
        said = text_of(error) or type(error).__name__
    return encodable(said if len(said) <= MAX_REFUSAL else f"{beginning_of(said, MAX_REFUSAL)}…")


def cut_answer(text: str) -> str:
    """Cut an answer to `MAX_ANSWER` characters, with a note. No part of a secret is left at the cut."""
    text = encodable(text)
    if len(text) <= MAX_ANSWER:
        return text
    return f"{beginning_of(text, MAX_ANSWER)}… (cut: {len(text) - MAX_ANSWER:,} of {len(text):,} characters left out; ask for less)"


def with_example(error: Exception, tool_name: str, example: Mapping[str, Any] | None) -> str:
    """Return an error's text, followed by a call that works."""
    right = f" Right: {tool_name}({json.dumps(example, ensure_ascii=False)})." if example is not None else ""
    return f"{words(error)}{right}"


__all__ = ["check_arguments", "checked_arguments", "cut_answer", "fields_called", "with_example", "words"]
