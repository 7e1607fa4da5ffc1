"""Check network addresses: requests may reach public ones, and others that the application allows."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from agentool.errors import AgenToolError, ConfigurationError, excerpt

Address = IPv4Address | IPv6Address

_TRANSLATED = IPv6Network("64:ff9b::/96")
_UNICAST = IPv6Network("2000::/3")
"""The global unicast addresses of IPv6; RFC 4291, 2.4."""
_SPECIAL = (IPv6Network("3fff::/20"), IPv4Network("192.0.0.0/24"), IPv4Network("192.88.99.0/24"))
"""Networks that their RFCs (9637, 6890, 7526) exclude from the internet, but Python's older tables call global."""
_CLOUD_SERVICES = frozenset({ip_address("168.63.129.16")})
"""Addresses that look public, but lead to a service of the machine's own cloud provider."""


class AddressNotAllowed(AgenToolError, PermissionError):
    """The address is neither public nor allowed by a setting."""


@dataclass(frozen=True, slots=True)
class AddressRules:
    """The hosts that requests may reach.

    Args:
        allow: Allowed host names, addresses and networks such as ``10.0.0.0/8``, besides public addresses.
    """

    allow: tuple[str, ...] = ()

    def check_host(self, host: str) -> None:
        """Refuse a host that can be judged without a DNS lookup.

        Raises:
            AddressNotAllowed: It is a forbidden address, or a forbidden name of this machine.
        """
        try:
            address = ip_address(host.strip("[]"))
        except ValueError:
            name = host.lower().rstrip(".")
            if (name == "localhost" or name.endswith(".localhost")) and not self._is_named(host):
                raise self._refused(host, "this machine") from None
        else:
            self._filter(host, [address])

    async def resolve(self, host: str, port: int) -> list[str]:
        """Look a host up, and return its allowed addresses in the order in which to try them.

        Raises:
            AddressNotAllowed: None of its addresses is allowed.
            OSError: It has no address.
        """
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
        return [str(address) for address in self._filter(host, list(dict.fromkeys(addresses)))]

    def _filter(self, host: str, addresses: Sequence[Address]) -> list[Address]:
        named = self._is_named(host)
        networks = [ip_network(entry, strict=False) for entry in self.allow if _is_network(entry)]
        allowed = [found for found in addresses if named or is_public(found) or any(found in network for network in networks)]
        if not allowed:
            raise self._refused(host, ", ".join(map(str, addresses)))
        return allowed

    def _is_named(self, host: str) -> bool:
        return host.lower().rstrip(".") in {entry.lower() for entry in self.allow}

    def _refused(self, host: str, where: str) -> AddressNotAllowed:
        problem = f"{excerpt(host)} is {where}, which is not a public address."
        return AddressNotAllowed(problem, field="url", value=host, remedy="Add it to the setting `http_allow` (AGENTOOL_HTTP_ALLOW).")


def is_public(address: Address) -> bool:
    """Tell whether an address, or the IPv4 address embedded in it, belongs to the public internet."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if address in _TRANSLATED:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address not in _UNICAST:
            return False
    special = address in _CLOUD_SERVICES or any(address in network for network in _SPECIAL)
    return address.is_global and not address.is_multicast and not special


def check_allowed(allow: Sequence[str]) -> None:
    """Refuse a malformed network. Raises `ConfigurationError`."""
    for entry in allow:
        if "/" in entry and not _is_network(entry):
            problem = f"{entry!r} is neither a host nor a network."
            raise ConfigurationError(problem, field="http_allow", value=entry, remedy="Write 'host', '10.0.0.5' or '10.0.0.0/8'.")


def _is_network(entry: str) -> bool:
    try:
        ip_network(entry, strict=False)
    except ValueError:
        return False
    return True
