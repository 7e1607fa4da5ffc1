"""Notification services with an Apprise URL. Only this file imports apprise; no part of a URL leaves it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote

from pydantic import SecretStr

from agentool.errors import ConfigurationError, MissingExtra
from agentool.secrets_here import beginning_of

if TYPE_CHECKING:
    from apprise import Apprise

NotificationType = Literal["info", "warning", "error", "success"]
TIMEOUT = 30.0
"""Seconds that a service may take."""
_MIN_SECRET_LENGTH = 4
_MAX_REASON_LENGTH = 300


class ServiceRefused(Exception):
    """A service did not take a notification."""


class Services:
    """Services by their names in the settings.

    Args:
        urls: Apprise URLs by name.
    """

    def __init__(self, urls: Mapping[str, SecretStr]) -> None:
        self._urls = urls

    @property
    def names(self) -> list[str]:
        """The names of the services."""
        return sorted(self._urls)

    def check(self, name: str) -> None:
        """Refuse a service whose URL cannot be read.

        Raises:
            MissingExtra: apprise is not installed.
            ConfigurationError: Apprise does not know its URL.
        """
        self._open(name)

    async def send(self, name: str, message: str, title: str, kind: NotificationType) -> None:
        """Send a notification.

        Raises:
            ServiceRefused: It did not arrive; the reason holds no secrets.
            MissingExtra, ConfigurationError: See `check`.
        """
        service = self._open(name)
        result = await service.async_notify(body=message, title=title, notify_type="failure" if kind == "error" else kind, timeout=TIMEOUT)
        if not result:
            reason = " ".join(entry.message for entry in result.logs())
            secrets = {part for url in self._urls.values() for part in _parts(url.get_secret_value())}
            for secret in sorted(secrets, key=len, reverse=True):
                reason = reason.replace(secret, "…")
            raise ServiceRefused(beginning_of(reason, _MAX_REASON_LENGTH) or result.status.name.lower())

    def _open(self, name: str) -> Apprise:
        try:
            from apprise import Apprise
        except ImportError as error:
            remedy = "Install it: pip install 'agentool[notify]'."
            raise MissingExtra("Notification services need apprise, which is not installed.", field="targets", remedy=remedy) from error
        service: Any = Apprise()
        if not service.add(self._urls[name].get_secret_value()):
            problem = f"Apprise does not know the URL of service {name!r}."
            raise ConfigurationError(problem, field="notification_services", remedy="Correct it in the settings; it is not shown here.")
        return service


def _parts(url: str) -> Iterable[str]:
    """Yield the parts of a URL that may be a token, both quoted and unquoted."""
    for part in re.split(r"[:/@?&=,]+", url.partition("://")[2]):
        yield from (form for form in (part, unquote(part)) if len(form) >= _MIN_SECRET_LENGTH)
