"""``/queues``: what waits, and dead letters. Queues belong to nobody, so all of it needs the scope ``admin``."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from agentoolkit.entrypoints.rest.asking import Asking
from agentoolkit.entrypoints.rest.models import Body
from agentoolkit.entrypoints.rest.routing import Named, guarded_router, needing
from agentoolkit.fingerprints import LONGEST, grouped

router = guarded_router("queues")

_ADMIN = needing("admin")


class PageLimit(BaseModel):
    """How many."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=100, ge=1, le=1_000)


class QueueState(BaseModel):
    """A queue, and what is in it."""

    queue_name: str
    size: int
    ready: int
    delayed: int
    in_flight: int
    dead: int
    max_size: int
    description: str
    created_at: str


class QueuePage(BaseModel):
    """Queues by their names."""

    queues: list[QueueState]
    count: int = Field(description="Queues there are, listed or not")


class QueuedMessage(BaseModel):
    """A message, and where it stands."""

    message_id: str
    message: Any
    state: str
    priority: int
    attempts: int
    reason: str
    enqueued_at: str
    available_at: str
    died_at: str | None = None


class MessagePage(BaseModel):
    """Messages of one queue, those first that are taken first."""

    messages: list[QueuedMessage]
    count: int


class DeadLetterGroup(BaseModel):
    """Dead letters whose reasons differ by numbers and names in quotes only."""

    fingerprint: str
    count: int
    example: QueuedMessage


class DeadLetterPage(BaseModel):
    """Dead letters, and the groups of their reasons."""

    messages: list[QueuedMessage]
    groups: list[DeadLetterGroup]
    count: int = Field(description="Dead letters there are, listed or not")
    dropped: int = Field(description="Older ones that are not kept any more")


class RequeueRequest(Body):
    """Which dead letters are put back."""

    message_id: str | None = Field(default=None, min_length=1, max_length=500, description="One; all by default")
    message: Any = Field(default=None, description="With a message_id: another payload in its place")
    fingerprint: str | None = Field(default=None, max_length=LONGEST, description="In place of it: all with this reason")


class RequeuedMessages(BaseModel):
    """What was put back."""

    message_ids: list[str]
    count: int


@router.get("/queues", openapi_extra=_ADMIN)
async def list_queues(query: Annotated[PageLimit, Query()], tools: Asking) -> QueuePage:
    """List queues with what is in them."""
    data = (await tools.run("queue", "list_queues", limit=query.limit)).data
    return QueuePage(queues=[QueueState.model_validate(queue) for queue in data["queues"]], count=data["count"])


@router.get("/queues/{queue_name}/messages", openapi_extra=_ADMIN)
async def list_messages(queue_name: Named, query: Annotated[PageLimit, Query()], tools: Asking) -> MessagePage:
    """List what waits in a queue, without taking any of it."""
    data = (await tools.run("queue", "peek", queue_name=queue_name, limit=query.limit)).data
    return MessagePage(messages=[QueuedMessage.model_validate(message) for message in data["messages"]], count=data["count"])


@router.get("/queues/{queue_name}/dead-letters", openapi_extra=_ADMIN)
async def list_dead_letters(queue_name: Named, query: Annotated[PageLimit, Query()], tools: Asking) -> DeadLetterPage:
    """List the dead letters of a queue, and group them by their reasons."""
    data = (await tools.run("queue", "get_dlq", queue_name=queue_name, limit=query.limit)).data
    messages = [QueuedMessage.model_validate(message) for message in data["messages"]]
    groups = [
        DeadLetterGroup(fingerprint=group.fingerprint, count=len(group.letters), example=QueuedMessage.model_validate(group.letters[0]))
        for group in grouped(data["messages"])
    ]
    return DeadLetterPage(messages=messages, groups=groups, count=data["count"], dropped=data["dropped"])


@router.post("/queues/{queue_name}/requeue", openapi_extra=_ADMIN)
async def requeue_dead_letters(queue_name: Named, tools: Asking, requeue: RequeueRequest | None = None) -> RequeuedMessages:
    """Put dead letters back: one, all that have one reason, or all."""
    wanted = requeue.model_dump() if requeue else {}
    data = (await tools.run("queue", "requeue", queue_name=queue_name, **wanted)).data
    return RequeuedMessages(message_ids=data["message_ids"], count=data["count"])
