"""``/queues``: messages and dead letters. Queues have no owner, so every route needs the scope ``admin``."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from agentoolkit.dead_letter_causes import LONGEST, grouped
from agentoolkit.entrypoints.rest.models import Body
from agentoolkit.entrypoints.rest.request_tools import RequestTools
from agentoolkit.entrypoints.rest.routing import Named, guarded_router, needing
from agentoolkit.json_values import AnswerValue

router = guarded_router("queues")

_ADMIN = needing("admin")


class PageLimit(BaseModel):
    """The length of a list."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=100, ge=1, le=1_000)


class QueueState(BaseModel):
    """A queue, and the numbers of its messages."""

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
    count: int = Field(description="Number of all queues")


class QueuedMessage(BaseModel):
    """A message and its state."""

    message_id: str
    message: AnswerValue
    state: str
    priority: int
    attempts: int
    reason: str
    enqueued_at: str
    available_at: str
    died_at: str | None = None


class MessagePage(BaseModel):
    """Messages of one queue, in the order in which they are claimed."""

    messages: list[QueuedMessage]
    count: int


class DeadLetterGroup(BaseModel):
    """Dead letters whose reasons differ only in numbers and quoted names."""

    fingerprint: str
    count: int
    example: QueuedMessage


class DeadLetterPage(BaseModel):
    """Dead letters, and their groups by reason."""

    messages: list[QueuedMessage]
    groups: list[DeadLetterGroup]
    count: int = Field(description="Number of all dead letters")
    dropped: int = Field(description="Number of older dead letters that are not kept any more")


class RequeueRequest(Body):
    """Selects the dead letters to put back."""

    message_id: str | None = Field(default=None, min_length=1, max_length=500, description="Only this message; all by default")
    message: Any = Field(default=None, description="With a message_id: another payload")
    fingerprint: str | None = Field(default=None, max_length=LONGEST, description="Instead of it: all messages with this reason")


class RequeuedMessages(BaseModel):
    """The messages that were put back."""

    message_ids: list[str]
    count: int


@router.get("/queues", openapi_extra=_ADMIN)
async def list_queues(query: Annotated[PageLimit, Query()], tools: RequestTools) -> QueuePage:
    """List queues with the numbers of their messages."""
    data = (await tools.run("queue", "list_queues", limit=query.limit)).data
    return QueuePage(queues=[QueueState.model_validate(queue) for queue in data["queues"]], count=data["count"])


@router.get("/queues/{queue_name}/messages", openapi_extra=_ADMIN)
async def list_messages(queue_name: Named, query: Annotated[PageLimit, Query()], tools: RequestTools) -> MessagePage:
    """List the messages of a queue without claiming any."""
    data = (await tools.run("queue", "peek", queue_name=queue_name, limit=query.limit)).data
    return MessagePage(messages=[QueuedMessage.model_validate(message) for message in data["messages"]], count=data["count"])


@router.get("/queues/{queue_name}/dead-letters", openapi_extra=_ADMIN)
async def list_dead_letters(queue_name: Named, query: Annotated[PageLimit, Query()], tools: RequestTools) -> DeadLetterPage:
    """List the dead letters of a queue, and group them by reason, the largest group first."""
    data = (await tools.run("queue", "get_dlq", queue_name=queue_name, limit=query.limit)).data
    messages = [QueuedMessage.model_validate(message) for message in data["messages"]]
    groups = [
        DeadLetterGroup(fingerprint=group.fingerprint, count=len(group.letters), example=QueuedMessage.model_validate(group.letters[0]))
        for group in grouped(data["messages"])
    ]
    return DeadLetterPage(messages=messages, groups=groups, count=data["count"], dropped=data["dropped"])


@router.post("/queues/{queue_name}/requeue", openapi_extra=_ADMIN)
async def requeue_dead_letters(queue_name: Named, tools: RequestTools, requeue: RequeueRequest | None = None) -> RequeuedMessages:
    """Put dead letters back: one message, all with one reason, or all."""
    wanted = requeue.model_dump() if requeue else {}
    data = (await tools.run("queue", "requeue", queue_name=queue_name, **wanted)).data
    return RequeuedMessages(message_ids=data["message_ids"], count=data["count"])
