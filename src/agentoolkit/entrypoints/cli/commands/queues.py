"""Commands for queues: queues, dead-letters."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from agentoolkit.entrypoints.cli.options import Json, Output

Limit = Annotated[int, typer.Option("--limit", "-n", metavar="NUMBER", help="How many at most.", min=1, max=1_000)]

QUEUE_COLUMNS = (
    *("queue_name", "size", "ready", "delayed", "in_flight", "dead"),
    *("max_size", "visibility_timeout", "max_retries", "description", "created_at"),
)
MESSAGE_COLUMNS = (
    *("message_id", "queue_name", "message", "state", "priority", "attempts", "reason"),
    *("enqueued_at", "available_at", "expires_at", "leased_until", "died_at"),
)
"""Of a CSV without rows."""


def queues(
    name: Annotated[str | None, typer.Argument(metavar="[QUEUE]", help="The messages in this one.", show_default=False)] = None,
    limit: Limit = 100,
    output: Output = "table",
    json: Json = False,
) -> None:
    """List queues and their counts of messages; or the messages of one queue, without claiming any."""
    from agentoolkit.entrypoints.cli.printing import print_data, print_table, say

    if name is not None:
        _print_messages(_ask("peek", queue_name=name, limit=limit), output, json=json, nothing="Nothing waits.")
        return
    found = _ask("list_queues", limit=limit)
    if json or output != "table":
        print_data(found, "queues", output, json=json, columns=QUEUE_COLUMNS)
    elif not found["queues"]:
        say("No queues. A job has one by --result-queue or --error-queue.")
    else:
        columns = ("queue_name", "ready", "delayed", "in_flight", "dead", "description")
        rows = [[str(queue[column]) for column in columns] for queue in found["queues"]]
        print_table(rows, ("queue", "ready", "delayed", "in flight", "dead", ""))


def dead_letters(
    name: Annotated[str, typer.Argument(metavar="QUEUE", help="The queue.", show_default=False)],
    requeue: Annotated[list[str] | None, typer.Option("--requeue", metavar="ID", help="Put this one back; may be repeated.")] = None,
    requeue_all: Annotated[bool, typer.Option("--requeue-all", help="Put all of them back.")] = False,
    limit: Limit = 100,
    output: Output = "table",
    json: Json = False,
) -> None:
    """List messages that could not be processed, with the reason; or put them back."""
    from agentool.errors import InvalidInput
    from agentoolkit.entrypoints.cli.printing import say
    from agentoolkit.text import counted

    if requeue and requeue_all:
        raise InvalidInput("It contradicts --requeue.", field="requeue_all", value=True, remedy="Leave one of them out.")
    if requeue or requeue_all:
        count = sum(_ask("requeue", queue_name=name, message_id=chosen)["count"] for chosen in (requeue or [None]))
        say(f"Put {counted(count, 'message')} back into {name}.")
        return
    _print_messages(_ask("get_dlq", queue_name=name, limit=limit), output, json=json, nothing="No dead letters.")


def _print_messages(found: dict[str, Any], output: str, *, json: bool, nothing: str) -> None:
    from agentoolkit.entrypoints.cli.printing import console, cut, print_data, print_table, result_text, say

    messages: list[dict[str, Any]] = found["messages"]
    if json or output != "table":
        print_data(found, "messages", output, json=json, columns=MESSAGE_COLUMNS)
        return
    if not messages:
        say(nothing)
        return
    width = console().width
    columns = ("message_id", "state", "attempts", "enqueued_at", "reason")
    rows = [[*(str(message[column]) for column in columns), cut(result_text(message["message"]), width)] for message in messages]
    print_table(rows, ("id", "state", "attempts", "since", "why", "message"))


def _ask(operation: str, **fields: Any) -> dict[str, Any]:
    from agentoolkit.entrypoints.cli.session import ask_tool

    return ask_tool("queue", operation, **fields).data
