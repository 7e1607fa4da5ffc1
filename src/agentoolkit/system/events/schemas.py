"""What goes into the AgenTool ``events`` and what comes out."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from agentool.base import BaseOperationInput
from agentoolkit.system.events.messages import MAX_TYPE_LENGTH, EventMessage

MAX_ID = 2**62
"""Highest cursor: each store can compare it with its ids."""
MAX_WAIT = 60.0
"""Seconds that ``listen`` may wait."""


class EventsInput(BaseOperationInput):
    """Input of the AgenTool ``events``. Which fields an operation takes, and needs, is said by its handler."""

    operation: Literal["publish", "read", "listen"]
    event_type: str | None = Field(
        None, max_length=MAX_TYPE_LENGTH, description="What happened; to read or listen, also a pattern", examples=["report.sent"]
    )
    payload: dict[str, Any] | None = Field(None, description="What there is to know of it", examples=[{"report": "daily"}])
    target_agent: str | None = Field(None, max_length=200, description="Whom it is for; everybody by default", examples=["support-bot"])
    after: int | None = Field(
        None, ge=0, le=MAX_ID, description="The cursor of the answer before; to read, 0 by default: the oldest that is kept"
    )
    limit: int | None = Field(None, ge=1, le=1_000, description="Events at most, 100 by default")
    timeout: float | None = Field(None, ge=0, le=MAX_WAIT, description="For listen: seconds to wait at most, 10 by default")


class EventsOutput(BaseModel):
    """Answer to every operation."""

    operation: str
    events: list[EventMessage] = Field(description="What was published, or found, the oldest first")
    cursor: int | None = Field(default=None, description="Give it as 'after' to go on")
    missed: int = Field(default=0, description="Events after the cursor that are not kept any more")
