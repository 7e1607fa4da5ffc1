"""Arguments and options that several commands have, and how the inputs of AgenTools are written among them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, cast

import typer

Job = Annotated[str, typer.Argument(metavar="JOB", help="A job's id or name.", show_default=False)]
When = Annotated[
    str,
    typer.Argument(metavar="WHEN", help="Crontab text, an interval, an ISO 8601 time, words, or 'after JOB'.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print the data as JSON.")]
Allow = Annotated[
    list[str] | None,
    typer.Option("--allow", metavar="PACKAGE", help="Package whose functions jobs may call; may be repeated.", show_default=False),
]
Timezone = Annotated[
    str | None,
    typer.Option("--timezone", "-z", metavar="ZONE", help="IANA name, as Europe/Berlin; this machine's by default.", show_default=False),
]
TaskFile = Annotated[Path, typer.Argument(metavar="FILE", help="Task file in YAML.", show_default=False)]
Reason = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why, for whoever looks at it later.", show_default=False)]


def optional(flag: str, metavar: str, explained: str) -> typer.models.OptionInfo:
    """Return an option that is not passed on unless it is given."""
    option: typer.models.OptionInfo = typer.Option(flag, metavar=metavar, help=explained, show_default=False)
    return option


def read_fields(words: Sequence[str]) -> dict[str, Any]:
    """Read ``key=value`` words. A value is JSON where it can be, else the text itself.

    Raises:
        InvalidInput: A word has no ``=``.
    """
    from agentool.errors import InvalidInput, excerpt

    read: dict[str, Any] = {}
    for word in words:
        key, separator, value = word.partition("=")
        if not (separator and key):
            raise InvalidInput(f"{excerpt(word)} is no field.", field="input", value=word, remedy="Write key=value, or use --input JSON.")
        try:
            read[key] = json.loads(value, parse_constant=str)
        except ValueError:
            read[key] = value
    return read


def read_object(text: str) -> dict[str, Any]:
    """Read a JSON object. Raises `InvalidInput`."""
    from agentool.errors import InvalidInput, excerpt

    try:
        read = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"{excerpt(text)} is no JSON: {error}.", field="input", value=text) from error
    if not isinstance(read, dict):
        raise InvalidInput(f"{excerpt(text)} is no JSON object.", field="input", value=text, remedy='Write \'{"key": "value"}\'.')
    return cast("dict[str, Any]", read)
