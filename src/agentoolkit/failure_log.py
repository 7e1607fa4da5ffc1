"""How work that is tried again writes of what goes wrong: what can happen any day in one line, what nobody expected with its traceback."""

from __future__ import annotations

import logging
import sys

from agentool.errors import AgenToolError


def log_failure(logger: logging.Logger, message: str, *given: object) -> None:
    """Log the error that is being handled. One of ours says what is wrong and what to do: a full disk, another leader.

    Args:
        logger: Where.
        message: What failed, and what happens next, as of `logging`.
        given: The values in it.
    """
    error = sys.exception()
    if isinstance(error, AgenToolError):
        logger.error(f"{message}: %s", *given, error)
    else:
        logger.exception(message, *given)
