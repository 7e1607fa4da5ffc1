"""Logs failures: one that repeats, as of work that is tried again, once a minute; lost work each time."""

from __future__ import annotations

import logging
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

from agentool.errors import AgenToolError, text_of

REPEATED_AFTER = 60.0
"""Seconds after which a repeated failure is logged again."""
REMEMBERED = 1_000
"""Failures whose last line is remembered."""


class Repeats:
    """Counts repeats of recently logged failures.

    Args:
        clock: Returns seconds; only differences matter.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._logged: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()
        """The time of each failure's last line, and its repeats since then."""

    def count(self, failure: Hashable) -> int | None:
        """Return the number of repeats since a failure's last line; None if it is too early for another line."""
        now = self._clock()
        logged_at, again = self._logged.get(failure, (now - REPEATED_AFTER, 0))
        if now - logged_at < REPEATED_AFTER:
            self._logged[failure] = logged_at, again + 1
            return None
        self._logged[failure] = now, 0
        self._logged.move_to_end(failure)
        if len(self._logged) > REMEMBERED:
            self._logged.popitem(last=False)
        return again

    def clear(self) -> None:
        """Forget all failures: the next one of each kind is logged."""
        self._logged.clear()


REPEATS = Repeats()
"""The failures of this process."""


def log_failure(logger: logging.Logger, message: str, *given: object) -> None:
    """Log the error that is being handled; a repeated one once a minute.

    An `AgenToolError`, such as a full disk or another leader, takes one line that names its remedy. Any other error has its traceback.

    Args:
        logger: The logger.
        message: What failed and what happens next, as a format of `logging`.
        given: The values of the format. Failures that differ only in numbers count as the same failure.
    """
    _log_repeats(logger, logging.ERROR, *_described(message, given))


def log_lost(logger: logging.Logger, message: str, *given: object) -> None:
    """Log the error that is being handled, each time: nobody tries this work again. See `log_failure`."""
    message, given, error = _described(message, given)
    logger.error(message, *given, exc_info=error, stacklevel=2)


def log_again(logger: logging.Logger, message: str, *given: object) -> None:
    """Log a warning; a repeated one once a minute. See `log_failure`."""
    _log_repeats(logger, logging.WARNING, message, given)


def _described(message: str, given: tuple[object, ...]) -> tuple[str, tuple[object, ...], BaseException | None]:
    """Return the format and values that describe the error that is being handled, and the error if its traceback is wanted."""
    error = sys.exception()
    return (f"{message}: %s", (*given, error), None) if isinstance(error, AgenToolError) else (message, given, error)


def _log_repeats(logger: logging.Logger, level: int, message: str, given: tuple[object, ...], error: BaseException | None = None) -> None:
    texts = tuple(text_of(one) for one in given if not isinstance(one, (int, float)))
    again = REPEATS.count(hash((logger.name, message, texts, type(error), text_of(error))))
    if again:
        message, given = f"{message} (repeated %d times since this was last logged)", (*given, again)
    if again is not None:
        logger.log(level, message, *given, exc_info=error, stacklevel=3)
