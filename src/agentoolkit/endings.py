"""How a handler can end other than by returning a result or failing."""

from __future__ import annotations

from typing import Any, Literal, final

from agentool.errors import AgenToolError

NOTHING_TO_REPORT = "nothing to report"
"""Reason of a success whose result is kept and delivered to nobody: its output has a field ``nothing_to_report`` that is true."""


class EndedEarly(AgenToolError):
    """Raised by a handler that did not do its work and did not fail either; its execution is recorded as exactly that.

    Args:
        status: ``skipped`` where there was nothing to do, ``cancelled`` where it was given up or waits for a person.
        reason: Why, for the history.
        result: What there is to keep of it.
    """

    retryable = False

    def __init__(self, status: Literal["skipped", "cancelled"], reason: str, result: Any = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.result = result


@final
class GoesOnLater(AgenToolError):
    """Raised by a handler whose work goes on elsewhere: its execution waits, and it is called again. That is no failed attempt.

    Args:
        reason: What is waited for.
        after: Seconds until the handler is called again.
    """

    def __init__(self, reason: str, after: float) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = after
