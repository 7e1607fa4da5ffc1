"""Serve the MCP protocol over standard input and output, or over HTTP, for ``agentool mcp``."""

from __future__ import annotations

import asyncio
import socket
import sys
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, cast

from mcp.server import Server
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.settings import AuthSettings
from mcp.server.stdio import stdio_server
from mcp.server.transport_security import TransportSecuritySettings
from psutil import net_if_addrs
from pydantic import AnyHttpUrl

from agentool.caller import OWN, Caller, Scope
from agentool.errors import ConfigurationError
from agentoolkit.entrypoints.background import BackgroundToolkit
from agentoolkit.entrypoints.cli.signals import leave, stopping_on_signals
from agentoolkit.entrypoints.mcp_server.host import Host, ThreadHost
from agentoolkit.entrypoints.mcp_server.server import CallerFor, create_server
from agentoolkit.settings import Settings

if TYPE_CHECKING:
    from starlette.applications import Starlette

_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
_FAMILIES = (socket.AF_INET, socket.AF_INET6)
_GRACE_SECONDS = 1
"""Time for running requests to end when the server stops."""


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """Options of the server."""

    owner: str
    """Owner of the tasks of callers without a token."""
    http: bool = False
    host: str = "127.0.0.1"
    port: int = 8765
    timezone: str | None = None
    agent: str | None = None
    token: bool = False
    """Whether a token is needed on a loopback address too."""
    proxies: tuple[str, ...] = ()
    """Addresses and networks of trusted proxies, which state the client's address."""

    @property
    def needs_token(self) -> bool:
        """Tell whether each request needs a token."""
        return self.http and (self.token or not self.is_loopback)

    @property
    def is_loopback(self) -> bool:
        """Tell whether only this machine can reach the server."""
        if self.host in _LOOPBACK_NAMES:
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def url(self) -> str:
        """The URL for clients."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/mcp"


def serve_mcp(settings: Settings, options: ServeOptions) -> None:
    """Serve until the client leaves or a signal comes, with the scheduler in a thread. Then end this process.

    Raises:
        ConfigurationError: Tokens are needed, and there is no database for them.
        AgenToolError: The toolkit cannot be opened.
    """
    check_tokens(options, settings)
    background = BackgroundToolkit(settings)
    background.start()
    try:
        asyncio.run(_serve(background, options))
    finally:
        background.stop()
    leave(0)  # a thread may still wait for standard input


def check_tokens(options: ServeOptions, settings: Settings) -> None:
    """Refuse to serve if tokens are needed and there is no database for them. Raises `ConfigurationError`."""
    if options.needs_token and settings.database is None:
        problem = f"{options.host!r} needs tokens, which are kept in the database."
        remedy = "Leave out --memory, and make one with `agentool token create NAME --scope write`."
        raise ConfigurationError(problem, field="host", value=options.host, remedy=remedy)


async def _serve(background: BackgroundToolkit, options: ServeOptions) -> None:
    host, is_local = ThreadHost(background), not options.needs_token
    server = create_server(host, _caller_for(options), timezone=options.timezone, agent=options.agent, is_local=is_local)
    with stopping_on_signals() as stopped:
        serving = asyncio.ensure_future(_serve_http(server, host, options) if options.http else _serve_stdio(server))
        waiting = asyncio.ensure_future(stopped.wait())
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if serving.done():
            serving.result()
            return
        # Over HTTP it ends by itself after a signal. A read of standard input cannot be cancelled, so its thread is left behind.
        if options.http:
            await asyncio.wait({serving}, timeout=_GRACE_SECONDS + 1)


async def _serve_stdio(server: Server) -> None:
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


async def _serve_http(server: Server, host: Host, options: ServeOptions) -> None:
    import uvicorn

    from agentoolkit.entrypoints.slow_clients import BoundedClients

    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    # Opened first, so that a port in use is an error of one line.
    with socket.create_server((options.host, options.port), family=family, backlog=128) as listening:
        served = replace(options, port=listening.getsockname()[1])
        sys.stderr.write(f"agentool: MCP at {served.url}\n")
        app = http_app(server, host, served)
        config = uvicorn.Config(
            app,
            http=BoundedClients,
            log_level="warning",
            timeout_graceful_shutdown=_GRACE_SECONDS,
            forwarded_allow_ips=list(options.proxies),
        )
        await uvicorn.Server(config).serve([listening])


def http_app(server: Server, host: Host, options: ServeOptions) -> Starlette:
    """Return the application that serves the protocol over HTTP at ``/mcp``."""
    from agentoolkit.entrypoints.mcp_server.tokens_over_http import BodiesInTime, FoundToken, FromHere, GuessLimit, KeptTokens

    security = None if options.host in _LOOPBACK_NAMES else _allow_own_names(options)  # the SDK guards loopback names itself
    if not options.needs_token:
        app = server.streamable_http_app(host=options.host, transport_security=security)
        app.add_middleware(FromHere)
        app.add_middleware(BodiesInTime)
        return app
    auth = AuthSettings(issuer_url=AnyHttpUrl(options.url), resource_server_url=None)
    app = server.streamable_http_app(host=options.host, transport_security=security, auth=auth, token_verifier=FoundToken())
    app.add_middleware(GuessLimit, tokens=KeptTokens(host))
    app.add_middleware(BodiesInTime)
    return app


def _caller_for(options: ServeOptions) -> CallerFor:
    local = Caller(options.owner, "mcp", OWN)

    def caller() -> Caller:
        if not options.needs_token:
            return local
        found = get_access_token()
        if found is None:  # the SDK refuses such requests earlier
            raise ConfigurationError("A request without a token was not refused.")
        return Caller(found.client_id, "mcp", frozenset(cast("list[Scope]", found.scopes)))

    return caller


def _allow_own_names(options: ServeOptions) -> TransportSecuritySettings:
    """Return settings that admit requests only to this machine's own names and addresses."""
    addresses = [address.address.partition("%")[0] for found in net_if_addrs().values() for address in found if address.family in _FAMILIES]
    names = {options.host, *_LOOPBACK_NAMES, socket.gethostname(), socket.getfqdn(), *addresses}
    hosts = [f"[{name}]:*" if ":" in name else f"{name}:*" for name in names]
    origins = [f"{scheme}://{host}" for scheme in ("http", "https") for host in hosts]
    return TransportSecuritySettings(enable_dns_rebinding_protection=True, allowed_hosts=hosts, allowed_origins=origins)
