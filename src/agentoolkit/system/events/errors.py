"""The errors of the event bus.

EventError (RuntimeError)
└── InvalidEvent (InvalidInput, so ValueError): a name, a pattern or a payload that cannot be
"""

from __future__ import annotations

from agentool.errors import AgenToolError, InvalidInput


class EventError(AgenToolError, RuntimeError):
    """Base of the errors of the event bus."""


class InvalidEvent(EventError, InvalidInput):
    """A name, a pattern or a payload is invalid."""
