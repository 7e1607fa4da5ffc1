"""Arguments and options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
