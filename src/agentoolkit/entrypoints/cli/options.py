"""Arguments and options that several commands share, and the reading of an AgenTool's input from the command line."""

from __future__ import annotations

import json
from collections.abc import Container, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from agentoolkit.entrypoints.cli.completion import complete_job, completing

if TYPE_CHECKING:
    from agentool.core.injector import Injector

Job = Annotated[str, typer.Argument(metavar="JOB", help="A job's id or name.", show_default=False, autocompletion=complete_job)]
When = Annotated[
    str,
    typer.Argument(metavar="WHEN", help="Crontab text, an interval, an ISO 8601 time, words, or 'after JOB'.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print the data as JSON.")]
Output = Annotated[Literal["table", "json", "csv"], typer.Option("--output", "-o", metavar="table|json|csv", help="Format of the output.")]
Query = Annotated[
    list[str] | None, typer.Argument(metavar="[QUERY]", help="Only matching jobs, e.g. 'status:failed tag:nightly'.", show_default=False)
]
View = Annotated[str | None, typer.Option("--view", metavar="NAME", help="Name of a saved search.", show_default=False)]
Allow = Annotated[
    list[str] | None,
    typer.Option("--allow", metavar="PACKAGE", help="Package whose functions jobs may call; may be repeated.", show_default=False),
]
Timezone = Annotated[
    str | None,
    typer.Option("--timezone", "-z", metavar="ZONE", help="IANA name, as Europe/Berlin; this machine's by default.", show_default=False),
]
TaskFile = Annotated[Path, typer.Argument(metavar="FILE", help="Task file in YAML.", show_default=False)]
Reason = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why; it is kept with the record.", show_default=False)]


def optional(flag: str, metavar: str, explained: str, values: str = "") -> typer.models.OptionInfo:
    """Return an option without a default. The shell completes its `values`, which are separated by bars."""
    completed = completing(values) if values else None
    option: typer.models.OptionInfo = typer.Option(flag, metavar=metavar, help=explained, show_default=False, autocompletion=completed)
    return option


def read_fields(words: Sequence[str], texts: Container[str] = ()) -> dict[str, Any]:
    """Read ``key=value`` words. A value is JSON if it can be read so, else the text itself.

    Args:
        words: The words of the command line.
        texts: Fields of type text, whose values are never read as JSON.

    Raises:
        InvalidInput: A word has no ``=``, a field is given twice, or a value is nested too deeply.
    """
    from agentool.errors import InvalidInput, excerpt
    from agentoolkit.entrypoints.cli.command_words import QUOTES

    read: dict[str, Any] = {}
    for word in words:
        key, separator, value = word.partition("=")
        if not (separator and key):
            remedy = f"Write key=value, or use --input JSON. {QUOTES}"
            raise InvalidInput(f"Unknown field {excerpt(word)}.", field="KEY=VALUE", value=word, remedy=remedy)
        if key in read:
            raise InvalidInput("The field is given twice.", field=key, value=value, remedy="Give it once.")
        read[key] = value if key in texts else read_json_or_text(key, value)
    return read


def read_object(text: str, field: str = "input") -> dict[str, Any]:
    """Read the JSON object of a field. Raises `InvalidInput`."""
    from agentool.errors import InvalidInput, excerpt

    try:
        read = json.loads(text, object_pairs_hook=_unique_keys)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{excerpt(text)} is not JSON: {error}.", field=field, value=text) from error
    if not isinstance(read, dict):
        raise InvalidInput(f"{excerpt(text)} is not a JSON object.", field=field, value=text, remedy='Write \'{"key": "value"}\'.')
    return cast("dict[str, Any]", read)


def read_json_or_text(key: str, text: str) -> Any:
    """Read a value as JSON, else return the text itself. Raises `InvalidInput` if it is nested too deeply."""
    from agentool.errors import InvalidInput, excerpt

    try:
        return json.loads(text, parse_constant=str)
    except RecursionError as error:
        raise InvalidInput(f"{excerpt(text)} is nested too deeply.", field=key, value=text) from error
    except ValueError:
        return text


def read_input(injector: Injector, tool: str, whole: str | None, words: Sequence[str]) -> dict[str, Any]:
    """Read an AgenTool's input from a JSON object and ``key=value`` words.

    Fields of type text take a value unread. ``operation`` may be left out if the AgenTool has only one.

    Raises:
        InvalidInput: The object or a word cannot be read, or both have the same field.
    """
    from agentool.describe import describe
    from agentool.errors import InvalidInput

    agentool = injector.get(tool) if tool in injector else None
    given = read_object(whole) if whole else {}
    texts: set[str] = set()
    for name, field in describe(agentool).fields().items() if agentool else ():
        choices = field.schema.get("enum", [])
        if field.schema.get("type") == "string" or (choices and all(isinstance(choice, str) for choice in choices)):
            texts.add(name)
    fields = read_fields(words, texts)
    if both := given.keys() & fields.keys():
        raise InvalidInput("The field is given twice, in --input and by itself.", field=min(both), remedy="Give it once.")
    together = {**given, **fields}
    return agentool.with_operation(together) if agentool else together


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"{next(key for key in keys if keys.count(key) > 1)!r} is given twice")
    return made
