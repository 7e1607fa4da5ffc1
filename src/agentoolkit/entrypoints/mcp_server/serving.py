"""``agentool mcp``: a process that speaks the protocol over standard input and output, or over HTTP."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hmac import compare_digest
from ipaddress import ip_address
from typing import TYPE_CHECKING

from mcp.server import Server
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.stdio import stdio_server
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import AnyHttpUrl

from agentool.caller import OWN, Caller
from agentool.errors import ConfigurationError
from agentoolkit.entrypoints.background import BackgroundToolkit
from agentoolkit.entrypoints.cli.signals import leave, stopping_on_signals
from agentoolkit.entrypoints.mcp_server.host import ThreadHost
from agentoolkit.entrypoints.mcp_server.server import CallerFor, create_server
from agentoolkit.settings import McpToken, Settings

if TYPE_CHECKING:
    from starlette.applications import Starlette

_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
_GRACE_SECONDS = 1
"""How long requests under way may take to end when the server stops."""


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """How the server is started."""

    owner: str
    """Whose the tasks are, where no token says so."""
    http: bool = False
    host: str = "127.0.0.1"
    port: int = 8765
    timezone: str | None = None
    agent: str | None = None

    @property
    def is_loopback(self) -> bool:
        """Can only this machine reach it?"""
        if self.host in _LOOPBACK_NAMES:
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def url(self) -> str:
        """Where clients find it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/mcp"


def serve_mcp(settings: Settings, options: ServeOptions) -> None:
    """Serve until the client leaves or a signal comes, with the scheduler in the background; then end this process.

    Raises:
        ConfigurationError: The address can be reached from elsewhere and no token is set.
        AgenToolError: The toolkit cannot be opened.
    """
    check_reach(options, settings.mcp.tokens)
    background = BackgroundToolkit(settings)
    background.start()
    try:
        asyncio.run(_serve(background, settings.mcp.tokens, options))
    finally:
        background.stop()
    leave(0)  # a thread may wait for standard input for ever


def check_reach(options: ServeOptions, tokens: Mapping[str, McpToken]) -> None:
    """Refuse to let other machines in without a token. Raises `ConfigurationError`."""
    if options.http and not options.is_loopback and not tokens:
        problem = f"{options.host!r} can be reached from other machines, and no token is set."
        remedy = """Set AGENTOOL_MCP_TOKENS='{"maria": {"token": "SECRET"}}', or use --host 127.0.0.1."""
        raise ConfigurationError(problem, field="host", value=options.host, remedy=remedy)


async def _serve(background: BackgroundToolkit, tokens: Mapping[str, McpToken], options: ServeOptions) -> None:
    caller = _caller_for(options, tokens)
    is_local = not (options.http and tokens)
    server = create_server(ThreadHost(background), caller, timezone=options.timezone, agent=options.agent, is_local=is_local)
    with stopping_on_signals() as stopped:
        work = _serve_http(server, tokens, options) if options.http else _serve_stdio(server)
        serving = asyncio.ensure_future(work)
        waiting = asyncio.ensure_future(stopped.wait())
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if serving.done():
            serving.result()
            return
        # Over HTTP it ends by itself on a signal. Standard input cannot be given up: whoever reads it is left behind.
        if options.http:
            await asyncio.wait({serving}, timeout=_GRACE_SECONDS + 1)


async def _serve_stdio(server: Server) -> None:
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


async def _serve_http(server: Server, tokens: Mapping[str, McpToken], options: ServeOptions) -> None:
    import uvicorn

    with _listening_socket(options) as listening:
        served = replace(options, port=listening.getsockname()[1])
        sys.stderr.write(f"agentool: MCP at {served.url}\n")
        app = http_app(server, tokens, served)
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=_GRACE_SECONDS)
        await uvicorn.Server(config).serve([listening])


def _listening_socket(options: ServeOptions) -> socket.socket:
    """Listen before anything is served, so that a port in use is told in one line. Raises `OSError`."""
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    return socket.create_server((options.host, options.port), family=family, backlog=128)


def http_app(server: Server, tokens: Mapping[str, McpToken], options: ServeOptions) -> Starlette:
    """Return the application that serves the protocol over HTTP at ``/mcp``."""
    security = None if options.is_loopback else _own_names(options)
    if not tokens:
        return server.streamable_http_app(host=options.host, transport_security=security)
    auth = AuthSettings(issuer_url=AnyHttpUrl(options.url), resource_server_url=None)
    return server.streamable_http_app(host=options.host, transport_security=security, auth=auth, token_verifier=SettingTokens(tokens))


class SettingTokens:
    """Knows the bearer tokens that settings name."""

    def __init__(self, tokens: Mapping[str, McpToken]) -> None:
        self._tokens = tokens

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return whose a token is; None if it is nobody's."""
        found = None
        for name, known in self._tokens.items():  # all of them, so that the time taken tells nothing
            if compare_digest(known.token.get_secret_value().encode(), token.encode()):
                found = AccessToken(token=token, client_id=name, scopes=list(known.scopes), subject=name)
        return found


def _caller_for(options: ServeOptions, tokens: Mapping[str, McpToken]) -> CallerFor:
    local = Caller(options.owner, "mcp", OWN)

    def caller() -> Caller:
        if not (options.http and tokens):
            return local
        found = get_access_token()
        if found is None or found.client_id not in tokens:  # the SDK lets no such request in
            raise ConfigurationError("A request without a token has come this far.")
        return Caller(found.client_id, "mcp", frozenset(tokens[found.client_id].scopes))

    return caller


def _own_names(options: ServeOptions) -> TransportSecuritySettings:
    hosts = [f"{name}:{options.port}" for name in {options.host, *_LOOPBACK_NAMES}]
    return TransportSecuritySettings(
        enable_dns_rebinding_protection=True, allowed_hosts=hosts, allowed_origins=[f"http://{host}" for host in hosts]
    )
