"""What goes into the queue AgenTool and what comes out."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field, JsonValue, SerializeAsAny, ValidationInfo, field_validator
from typing_extensions import TypedDict

from agentool.base import BaseOperationInput
from agentoolkit.dead_letter_causes import LONGEST
from agentoolkit.json_values import AnswerData
from agentoolkit.system.queue.messages import DEAD_LETTERS, DEDUP_WINDOW, MAX_RETRIES, MAX_SIZE, VISIBILITY_TIMEOUT
from agentoolkit.text import check_storable, storable

MAX_TIMEOUT = 300.0
"""Seconds that a ``dequeue`` may wait."""
MAX_LEASE = 7 * 86_400.0
"""Seconds."""
MAX_DELAY = 10 * 366 * 86_400.0
"""Seconds."""
MAX_PAGE_SIZE = 1_000
PAGE = 100
"""Messages or queues in a list, unless a limit is given."""

QueueOperation = Literal[
    "enqueue",
    "dequeue",
    "peek",
    "size",
    "clear",
    "create_queue",
    "delete_queue",
    "list_queues",
    "get_message",
    "move_to_dlq",
    "get_dlq",
    "ack",
    "nack",
    "requeue",
]
StateName = Literal["ready", "delayed", "in_flight", "dead"]


MAX_NAME_BYTES = 500
"""Of a queue's name as UTF-8."""
MAX_ID_BYTES = 1_500
"""Of a message's id as UTF-8: with the name of its queue it has to fit into an entry of a database's index."""


class QueueInput(BaseOperationInput):
    """Input of the queue AgenTool. Which fields an operation takes, and needs, is said by its handler."""

    operation: QueueOperation = Field(description="The queue operation to perform")
    queue_name: str | None = Field(None, min_length=1, max_length=200, description="Name of the queue")
    message: JsonValue | None = Field(None, description="The payload: any JSON value but null; with auto_execute, a JSON object")
    message_id: str | None = Field(
        None,
        min_length=1,
        max_length=500,
        description=f"Identifies a message in its queue; made if not given. A given one is remembered for {DEDUP_WINDOW / 3600:g} h, "
        "and a second message with it is not added",
    )
    priority: int | None = Field(0, ge=-1_000_000, le=1_000_000, description="A lower number is taken first")
    delay: float | None = Field(
        None, ge=0, le=MAX_DELAY, description="Seconds until the message is available, or available again; 0 by default"
    )
    schedule_at: str | None = Field(
        None, max_length=100, description="ISO 8601 time from which the message is available; UTC without an offset; a past one means now"
    )
    ttl: float | None = Field(None, gt=0, le=MAX_DELAY, description="Seconds from now after which an untaken message is dead")
    timeout: float | None = Field(0, ge=0, le=MAX_TIMEOUT, description="Seconds to wait for a message; 0: do not wait")
    count: int | None = Field(1, ge=1, le=MAX_PAGE_SIZE, description="Messages to take at most")
    visibility_timeout: float | None = Field(
        None,
        gt=0,
        le=MAX_LEASE,
        description=f"Seconds that a taken message is hidden from others; the queue's by default, {VISIBILITY_TIMEOUT:g} for a new queue",
    )
    auto_ack: bool | None = Field(False, description="Remove messages as they are taken: at most once, lost if the taker fails")
    auto_execute: bool | None = Field(False, description="Run agentool_name with each message; acknowledge or give back by its outcome")
    agentool_name: str | None = Field(None, description="The AgenTool that auto_execute runs; never taken from a message")
    receipt: str | None = Field(None, max_length=600, description="Proof of having taken a message, as dequeue returned it")
    reason: str | None = Field(None, max_length=2_000, description="Why a message is given back or dead")
    limit: int | None = Field(None, ge=1, le=MAX_PAGE_SIZE, description=f"Entries at most, {PAGE} by default; for requeue, all")
    fingerprint: str | None = Field(
        None,
        max_length=LONGEST,
        description="For requeue: only dead letters whose reason is this, where each number and quoted part is '…'",
        examples=["disk … full"],
    )
    state: StateName | None = Field(None, description="For clear: which messages; by default all but dead letters")
    max_size: int | None = Field(
        None, ge=1, le=100_000_000, description=f"Messages the queue holds at most, dead letters aside; {MAX_SIZE:,} by default"
    )
    max_retries: int | None = Field(
        None, ge=1, le=1_000, description=f"Failed attempts after which a message is dead; {MAX_RETRIES} by default"
    )
    description: str | None = Field(None, max_length=2_000, description="What the queue is for")

    @field_validator("reason", "description")
    @classmethod
    def _check_text(cls, text: str | None) -> str | None:
        return None if text is None else storable(text)

    @field_validator("queue_name", "message_id")
    @classmethod
    def _check_storable(cls, text: str | None, info: ValidationInfo) -> str | None:
        return None if text is None else check_storable(text, MAX_NAME_BYTES if info.field_name == "queue_name" else MAX_ID_BYTES)


class QueueOptions(TypedDict, total=False):
    """What ``create_queue`` can set. Meanings: see `QueueInput`."""

    max_size: int
    visibility_timeout: float
    max_retries: int
    description: str


class EnqueueOptions(TypedDict, total=False):
    """What ``enqueue`` takes besides queue and message."""

    message_id: str
    priority: int
    delay: float
    schedule_at: str
    ttl: float


class DequeueOptions(TypedDict, total=False):
    """What ``dequeue`` takes besides the queue."""

    timeout: float
    count: int
    visibility_timeout: float
    auto_ack: bool


class QueueOutput(BaseModel):
    """Answer to every operation."""

    operation: str = Field(description="The operation that was performed")
    message: str = Field(description="Human-readable result message")
    data: AnswerData | None = Field(None, description="Operation-specific data; JSON values only")


class Enqueued(BaseModel):
    """Answer to ``enqueue``."""

    queue_name: str
    message_id: str
    duplicate: bool = Field(description="The id was here before, and nothing was added")
    available_at: str | None = Field(description="None only for a duplicate of a message that is gone")


class TakenMessage(BaseModel):
    """A message for its consumer."""

    message_id: str
    message: JsonValue
    receipt: str | None = Field(description="For ack, nack and move_to_dlq; None with auto_ack and auto_execute")
    priority: int
    attempts: int = Field(description="Failed attempts so far")
    enqueued_at: str
    leased_until: str | None = Field(description="When it becomes visible to others unless acknowledged")


class ExecutedResult(BaseModel):
    """What the AgenTool returned for one message."""

    message_id: str
    result: JsonValue


class ExecutedError(BaseModel):
    """What the AgenTool raised for one message."""

    message_id: str
    type: str
    message: str


class ExecutedLoss(ExecutedError):
    """What happened to a message that was not given back: it was acknowledged, or is still leased."""

    given_back: bool = False


class Dequeued(BaseModel):
    """Answer to ``dequeue``."""

    queue_name: str
    messages: list[TakenMessage]
    count: int
    results: list[ExecutedResult] = Field(default_factory=list[ExecutedResult], description="With auto_execute: what succeeded")
    errors: list[SerializeAsAny[ExecutedError]] = Field(
        default_factory=list[ExecutedError],
        description="With auto_execute: what failed; given back, unless it says otherwise",
    )


class MessageInfo(BaseModel):
    """Answer to ``get_message``, ``nack`` and ``move_to_dlq``, and an entry of ``peek`` and ``get_dlq``."""

    message_id: str
    queue_name: str
    message: JsonValue
    state: StateName
    priority: int
    attempts: int = Field(description="Failed attempts so far")
    reason: str = Field(description="Why it was last given back, or why it is dead")
    enqueued_at: str
    available_at: str
    expires_at: str | None
    leased_until: str | None
    died_at: str | None


class Peeked(BaseModel):
    """Answer to ``peek``."""

    queue_name: str
    messages: list[MessageInfo]
    count: int


class QueueSize(BaseModel):
    """Answer to ``size``, and what ``clear`` and ``delete_queue`` removed."""

    queue_name: str
    size: int = Field(description="Messages that are neither acknowledged nor dead: what max_size limits")
    ready: int
    delayed: int
    in_flight: int
    dead: int


class QueueLimits(BaseModel):
    """What a queue was made with."""

    max_size: int
    visibility_timeout: float = Field(description="Seconds")
    max_retries: int
    description: str


class QueueCreated(QueueLimits):
    """Answer to ``create_queue``."""

    queue_name: str
    created: bool = Field(description="False if it was there already")


class QueueInfo(QueueSize, QueueLimits):
    """An entry of ``list_queues``."""

    created_at: str


class QueueList(BaseModel):
    """Answer to ``list_queues``."""

    queues: list[QueueInfo]
    count: int


class DeadLetterList(BaseModel):
    """Answer to ``get_dlq``."""

    queue_name: str
    messages: list[MessageInfo]
    count: int = Field(description="Dead letters there are, listed or not")
    dropped: int = Field(description=f"Dead letters that were dropped, the oldest ones, because more than {DEAD_LETTERS:,} are not kept")


class MessageRef(BaseModel):
    """Answer to ``ack``."""

    queue_name: str
    message_id: str


class Requeued(BaseModel):
    """Answer to ``requeue``."""

    queue_name: str
    message_ids: list[str]
    count: int
