"""Tell whether a request comes from this machine. Only then may it do without a token."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

_BY_PROXY = frozenset({b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via"})
"""Headers that a proxy adds: whoever asks for it may be anywhere."""


def is_loopback(name: str) -> bool:
    """Tell whether a name or an address can be reached only from this machine."""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def is_from_here(scope: Mapping[str, Any]) -> bool:
    """Tell whether a request comes from this machine, and by no proxy on it. A client without an address is in this process.

    Args:
        scope: ASGI scope of the request.
    """
    client = scope.get("client")
    return (client is None or is_loopback(client[0])) and _BY_PROXY.isdisjoint(name.lower() for name, _ in scope["headers"])
