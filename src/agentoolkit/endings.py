"""How a handler can end other than by returning a result or failing."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, Literal, final

from agentool.errors import AgenToolError
from agentoolkit.json_values import recordable

NOTHING_TO_REPORT = "nothing to report"
"""Reason of a success whose result is kept and delivered to nobody: its output has a field ``nothing_to_report`` that is true."""

MIN_PAUSE = 1.0
"""Seconds between two calls of a handler that goes on later, at least."""
MAX_WAITED = timedelta(days=7)
"""How long after its first call such a handler is called again."""


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

    An execution that still waits seven days after its first call has failed. So has one that `run_now` began, or that
    a handler began itself: whoever waits for it hears at once what it waits for.

    Args:
        reason: What is waited for.
        after: Seconds until the handler is called again; one at least, a day at most.
    """

    def __init__(self, reason: str, after: float) -> None:
        super().__init__(reason, remedy=f"Schedule it: run_now calls a handler once, a schedule for {MAX_WAITED.days} days.")
        self.reason = reason
        self.retry_after = after


def part_done(error: BaseException, largest: int | None = None) -> Any:
    """Return what an error says was done before it: its ``result``, as that of a sequence has a record of each step.

    Args:
        error: What a handler raised.
        largest: Bytes of JSON; of what is larger nothing is returned.
    """
    if not isinstance(error, (AgenToolError, asyncio.CancelledError)):
        return None
    try:
        return recordable(getattr(error, "result", None), largest)
    except Exception:  # it cannot be recorded, or the error's own code raised
        return None


def cut_short(error: asyncio.CancelledError, done: object) -> asyncio.CancelledError:
    """Return a cancellation that says what was done before it, for `part_done`. It is a plain `CancelledError`.

    Before Python 3.13 `asyncio.timeout` takes no other for the end of its time. A plain one stays itself, with its message.
    """
    plain = error if type(error) is asyncio.CancelledError else asyncio.CancelledError(*error.args)
    vars(plain)["result"] = done
    return plain
