"""Commands for the log of changes and the event bus: audit, events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agentoolkit.entrypoints.cli.options import Json, Output, optional

if TYPE_CHECKING:
    from agentoolkit.system.events.messages import EventMessage

LISTEN_SECONDS = 10.0
"""Longest wait of one `listen` call."""


def audit(
    job: Annotated[str | None, typer.Argument(metavar="[JOB]", help="Only this job's entries: its id or name.", show_default=False)] = None,
    owner: Annotated[str | None, optional("--owner", "NAME", "Only entries on this owner's jobs.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="NUMBER", help="How many entries.", min=1, max=10_000)] = 20,
    output: Output = "table",
    json: Json = False,
) -> None:
    """List who created, changed, ran or cancelled which job, and from which door, the newest last."""
    from agentoolkit.entrypoints.cli.printing import moment_of, present, print_data, print_table, say, short_time
    from agentoolkit.entrypoints.cli.session import ask
    from agentoolkit.system.scheduler.answer_schemas import AuditList

    found = ask(AuditList, "audit", job_id=job, owner=owner, limit=limit)
    if json or output != "table":
        print_data(found, "entries", output, json=json)
        return
    if not found.entries:
        say("Nobody has done anything yet." if job is None and owner is None else "Nothing of that is recorded.")
        return
    now = present()
    rows = [
        (short_time(at, now), entry.action, entry.job_id, f"{entry.caller['name']}, {entry.caller['door']}", entry.execution_id)
        for entry in reversed(found.entries)
        if (at := moment_of(entry.at))
    ]
    print_table(rows, ("when", "what", "job", "who", "execution"))


def events(
    pattern: Annotated[str, typer.Argument(metavar="[PATTERN]", help="A name, or one with stars.")] = "*",
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="NUMBER", help="How many kept events.", min=0, max=1_000)] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new events, until Ctrl-C.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print each as a line of JSON.")] = False,
) -> None:
    """Print the events of the event bus, the newest last."""
    from collections import deque

    from agentoolkit.entrypoints.cli.printing import say
    from agentoolkit.entrypoints.cli.session import Toolkit, ask_open, visit

    async def print_events(kit: Toolkit) -> None:
        latest: deque[EventMessage] = deque(maxlen=limit)
        cursor = 0
        while page := await ask_open(kit, "events", "read", event_type=pattern, after=cursor, limit=1_000):
            latest.extend(page.events)
            if page.cursor == cursor:
                break
            cursor = page.cursor
        for event in latest:
            _print_event(event, json=json)
        if not latest and not json and not follow:
            say("No event is kept." if pattern == "*" else "No event of that name is kept.")
        while follow:
            heard = await ask_open(kit, "events", "listen", event_type=pattern, after=cursor, timeout=LISTEN_SECONDS)
            cursor = heard.cursor or cursor
            for event in heard.events:
                _print_event(event, json=json)

    visit(print_events)


def _print_event(event: EventMessage, *, json: bool) -> None:
    import sys

    from rich.text import Text

    from agentoolkit.entrypoints.cli.printing import present, say, short_time
    from agentoolkit.text import printable_json

    if json:
        sys.stdout.write(event.model_dump_json() + "\n")
    else:
        when = short_time(event.published_at, present())
        say(Text.assemble((f"{when}  ", "dim"), (event.event_type, "bold"), f"  {event.source_agent}  {printable_json(event.payload)}"))
    sys.stdout.flush()
