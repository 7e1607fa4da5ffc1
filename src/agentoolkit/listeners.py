"""What may be told of events: anything that can be called with one."""

from __future__ import annotations

import inspect

from agentool.errors import ConfigurationError, excerpt


def check_listener(listener: object) -> None:
    """Refuse what cannot be called with one event, when it is given and not when the first event comes.

    Raises:
        ConfigurationError: It is no function, or one that takes no or more arguments.
    """
    remedy = "Give a function that takes the event."
    if not callable(listener):
        raise ConfigurationError(f"{excerpt(listener)} cannot be called.", field="listener", value=listener, remedy=remedy)
    try:
        signature = inspect.signature(listener)
    except (TypeError, ValueError):
        return  # some written in C do not say what they take
    try:
        signature.bind(None)
    except TypeError as error:
        name = getattr(listener, "__name__", listener)
        raise ConfigurationError(f"{name!r} cannot be called with one event: {error}.", field="listener", remedy=remedy) from error
