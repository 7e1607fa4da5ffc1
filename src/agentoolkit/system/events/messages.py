"""Events, their names, and the patterns that select them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from agentool.errors import excerpt
from agentoolkit.json_values import NotJson, json_copy
from agentoolkit.system.events.errors import InvalidEvent
from agentoolkit.text import storable

MAX_TYPE_LENGTH = 200
MAX_PAYLOAD = 100_000
"""Characters of a payload, as JSON."""
SCHEDULER = "scheduler"
"""The source of the scheduler's events, and the first word of their names. Only the scheduler may publish under it."""

ALIASES: Mapping[str, str] = {
    "scheduler.task.scheduled": "task.scheduled",
    "scheduler.task.started": "task.running",
    "scheduler.task.success": "task.completed",
    "scheduler.task.failure": "task.failed",
    "scheduler.task.retry": "task.retrying",
    "scheduler.task.cancelled": "task.cancelled",
    "scheduler.task.missed": "task.missed",
    "scheduler.task.skipped": "task.skipped",
}
"""The scheduler's events by their other documented name. Source: *Agent Scheduler & Background Task Queue*, "Event Types"."""

_TYPE = re.compile(r"[\w-]+(\.[\w-]+)*")
_PATTERN = re.compile(r"[\w*?-]+(\.[\w*?-]+)*")


class EventMessage(BaseModel):
    """Something that happened. Source of the name: *Agent Scheduler & Background Task Queue*, "Models"."""

    model_config = ConfigDict(frozen=True)

    event_id: int | None = Field(default=None, description="Its place among all; a cursor to go on after")
    event_type: str = Field(description="What happened", examples=["email.batch_processed", "scheduler.task.success"])
    source_agent: str = Field(description="Who tells", examples=["email-agent"])
    target_agent: str | None = Field(default=None, description="Whom it is for; null: everybody")
    payload: dict[str, Any] = Field(default={}, description="What there is to know", examples=[{"task_id": "123"}])
    owner: str = Field(default="", description="Whose task it is about; empty: nobody's")
    published_at: datetime

    @property
    def type(self) -> str:
        """The same as `event_type`."""
        return self.event_type

    @property
    def data(self) -> dict[str, Any]:
        """The same as `payload`. Source: *Nagatha Assistant Task Scheduler*, "Event Handling"."""
        return self.payload


class EventRecord(NamedTuple):
    """An event before its payload is made. Every execution makes two, so the payload is made only if somebody may read it."""

    event_type: str
    source_agent: str
    owner: str
    published_at: datetime
    facts: Any
    describe: Callable[[Any], dict[str, Any]]
    """Makes the payload from the facts."""
    target_agent: str | None = None

    @property
    def payload(self) -> dict[str, Any]:
        """The facts of the event."""
        return self.describe(self.facts)

    def described(self) -> EventRecord:
        """Return a copy with the payload instead of the facts, which may be large."""
        return self._replace(facts=self.payload, describe=_as_it_is)


def _as_it_is(payload: dict[str, Any]) -> dict[str, Any]:
    return payload


def message_of(record: EventRecord | EventMessage, event_id: int) -> EventMessage:
    """Return an event in the form that subscribers get."""
    return EventMessage.model_construct(
        event_id=event_id,
        event_type=record.event_type,
        source_agent=record.source_agent,
        target_agent=record.target_agent,
        payload=record.payload,
        owner=record.owner,
        published_at=record.published_at,
    )


def checked_type(event_type: str) -> str:
    """Return the name of an event if it is valid.

    Raises:
        InvalidEvent: It is empty, too long, or not made of words with dots between them.
    """
    if len(event_type) > MAX_TYPE_LENGTH or not _TYPE.fullmatch(event_type):
        problem = f"{excerpt(event_type)} cannot be the name of an event."
        raise InvalidEvent(problem, field="event_type", value=event_type, remedy="Write words with dots between them: 'email.processed'.")
    return event_type


def unreserved(event_type: str) -> str:
    """Return a name if it is not reserved for the scheduler. Raises `InvalidEvent`."""
    folded = event_type.casefold()  # in capitals it would be taken for the scheduler's all the same
    if folded.partition(".")[0] == SCHEDULER or folded in ALIASES.values():
        problem = f"{excerpt(event_type)} is the scheduler's own name."
        raise InvalidEvent(problem, field="event_type", value=event_type, remedy="Begin it with the name of your agent.")
    return event_type


def checked_agent(field: str, name: str) -> str:
    """Return the name of an agent if every store can hold it: one that a store refuses would hold up all events after it.

    Raises:
        InvalidEvent: It has the character zero or a lone surrogate.
    """
    try:
        return storable(name)
    except ValueError as error:
        raise InvalidEvent(f"{excerpt(name)} has {error}.", field=field, value=name, remedy="Leave it out.") from None


def checked_pattern(pattern: str) -> str:
    """Return a pattern if it is valid.

    Raises:
        InvalidEvent: It is empty, too long, or not made of words and stars with dots between them.
    """
    if len(pattern) > MAX_TYPE_LENGTH or not _PATTERN.fullmatch(pattern):
        problem = f"{excerpt(pattern)} cannot be a pattern of events."
        raise InvalidEvent(problem, field="event_type", value=pattern, remedy="Write a name, or one with stars: 'scheduler.task.*'.")
    return pattern


def checked_payload(payload: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a payload as JSON values.

    Raises:
        InvalidEvent: It is no JSON object, nested too deeply, or too large.
    """
    try:
        found = json_copy(dict(payload or {}), "payload")
    except NotJson as error:
        remedy = "Give text, numbers, lists and objects of these, at most a hundred within each other."
        raise InvalidEvent(error.problem, field=error.field, value=payload, remedy=remedy) from error
    text = json.dumps(found, ensure_ascii=False)
    if len(text) > MAX_PAYLOAD:
        problem = f"It has {len(text):,} characters, and {MAX_PAYLOAD:,} are possible."
        raise InvalidEvent(problem, field="payload", remedy="Publish where the data is, in place of the data.")
    return found


def matching(message: EventMessage, pattern: str, agent_name: str | None = None) -> EventMessage | None:
    """Return an event for a subscriber, under the name that its pattern uses; None if it does not match.

    Args:
        message: The event.
        pattern: A name, or one with stars; a star stands for any text, dots included.
        agent_name: The subscribing agent; events for other agents do not match. None for any agent.
    """
    if agent_name is not None and message.target_agent not in (None, agent_name):
        return None
    matches = _compiled(pattern)
    if matches(message.event_type):
        return message
    alias = ALIASES.get(message.event_type)
    return message.model_copy(update={"event_type": alias}) if alias is not None and matches(alias) else None


@lru_cache(maxsize=1_000)
def _compiled(pattern: str) -> Any:
    text = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(text, re.DOTALL).fullmatch
