"""An AgenTool's input as it is written on a command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentool.core.injector import Injector
from agentool.describe import describe
from agentool.errors import InvalidInput
from agentoolkit.entrypoints.cli.options import read_fields, read_object


def read_input(injector: Injector, tool: str, whole: str | None, words: Sequence[str]) -> dict[str, Any]:
    """Read an AgenTool's input from a JSON object and ``key=value`` words.

    Fields that are text take a value as it is written. ``operation`` may be left out where the AgenTool has but one.

    Raises:
        InvalidInput: One of them cannot be read, or they have a field in common.
    """
    description = describe(injector.get(tool)) if tool in injector else None
    given = read_object(whole) if whole else {}
    texts: set[str] = set()
    for name, field in description.fields().items() if description else ():
        choices = field.schema.get("enum", [])
        if field.schema.get("type") == "string" or (choices and all(isinstance(choice, str) for choice in choices)):
            texts.add(name)
    fields = read_fields(words, texts)
    if both := given.keys() & fields.keys():
        raise InvalidInput("It is given twice, in --input and by itself.", field=min(both), remedy="Give it once.")
    operation = {"operation": description.operations[0].name} if description and len(description.operations) == 1 else {}
    return {**operation, **given, **fields}
