"""The ways a handler can end other than with a result or a failure."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, Literal, final

from agentool.errors import AgenToolError
from agentoolkit.json_values import recordable

NOTHING_TO_REPORT = "nothing to report"
"""Reason of a success whose result is stored and not delivered: its output has a true field ``nothing_to_report``."""

MIN_PAUSE = 1.0
"""Shortest pause, in seconds, between two calls of a handler that goes on later."""
MAX_WAITED = timedelta(days=7)
"""Time after its first call within which such a handler is called again."""


class EndedEarly(AgenToolError):
    """Raised by a handler that neither did its work nor failed. Its execution is recorded with this status.

    Args:
        status: ``skipped`` if there was nothing to do, ``cancelled`` if it gave up or waits for a person.
        reason: The reason, for the history.
        result: The result to store.
    """

    retryable = False

    def __init__(self, status: Literal["skipped", "cancelled"], reason: str, result: Any = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.result = result


@final
class GoesOnLater(AgenToolError):
    """Raised by a handler whose work goes on elsewhere. The execution waits and the handler is called again; no attempt failed.

    An execution that still waits seven days after its first call fails. An execution of `run_now`, or one that a handler
    started itself, fails at once: its caller waits, and learns the reason from the error.

    Args:
        reason: What the work waits for.
        after: Seconds until the handler is called again; at least one, at most a day.
    """

    def __init__(self, reason: str, after: float) -> None:
        super().__init__(reason, remedy=f"Schedule it: run_now calls a handler once, a schedule for {MAX_WAITED.days} days.")
        self.reason = reason
        self.retry_after = after


def part_done(error: BaseException, largest: int | None = None) -> Any:
    """Return the partial result that an error carries in ``result``, such as a sequence's record of its finished steps.

    Args:
        error: The handler's error.
        largest: Bytes of JSON; a larger partial result is dropped.
    """
    if not isinstance(error, (AgenToolError, asyncio.CancelledError)):
        return None
    try:
        return recordable(getattr(error, "result", None), largest)
    except Exception:  # it cannot be recorded, or the error's own code raised
        return None


def cut_short(error: asyncio.CancelledError, done: object) -> asyncio.CancelledError:
    """Return a cancellation that carries the partial result `done`, for `part_done`. It is a plain `CancelledError`.

    Before Python 3.13 `asyncio.timeout` recognises no subclass. A plain error is returned itself, with its message.
    """
    plain = error if type(error) is asyncio.CancelledError else asyncio.CancelledError(*error.args)
    vars(plain)["result"] = done
    return plain
