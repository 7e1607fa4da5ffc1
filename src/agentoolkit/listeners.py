"""Check listeners: any object that can be called with one event."""

from __future__ import annotations

from agentool.errors import ConfigurationError, excerpt
from agentool.signatures import signature_of


def check_listener(listener: object) -> None:
    """Refuse a listener that cannot be called with one event. The check at its registration spares an error at the first event.

    Raises:
        ConfigurationError: It cannot be called, or not with exactly one argument.
    """
    remedy = "Give a function that takes the event."
    if not callable(listener):
        raise ConfigurationError(f"{excerpt(listener)} cannot be called.", field="listener", value=listener, remedy=remedy)
    if (signature := signature_of(listener)) is None:
        return
    try:
        signature.bind(None)
    except TypeError as error:
        name = getattr(listener, "__name__", listener)
        raise ConfigurationError(f"{name!r} cannot be called with one event: {error}.", field="listener", remedy=remedy) from error
