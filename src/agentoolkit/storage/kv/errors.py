"""The errors of the key-value storage. Nothing is changed where one of them is raised."""

from __future__ import annotations

from collections.abc import Iterable

from agentool.errors import AgenToolError, did_you_mean, excerpt


class KeyNotFound(AgenToolError, KeyError):
    """There is no value under this key, or its time to live is over."""

    @classmethod
    def among(cls, namespace: str, key: str, known: Iterable[str]) -> KeyNotFound:
        """Name the nearest of the keys there are."""
        near = did_you_mean(key, known)
        remedy = f"{near if near.endswith('?') else ''} Set it first, or give a default.".lstrip()
        return cls(f"Namespace {namespace!r} holds no key {excerpt(key)}.", field="key", value=key, remedy=remedy)


class NotANumber(AgenToolError, TypeError):
    """``increment`` met a value that is not a number."""


class ValueTooLarge(AgenToolError, ValueError):
    """The value has more characters as JSON than is allowed."""


class DamagedValue(AgenToolError, RuntimeError):
    """What the database holds under a key cannot be read."""


class NotYours(AgenToolError, PermissionError):
    """The toolkit keeps this namespace for itself, and the caller is no administrator."""
